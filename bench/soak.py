#!/usr/bin/env python3
"""Runs sagad at 70 % load for a while and fails when memory or open files grow.

    bench/soak.py [--minutes 20] [--broker embedded|kafka] [--results FOLDER]

Apache Kafka where KAFKA_LIB names a folder of its jars, else the embedded broker. Prints slopes, writes
samples and plots. Standard library only.
"""
import argparse
import json
import sys
from pathlib import Path

from measure import soak
from measure.bed import build_folder, has_kafka, new_bed, say
from measure.sizes import FULL, QUICK


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--broker", choices=("embedded", "kafka"), default="kafka" if has_kafka() else "embedded")
    parser.add_argument("--results", type=Path, default=build_folder() / "bench" / "results")
    options = parser.parse_args()
    with new_bed(options.broker, FULL if options.minutes > 5 else QUICK) as bed:
        samples, failures = soak.soak(bed, options.minutes)
    options.results.mkdir(parents=True, exist_ok=True)
    (options.results / "soak.json").write_text(json.dumps(samples) + "\n")
    for name, svg in soak.plots(samples).items():
        (options.results / name).write_text(svg)
    say(f"samples and plots: {options.results}")
    for failure in failures:
        say(f"GROWS: {failure}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
