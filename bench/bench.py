#!/usr/bin/env python3
"""Measures sagad beside the bare limits of the same minute, on private servers with fsync on.

    bench/bench.py [--quick] [--part NAME]... [--broker embedded|kafka] [--results FOLDER]

The embedded broker always; Apache Kafka where KAFKA_LIB names a folder of its jars. Prints tables; the
last line is one JSON object, the members of a real broker under "kafka". Standard library only.
"""
import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from measure import latency, starts, throughput
from measure.bed import bare_rows, build_folder, has_kafka, new_bed, new_postgres, say
from measure.goals import below_floor, table

FULL = {"sagas": 60000, "trips": 200000, "idle": 300, "half_s": 8, "open": [1, 10, 50, 200, 1000, 3000]}
QUICK = {"sagas": 15000, "trips": 60000, "idle": 100, "half_s": 3, "open": [1, 200, 3000]}


@dataclass(frozen=True)
class Part:
    """One figure, or some that are measured together. It is given the bed and what was found on it."""
    measure: Callable
    goals: tuple
    needs: tuple = ()
    quick: bool = True


# On one warm bed a broker, in this order.
PARTS = {
    "curve": Part(lambda bed, _: throughput.curve(bed), throughput.CURVE_GOALS),
    "shapes": Part(throughput.shapes, throughput.SHAPE_GOALS, needs=("curve",)),
    "starts": Part(starts.starts, starts.GOALS),
    "idle": Part(latency.idle, latency.GOALS),
    "half": Part(latency.half_load, (), needs=("curve",)),
}


def database_limit(postgres, size):
    """One connection, the rows of three steps, by size of the batch."""
    limits = {}
    for batch in (1, 50, 500):
        limits[batch] = bare_rows(postgres, "database", size["sagas"] if batch > 1 else 300, batch)
        say(f"the bare database, batches of {batch:<4} {limits[batch]:>8,} sagas/s, one connection")
    return limits[500]


def with_needs(names):
    """The parts named, those before that they need, in the order of the table."""
    wanted = set(names)
    for name in names:
        wanted |= set(PARTS[name].needs)
    return [name for name in PARTS if name in wanted]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true",
                        help="under three minutes, smaller counts; fails where a ratio is below its floor")
    parser.add_argument("--part", action="append", choices=PARTS, help="this one alone; may be repeated")
    parser.add_argument("--broker", choices=("embedded", "kafka"), help="this one alone")
    parser.add_argument("--results", type=Path, help="folder for results.json and plots")
    options = parser.parse_args()
    size = QUICK if options.quick else FULL
    kinds = [options.broker] if options.broker else ["embedded", *(["kafka"] if has_kafka() else [])]
    results = {}
    with new_postgres() as postgres:
        limit = database_limit(postgres, size)
        for kind in kinds:
            say(f"\n## {kind}")
            found = results[kind] = {"database_limit_sagas_per_s": limit}
            with new_bed(kind, size, postgres) as bed:
                for name in with_needs(options.part or PARTS):
                    found.update(PARTS[name].measure(bed, found))
    if "kafka" not in kinds and not has_kafka():
        say("\nApache Kafka: skipped, KAFKA_LIB names no folder of its jars")
    return finish(results, options)


def finish(results, options):
    goals = [goal for part in PARTS.values() for goal in part.goals]
    say("\n## goals\n" + table(goals, results))
    folder = options.results or build_folder() / "bench" / "results"
    folder.mkdir(parents=True, exist_ok=True)
    result = {**results.get("embedded", {}), **({"kafka": results["kafka"]} if "kafka" in results else {})}
    (folder / "results.json").write_text(json.dumps(result, indent=1) + "\n")
    if all("curve" in found for found in results.values()):
        (folder / "curve.svg").write_text(throughput.plot_curve(results))
    say(f"results and plots: {folder}")
    failures = below_floor(goals, results) if options.quick else []
    for failure in failures:
        say(f"BELOW ITS FLOOR: {failure}")
    print(json.dumps(result))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
