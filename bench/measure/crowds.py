"""A million open sagas that wait: memory, restart, throughput beside them."""
import time

from measure import machine
from measure.bed import say, until
from measure.goals import Goal

OPEN, CONNECTIONS = 1000, 8

GOALS = (
    Goal("waiting_rss_mb", "memory with 1 million sagas waiting", below=300, unit="MB"),
    Goal("waiting_restart_s", "restart to first dispatch beside them", below=10, unit="s"),
    Goal("waiting_kill_restart_s", "the same after kill -9", below=10, unit="s"),
    Goal("waiting_throughput_ratio", "throughput beside them, of before", at_least=0.8),
)


def waiting(bed, _found):
    """The same throughput before and beside; each waiting saga has a command out that nobody answers."""
    count, sagas = bed.size["waiting"], bed.size["sagas"]
    before = bed.saturate("bench-three", sagas, OPEN)["sagas_per_s"]
    started = bed.load("bulk", "bench-waiting", count, CONNECTIONS)["starts_per_s"]
    until(lambda: bed.counter("saga_outbox_pending") == 0, 300, "all commands sent", 0.2)
    tidy(bed)
    memory = machine.rss_mb(bed.pid)
    beside = bed.saturate("bench-three", sagas, OPEN)["sagas_per_s"]
    loaded = machine.rss_mb(bed.pid)
    gentle = first_dispatch(bed, bed.daemon.stop)
    settle(bed)
    hurried = bed.saturate("bench-three", sagas, OPEN)["sagas_per_s"]
    tidy(bed)
    again = bed.saturate("bench-three", sagas, OPEN)["sagas_per_s"]
    killed = first_dispatch(bed, bed.daemon.kill)
    settle(bed)
    most = max(memory, loaded, machine.rss_mb(bed.pid))
    say(f"{count:,} sagas waiting: started {started:,}/s, memory {memory} MB ({loaded} MB under load, {most} MB at "
        f"most); restart to first dispatch {gentle:.1f} s, after kill -9 {killed:.1f} s; {beside:,} and, restarted, "
        f"{again:,} sagas/s beside them ({hurried:,} before the tables were vacuumed), {before:,} without them")
    return {"waiting_sagas": count, "waiting_rss_mb": most, "waiting_restart_s": round(gentle, 2),
            "waiting_kill_restart_s": round(killed, 2), "waiting_before_sagas_per_s": before,
            "waiting_beside_sagas_per_s": beside, "waiting_restarted_sagas_per_s": again,
            "waiting_unvacuumed_sagas_per_s": hurried,
            "waiting_throughput_ratio": round(min(beside, again) / before, 3)}


def first_dispatch(bed, end):
    """Seconds from the start of the process to the end of a first new saga: its commands were dispatched."""
    end()
    begun = time.monotonic()
    bed.daemon.start(wait=120)
    status, answer = bed.daemon.call("POST", "/v1/sagas", {"definition": "bench-three", "input": {}},
                                     headers={"Prefer": "wait=30"}, timeout=60)
    if status != 201 or answer["finished_at"] is None:
        raise RuntimeError(f"a saga after the restart: {status} {answer}")
    return time.monotonic() - begun


def tidy(bed):
    """What a million new rows, or as many old versions, are to autovacuum once is not what their waiting costs."""
    bed.postgres.sql("vacuum analyze; checkpoint", timeout=600)


def settle(bed):
    """Until what was adopted is sent again and the processor is idle."""
    def is_idle():
        used = machine.cpu_seconds(bed.pid)
        time.sleep(0.5)
        return machine.cpu_seconds(bed.pid) - used < 0.05
    until(is_idle, 300, "sagad idle", 0)
