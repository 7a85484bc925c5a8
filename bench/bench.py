#!/usr/bin/env python3
"""Measures sagad beside the bare limits of the same minute, on one private PostgreSQL with fsync on.

    bench/bench.py [--quick] [--results FOLDER]

The embedded broker always; Apache Kafka where KAFKA_LIB names a folder of its jars. Prints tables; the
last line is one JSON object, the members of a real broker under "kafka". Standard library only.
"""
import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))
from servers import Daemon, EmbeddedBroker, Kafka, Postgres, Process, program, until  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")
TOPICS = ["bench.commands", "bench.replies"]
OWN_TOPICS = ["saga.replies", "saga.events", "saga.signals", "saga.replies.dlt"]


def say(text):
    print(text, flush=True)


def run(name, *words):
    """One of our measuring programs to its end: its line of JSON."""
    done = subprocess.run([program(name), *map(str, words)], capture_output=True, text=True, timeout=400)
    if done.returncode != 0:
        raise RuntimeError(f"{name} {' '.join(map(str, words))}: {done.stdout}{done.stderr}")
    return json.loads(done.stdout.strip().split("\n")[-1])


# ---- what processes use ---------------------------------------------------------------

def stat(pid):
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return {"parent": int(fields[1]), "own": int(fields[11]) + int(fields[12]),
            "ended_children": int(fields[13]) + int(fields[14])}


def cpu_seconds(pid, children=False):
    """CPU of a process; with its children, living and ended, where asked."""
    me = stat(pid)
    if me is None:
        return 0.0
    ticks = me["own"]
    if children:
        ticks += me["ended_children"]
        for path in Path("/proc").iterdir():
            other = stat(path.name) if path.name.isdigit() else None
            if other and other["parent"] == pid:
                ticks += other["own"]
    return ticks / TICKS


def rss_mb(pid):
    for line in Path(f"/proc/{pid}/status").read_text().split("\n"):
        if line.startswith("VmRSS:"):
            return round(int(line.split()[1]) / 1024, 1)
    return 0.0


class Echo(Process):
    """A participant in C that answers everything with success, but refuses the step `refused`."""

    def __init__(self, brokers, settings):
        super().__init__("echo")
        self.launch([program("saga-participant-echo"), "--brokers", brokers, "--topics", "bench.commands",
                     "--group", "bench", "--fail-step", "refused", *(["--set", settings] if settings else [])])


# ---- definitions ----------------------------------------------------------------------

def step(name, undo=True):
    made = {"id": name, "action": {"topic": "bench.commands", "type": f"bench.{name}", "input": "${input}"}}
    if undo:
        made["compensation"] = {"topic": "bench.commands", "type": f"bench.{name}.undo", "input": "${input}"}
    return made


DEFINITIONS = {
    "bench-three": [step("one"), step("two"), step("three", False)],
    "bench-refused": [step("one"), step("two"), step("refused", False)],
    "bench-ten": [step(f"s{i}", i < 9) for i in range(10)],
    "bench-wide": [{**step(f"w{i}"), "depends_on": []} for i in range(10)],
}


def register(daemon):
    for name, steps in DEFINITIONS.items():
        status, answer = daemon.call("POST", "/v1/definitions", {"name": name, "steps": steps})
        if status not in (200, 201):
            raise RuntimeError(f"{name}: {status} {answer}")


# ---- one broker -----------------------------------------------------------------------

def warm(daemon, postgres):
    run("saga-load", "saturate", daemon.where[1], "bench-three", 2000, 200)


def latencies(postgres, since):
    row = postgres.sql(f"""
        select percentile_disc(0.5) within group (order by finished_at - created_at),
               percentile_disc(0.99) within group (order by finished_at - created_at)
          from sagad.saga where finished_at is not null and created_at >= {since}""")[0]
    return float(row[0]), float(row[1])


def open_sagas(postgres):
    return int(postgres.sql("select count(*) from sagad.saga where finished_at is null and namespace_id <> 999")[0][0])


def wal_position(postgres):
    return int(postgres.sql("select (pg_current_wal_insert_lsn() - '0/0')::bigint")[0][0])


def saturate(daemon, postgres, broker, definition, sagas, opened):
    """Throughput with what each part used for it."""
    pids = {"sagad": (daemon.process.pid, False), "postgres": (postgres.process.pid, True),
            "broker": (broker.process.pid, False)}
    before = {name: cpu_seconds(*pid) for name, pid in pids.items()}
    wal = wal_position(postgres)
    found = run("saga-load", "saturate", daemon.where[1], definition, sagas, opened)
    for name, pid in pids.items():
        found[f"{name}_cpu_s_per_1000"] = round((cpu_seconds(*pid) - before[name]) / sagas * 1000, 4)
    found["wal_bytes_per_saga"] = round((wal_position(postgres) - wal) / sagas)
    return found


def measure(name, broker, postgres, size):
    """All figures with one broker."""
    say(f"\n## {name}")
    result = {}
    # As `sagad dev` does it: a waiting fetch of the embedded broker is not woken by a new record.
    settings = "fetch.wait.max.ms=1,linger.ms=1" if isinstance(broker, EmbeddedBroker) else ""
    os.environ["FETCH_WAIT_MS"] = "1" if settings else "5"
    echo = Echo(broker.brokers, settings.partition(",")[0])
    daemon = Daemon(postgres.url, broker.brokers, ["--kafka-settings", settings] if settings else [])
    try:
        for _ in range(1 if settings else 2):  # a JVM needs the first one to warm up
            transport = run("saga-bare", "transport", broker.brokers, size["trips"], 2000)
        result["transport_limit_round_trips_per_s"] = transport["round_trips_per_s"]
        say(f"bare transport          {transport['round_trips_per_s']:>8} round trips/s at 2,000 open")
        bare = {}
        for opened in size["open"]:
            bare[opened] = run("saga-bare", "loop", postgres.url, broker.brokers,
                               size["sagas"] if opened > 200 else size["sagas"] // 4, opened)["sagas_per_s"]
            say(f"bare loop               {bare[opened]:>8} sagas/s at {opened:,} open")
        daemon.start()
        register(daemon)
        warm(daemon, postgres)
        best = None
        for opened in size["open"]:
            found = saturate(daemon, postgres, broker, "bench-three",
                             size["sagas"] if opened > 200 else size["sagas"] // 4, opened)
            say(f"sagad                   {found['sagas_per_s']:>8} sagas/s at {opened:,} open   "
                f"{found['sagas_per_s'] / bare[opened]:.0%} of the bare loop   CPU s per 1,000: "
                f"sagad {found['sagad_cpu_s_per_1000']}, PostgreSQL {found['postgres_cpu_s_per_1000']}, "
                f"broker {found['broker_cpu_s_per_1000']}   WAL {found['wal_bytes_per_saga']} B a saga")
            if best is None or found["sagas_per_s"] > best[1]["sagas_per_s"]:
                best = (opened, found)
        opened, found = best
        result.update({k: found[k] for k in ("sagas_per_s", "sagad_cpu_s_per_1000", "postgres_cpu_s_per_1000",
                                             "broker_cpu_s_per_1000", "wal_bytes_per_saga")})
        result["open"] = opened
        result["bare_loop_sagas_per_s"] = bare[opened]
        result["ratio_to_bare_loop"] = round(found["sagas_per_s"] / bare[opened], 3)
        result["rss_loaded_mb"] = rss_mb(daemon.process.pid)
        refused = saturate(daemon, postgres, broker, "bench-refused", size["sagas"] // 2, opened)
        result["compensated_per_s"] = refused["sagas_per_s"]
        say(f"step 3 refused          {refused['sagas_per_s']:>8} sagas/s compensated")
        for definition in ("bench-ten", "bench-wide"):
            ten = saturate(daemon, postgres, broker, definition, size["sagas"] // 6, opened)
            say(f"{definition:<23} {ten['sagas_per_s'] * 10:>8} steps/s")
        starts = run("saga-load", "starts", daemon.where[1], "bench-three", size["sagas"], 64)
        result["starts_per_s"] = starts["starts_per_s"]
        say(f"POST /v1/sagas          {starts['starts_per_s']:>8} starts/s, one each, 64 connections, "
            f"p99 {starts['p99_ms']} ms")
        daemon.stop()
        daemon.start()
        until(lambda: open_sagas(postgres) == 0, 120, "no saga open", 0.2)
        result["rss_idle_mb"] = rss_mb(daemon.process.pid)
        run("saga-load", "idle", daemon.where[1], "bench-three", 20)  # the restarted node gets its partitions
        idle = run("saga-load", "idle", daemon.where[1], "bench-three", size["idle"])
        result["p50_idle_ms"], result["p99_idle_ms"] = idle["p50_ms"], idle["p99_ms"]
        say(f"idle, start to finish   p50 {idle['p50_ms']} ms  p99 {idle['p99_ms']} ms")
        since = int(time.time() * 1000)
        half = max(found["sagas_per_s"] // 2, 10)  # of saturation
        run("saga-load", "rate", daemon.where[1], "bench-three", half * size["half_s"], half)
        result["p50_half_load_ms"], result["p99_half_load_ms"] = latencies(postgres, since)
        say(f"at {half:,} sagas/s       p50 {result['p50_half_load_ms']:.0f} ms  "
            f"p99 {result['p99_half_load_ms']:.0f} ms")
        say(f"memory of sagad         idle {result['rss_idle_mb']} MB, loaded {result['rss_loaded_mb']} MB")
        return result
    except Exception:
        say(daemon.tail())
        raise
    finally:
        daemon.close()
        echo.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="under three minutes, smaller counts")
    parser.add_argument("--results", type=Path, help="folder for results.json")
    options = parser.parse_args()
    size = ({"sagas": 15000, "trips": 60000, "idle": 100, "half_s": 3, "open": [200, 3000]} if options.quick else
            {"sagas": 60000, "trips": 200000, "idle": 300, "half_s": 8, "open": [200, 1000, 3000]})
    result = {}
    with Postgres({"max_wal_size": "4GB", "shared_buffers": "512MB"}) as postgres:
        with EmbeddedBroker(TOPICS + OWN_TOPICS) as broker:
            done = Daemon(postgres.url, broker.brokers).tool("migrate", "--database-url", postgres.url)
            if done.returncode != 0:
                raise RuntimeError(done.stderr)
            say("## the bare database")
            for batch in (1, 50, 500):
                count = size["sagas"] if batch > 1 else 300
                found = run("saga-bare", "database", postgres.url, count, batch)
                say(f"batches of {batch:<5}        {found['sagas_per_s']:>8} sagas/s, one connection")
            result["database_limit_sagas_per_s"] = found["sagas_per_s"]
            result.update(measure("embedded broker", broker, postgres, size))
        if os.environ.get("KAFKA_LIB"):
            with Kafka() as kafka:
                kafka.create_topics(TOPICS + OWN_TOPICS, 8)
                result["kafka"] = {"database_limit_sagas_per_s": result["database_limit_sagas_per_s"],
                                   **measure("Apache Kafka 4.1", kafka, postgres, size)}
        else:
            say("\nApache Kafka: skipped, KAFKA_LIB names no folder of its jars")
    if options.results:
        options.results.mkdir(parents=True, exist_ok=True)
        (options.results / "results.json").write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
