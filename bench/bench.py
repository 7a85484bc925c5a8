#!/usr/bin/env python3
"""Measures sagad beside the bare limits of the same minute, on private servers with fsync on.

    bench/bench.py [--quick] [--part NAME]... [--broker embedded|kafka] [--finished N] [--results FOLDER]

The embedded broker always; Apache Kafka where KAFKA_LIB names a folder of its jars. Prints tables and the
goals; the last line is one JSON object, the members of a real broker under "kafka". Standard library only.
"""
import argparse
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from measure import capacity, crowds, grown, latency, nodes, overload, payloads, retention, starts, throughput
from measure.bed import bare_rows, build_folder, has_kafka, new_bed, new_postgres, say
from measure.goals import below_floor, failures, table
from measure.sizes import FULL, QUICK

BEGUN = time.monotonic()
BATCHES = {1: 300, 50: None, 500: None}  # of the bare database; None: as many as of everything


@dataclass(frozen=True)
class Part:
    """One figure, or some that are measured together; it is given the bed and what was found with its broker."""
    measure: Callable
    goals: tuple
    needs: tuple = ()
    quick: bool = True


# On one warm bed for each broker, in this order.
SHORT = {
    "curve": Part(throughput.curve, throughput.CURVE_GOALS),
    "shapes": Part(throughput.shapes, throughput.SHAPE_GOALS, needs=("curve",)),
    "payloads": Part(payloads.payloads, payloads.GOALS),
    "starts": Part(starts.starts, starts.GOALS),
    "idle": Part(latency.idle, latency.IDLE_GOALS),
    "half": Part(latency.half_load, latency.HALF_GOALS, needs=("curve",)),
}

# Each on a bed of its own, with Kafka where it is.
LONG = {
    "nodes": Part(nodes.nodes, nodes.GOALS, quick=False),
    "retention": Part(retention.retention, retention.GOALS, quick=False),
    "overload": Part(overload.overload, overload.GOALS, quick=False),
    "waiting": Part(crowds.waiting, crowds.GOALS, quick=False),
    "grown": Part(grown.grown, grown.GOALS, quick=False),
}

# Makes its own beds; only when it is named, since it has no goal: it is for docs/capacity.md.
ALONE = {"capacity": Part(capacity.capacity, (), quick=False)}

PARTS = {**SHORT, **LONG, **ALONE}
# By the member that is plotted.
PLOTS = {"curve": throughput.plot_curve, "overload_samples": overload.plot_overload}


def database_limit(postgres, size):
    """One connection, the rows of three steps, by size of the batch."""
    limits = {}
    for batch, count in BATCHES.items():
        limits[batch] = bare_rows(postgres, "database", count or size["sagas"], batch)
        say(f"the bare database, batches of {batch:<4} {limits[batch]:>8,} sagas/s, one connection")
    return limits[max(limits)]


def with_needs(names):
    """The parts named, those before that they need, in the order of the table."""
    wanted = set(names) | {need for name in names for need in PARTS[name].needs}
    return [name for name in PARTS if name in wanted]


def measure_insisting(part, kind, bed, found):
    """Measures what is below its floor once more: a noisy neighbour is no defect. What was below it twice."""
    found.update(part.measure(bed, found))
    first = below_floor(part.goals, kind, found)
    if not first:
        return []
    say("below its floor, so it is measured once more: "
        + "; ".join(f"{goal.text} {measured:.3g} (floor {goal.floor})" for goal, measured in first.items()))
    found.update(part.measure(bed, found))
    return failures(kind, first, below_floor(part.goals, kind, found))


def measure_short(names, kinds, size, results, insists):
    """What was below its floor twice, in a run that insists on floors."""
    failed = []
    with new_postgres() as postgres:
        limit = database_limit(postgres, size)
        for kind in kinds:
            say(f"\n## {kind}")
            results[kind]["database_limit_sagas_per_s"] = limit
            with new_bed(kind, size, postgres) as bed:
                for name in names:
                    if insists:
                        failed += measure_insisting(PARTS[name], kind, bed, results[kind])
                    else:
                        results[kind].update(PARTS[name].measure(bed, results[kind]))
    return failed


def measure_long(name, kind, size, results):
    say(f"\n## {name}, {kind}")
    with new_bed(kind, size) as bed:
        results[kind].update(PARTS[name].measure(bed, results[kind]))


def finish(results, folder, failed):
    """Prints the goals and what failed, writes what was found; the exit status."""
    goals = [goal for part in PARTS.values() for goal in part.goals]
    say("\n## goals\n" + table(goals, results))
    folder.mkdir(parents=True, exist_ok=True)
    result = {**results.get("embedded", {}), **({"kafka": results["kafka"]} if "kafka" in results else {})}
    (folder / "results.json").write_text(json.dumps(result, indent=1) + "\n")
    for name, plot in PLOTS.items():
        measured = {kind: found for kind, found in results.items() if name in found}
        if measured:
            (folder / f"{name}.svg").write_text(plot(measured))
    say(f"results and plots: {folder}; {time.monotonic() - BEGUN:.0f} s in all")
    for failure in failed:
        say(f"BELOW ITS FLOOR: {failure}")
    print(json.dumps(result))
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true",
                        help="smaller counts, no long parts; fails where a ratio is below its floor")
    parser.add_argument("--part", action="append", choices=PARTS, help="this one alone; may be repeated")
    parser.add_argument("--broker", choices=("embedded", "kafka"), help="this one alone")
    parser.add_argument("--finished", type=int, help="finished sagas in the tables of part grown")
    parser.add_argument("--waiting", type=int, help="open sagas of part waiting")
    parser.add_argument("--results", type=Path, help="folder for results.json and plots")
    options = parser.parse_args()
    size = dict(QUICK if options.quick else FULL)
    size.update({name: getattr(options, name) for name in ("finished", "waiting") if getattr(options, name)})
    kinds = [options.broker] if options.broker else ["embedded", *(["kafka"] if has_kafka() else [])]
    usual = [name for name in {**SHORT, **LONG} if PARTS[name].quick or not options.quick]
    names = with_needs(options.part or usual)
    results, failed = {kind: {} for kind in kinds}, []
    if any(name in SHORT for name in names):
        failed = measure_short([name for name in names if name in SHORT], kinds, size, results, options.quick)
    for name in names:
        if name in LONG:
            measure_long(name, kinds[-1], size, results)
        if name in ALONE:
            results[kinds[-1]].update(PARTS[name].measure(kinds[-1], size))
    if "kafka" not in kinds and not has_kafka():
        say("\nApache Kafka: skipped, KAFKA_LIB names no folder of its jars")
    return finish(results, options.results or build_folder() / "bench" / "results", failed)


if __name__ == "__main__":
    sys.exit(main())
