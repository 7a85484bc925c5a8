"""Reading and steering sagas: formats, exit codes, repetition, watching."""
import json
import re
import socket
import threading
import time
import unittest

from fake_sagad import NOW, Answer, LiveSaga, answer, page, problem, saga, step
from support import ID, ID2, SagactlTest, Terminal

ODD = (b'{"items": [ {"id":"' + ID.encode() + b'","state":"running","n":0.10, "b":1e400,"x":12345678901234567890},'
       b'\n {"id":"' + ID2.encode() + b'","state":"succeeded"} ] ,"next_cursor":null}')


class Formats(SagactlTest):
    def test_json_is_the_servers_bytes(self):
        self.fake.on("GET /v1/sagas", answer(ODD))
        self.fake.on(f"GET /v1/sagas/{ID}", answer(b'{ "id":"x", "input":0.10}'))
        self.assertEqual(self.ok("list", "-o", "json").bytes, ODD + b"\n")
        self.assertEqual(self.ok("get", ID, "-o", "json").bytes, b'{ "id":"x", "input":0.10}\n')

    def test_jsonl_is_one_line_an_item_and_numbers_keep_their_bytes(self):
        self.fake.on("GET /v1/sagas", answer(ODD))
        lines = self.ok("list", "-o", "jsonl").lines
        self.assertEqual(len(lines), 2)
        self.assertIn('"n":0.10,"b":1e400,"x":12345678901234567890', lines[0])

    def test_ids_alone_feed_other_commands(self):
        self.fake.on("GET /v1/sagas", answer(ODD))
        self.assertEqual(self.ok("list", "-o", "id").lines, [ID, ID2])

    def test_a_table_is_aligned_and_says_how_long_ago(self):
        self.fake.on("GET /v1/sagas", answer(page(
            saga(ID, "running", attention=["retrying"], created_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 125))),
            saga(ID2, "compensated", error={"code": "card_declined", "detail": "no", "step": "charge", "op": "action"},
                 labels={"team": "shop"}))))
        lines = self.ok("list").lines
        columns = [m.start() for m in re.finditer(r"\S+", lines[0])]
        for line in lines[1:]:
            for at in columns[1:]:
                self.assertEqual(line[at - 1], " ", line)
        self.assertRegex(lines[1], r"order-checkout v1 +running +retrying +2m ago +2m 0\ds")
        self.assertIn("charge: card_declined", lines[2])
        self.assertIn("team=shop", self.ok("list", "-o", "wide").out)
        self.assertNotIn("\x1b", "\n".join(lines))

    def test_nothing_found_is_said_and_leaves_stdout_empty(self):
        self.fake.on("GET /v1/sagas", answer(page()))
        ran = self.ok("list")
        self.assertEqual((ran.out, ran.err), ("", "no sagas\n"))

    def test_a_count_is_a_number_and_says_when_it_is_a_guess(self):
        self.fake.on("GET /v1/sagas/count", answer({"count": 12, "exact": True}))
        ran = self.ok("count", "--state", "stuck", "--label", "team=shop")
        self.assertEqual((ran.out, ran.err), ("12\n", ""))
        self.assertEqual(sorted(self.fake.requests[-1].query), [("label", "team=shop"), ("state", "stuck")])
        self.fake.on("GET /v1/sagas/count", answer({"count": 3000000, "exact": False}))
        ran = self.ok("count", "--exact")
        self.assertEqual(ran.out, "3000000\n")
        self.assertIn("estimate", ran.err)
        self.assertEqual(json.loads(self.ok("count", "-o", "json").out), {"count": 3000000, "exact": False})

    def test_unknown_states_and_missing_members_are_shown_and_break_nothing(self):
        self.fake.on("GET /v1/sagas", answer(page({"id": ID, "state": "hibernating"}, {}, saga(ID2, labels=None, error="odd"))))
        self.assertIn("hibernating", self.ok("list").out)
        self.fake.on(f"GET /v1/sagas/{ID}", answer({"id": ID, "state": "hibernating"}))
        self.fake.on(f"GET /v1/sagas/{ID}/steps", answer(page({"id": "a", "state": "dreaming"}, {})))
        self.assertIn("dreaming", self.ok("get", ID).out)

    def test_a_servers_text_cannot_steer_the_terminal(self):
        evil = "\x1b[2J\x07\u009b31mred"
        self.fake.on("GET /v1/sagas", answer(page(saga(error={"code": evil, "detail": evil, "step": None}))))
        self.fake.on(f"GET /v1/sagas/{ID}", problem(404, "saga-not-found", evil))
        for ran in (self.ok("list"), self.refused(3, "get", ID)):
            for control in ("\x1b", "\x07", "\u009b"):
                self.assertNotIn(control, ran.out + ran.err)

    def test_colours_are_for_terminals_without_no_color(self):
        self.fake.on("GET /v1/sagas", answer(page(saga(state="succeeded"))))
        for environment, coloured in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
            terminal = Terminal(self, "list", **environment)
            self.assertEqual(terminal.wait(), 0)
            self.assertEqual("\x1b[32msucceeded" in terminal.text, coloured, environment)

    def test_get_shows_the_saga_its_steps_and_their_errors(self):
        self.fake.on(f"GET /v1/sagas/{ID}", answer(saga(input={"a": 1}, labels={"team": "shop"}, attention=["retrying"])))
        self.fake.on(f"GET /v1/sagas/{ID}/steps", answer(page(
            step("reserve", index=0), step("reserve", index=1),
            step("charge", "retrying", attempt=3, error={"code": "gateway_down", "detail": "busy"}, finished_at=None,
                 next_attempt_at="2999-01-01T00:00:00Z"))))
        out = self.ok("get", ID).out
        for text in ("order-checkout v1", "team=shop", '{"a":1}', "reserve[0]", "reserve[1]", "gateway_down: busy", "retry in "):
            self.assertIn(text, out)
        self.assertEqual(self.ok("steps", ID, "-o", "id").lines, ["reserve[0]", "reserve[1]", "charge"])

    def test_why_is_a_sentence_and_its_fields(self):
        body = {"saga": ID, "state": "running", "sentence": "It waits for payments.", "since": NOW,
                "waiting_for": {"kind": "reply", "step": "charge", "topic": "payments.commands", "last_error": None}}
        self.fake.on(f"GET /v1/sagas/{ID}/why", answer(body))
        lines = self.ok("why", ID).lines
        self.assertEqual(lines[0], "It waits for payments.")
        self.assertTrue(any("topic" in line and "payments.commands" in line for line in lines))
        self.assertNotIn("last_error", "\n".join(lines))

    def test_history_is_a_line_a_row_with_the_time_since_the_first(self):
        rows = [{"seq": 1, "at": "2026-01-02T03:04:05.000Z", "type": "saga.created", "detail": {}},
                {"seq": 2, "at": "2026-01-02T03:04:05.084Z", "type": "step.retry_scheduled", "step": "reserve", "index": 2, "op": "action",
                 "attempt": 2, "detail": {"code": "busy", "next_attempt_at": NOW}},
                {"seq": 3, "at": "2026-01-02T03:04:07.000Z", "type": "step.dispatched", "step": "reserve", "index": 2, "op": "compensate"},
                {"seq": 4, "at": "2026-01-02T03:04:08.000Z", "type": "operator.command", "actor": "key:ops", "detail": {"verb": "cancel"}}]
        self.fake.on(f"GET /v1/sagas/{ID}/history", answer(page(*rows[:2], cursor="c")), answer(page(*rows[2:])))
        lines = self.ok("history", ID).lines
        self.assertEqual(len(lines), 4)
        self.assertRegex(lines[1], r"03:04:05.084 +\+84 ms +step.retry_scheduled +reserve\[2\] +attempt 2 +code=busy$")
        self.assertNotIn("next_attempt_at", lines[1])
        self.assertRegex(lines[2], r"\+2.0 s +step.dispatched +undo reserve\[2\]$")
        self.assertRegex(lines[3], r"by key:ops +verb=cancel$")
        self.assertEqual([dict(r.query).get("cursor") for r in self.fake.sent(f"GET /v1/sagas/{ID}/history")], [None, "c"])


class Lists(SagactlTest):
    def test_filters_are_the_servers_query_and_are_escaped(self):
        self.fake.on("GET /v1/sagas", answer(page()))
        self.ok("list", "--state", "stuck", "-s", "running", "-d", "a b", "--label", "k=v&w", "-a", "order_id=o/1", "--attention",
                "retrying", "--version", "2", "--created-after", "2026-01-02T03:04:05Z", "--created-before", "1h")
        query = self.fake.requests[0].query
        self.assertEqual(query[:6], [("state", "stuck"), ("state", "running"), ("definition", "a b"), ("version", "2"),
                                     ("label", "k=v&w"), ("attribute", "order_id=o/1")])
        self.assertIn(("created_after", "2026-01-02T03:04:05Z"), query)
        before = dict(query)["created_before"]
        self.assertRegex(before, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")

    def test_all_follows_the_cursors_and_joins_the_bytes(self):
        self.fake.on("GET /v1/sagas", answer(b'{"items":[{"id": "a","n":0.10}],"next_cursor":"c 1"}'),
                     answer(b'{"items":[{"id":"b","n":1e400}],"next_cursor":null}'))
        out = self.ok("list", "--all", "-o", "json").out
        self.assertIn('{"id": "a","n":0.10}', out)
        self.assertIn('{"id":"b","n":1e400}', out)
        self.assertIn('"next_cursor": null', out)
        self.assertEqual([dict(r.query).get("cursor") for r in self.fake.requests], [None, "c 1"])

    def test_a_limit_beyond_a_page_takes_several_and_stops(self):
        def one_page(request):
            limit = int(dict(request.query)["limit"])
            return answer(page(*[saga(f"{i}") for i in range(limit)], cursor="more"))
        self.fake.on("GET /v1/sagas", one_page)
        self.assertEqual(len(self.ok("list", "--limit", "700", "-o", "id").lines), 700)
        self.assertEqual([dict(r.query)["limit"] for r in self.fake.requests], ["500", "200"])
        self.assertIn("there are more", self.ok("list").err)

    def test_dead_letters_are_listed_and_settled(self):
        item = {"id": 7, "at": NOW, "topic": "saga.replies", "partition": 2, "offset": 41, "reason": "forged", "headers": [["a", "b"]],
                "value_base64": ""}
        self.fake.on("GET /v1/dead-letters", answer(page(item)))
        self.assertRegex(self.ok("dead-letters", "list").out, r"7 .*forged +saga.replies/2@41")
        self.fake.on("POST /v1/dead-letters/7/discard", answer(item))
        self.fake.on("POST /v1/dead-letters/8/discard", problem(409, "already-settled", "it was replayed"))
        ran = self.refused(4, "dead-letters", "discard", "7", "8", "--reason", "spam")
        self.assertEqual(self.fake.sent("POST /v1/dead-letters/7/discard")[0].json, {"reason": "spam"})
        self.assertIn("it was replayed", ran.err)


class Batches(SagactlTest):
    BATCH = {"id": "b-1", "state": "running", "verb": "retry", "filter": {"failure": "s1-2"}, "reason": "back", "actor": "anonymous", "rate_per_s": 50,
             "total": 3, "done": 1, "failed": 0, "sample": ["x"], "created_at": "2026-01-02T03:04:05.678Z", "updated_at": None, "finished_at": None}

    def test_failures_are_listed_and_shown(self):
        group = {"id": "s1-2", "definition": "pay", "version": 3, "state": "stuck", "step": "charge", "op": "action", "code": "timeout", "count": 12,
                 "first_at": "2026-01-02T03:04:05.678Z", "last_at": "2026-01-02T03:04:05.678Z", "sample": ["id-1", "id-2"]}
        self.fake.on("GET /v1/failures", answer(page(group)))
        self.assertRegex(self.ok("failures", "list", "--only", "stuck", "-d", "pay").out, r"s1-2 +12 +stuck +pay/3 +charge +action +timeout")
        self.assertEqual([p for p in self.fake.requests[0].query if p[0] != "limit"], [("state", "stuck"), ("definition", "pay")])
        self.fake.on("GET /v1/failures/s1-2", answer(group))
        self.assertIn("id-2", self.ok("failures", "show", "s1-2").out)

    def test_locks_are_listed_with_who_holds_them_and_who_waits(self):
        lock = {"definition": "pay", "key": "c-17", "limit": 1, "held": 1, "holders": ["id-1"], "waiting": 2, "next": ["id-2", "id-3"],
                "waiting_since": "2026-01-02T03:04:05.678Z"}
        free = {**lock, "key": None, "waiting": 0, "next": [], "waiting_since": None}
        self.fake.on("GET /v1/locks", answer(page(lock, free)))
        out = self.ok("locks", "pay", "c-17", "--waiting").out
        self.assertRegex(out, r"pay +c-17 +1 +1 +id-1 +2 +id-2 +\d")
        self.assertRegex(out, r"pay +- +1 +1 +id-1 +0")
        self.assertEqual([p for p in self.fake.requests[0].query if p[0] != "limit"], [("definition", "pay"), ("key", "c-17"), ("waiting", "true")])
        self.fake.on("GET /v1/locks", answer(page()))
        self.assertIn("no lock is held", self.ok("locks").err)

    def test_a_batch_is_made_of_the_filter_that_the_options_say(self):
        self.fake.on("POST /v1/batches", answer(self.BATCH, 202))
        out = self.ok("batch", "start", "skip", "--state", "stuck", "--state", "running", "-d", "pay", "-l", "team=shop", "--created-after",
                      "2026-01-02T03:04:05Z", "--step", "one", "--index", "2", "--result", '{"a":1.0}', "--rate", "50", "-r", "back", "-y").out
        sent = self.fake.sent("POST /v1/batches")[0]
        self.assertEqual(sent.json, {"verb": "skip", "reason": "back", "step": "one", "index": 2, "rate_per_s": 50, "output": {"a": 1.0}, "filter": {
            "state": ["stuck", "running"], "definition": ["pay"], "label": ["team=shop"], "created_after": "2026-01-02T03:04:05Z"}})
        self.assertIn(b'{"a":1.0}', sent.body)
        self.assertRegex(out, r"b-1 +retry +running +3 +1")

    def test_ids_and_groups_make_a_batch_too(self):
        self.fake.on("POST /v1/batches", answer(self.BATCH, 202))
        self.ok("batch", "start", "cancel", "a", "b", "-r", "x", "-y")
        self.ok("batch", "start", "retry", "--failure", "s1-2", "-r", "x", "-y")
        self.assertEqual([r.json for r in self.fake.sent("POST /v1/batches")], [
            {"verb": "cancel", "reason": "x", "ids": ["a", "b"]}, {"verb": "retry", "reason": "x", "filter": {"failure": "s1-2"}}])

    def test_a_dry_run_prints_count_and_sample_and_makes_nothing(self):
        self.fake.on("POST /v1/batches", answer({**self.BATCH, "id": None, "state": "previewed"}))
        ran = self.ok("batch", "start", "retry", "--state", "stuck", "-r", "x", "--dry-run")
        self.assertIn("3 items, among them: x", ran.err)
        self.assertEqual([dict(r.query) for r in self.fake.sent("POST /v1/batches")], [{"dry_run": "true"}])

    def test_without_yes_or_reason_nothing_is_sent(self):
        self.refused(2, "batch", "start", "retry", "--state", "stuck", "-r", "x")
        self.refused(2, "batch", "start", "retry", "--state", "stuck", "-y")
        self.assertEqual(self.fake.requests, [])

    def test_wait_tells_by_its_exit_code_how_it_ended(self):
        self.fake.on("POST /v1/batches", answer(self.BATCH, 202))
        for state, failed, status in (("done", 0, 0), ("done", 1, 5), ("stopped", 0, 5)):
            self.fake.on("GET /v1/batches/b-1", answer(self.BATCH), answer({**self.BATCH, "state": state, "failed": failed}))
            self.assertEqual(self.run_it("batch", "start", "retry", "--failure", "g", "-r", "x", "-y", "--wait").code, status)
        self.fake.on("GET /v1/batches/b-1", answer(self.BATCH))
        self.refused(124, "batch", "wait", "b-1", "--timeout", "400ms")

    def test_batches_are_looked_at_and_steered(self):
        self.fake.on("GET /v1/batches", answer(page(self.BATCH)))
        self.fake.on("GET /v1/batches/b-1", answer(self.BATCH))
        self.fake.on("GET /v1/batches/b-1/items", answer(page({"seq": 0, "id": "x", "state": "failed", "problem": {"detail": "not now"}})))
        self.assertEqual(self.ok("batch", "list", "-o", "id").lines, ["b-1"])
        self.assertIn("b-1", self.ok("batch", "get", "b-1").out)
        self.assertRegex(self.ok("batch", "items", "b-1", "--failed").out, r"0 +x +failed +not now")
        self.assertEqual(dict(self.fake.sent("GET /v1/batches/b-1/items")[0].query)["failed"], "true")
        for verb in ("pause", "resume", "stop"):
            self.fake.on(f"POST /v1/batches/b-1/{verb}", answer(self.BATCH, 202))
            self.ok("batch", verb, "b-1", "-r", "lunch")
            self.assertEqual(self.fake.sent(f"POST /v1/batches/b-1/{verb}")[0].json, {"reason": "lunch"})


class Refusals(SagactlTest):
    def test_statuses_become_exit_codes(self):
        for status, code in ((400, 1), (401, 1), (403, 1), (404, 3), (409, 4), (412, 4), (413, 1), (422, 1), (500, 1)):
            self.fake.on(f"GET /v1/sagas/{ID}", problem(status, "some-slug", "what is wrong"))
            ran = self.refused(code, "get", ID)
            self.assertIn(f"some-slug: what is wrong ({status})", ran.err)
            self.assertEqual(ran.out, "")

    def test_the_places_and_the_cure_are_told(self):
        self.fake.on("POST /v1/sagas", problem(422, "invalid", "two faults", errors=[("/input/a", "must be a number"), ("/id", "is no UUID")]))
        self.fake.on("GET /problems/invalid", answer({"fix": "Mend the places named."}))
        err = self.refused(1, "start", "x").err
        for text in ("  /input/a: must be a number", "  /id: is no UUID", "  cure: Mend the places named."):
            self.assertIn(text, err)

    def test_something_that_is_not_sagad_is_recognised(self):
        self.fake.on("GET /v1/sagas", Answer(200, b"<html>hello</html>"))
        self.assertIn("is it sagad?", self.refused(1, "list").err)
        self.fake.on("GET /v1/sagas", Answer(500, b"oops"))
        self.assertIn("is it sagad?", self.refused(1, "list").err)
        self.fake.on("GET /v1/sagas", answer({"things": []}))
        self.assertIn("is it sagad?", self.refused(1, "list").err)

    def test_several_ids_all_get_their_turn(self):
        self.fake.on(f"POST /v1/sagas/{ID}/pause", problem(409, "conflict", "it is finished"))
        self.fake.on(f"POST /v1/sagas/{ID2}/pause", answer(saga(ID2, paused=True), 202))
        ran = self.refused(4, "pause", ID, ID2)
        self.assertIn("running, paused", ran.out)


class Repetition(SagactlTest):
    def test_an_unavailable_server_is_asked_again_under_the_same_key(self):
        self.fake.on("POST /v1/sagas", answer({"title": "x"}, 503, Retry_After="0"), Answer(hang_up=True),
                     answer(saga(), 201))
        ran = self.ok("start", "x", "-o", "id")
        self.assertEqual(ran.out, ID + "\n")
        keys = [r.headers["Idempotency-Key"] for r in self.fake.sent("POST /v1/sagas")]
        self.assertEqual(len(keys), 3)
        self.assertEqual(len(set(keys)), 1)
        self.assertIn("trying for", ran.err)

    def test_each_command_has_a_key_of_its_own_unless_one_is_given(self):
        self.fake.on("POST /v1/sagas", answer(saga(), 201))
        self.ok("start", "x")
        self.ok("start", "x")
        self.ok("start", "x", "--idempotency-key", "mine")
        keys = [r.headers["Idempotency-Key"] for r in self.fake.requests]
        self.assertEqual(len(set(keys)), 3)
        self.assertEqual(keys[2], "mine")

    def test_retry_after_is_obeyed(self):
        self.fake.on("GET /v1/sagas", answer({"title": "x"}, 503, Retry_After="1"), answer(page()))
        begun = time.monotonic()
        self.ok("list", "--timeout", "10s")
        self.assertGreaterEqual(time.monotonic() - begun, 0.95)

    def test_nobody_there_is_said_with_the_cure_after_a_bounded_time(self):
        begun = time.monotonic()
        ran = self.refused(1, "list", SAGACTL_URL="http://127.0.0.1:1")
        self.assertLess(time.monotonic() - begun, 6)
        self.assertIn("sagad dev", ran.err)

    def test_the_commands_time_ends_it_with_124(self):
        begun = time.monotonic()
        self.refused(124, "list", "--timeout", "300ms", SAGACTL_URL="http://127.0.0.1:1")
        self.assertLess(time.monotonic() - begun, 3)

    def test_a_server_that_never_answers_does_not_hold_a_command_for_ever(self):
        silent = socket.socket()
        self.addCleanup(silent.close)
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        self.refused(124, "list", "--timeout", "500ms", SAGACTL_URL=f"http://127.0.0.1:{silent.getsockname()[1]}")

    def test_a_first_request_still_in_flight_is_waited_for(self):
        self.fake.on("POST /v1/sagas", problem(409, "in-flight", "the first one is not done", retryable=True), answer(saga(), 201))
        self.ok("start", "x", "--idempotency-key", "k")
        self.assertEqual(len(self.fake.sent("POST /v1/sagas")), 2)

    def test_refusals_are_not_repeated(self):
        self.fake.on("POST /v1/sagas", problem(422, "invalid", "no"))
        self.refused(1, "start", "x")
        self.assertEqual(len(self.fake.sent("POST /v1/sagas")), 1)


class Starting(SagactlTest):
    def setUp(self):
        super().setUp()
        self.fake.on("POST /v1/sagas", answer(saga(), 201))

    def test_the_inputs_bytes_are_sent_as_given(self):
        text = '{"b": 0.10,"a":1e400, "s":"\\u00e4"}'
        for given, stdin in ((text, b""), (self.write("input.json", f"\n{text}\n"), b""), ("-", text.encode())):
            self.ok("start", "x", "--input", given, stdin=stdin)
            self.assertIn(b'"input":' + text.encode(), self.fake.requests[-1].body)

    def test_what_is_no_json_is_refused_before_anything_is_sent(self):
        for given in ('{"a":1', '{"a":1},"id":"x"', self.write("bad", "nope"), self.write("empty", "")):
            self.assertIn("no JSON", self.refused(2, "start", "x", "--input", given).err)
        self.refused(2, "start", "x", "--input", "/nowhere")
        self.assertEqual(self.fake.requests, [])

    def test_members_of_the_start_come_from_options(self):
        self.ok("start", 'we"ird', "--version", "3", "--id", ID, "--label", "a=b=c", "--label", "k=", "--if-exists", "fail",
                "--start-at", "2030-01-01T00:00:00Z", "--input", "[1]")
        self.assertEqual(self.fake.requests[0].json, {
            "definition": {"name": 'we"ird', "version": 3}, "input": [1], "id": ID, "labels": {"a": "b=c", "k": ""},
            "if_exists": "fail", "start_at": "2030-01-01T00:00:00Z"})

    def test_start_at_takes_a_duration_from_now(self):
        self.ok("start", "x", "--start-at", "10m")
        self.assertRegex(self.fake.requests[0].json["start_at"], r"^\d{4}-.*Z$")

    def test_waiting_for_the_end_reports_it_by_exit_code(self):
        for state, code in (("succeeded", 0), ("compensated", 5), ("stuck", 5), ("terminated", 5)):
            live = LiveSaga(self.fake)
            live.saga["state"] = state
            ran = self.refused(code, "start", "x", "--wait")
            self.assertIn(state, ran.out)
            self.assertIn(f"started {ID}", ran.err)

    def test_lines_are_started_in_bulk_with_their_bytes(self):
        def bulk(request):
            return answer({"items": [{"status": 201, "saga": saga()} for _ in request.json["items"]]})
        self.fake.on("POST /v1/sagas/bulk", bulk)
        lines = "".join(f'{{"n": {i}.10}}\n' for i in range(600)) + "\n"
        ran = self.ok("start", "x", "--lines", "-", "--label", "a=b", stdin=lines.encode())
        requests = self.fake.sent("POST /v1/sagas/bulk")
        self.assertEqual(sum(len(r.json["items"]) for r in requests), 600)
        self.assertTrue(all(len(r.json["items"]) <= 1000 for r in requests))
        self.assertIn(b'"input":{"n": 0.10}', requests[0].body)
        self.assertEqual(len({r.headers["Idempotency-Key"] for r in requests}), len(requests))
        self.assertIn("600 of 600 started", ran.err)

    def test_the_same_key_gives_each_bulk_request_the_same_key_again(self):
        self.fake.on("POST /v1/sagas/bulk", lambda r: answer({"items": [{"status": 201} for _ in r.json["items"]]}))
        lines = b'{"n":1}\n' * 600
        for _ in range(2):
            self.ok("start", "x", "--lines", "-", "--idempotency-key", "k", stdin=lines)
        sent = [(r.headers["Idempotency-Key"], r.body) for r in self.fake.sent("POST /v1/sagas/bulk")]
        self.assertEqual(sent[:len(sent) // 2], sent[len(sent) // 2:])

    def test_a_line_that_is_no_json_starts_nothing(self):
        ran = self.refused(2, "start", "x", "--lines", "-", stdin=b'{"a":1}\n{"a":\n')
        self.assertIn("line 2 is no JSON", ran.err)
        self.assertEqual(self.fake.requests, [])

    def test_a_refused_line_is_named_and_the_others_are_started(self):
        self.fake.on("POST /v1/sagas/bulk", answer({"items": [
            {"status": 201, "saga": saga()}, {"status": 422, "problem": {"type": "/problems/invalid", "detail": "bad input",
                                                                        "errors": [{"pointer": "/input/x", "detail": "odd"}]}}]}))
        ran = self.refused(1, "start", "x", "--lines", "-", stdin=b'{}\n\n{}\n')
        self.assertIn("line 3: invalid: bad input", ran.err)
        self.assertIn("/input/x: odd", ran.err)
        self.assertIn("1 of 2 started", ran.err)


class Steering(SagactlTest):
    def setUp(self):
        super().setUp()
        self.fake.on("POST /v1/sagas/.*", answer(saga(state="compensating"), 202))

    def last(self):
        request = self.fake.requests[-1]
        return request.path.removeprefix(f"/v1/sagas/{ID}"), dict(request.query), request.json

    def test_each_verb_is_one_post_with_its_members(self):
        for words, path, query, body in (
                (["cancel", ID, "--reason", "late"], "/cancel", {}, {"reason": "late"}),
                (["pause", ID], "/pause", {}, {}), (["resume", ID], "/resume", {}, {}), (["retry", ID], "/retry", {}, {}),
                (["terminate", ID, "--yes"], "/terminate", {}, {}),
                (["fork", ID, "--from", "charge", "--input", '{"n": 1}', "-r", "again"], "/fork", {},
                 {"reason": "again", "from": "charge", "input": {"n": 1}}),
                (["retry", ID, "charge"], "/steps/charge/retry", {}, {}),
                (["retry", ID, "reserve[2]", "--input", '{"q": 0.10}'], "/steps/reserve/retry", {"index": "2"}, {"input": {"q": 0.1}}),
                (["skip", ID, "charge", "--index", "1"], "/steps/charge/skip", {"index": "1"}, {}),
                (["complete", ID, "charge", "--result", '{"id":7}', "-r", "by hand"], "/steps/charge/complete", {},
                 {"reason": "by hand", "output": {"id": 7}}),
                (["fail", ID, "charge", "--code", "lost"], "/steps/charge/fail", {}, {"code": "lost"})):
            self.ok(*words)
            self.assertEqual(self.last(), (path, query, body))
            self.assertTrue(self.fake.requests[-1].headers["Idempotency-Key"])

    def test_a_migration_is_a_batch_with_its_version(self):
        made = {"id": "b", "verb": "migrate", "state": "done", "total": 1, "done": 1, "failed": 0, "sample": []}
        self.fake.on("POST /v1/batches", answer(made, 202))
        self.ok("batch", "migrate", "3", "--definition", "order", "--version", "2", "--step-map", '{"a":"b"}', "-r", "x", "-y")
        self.assertEqual(self.fake.requests[-1].json, {
            "verb": "migrate", "version": 3, "step_map": {"a": "b"}, "reason": "x", "filter": {"definition": ["order"], "version": ["2"]}})
        for words in (("batch", "migrate", "three", ID), ("batch", "start", "migrate", ID)):
            self.refused(2, *words, "-r", "x", "-y")

    def test_an_impact_shows_who_breaks_and_exits_with_1_then(self):
        broken = {"version": 1, "state": "running", "steps": ["pay"], "maps": False, "count": 2, "sample": [ID],
                  "reasons": [{"step": "pay", "detail": "is gone"}]}
        found = {"definition": "order", "version": 2, "total": 2, "maps": 0, "breaks": 2, "already": 0, "exact": True, "items": [broken]}
        self.fake.on("POST /v1/definitions/order/impact", answer(found))
        ran = self.run_it("definitions", "impact", "order", "--version", "2", "--step-map", '{"a":"b"}')
        self.assertEqual(self.fake.requests[-1].json, {"version": 2, "step_map": {"a": "b"}})
        self.assertEqual(ran.code, 1)
        self.assertRegex(ran.out, r"1 +running +pay +2 +breaks +pay is gone")

    def test_a_result_keeps_its_bytes(self):
        self.ok("complete", ID, "charge", "--result", '{"q": 0.10}')
        self.assertIn(b'{"q": 0.10}', self.fake.requests[-1].body)

    def test_a_dry_run_shows_what_would_happen_and_asks_for_nothing_else(self):
        self.fake.on("POST /v1/sagas/.*", answer({"would": [{"do": "undo", "step": "reserve", "index": 1, "op": "compensate"},
                                                            {"do": "end", "step": None, "op": None}]}))
        out = self.ok("cancel", ID, "--dry-run").out
        self.assertRegex(out, r"undo +reserve\[1\] +compensate")
        self.assertEqual(dict(self.fake.requests[0].query), {"dry_run": "true"})
        self.assertEqual(len(self.fake.requests), 1)

    def test_terminate_without_a_terminal_wants_yes(self):
        self.assertIn("--yes", self.refused(2, "terminate", ID).err)
        self.assertEqual(self.fake.requests, [])

    def test_without_a_terminal_nothing_is_asked(self):
        self.ok("cancel", ID, stdin=b"")
        self.assertEqual(self.last()[0], "/cancel")

    def test_a_terminal_is_shown_the_consequence_and_asked(self):
        def cancel(request):
            dry = ("dry_run", "true") in request.query
            return answer({"would": [{"do": "undo", "step": "reserve", "op": "compensate"}]}) if dry else answer(saga(state="compensating"), 202)
        self.fake.on("POST /v1/sagas/.*", cancel)
        for typed, sent in (("n\n", 0), ("y\n", 1)):
            terminal = Terminal(self, "cancel", ID)
            terminal.until("[y/N]")
            self.assertIn("reserve", terminal.text)
            terminal.type(typed)
            self.assertEqual(terminal.wait(), 0 if sent else 1)
            self.assertEqual(len([r for r in self.fake.requests if not r.query]), sent)
        terminal = Terminal(self, "cancel", ID, "--yes")
        self.assertEqual(terminal.wait(), 0)
        self.assertNotIn("[y/N]", terminal.text)

    def test_one_key_is_not_used_for_two_sagas(self):
        self.assertIn("one ID", self.refused(2, "pause", ID, ID2, "--idempotency-key", "k").err)


class Waiting(SagactlTest):
    def test_the_end_decides_the_exit_code(self):
        for state, code in (("succeeded", 0), ("compensated", 5), ("stuck", 5), ("terminated", 5)):
            live = LiveSaga(self.fake)
            process = self.begin("wait", ID)
            live.wait_for_poll()
            live.move(state, finished_at=NOW)
            out, _ = process.communicate(timeout=60)
            self.assertEqual(process.returncode, code, state)
            self.assertIn(state, out.decode())

    def test_a_state_can_be_waited_for(self):
        for wanted, state, code in (("stuck", "stuck", 0), ("compensated", "succeeded", 5), ("running", "running", 0)):
            LiveSaga(self.fake).saga["state"] = state
            self.refused(code, "wait", ID, "--for", wanted)
        LiveSaga(self.fake).saga.update(paused=True)
        self.ok("wait", ID, "--for=paused")

    def test_several_are_waited_for_and_the_worst_is_reported(self):
        LiveSaga(self.fake, ID).saga["state"] = "succeeded"
        LiveSaga(self.fake, ID2).saga["state"] = "compensated"
        self.assertEqual(self.refused(5, "wait", ID, ID2, "-o", "id").lines, [ID, ID2])
        self.refused(3, "wait", "00000000-0000-7000-8000-000000000009")

    def test_the_time_is_limited(self):
        LiveSaga(self.fake)
        begun = time.monotonic()
        self.assertIn("the time is over", self.refused(124, "wait", ID, "--timeout", "700ms").err)
        self.assertLess(time.monotonic() - begun, 4)

    def test_long_polls_are_used_not_a_busy_loop(self):
        live = LiveSaga(self.fake)
        process = self.begin("wait", ID)
        live.wait_for_poll()
        live.move("compensating")
        live.wait_for_poll(2)
        live.move("succeeded")
        process.communicate(timeout=60)
        reads = self.fake.sent(f"GET /v1/sagas/{ID}")
        self.assertEqual(len(reads), 3)
        self.assertTrue(all(dict(r.query)["wait"] == "20" and r.headers["If-None-Match"] for r in reads[1:]))

    def test_a_restart_of_the_server_is_outlived(self):
        live = LiveSaga(self.fake)
        known = answer(live.saga, ETag=live.etag())
        self.fake.on(f"GET /v1/sagas/{ID}", known, Answer(hang_up=True), answer({"title": "x"}, 503, Retry_After="0"),
                     answer(saga(state="succeeded"), ETag='"9"'))
        self.ok("wait", ID)


class Watching(SagactlTest):
    def test_a_pipe_gets_a_line_for_each_change_as_it_happens(self):
        live = LiveSaga(self.fake)
        live.move(history=[{"type": "saga.created"}, {"type": "step.dispatched", "step": "charge", "op": "action", "attempt": 1}])
        process = self.begin("watch", ID)
        live.wait_for_poll()
        first = [process.stdout.readline().decode() for _ in range(2)]
        self.assertIn("saga.created", first[0])
        live.move(history=[{"type": "step.succeeded", "step": "charge", "op": "action", "attempt": 1}])
        self.assertIn("step.succeeded", process.stdout.readline().decode())
        live.wait_for_poll(2)
        live.move("succeeded", history=[{"type": "saga.succeeded"}])
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, err)
        self.assertEqual(len(out.splitlines()), 1)
        self.assertNotIn(b"\x1b", out)

    def test_lines_are_json_when_asked(self):
        live = LiveSaga(self.fake)
        live.move("compensated", history=[{"type": "saga.created"}, {"type": "saga.compensated"}])
        lines = self.refused(5, "watch", ID, "-o", "jsonl").lines
        self.assertEqual([json.loads(line)["type"] for line in lines], ["saga.created", "saga.compensated"])

    def test_many_rows_come_once_each_over_all_pages(self):
        live = LiveSaga(self.fake)
        live.move(history=[{"type": "step.progress", "step": "a"}] * 450)
        process = self.begin("watch", ID)
        live.wait_for_poll()
        live.move("succeeded", history=[{"type": "saga.succeeded"}])
        out, _ = process.communicate(timeout=60)
        self.assertEqual(len(out.splitlines()), 451)

    def test_a_terminal_is_redrawn_in_place_within_its_width(self):
        live = LiveSaga(self.fake)
        live.move(steps=[step("reserve", index=0), step("charge", "dispatched", finished_at=None,
                                                          error={"code": "gateway_down", "detail": "x" * 200})])
        terminal = Terminal(self, "watch", ID, columns=72)
        terminal.until("charge")
        live.wait_for_poll()
        live.move("succeeded", steps=[step("reserve", index=0), step("charge")], finished_at=NOW)
        self.assertEqual(terminal.wait(), 0)
        self.assertRegex(terminal.text, r"\x1b\[\d+A\r\x1b\[J")
        plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.text)
        self.assertLessEqual(max(len(line) for line in plain.replace("\r", "").split("\n")), 72)
        self.assertIn("It waits for payments.", plain)

    def test_a_wide_foreach_is_summed_up_where_the_window_is_low(self):
        live = LiveSaga(self.fake)
        live.move("succeeded", steps=[*[step("reserve", "succeeded" if i < 60 else "failed", index=i) for i in range(100)], step("charge")])
        terminal = Terminal(self, "watch", ID, rows=20)
        self.assertEqual(terminal.wait(), 0)
        self.assertIn("reserve x 100", terminal.text)
        self.assertIn("60 succeeded, 40 failed", terminal.text)

    def test_the_table_is_alive_while_nothing_changes(self):
        live = LiveSaga(self.fake)
        live.move(steps=[step("charge", "dispatched", finished_at=None)])
        terminal = Terminal(self, "watch", ID)
        live.wait_for_poll()
        terminal.until("\x1b[J", deadline=60)
        live.move("succeeded")
        self.assertEqual(terminal.wait(), 0)

    def test_start_and_watch_go_together(self):
        live = LiveSaga(self.fake)
        live.move("compensated", history=[{"type": "saga.created"}])
        self.fake.on("POST /v1/sagas", answer(saga(), 201))
        self.assertIn("saga.created", self.refused(5, "start", "x", "--watch").out)


if __name__ == "__main__":
    unittest.main()
