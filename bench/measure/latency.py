"""Start to finish: one at a time on an idle system, and at half of saturation."""
from measure import machine
from measure.bed import now_ms, say
from measure.goals import Goal

IDLE_GOALS = (
    Goal("p50_idle_ms", "start to finish, idle, p50", below=6, broker="kafka", unit="ms"),
    Goal("p99_idle_ms", "start to finish, idle, p99", below=15, broker="kafka", unit="ms"),
    Goal("p50_idle_ms", "start to finish, idle, p50", below=12, broker="embedded", unit="ms"),
)

HALF_GOALS = (
    Goal("p99_half_load_ms", "at half of saturation, p99", below=100, unit="ms"),
)


def idle(bed, _found):
    """As its caller sees it, on a daemon that was just started again."""
    bed.daemon.stop()
    bed.daemon.start()
    bed.drain()
    memory = machine.rss_mb(bed.pid)
    bed.load("idle", "bench-three", 20)  # the restarted node gets its partitions
    took = bed.load("idle", "bench-three", bed.size["idle"])
    say(f"idle, start to finish: p50 {took['p50_ms']} ms, p99 {took['p99_ms']} ms; memory {memory} MB")
    return {"p50_idle_ms": took["p50_ms"], "p99_idle_ms": took["p99_ms"], "rss_idle_mb": memory}


def half_load(bed, found):
    """An open loop at half of what it finishes at best."""
    rate = max(found["sagas_per_s"] // 2, 10)
    bed.load("saturate", "bench-three", bed.size["sagas"] // 4, 1000)  # after a restart, as warm as before
    p50, p99 = at_rate(bed, rate, bed.size["half_s"])
    say(f"at {rate:,} sagas/s: p50 {p50:.0f} ms, p99 {p99:.0f} ms")
    return {"p50_half_load_ms": p50, "p99_half_load_ms": p99}


def at_rate(bed, rate, seconds):
    """(p50, p99) in ms under an open loop, by the sagas' own time stamps."""
    since = now_ms()
    bed.load("rate", "bench-three", int(rate * seconds), int(rate))
    return bed.latencies(since)
