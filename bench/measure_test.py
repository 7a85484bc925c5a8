#!/usr/bin/env python3
"""What decides over a run: verdicts, floors, slopes, the fitted model, plots. No server is started."""
import contextlib
import io
import random
import tempfile
import unittest
import xml.etree.ElementTree as xml
from pathlib import Path

import bench
from measure import fit, goals, plot, soak, throughput


def samples(memory=lambda at: 100.0, files=lambda at: 40, seconds=600):
    """Of a soak that takes 500 bytes a saga."""
    return [{"at": float(at), "sagas": at * 5000, "sagad MB": memory(at), "sagad files": files(at),
             "PostgreSQL files": 300, "p99 ms": 50.0, "bytes": {"saga": at * 5000 * 500}, "dead": {"saga": 1000}}
            for at in range(5, seconds, 5)]


class Soak(unittest.TestCase):
    def test_flat_run_is_good(self):
        self.assertEqual(soak.judge(samples())[1], [])

    def test_warming_up_in_the_first_third_is_no_growth(self):
        warm = samples(memory=lambda at: min(20 + at, 150), files=lambda at: min(at, 40))

        self.assertEqual(soak.judge(warm)[1], [])

    def test_noise_is_no_growth(self):
        chance = random.Random(4)

        self.assertEqual(soak.judge(samples(memory=lambda at: 100 + chance.uniform(-8, 8)))[1], [])

    def test_leak_of_memory_is_found(self):
        self.assertIn("sagad MB grow", soak.judge(samples(memory=lambda at: 100 + at * 0.05))[1][0])

    def test_leak_of_files_is_found_in_two_minutes(self):
        leaking = samples(files=lambda at: 40 + at // 10, seconds=120)

        self.assertIn("sagad files grow", soak.judge(leaking)[1][0])

    def test_table_that_takes_more_and_more_a_saga_is_bloat(self):
        bloating = samples()
        for one in bloating:
            one["bytes"]["saga"] = one["at"] ** 2 * 5000

        self.assertIn("table saga", soak.judge(bloating)[1][0])

    def test_growing_with_the_sagas_is_no_bloat(self):
        self.assertEqual([line for line in soak.judge(samples())[1] if "table" in line], [])


class Goals(unittest.TestCase):
    RATIO = goals.Goal("ratio", "of the bare loop", at_least=0.5, floor=0.3)

    def test_goal_that_is_missed_says_no(self):
        self.assertIn("NO", goals.table([self.RATIO], {"kafka": {"ratio": 0.4}}))

    def below(self, ratio):
        return goals.below_floor([self.RATIO], "kafka", {"ratio": ratio})

    def test_ratio_between_floor_and_goal_fails_nothing(self):
        self.assertEqual(self.below(0.4), {})

    def test_ratio_below_its_floor_twice_fails_with_both_values(self):
        failed = goals.failures("kafka", self.below(0.2), self.below(0.25))

        self.assertEqual(len(failed), 1)
        self.assertIn("0.2, and 0.25", failed[0])

    def test_ratio_below_its_floor_once_fails_nothing(self):
        self.assertEqual(goals.failures("kafka", self.below(0.2), self.below(0.4)), [])
        self.assertEqual(goals.failures("kafka", self.below(0.4), self.below(0.2)), [])

    def test_what_was_not_measured_is_left_out(self):
        self.assertEqual(goals.verdicts([self.RATIO], {"kafka": {}}), [])

    def test_curve_with_a_dip_falls_below_one(self):
        self.assertEqual(throughput.lowest_rise([100, 200, 150, 300]), 0.75)


class Measuring(unittest.TestCase):
    def measured(self, *ratios):
        """What failed, what was found and how often it was measured, where the ratios come one after another."""
        left = list(ratios)
        part = bench.Part(lambda _bed, _found: {"ratio": left.pop(0)}, (Goals.RATIO,))
        found = {}
        with contextlib.redirect_stdout(io.StringIO()):
            failed = bench.measure_insisting(part, "kafka", None, found)
        return failed, found["ratio"], len(ratios) - len(left)

    def test_good_part_is_measured_once(self):
        self.assertEqual(self.measured(0.4, 0.2), ([], 0.4, 1))

    def test_part_below_its_floor_is_measured_once_more(self):
        self.assertEqual(self.measured(0.2, 0.4), ([], 0.4, 2))

    def test_part_below_its_floor_twice_fails(self):
        self.assertEqual(len(self.measured(0.2, 0.2)[0]), 1)

    def test_what_failed_stands_last_before_the_json(self):
        printed = io.StringIO()
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(printed):
            status = bench.finish({"kafka": {}}, Path(folder), ["one", "two"])

        lines = printed.getvalue().strip().split("\n")
        self.assertEqual(lines[-3:-1], ["BELOW ITS FLOOR: one", "BELOW ITS FLOOR: two"])
        self.assertEqual(status, 1)


class Model(unittest.TestCase):
    def test_constants_are_found_again(self):
        known = [0.00018, 0.00004, 0.08]
        points = [{"cores": cores, "open": opened, "bytes": size, "sync_ms": sync}
                  for cores in (1, 2) for opened in (200, 3000) for size in (100, 65536) for sync in (0.1,)]
        for point in points:
            point["sagas_per_s"] = fit.predicted(known, point)

        for found, wanted in zip(fit.constants(points), known):
            self.assertAlmostEqual(found / wanted, 1, places=6)


    def test_few_sagas_wait_for_a_slow_disk(self):
        slow = {"cores": 2, "open": 1, "bytes": 100, "sync_ms": 5}

        self.assertAlmostEqual(fit.predicted([0.00018, 0.00004, 0.001], slow), 50)


class Plot(unittest.TestCase):
    def test_chart_is_well_formed_and_holds_each_line(self):
        chart = xml.fromstring(plot.line_chart("a < b", "x", "y", {"one": [(1, 2), (3000, 4)], "two": [(1, 0), (10, 9)]},
                                               log_x=True))

        self.assertEqual(len(chart.findall("{http://www.w3.org/2000/svg}polyline")), 2)

    def test_flat_line_at_zero_can_be_drawn(self):
        xml.fromstring(plot.line_chart("t", "x", "y", {"one": [(0, 0), (1, 0)]}))


if __name__ == "__main__":
    unittest.main()
