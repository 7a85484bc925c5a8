"""sagactl against `sagad dev`: what the fake server only imitates."""
import json
import os
import re
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))

from servers import SKIPPED, Dev, Postgres, until  # noqa: E402
from support import DEMO, SagactlTest, Terminal  # noqa: E402

# Nobody reads this topic: its steps wait until an operator decides.
LONELY = {"name": "lonely", "steps": [
    {"id": "wait", "action": {"topic": "nobody.commands", "timeout": "1h", "input": "${input}"},
     "compensation": None},
    {"id": "after", "action": {"topic": "nobody.commands", "timeout": "1h"}}]}


class DaemonTest(SagactlTest):
    @classmethod
    def setUpClass(cls):
        cls.dev = Dev()
        cls.addClassCleanup(cls.dev.close)

    def setUp(self):
        super().setUp()
        self.environment["SAGACTL_URL"] = self.dev.url

    def apply(self, *files):
        return self.ok("definitions", "apply", *(os.path.join(DEMO, f"{f}.saga.json") for f in files))

    def lonely(self):
        self.ok("definitions", "apply", self.write("lonely.json", json.dumps(LONELY)))
        return self.ok("start", "lonely", "-i", '{"n": 0.10}', "-o", "id").out.strip()

    def state(self, id_):
        return json.loads(self.ok("get", id_, "-o", "json").out)["state"]


class Daemon(DaemonTest):
    def test_a_saga_is_started_waited_for_and_read(self):
        self.apply("order-checkout")
        order = {"order_id": f"o-{time.time()}", "customer_id": "c", "total": 10, "items": [{"sku": "a", "qty": 1}], "card": "valid"}
        id_ = self.ok("start", "order-checkout", "-i", json.dumps(order), "--label", "test=real", "--wait", "-o", "id",
                      deadline=60).out.strip()
        self.assertIn("succeeded", self.ok("get", id_).out)
        self.assertEqual([json.loads(line)["id"] for line in self.ok("steps", id_, "-o", "jsonl").lines],
                         ["reserve", "fraud_check", "charge", "ship", "notify"])
        self.assertIn("step.succeeded", self.ok("history", id_).out)
        self.assertTrue(self.ok("why", id_).out)
        for filter_ in (["--label", "test=real"], ["--attribute", f"order_id={order['order_id']}"],
                        ["-d", "order-checkout", "-s", "succeeded", "--created-after", "1h", "--all"]):
            self.assertIn(id_, self.ok("list", *filter_, "-o", "id").lines)
        self.assertNotIn(id_, self.ok("list", "--label", "test=other", "-o", "id").lines)

    def test_a_declined_card_is_exit_5_and_its_lines_tell_the_story(self):
        self.apply("order-checkout")
        order = {"order_id": "o", "customer_id": "c", "total": 10, "items": [{"sku": "a", "qty": 1}], "card": "declined"}
        ran = self.refused(5, "start", "order-checkout", "-i", json.dumps(order), "--watch", deadline=60)
        self.assertRegex(ran.out, r"step.failed +charge +code=card_declined")
        self.assertIn("undo reserve[0]", ran.out)
        self.assertIn("saga.compensated", ran.lines[-1])

    def test_definitions_are_listed_and_shown(self):
        self.assertRegex(self.apply("order-checkout", "content-publish").out, r"content-publish +1 ")
        self.assertIn("unchanged", self.apply("order-checkout").out)
        self.assertLessEqual({"order-checkout", "content-publish"}, set(self.ok("definitions", "list", "-o", "id").lines))
        self.assertIn("payments.charge.v1", self.ok("definitions", "get", "order-checkout", "1").out)
        self.refused(3, "definitions", "get", "order-checkout", "99")
        self.ok("definitions", "apply", "--dry-run", os.path.join(DEMO, "order-checkout.saga.json"))

    def test_refusals_have_their_exit_codes_and_a_cure(self):
        nowhere = "01a20000-0000-7000-8000-000000000000"
        self.assertIn("cure:", self.refused(3, "get", nowhere).err)
        self.assertIn("/definition", self.refused(1, "start", "no-such-definition").err)
        id_ = self.lonely()
        self.assertIn("cure:", self.refused(4, "retry", id_).err)
        self.refused(4, "resume", id_)
        self.refused(3, "retry", id_, "no-such-step")
        self.refused(1, "list", "--label", "no-equals-sign")

    def test_an_operator_completes_fails_skips_and_ends(self):
        id_ = self.lonely()
        self.assertIn("nobody.commands", self.ok("why", id_, "-o", "json").out)
        self.assertIn("paused", self.ok("pause", id_, "--reason", "lunch").out)
        self.ok("wait", id_, "--for", "paused")
        self.ok("resume", id_)
        self.assertTrue(self.ok("complete", id_, "wait", "--dry-run").out)
        self.assertEqual(self.state(id_), "running")
        self.ok("complete", id_, "wait", "--result", '{"q": 0.10}', "-r", "by hand")
        self.assertIn('{"q": 0.10}', self.ok("steps", id_, "-o", "json").out)
        self.ok("complete", id_, "after", "--result", "{}")
        self.ok("wait", id_)
        self.assertRegex(self.ok("history", id_).out, r"operator.command.* by .*by hand")

        id_ = self.lonely()
        self.ok("fail", id_, "wait", "--code", "lost")
        self.refused(5, "wait", id_)
        self.assertIn("lost", self.ok("get", id_).out)

        id_ = self.lonely()
        self.refused(2, "terminate", id_)
        self.ok("terminate", id_, "--yes", "--reason", "test")
        self.ok("wait", id_, "--for", "terminated")

    def test_a_terminal_asks_before_it_cancels(self):
        id_ = self.lonely()
        terminal = Terminal(self, "cancel", id_)
        terminal.until("[y/N]")
        terminal.type("n\n")
        self.assertEqual(terminal.wait(), 1)
        self.assertEqual(self.state(id_), "running")
        self.ok("terminate", id_, "--yes")

    def test_a_terminal_is_watched_to_the_end(self):
        id_ = self.lonely()
        terminal = Terminal(self, "watch", id_)
        terminal.until("dispatched")
        self.ok("complete", id_, "wait", "--result", "{}")
        terminal.until("after")
        self.ok("complete", id_, "after", "--result", "{}")
        self.assertEqual(terminal.wait(), 0)
        self.assertRegex(terminal.text, r"\x1b\[\d+A")

    def test_a_file_of_updates_is_pushed_through(self):
        self.apply("content-publish")
        lines = self.ok("demo", "updates", "--count", "120").bytes
        ran = self.refused(5, "start", "content-publish", "--lines", "-", "--wait", stdin=lines, deadline=90)
        refused = lines.count(b"refuse_region")
        self.assertEqual(ran.out, f"{120 - refused} succeeded, {refused} compensated, 0 otherwise\n")

    def test_the_same_key_starts_one_saga(self):
        self.lonely()
        ids = {self.ok("start", "lonely", "--idempotency-key", "one-only", "-o", "id").out for _ in range(3)}
        self.assertEqual(len(ids), 1)
        self.refused(1, "start", "lonely", "-i", "[]", "--idempotency-key", "one-only")

    def test_a_schedule_is_made_triggered_paused_and_deleted(self):
        self.lonely()
        schedule = {"name": "nightly", "definition": "lonely", "cron": "30 2 29 3 *", "time_zone": "Europe/Berlin", "input": {"n": 0.10}}
        file = self.write("nightly.json", json.dumps(schedule))
        self.assertIn("-03-29T02:30:00+0", self.ok("schedules", "apply", file, "--dry-run").out)
        self.refused(3, "schedules", "get", "nightly")
        self.assertIn("new", self.ok("schedules", "apply", file, "--reason", "books").out)
        self.assertIn("nightly", self.ok("schedules", "list").out)
        self.assertEqual(json.loads(self.ok("schedules", "get", "nightly", "-o", "json").out)["cron"], "30 2 29 3 *")
        self.assertEqual(len(self.ok("schedules", "next", "nightly", "-n", "3").lines), 4)
        saga = self.ok("schedules", "trigger", "nightly", "-o", "id").out.strip()
        until(lambda: self.run_it("get", saga).code == 0, 60, "the saga")
        self.ok("terminate", saga, "--yes")
        self.ok("schedules", "pause", "nightly", "--reason", "holidays")
        self.assertIn("paused", self.ok("schedules", "list", "-o", "wide").out)
        self.ok("schedules", "resume", "nightly")
        told = self.ok("schedules", "history", "nightly", "--all").out
        for word in ("created", "books", "triggered", "started", saga, "paused", "holidays", "resumed"):
            self.assertIn(word, told)
        self.ok("schedules", "delete", "nightly", "--yes")
        self.refused(3, "schedules", "trigger", "nightly")
        refusal = self.refused(1, "schedules", "apply", self.write("never.json", json.dumps({**schedule, "cron": "0 0 30 2 *"})))
        self.assertIn("never fires", refusal.err)

    def test_versions_and_dead_letters(self):
        self.assertRegex(self.ok("version").out, r"sagad +\S+.* at http")
        self.assertEqual(self.ok("dead-letters", "list", "-o", "id").out, "")
        self.refused(3, "dead-letters", "discard", "999999")


class Demo(DaemonTest):
    def test_the_demo_ends_well(self):
        ran = self.ok("demo", "--count", "200", deadline=120)
        self.assertEqual(len(re.findall("\u2713", ran.out)), 7)
        self.assertNotIn("\u2717", ran.out)


if __name__ == "__main__":
    try:
        Postgres.find()
    except FileNotFoundError as missing:
        print(missing)
        sys.exit(SKIPPED)
    unittest.main()
