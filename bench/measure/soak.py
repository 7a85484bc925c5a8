"""Hours in minutes: at 70 % load memory, files, tables and latency stay as they are.

A slope is that of Theil and Sen (the median of the slopes between all pairs of samples), over what
comes after the first third: it is neither moved by warming up nor by single samples.
"""
import statistics
import subprocess
import time

from measure import machine
from measure.bed import now_ms, program, say
from measure.plot import line_chart

LOAD, OPEN = 0.7, 1000
EVERY_S = 5
TABLES = ("saga", "saga_start", "history", "request_key", "processed_message", "writer", "node")

# What a slope may add up to over the time that is looked at, as a share of the median and absolutely;
# the greater one counts.
BOUNDS = {"sagad MB": (0.10, 10), "sagad files": (0, 4), "PostgreSQL files": (0.2, 40)}
BLOAT = 1.25   # bytes a saga of a table: the end by the middle
P99_RISE = 2.0  # and p99: the last third by the middle one
FLAT_FROM_S = 300  # in shorter runs tables and p99 are printed and decide nothing


def slope(points):
    """Per second."""
    return statistics.median((y2 - y1) / (x2 - x1) for i, (x1, y1) in enumerate(points) for x2, y2 in points[i + 1:])


def sample(bed, begun, since_ms):
    sizes = {name: (int(size), int(dead)) for name, size, dead in bed.postgres.sql("""
        select regexp_replace(relname, '_(w[0-9]+|other)$', ''), sum(pg_total_relation_size(relid)), sum(n_dead_tup)
          from pg_stat_user_tables where schemaname = 'sagad' group by 1""")}
    p99 = bed.latencies(since_ms, now_ms() - 1000)[1]
    return {"at": round(time.monotonic() - begun, 1), "sagas": bed.counter("saga_finished_total"),
            "sagad MB": machine.rss_mb(bed.pid), "sagad files": machine.open_files(bed.pid),
            "PostgreSQL files": postgres_files(bed), "p99 ms": p99,
            "bytes": {name: sizes[name][0] for name in TABLES if name in sizes},
            "dead": {name: sizes[name][1] for name in TABLES if name in sizes}}


def postgres_files(bed):
    """Of all of its processes."""
    return sum(machine.open_files(pid) for pid in machine.family(bed.postgres.process.pid))


def run_soak(bed, minutes):
    """The samples, under a steady load."""
    peak = max(bed.saturate("bench-three", bed.size["sagas"], OPEN)["sagas_per_s"] for _ in range(2))
    rate = int(peak * LOAD)
    say(f"{minutes:g} minutes at {rate:,} sagas/s, {LOAD:.0%} of {peak:,}")
    load = subprocess.Popen([program("saga-load"), "rate", bed.daemon.where[1], "bench-three",
                             str(int(rate * minutes * 60)), str(rate)], stdout=subprocess.DEVNULL)
    begun, samples = time.monotonic(), []
    while load.poll() is None:
        since = now_ms() - 1000
        time.sleep(EVERY_S)
        if load.poll() is None:
            samples.append(sample(bed, begun, since))
    if load.returncode != 0:
        raise RuntimeError(f"saga-load ended with {load.returncode}: it does not keep up")
    return samples


def judge(samples):
    """(lines to print, sentences of what grows)"""
    lines, failures = [], []
    calm = samples[len(samples) // 3:]
    window = calm[-1]["at"] - calm[0]["at"]
    for name, (share, least) in BOUNDS.items():
        middle = statistics.median(one[name] for one in calm)
        grows = slope([(one["at"], one[name]) for one in calm]) * window
        bound = max(share * middle, least)
        lines.append(f"{name:<22} median {middle:>10,.1f}   slope {grows / window * 60:>+9.3f} a minute, "
                     f"{grows:+.1f} in {window:.0f} s, bound {bound:.1f}")
        if grows > bound:
            failures.append(f"{name} grow by {grows:.1f} in {window:.0f} s, more than {bound:.1f}")
    tails = [(one["at"], one["p99 ms"]) for one in calm if one["p99 ms"] is not None]
    half = len(tails) // 2
    early, late = (statistics.median(p99 for _, p99 in part) for part in (tails[:half], tails[half:]))
    lines.append(f"{'p99 ms':<22} median {statistics.median(p99 for _, p99 in tails):>10,.1f}   slope "
                 f"{slope(tails) * 60:>+9.3f} a minute; {early:.0f} early, {late:.0f} late")
    if window >= FLAT_FROM_S and late > P99_RISE * early:
        failures.append(f"p99 rose from {early:.0f} to {late:.0f} ms")
    for name in samples[-1]["bytes"]:
        line, bloats = judge_table(name, calm, window)
        lines.append(line)
        failures += bloats
    return lines, failures


def judge_table(name, calm, window):
    """Bytes that each further saga adds, early and late: growing is expected, bloat is not."""
    first, middle, last = calm[0], calm[len(calm) // 2], calm[-1]
    early, late = ((b["bytes"][name] - a["bytes"][name]) / max(b["sagas"] - a["sagas"], 1)
                   for a, b in ((first, middle), (middle, last)))
    dead = slope([(one["at"], one["dead"][name]) for one in calm]) * 60
    line = (f"{'table ' + name:<22} {last['bytes'][name] / 1e6:>10,.1f} MB, bytes a saga {early:,.0f} early, "
            f"{late:,.0f} late; dead rows {last['dead'][name]:,}, {dead:+,.0f} a minute")
    bloats = window >= FLAT_FROM_S and late > max(BLOAT * early, early + 100)
    return line, [f"table {name} takes {late:,.0f} bytes a saga after {early:,.0f}"] if bloats else []


def plots(samples):
    """{file name: SVG}"""
    def chart(title, unit, members):
        return line_chart(title, "seconds", unit, {name: [(one["at"], get(one)) for one in samples
                                                         if get(one) is not None] for name, get in members.items()})
    def by_table(kind, factor):
        return {name: (lambda one, name=name: one[kind][name] / factor) for name in TABLES
                if name in samples[-1][kind]}
    return {"soak_memory.svg": chart("Memory of sagad", "MB", {"sagad": lambda one: one["sagad MB"]}),
            "soak_files.svg": chart("Open files", "files", {"sagad": lambda one: one["sagad files"],
                                                            "PostgreSQL": lambda one: one["PostgreSQL files"]}),
            "soak_latency.svg": chart("p99, start to finish", "ms", {"p99": lambda one: one["p99 ms"]}),
            "soak_tables.svg": chart("Tables with indexes", "MB", by_table("bytes", 1e6)),
            "soak_dead.svg": chart("Dead rows", "rows", by_table("dead", 1))}


def soak(bed, minutes):
    """What is printed and plotted, and what grows."""
    samples = run_soak(bed, minutes)
    lines, failures = judge(samples)
    say("\n".join(lines))
    return samples, failures
