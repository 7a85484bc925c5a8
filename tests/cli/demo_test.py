"""The demo: its updates are always the same, its stories are told, and a wrong end is found."""
import hashlib
import json
import re
import subprocess
import unittest
from datetime import datetime, timedelta, timezone

from fake_sagad import Answer, answer, page, saga
from support import DEMO, SAGACTL, SagactlTest, Terminal

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)


class FakeShop:
    """Ends every saga at once, with the history that the demo participants would have caused."""

    def __init__(self, fake):
        self.sagas, self.histories, self.tamper = {}, {}, lambda rows, input_: rows
        self.end_of = lambda input_: "compensated" if self.refuses(input_) else "succeeded"
        fake.on("POST /v1/definitions", lambda r: answer({"name": r.json["name"], "version": 1}, 201))
        fake.on("POST /v1/sagas", lambda r: answer(self.start(r.json, told=True), 201))
        fake.on("POST /v1/sagas/bulk", lambda r: answer({"items": [{"status": 201, "saga": self.start(s)} for s in r.json["items"]]}))
        fake.on("GET /v1/sagas", self.list)
        fake.on("GET /v1/sagas/[^/]*", lambda r: answer(self.sagas[r.path.split("/")[3]], ETag='"1"'))
        fake.on("GET /v1/sagas/[^/]*/history", lambda r: answer(page(*self.histories[r.path.split("/")[3]])))

    @staticmethod
    def refuses(input_):
        return input_.get("card") in ("declined", "timeout") or "refuse_region" in input_

    def start(self, body, told=False):
        id_, input_ = f"s-{len(self.sagas) + 1}", body["input"]
        made = saga(id_, self.end_of(input_), labels=body["labels"], finished_at="2026-01-02T03:04:06.678Z")
        self.sagas[id_] = made
        if told:
            self.histories[id_] = self.tell(input_)
        return made

    def list(self, request):
        query = request.query
        states = [v for k, v in query if k == "state"]
        key, value = dict(query)["label"].split("=")
        found = [s for s in self.sagas.values() if s["labels"].get(key) == value and (not states or s["state"] in states)]
        at = int(dict(query).get("cursor", 0))
        return answer(page(*found[at:at + 500], cursor=str(at + 500) if at + 500 < len(found) else None))

    def tell(self, input_):
        rows = []

        def row(type_, step=None, index=None, op="action", attempt=1, after=10, **detail):
            rows.append({"type": type_, "step": step, "index": index, "op": op if step else None, "attempt": attempt,
                         "after": after, "detail": detail})

        def act(step, index=None, op="action"):
            row("step.dispatched", step, index, op)
            row("step.succeeded", step, index, op)

        row("saga.created")
        if "order_id" in input_:
            self.order(input_, row, act)
        else:
            self.title(input_, row, act)
        rows = self.tamper(rows, input_)
        at = START
        for seq, each in enumerate(rows, 1):
            at += timedelta(milliseconds=each.pop("after"))
            each.update(seq=seq, at=at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03}Z")
        return rows

    @staticmethod
    def order(input_, row, act):
        items = range(len(input_["items"]))
        for i in items:
            act("reserve", i)
        if input_["total"] > 500:
            act("fraud_check")
        card = input_["card"]
        tries = {"declined": 1, "valid": 1, "down": 4, "timeout": 4}[card]
        for attempt in range(1, tries + 1):
            row("step.dispatched", "charge", attempt=attempt)
            if attempt < tries:
                row("step.retry_scheduled", "charge", attempt=attempt, code="gateway_down" if card == "down" else "timeout")
        if card in ("valid", "down"):
            row("step.succeeded", "charge", attempt=tries)
            act("ship")
            act("notify")
            return row("saga.succeeded")
        row(*(("step.failed", "charge") if card == "declined" else ("step.unknown", "charge")), attempt=tries,
            code="card_declined" if card == "declined" else "timeout")
        if card == "timeout":
            act("charge", op="compensate")
        for i in reversed(items):
            act("reserve", i, "compensate")
        row("saga.compensated")

    @staticmethod
    def title(input_, row, act):
        for step in ("rights", "catalogue", "artwork"):
            act(step)
        refuse = input_.get("refuse_region")
        for i, region in enumerate(input_["regions"]):
            if region == refuse:
                row("step.dispatched", "availability", i)
                row("step.failed", "availability", i, code="rights_conflict")
            else:
                act("availability", i)
        if not refuse:
            act("search")
            act("cache")
            return row("saga.succeeded")
        for i, region in enumerate(input_["regions"]):
            if region != refuse:
                act("availability", i, "compensate")
        for step in ("artwork", "catalogue", "rights"):
            act(step, op="compensate")
        row("saga.compensated")


class Demo(SagactlTest):
    def setUp(self):
        super().setUp()
        self.shop = FakeShop(self.fake)

    def test_the_whole_show_is_told_and_ends_well(self):
        ran = self.ok("demo")
        for text in ("1. An order goes through", "2. The card is declined", "6. One region refuses", "refused: card_declined",
                     "done in 70 ms at attempt 4 (gateway_down)", "no answer to 4 attempts", "refunded exactly once",
                     "reserve[1]", "2000 sagas in ", "succeeded 1915, compensated 85 (85 name a region that refuses)"):
            self.assertIn(text, ran.out)
        self.assertNotIn("\u2717", ran.out)
        self.assertNotIn("\x1b", ran.out + ran.err)
        self.assertLess(len(ran.err.splitlines()), 20)

    def test_what_was_undone_stands_in_its_order(self):
        out = self.ok("demo", "--count", "5").out
        order = [line for line in out.splitlines() if "in order:" in line][3]
        self.assertIn("reserve[0,1], charge (unknown); undone: charge, reserve[1,0]", order)

    def test_without_utf8_the_bars_are_ascii(self):
        self.assertTrue(self.ok("demo", "--count", "5", LC_ALL="C").out.isascii())

    def test_a_terminal_sees_colours_and_a_bar(self):
        terminal = Terminal(self, "demo", "--count", "300")
        self.assertEqual(terminal.wait(), 0)
        self.assertIn("300 of 300 ended", terminal.text)
        self.assertIn("\x1b[32m", terminal.text)

    def test_a_second_refund_is_found(self):
        def refund_twice(rows, input_):
            again = [dict(r) for r in rows if r["step"] == "charge" and r["op"] == "compensate"]
            return [*rows[:-1], *again, rows[-1]]
        self.shop.tamper = refund_twice
        ran = self.refused(1, "demo", "--count", "5")
        self.assertIn("charge must be unknown, undone 1 times, and is unknown, undone 2 times", ran.out)

    def test_an_undo_in_the_wrong_order_is_found(self):
        def turn_round(rows, input_):
            undo = [r for r in rows if r["op"] == "compensate"]
            return [r for r in rows if r["op"] != "compensate"] + undo[::-1]
        self.shop.tamper = turn_round
        self.assertIn("out of order", self.refused(1, "demo", "--count", "5").out)

    def test_a_region_that_was_not_rolled_back_is_found(self):
        self.shop.tamper = lambda rows, _: [r for r in rows if not (r["step"] == "availability" and r["index"] == 0
                                                                    and r["op"] == "compensate")]
        self.assertIn("incomplete", self.refused(1, "demo", "--count", "5").out)

    def test_a_saga_that_ended_wrongly_is_found(self):
        self.shop.end_of = lambda input_: "succeeded"
        out = self.refused(1, "demo", "--count", "100").out
        self.assertIn("the saga must be compensated and is succeeded", out)
        self.assertIn("not every update ended as it must", out)

    def test_without_participants_it_says_what_is_missing(self):
        self.fake.on("GET /v1/sagas", answer(page(saga("s-1"))))
        self.assertIn("demo participants", self.refused(1, "demo", "--timeout", "1s").err)

    def test_a_scene_that_does_not_end_says_why(self):
        self.fake.on("GET /v1/sagas/[^/]*", answer(saga("s-1"), ETag='"1"'), Answer(304, b"", {"ETag": '"1"'}))
        self.fake.on("GET /v1/sagas/[^/]*/why", answer({"sentence": "It waits for inventory."}))
        ran = self.refused(1, "demo", "--timeout", "2s")
        self.assertIn("It waits for inventory.", ran.err)


class Updates(SagactlTest):
    def test_the_same_seed_gives_the_same_file(self):
        text = self.ok("demo", "updates").bytes
        self.assertEqual(hashlib.sha256(text).hexdigest(), PINNED)
        self.assertEqual(self.ok("demo", "updates", "--count", "2000", "--seed", "7").bytes, text)
        self.assertNotEqual(self.ok("demo", "updates", "--seed", "8").bytes, text)
        script = subprocess.run([f"{DEMO}/make_updates.sh"], env={**self.environment, "SAGACTL": SAGACTL}, capture_output=True)
        self.assertEqual(script.stdout, text)

    def test_each_line_is_an_input_of_content_publish(self):
        updates = [json.loads(line) for line in self.ok("demo", "updates").lines]
        self.assertEqual(len({u["title_id"] for u in updates}), 2000)
        for update in updates:
            self.assertTrue(1 <= len(set(update["regions"])) == len(update["regions"]) <= 4)
            self.assertTrue(all(re.fullmatch("[A-Z]{2}", r) for r in update["regions"]))
            self.assertIn(update.get("refuse_region", update["regions"][0]), update["regions"])
        self.assertTrue(50 < sum("refuse_region" in u for u in updates) < 150)


PINNED = "054fb0d1dddf99ac73bf9b4b571df715d86d2dd4be98494b0e36e0b532e7c11e"

if __name__ == "__main__":
    unittest.main()
