"""The points that docs/capacity.md is checked against: cores, sync time, payload, sagas open."""
import os
from contextlib import contextmanager

from measure import fit
from measure.bed import bare_rows, new_bed, new_postgres, say

# (cores, delay of each sync in ms, payload in bytes, open, whether the constants are fitted to it). A delay
# is commit_delay with commit_siblings = 0; it adds to the disk's own time.
POINTS = (
    (2, 0, 100, 3000, True),
    (2, 0, 100, 200, True),
    (2, 5, 100, 200, False),
    (2, 0.1, 100, 3000, False),
    (2, 1, 100, 3000, False),
    (2, 5, 100, 3000, False),
    (2, 1, 100, 200, False),
    (2, 0, 1024, 3000, False),
    (2, 0, 16384, 1000, False),
    (2, 0, 65536, 200, True),
    (1, 0, 100, 3000, True),
    (1, 0, 100, 200, False),
    (1, 1, 100, 3000, False),
    (1, 5, 100, 200, False),
    (1, 0, 16384, 1000, False),
    (1, 0, 65536, 200, False),
)


@contextmanager
def on_cores(count):
    """What is started meanwhile has so many cores."""
    all_cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(all_cores)[:count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, all_cores)


def delay_commits(postgres, milliseconds):
    postgres.sql(f"alter system set commit_delay = {int(milliseconds * 1000)}; "
                 "alter system set commit_siblings = 0; select pg_reload_conf()")


def own_sync_ms(postgres):
    """What one commit after the other takes, four of them a saga; the rows themselves take next to nothing."""
    return 1000 / bare_rows(postgres, "database", 500, 1) / 4


def sagas_for(bytes_each, size):
    return max(size["sagas"] // (1 + bytes_each // 2500), 600)


def measure_points(kind, size, cores):
    found = []
    with on_cores(cores), new_postgres() as postgres:
        own = own_sync_ms(postgres)
        with new_bed(kind, size, postgres) as bed:
            for point in POINTS:
                if point[0] != cores:
                    continue
                _, delay, payload, opened, fitted = point
                delay_commits(postgres, delay)
                sagas = sagas_for(payload, size) // (2 if cores == 1 else 1) // (3 if opened <= 200 else 1)
                rate = max(bed.load("saturate", "bench-three", max(sagas, 2 * opened), opened,
                                    INPUT_BYTES=payload)["sagas_per_s"] for _ in range(2))
                found.append({"cores": cores, "sync_ms": round(own + delay, 3), "bytes": payload, "open": opened,
                              "fitted": fitted, "sagas_per_s": rate})
                say(f"  {found[-1]}")
    return found


def report(points):
    """The constants, and each point beside what they say."""
    model = fit.constants([point for point in points if point["fitted"]])
    event, byte, batch = model
    say(f"event {event * 1e6:.0f} us, byte {byte * 1e6:.1f} us/KB, batch {batch * 1e3:.0f} ms")
    say(f"{'cores':>5} {'sync ms':>8} {'bytes':>7} {'open':>6} {'measured':>9} {'model':>8} {'error':>7}")
    for point in points:
        says = fit.predicted(model, point)
        say(f"{point['cores']:>5} {point['sync_ms']:>8} {point['bytes']:>7,} {point['open']:>6,} "
            f"{point['sagas_per_s']:>9,} {says:>8,.0f} {says / point['sagas_per_s'] - 1:>+7.0%}"
            f"{'   fitted' if point['fitted'] else ''}")
    return [round(constant, 9) for constant in model]


def capacity(kind, size):
    points = measure_points(kind, size, 2) + measure_points(kind, size, 1)
    return {"capacity_points": points, "capacity_constants": report(points)}
