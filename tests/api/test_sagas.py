"""Reading sagas and steering them."""
import uuid

from support import ApiTest, stack, token

VERBS = ("cancel", "pause", "resume", "retry", "terminate")


class Reading(ApiTest):
    def test_a_saga_has_a_tag_and_is_not_sent_again_when_it_is_known(self):
        saga = self.start()
        answer = self.get(f"/v1/sagas/{saga}")
        self.assertEqual(answer.headers["etag"], f'"{answer.json["revision"]}"')
        for known in (answer.headers["etag"], "W/" + answer.headers["etag"], f'"999", {answer.headers["etag"]}', "*"):
            self.assertEqual(self.get(f"/v1/sagas/{saga}", {"If-None-Match": known}).status, 304)
        self.assertEqual(self.get(f"/v1/sagas/{saga}", {"If-None-Match": '"999"'}).status, 200)

    def test_an_unknown_saga_is_not_found_by_any_of_its_paths(self):
        for id_ in (uuid.uuid4(), "x", "counted", "%00"[:0] or "0"):
            for below in ("", "/steps", "/steps/one", "/history", "/why"):
                self.assert_problem(self.get(f"/v1/sagas/{id_}{below}"), 404, "saga-not-found")
            for verb in VERBS:
                self.assert_problem(self.post(f"/v1/sagas/{id_}/{verb}", {}), 404, "saga-not-found")
            self.assert_problem(self.post(f"/v1/sagas/{id_}/cancel", {}, dry_run="true"), 404, "saga-not-found")
            self.assert_problem(self.post(f"/v1/sagas/{id_}/steps/one/retry", {}), 404, "saga-not-found")

    def test_steps_are_listed_in_order_and_one_at_a_time(self):
        saga = self.start(self.register("one", "two"))
        items = self.get(f"/v1/sagas/{saga}/steps").json["items"]
        self.assertEqual([(item["id"], item["state"], item["index"]) for item in items], [("one", "dispatched", None), ("two", "waiting", None)])
        self.assertEqual(set(items[0]), {"id", "index", "kind", "state", "op", "attempt", "output", "error", "started_at", "finished_at",
                                         "next_attempt_at", "deadline_at"})
        self.assertEqual(self.get(f"/v1/sagas/{saga}/steps/two").json["items"], items[1:])
        self.assert_problem(self.get(f"/v1/sagas/{saga}/steps/three"), 404, "step-not-found")

    def foreach(self):
        definition = self.definition("each")
        definition["steps"][0]["foreach"] = {"in": "${input}"}
        return self.assert_status(self.post("/v1/definitions", definition), 201).json["name"]

    def test_a_foreach_shows_one_item_for_each_index(self):
        name = self.foreach()
        saga = self.start(name, ["a", "b"])
        self.reply(saga, "each", index=1, output={"n": 1})
        items = self.get(f"/v1/sagas/{saga}/steps").json["items"]
        self.assertEqual([(item["index"], item["state"]) for item in items], [(0, "dispatched"), (1, "succeeded")])
        self.assertEqual(items[1]["output"], {"n": 1})

    def test_a_foreach_over_nothing_or_not_reached_shows_one_item_without_index(self):
        name = self.foreach()
        empty = self.post("/v1/sagas", {"definition": name, "input": []}).json["id"]
        self.assertEqual([(item["index"], item["state"]) for item in self.get(f"/v1/sagas/{empty}/steps").json["items"]], [(None, "succeeded")])
        later = self.post("/v1/sagas", {"definition": name, "input": [1], "start_at": "2999-01-01T00:00:00Z"}).json["id"]
        self.assertEqual([(item["index"], item["state"]) for item in self.get(f"/v1/sagas/{later}/steps").json["items"]], [(None, "waiting")])

    def test_history_is_paged_without_gap_or_repetition(self):
        saga = self.start()
        self.reply(saga, "one", output={"x": 1})
        self.reply(saga, "one")
        self.reply(saga, "two", "failure", error={"code": "no", "detail": "not today"})
        whole = self.get(f"/v1/sagas/{saga}/history", limit=500).json
        self.assertIsNone(whole["next_cursor"])
        self.assertEqual([item["seq"] for item in whole["items"]], list(range(1, len(whole["items"]) + 1)))
        self.assertEqual(set(whole["items"][0]), {"seq", "revision", "at", "type", "step", "index", "op", "attempt", "actor", "detail"})
        self.assertIn("reply.ignored", [item["type"] for item in whole["items"]])
        for limit in (1, 2, 3):
            pages, query = [], {"limit": limit}
            while True:
                page = self.get(f"/v1/sagas/{saga}/history", **query).json
                self.assertLessEqual(len(page["items"]), limit)
                pages += page["items"]
                if not page["next_cursor"]:
                    break
                query["cursor"] = page["next_cursor"]
            self.assertEqual(pages, whole["items"])

    def test_why_says_what_is_awaited(self):
        saga = self.start()
        why = self.get(f"/v1/sagas/{saga}/why").json
        self.assertEqual((why["saga"], why["state"], why["waiting_for"]["kind"], why["waiting_for"]["step"]), (saga, "running", "reply", "one"))
        self.assertEqual(why["waiting_for"]["key"], saga)
        self.assertTrue(why["sentence"].endswith("."))

    def test_what_is_redacted_is_shown_nowhere(self):
        definition = self.definition("pay", output="${steps.pay.output}")
        definition["redact"] = ["/input/card/number", "/steps/pay/output/token", "/output/token"]
        name = self.post("/v1/definitions", definition).json["name"]
        key = self.name()
        body = {"definition": name, "input": {"card": {"number": "4111-secret"}, "n": 1}}
        answers = [self.post("/v1/sagas", body, key), self.post("/v1/sagas", body, key), self.post("/v1/sagas/bulk", {"items": [body]})]
        saga = answers[0].json["id"]
        self.reply(saga, "pay", output={"token": "t-secret", "ok": True})
        answers += [self.get(f"/v1/sagas/{saga}{below}") for below in ("", "/steps", "/history", "/why")] + [self.get("/v1/sagas")]
        for answer in answers:
            self.assertNotIn(b"secret", answer.bytes)
        self.assertEqual(self.get(f"/v1/sagas/{saga}").json["input"], {"card": {"number": "[redacted]"}, "n": 1})
        self.assertEqual(self.get(f"/v1/sagas/{saga}").json["output"], {"token": "[redacted]", "ok": True})
        self.assertEqual(self.step(saga, "pay")["output"], {"token": "[redacted]", "ok": True})


class Listing(ApiTest):
    def test_filters_choose_any_of_and_all_of(self):
        one, two = self.register("one"), self.register("one", attributes={"order": "${input.o}"})
        a = self.start(one, labels={"team": "x", "env": "p"})
        b = self.start(one, labels={"team": "y"})
        c = self.start(two, {"o": "o-1"}, labels={"team": "x"})
        self.post(f"/v1/sagas/{b}/pause", {})
        listed = lambda **query: {item["id"] for item in self.get("/v1/sagas", definition=[one, two], **query).json["items"]}
        self.assertEqual(listed(), {a, b, c})
        self.assertEqual(listed(label="team=x"), {a, c})
        self.assertEqual(listed(label=["team=x", "team=y"]), {a, b, c})
        self.assertEqual(listed(label=["team=x", "env=p"]), {a})
        self.assertEqual(listed(attribute="order=o-1"), {c})
        self.assertEqual(listed(attention="paused"), {b})
        self.assertEqual(listed(state=["running", "stuck"]), {a, b, c})
        self.assertEqual(listed(state="stuck"), set())
        self.assertEqual(listed(version=1), {a, b, c})
        self.assertEqual(listed(version=2), set())
        self.assertEqual(listed(parent=str(uuid.uuid4())), set())
        at = self.get(f"/v1/sagas/{b}").json["created_at"]
        self.assertIn(c, listed(created_after="2020-01-01T00:00:00Z"))
        self.assertNotIn(b, listed(created_after=at))
        self.assertNotIn(b, listed(created_before=at))
        item = self.get("/v1/sagas", definition=one).json["items"][0]
        self.assertNotIn("input", item)
        self.assertNotIn("output", item)

    def test_pages_hold_every_saga_once_newest_first(self):
        name = self.register("one")
        ids = [self.start(name) for _ in range(7)]
        found, query = [], {"definition": name, "limit": 3}
        while True:
            page = self.get("/v1/sagas", **query).json
            found += [item["id"] for item in page["items"]]
            if not page["next_cursor"]:
                break
            query["cursor"] = page["next_cursor"]
            self.start(name)
        self.assertEqual(found, sorted(ids, reverse=True))  # ids are ordered by time, to the millisecond

    def test_a_cursor_belongs_to_its_filter(self):
        name = self.register("one")
        for _ in range(3):
            self.start(name)
        cursor = self.get("/v1/sagas", definition=name, limit=1).json["next_cursor"]
        self.assert_status(self.get("/v1/sagas", definition=name, limit=2, cursor=cursor), 200)
        self.assert_problem(self.get("/v1/sagas", limit=1, cursor=cursor), 400, "invalid-cursor")
        self.assert_problem(self.get("/v1/sagas", definition=name, state="running", cursor=cursor), 400, "invalid-cursor")
        self.assert_problem(self.get("/v1/dead-letters", cursor=cursor), 400, "invalid-cursor")
        for made_up in ("", "x", "AAAA", cursor[:-2], cursor + "AA", "%%"):
            self.assertEqual(self.get("/v1/sagas", definition=name, cursor=made_up).status, 400, made_up)

    def test_a_wrong_query_is_told(self):
        for query in ({"limit": "0"}, {"limit": "501"}, {"limit": "x"}, {"limit": "-1"}, {"state": "done"}, {"attention": "x"}, {"label": "x"},
                      {"label": "=x"}, {"attribute": "x"}, {"version": "x"}, {"version": "0"}, {"version": ["1", "2"]}, {"created_after": "now"},
                      {"created_before": "2026-01-01"}, {"parent": "x"}, {"stat": "running"}, {"Limit": "1"}):
            self.assert_problem(self.get("/v1/sagas", **query), 400, "invalid-query")
        self.assert_problem(self.get(f"/v1/sagas/{uuid.uuid4()}/steps", limit=1), 400, "invalid-query")


class Commands(ApiTest):
    def test_commands_answer_with_the_saga_and_keep_who_and_why(self):
        saga = self.start()
        answer = self.assert_status(self.post(f"/v1/sagas/{saga}/pause", {"reason": "lunch \u2013 back at 1"}), 202)
        self.assertTrue(answer.json["paused"])
        self.assertEqual(answer.headers["etag"], f'"{answer.json["revision"]}"')
        self.assert_status(self.post(f"/v1/sagas/{saga}/resume"), 202)
        kept = [item for item in self.get(f"/v1/sagas/{saga}/history").json["items"] if item["type"] == "operator.command"]
        self.assertEqual([(item["actor"], item["detail"].get("reason")) for item in kept], [("anonymous", "lunch \u2013 back at 1"), ("anonymous", None)])

    def test_what_the_state_does_not_allow_is_refused_and_says_what_it_allows(self):
        saga = self.start()
        problem = self.assert_problem(self.post(f"/v1/sagas/{saga}/retry", {}), 409, "not-allowed")
        self.assertIn("cancel", problem["detail"])
        self.post(f"/v1/sagas/{saga}/terminate", {})
        for verb in VERBS:
            self.assert_problem(self.post(f"/v1/sagas/{saga}/{verb}", {}), 409, "not-allowed")

    def test_a_cancelled_saga_is_not_retried(self):
        saga = self.start()
        self.assert_status(self.post(f"/v1/sagas/{saga}/cancel", {"reason": "changed their mind"}), 202)
        self.reply(saga, "one", "failure", error={"code": "no"})
        self.assertEqual(self.state(saga), "compensated")
        before = self.get(f"/v1/sagas/{saga}").bytes
        self.assert_problem(self.post(f"/v1/sagas/{saga}/retry", {}), 409, "not-allowed")
        self.assertEqual(self.get(f"/v1/sagas/{saga}").bytes, before)

    def test_cancel_is_refused_past_the_pivot(self):
        definition = self.definition("one", "two")
        definition["steps"][0]["pivot"] = True
        definition["steps"] = [{key: value for key, value in step.items() if key != "compensation"} for step in definition["steps"]]
        saga = self.start(self.post("/v1/definitions", definition).json["name"])
        self.reply(saga, "one")
        self.assert_problem(self.post(f"/v1/sagas/{saga}/cancel", {}, dry_run="true"), 409, "past-pivot")
        self.assert_problem(self.post(f"/v1/sagas/{saga}/cancel", {}), 409, "past-pivot")

    def test_if_match_guards_a_command(self):
        saga = self.start()
        tag = self.get(f"/v1/sagas/{saga}").headers["etag"]
        for stale in ('"999"', '"x"', f"W/{tag}"):
            self.assert_problem(self.post(f"/v1/sagas/{saga}/pause", {}, headers={"If-Match": stale}), 412, "stale")
            self.assert_problem(self.post(f"/v1/sagas/{saga}/pause", {}, headers={"If-Match": stale}, dry_run="true"), 412, "stale")
        self.assert_problem(self.post(f"/v1/sagas/{saga}/pause", {}, headers={"If-Match": f'{tag}, "2"'}), 400, "invalid-header")
        self.assert_status(self.post(f"/v1/sagas/{saga}/pause", {}, headers={"If-Match": tag}), 202)
        self.assert_status(self.post(f"/v1/sagas/{saga}/resume", {}, headers={"If-Match": "*"}), 202)

    def test_a_preview_says_what_would_happen_and_does_nothing(self):
        saga = self.start(self.register("one", "two"))
        self.reply(saga, "one")
        before, history = self.get(f"/v1/sagas/{saga}").bytes, self.get(f"/v1/sagas/{saga}/history").bytes
        would = self.assert_status(self.post(f"/v1/sagas/{saga}/cancel", {"reason": "x"}, dry_run="true"), 200).json
        self.assertEqual([(item["do"], item["step"]) for item in would["would"]], [("wait", "two")])
        would = self.post(f"/v1/sagas/{saga}/steps/two/fail", {}, dry_run="true").json
        self.assertEqual([(item["do"], item["step"], item["op"]) for item in would["would"]], [("undo", "one", "compensate")])
        would = self.post(f"/v1/sagas/{saga}/steps/two/complete", {"output": 1}, dry_run="true").json
        self.assertEqual(would, {"would": [{"do": "end", "state": "succeeded"}], "state": "succeeded"})
        would = self.post(f"/v1/sagas/{saga}/pause", {}, dry_run="true").json["would"]
        self.assertEqual(would[0]["do"], "wait")
        self.assert_problem(self.post(f"/v1/sagas/{saga}/resume", {}, dry_run="true"), 409, "not-allowed")
        self.assert_problem(self.post(f"/v1/sagas/{saga}/pause", {}, dry_run="maybe"), 400, "invalid-query")
        self.assertEqual((self.get(f"/v1/sagas/{saga}").bytes, self.get(f"/v1/sagas/{saga}/history").bytes), (before, history))

    def test_a_step_is_steered_by_its_verbs(self):
        saga = self.start()
        self.assert_status(self.post(f"/v1/sagas/{saga}/steps/one/complete", {"output": {"by": "hand"}, "reason": "phoned"}), 202)
        self.assertEqual((self.step(saga, "one")["state"], self.step(saga, "one")["output"]), ("succeeded", {"by": "hand"}))
        self.assert_status(self.post(f"/v1/sagas/{saga}/steps/two/fail", {"code": "no_stock"}), 202)
        self.assertEqual(self.get(f"/v1/sagas/{saga}").json["error"]["code"], "no_stock")
        self.assert_problem(self.post(f"/v1/sagas/{saga}/steps/three/retry", {}), 404, "step-not-found")
        self.assert_problem(self.post(f"/v1/sagas/{saga}/steps/three/retry", {}, dry_run="true"), 404, "step-not-found")
        self.assert_problem(self.post(f"/v1/sagas/{saga}/steps/one/retry", {}, index=3), 404, "step-not-found")

    def test_an_item_of_a_foreach_is_named_by_its_index(self):
        saga = self.start(Reading.foreach(self), [1, 2])
        self.assert_status(self.post(f"/v1/sagas/{saga}/steps/each/complete", {"output": "a"}, index=1), 202)
        self.assertEqual([self.step(saga, "each", i)["state"] for i in (0, 1)], ["dispatched", "succeeded"])
        self.assert_problem(self.post(f"/v1/sagas/{saga}/steps/each/complete", {}, index="x"), 400, "invalid-query")

    def test_wrong_members_of_a_command_are_told(self):
        saga = self.start()
        for verb, body, pointer in (("pause", {"raeson": "x"}, "/raeson"), ("pause", {"reason": 7}, "/reason"), ("pause", {"reason": ""}, "/reason"),
                                    ("pause", {"reason": "x" * 1001}, "/reason"), ("pause", {"output": 1}, "/output"), ("pause", {"code": "x"}, "/code"),
                                    ("steps/one/fail", {"code": "No!"}, "/code"), ("steps/one/retry", {"output": 1}, "/output")):
            self.assert_problem(self.post(f"/v1/sagas/{saga}/{verb}", body), 422, "invalid", pointer)
        self.assert_problem(self.post(f"/v1/sagas/{saga}/steps/one/complete", {"output": "x" * 262144}), 413, "input-too-large", "/output")
        self.assertEqual(self.get(f"/v1/sagas/{saga}").json["revision"], 1)


class Replies(ApiTest):
    def test_each_verdict(self):
        saga = self.start()
        self.assertEqual(self.reply(saga, "one", "progress", output={"progress": 0.5}).json, {"verdict": "applied"})
        self.assertEqual(self.reply(saga, "one", "pending").json, {"verdict": "applied"})
        self.assertEqual(self.reply(saga, "one", output={"a": 1}).json, {"verdict": "applied"})
        self.assertEqual(self.reply(saga, "one", output={"a": 2}).json, {"verdict": "duplicate"})
        self.assertIn(self.reply(saga, "one", "failure", error={"code": "no"}).json["verdict"], ("late", "illegal", "duplicate"))
        self.assertEqual(self.reply(saga, "two", "retry", error={"code": "busy", "detail": "soon"}, retry_after="1h").json, {"verdict": "applied"})
        self.assertEqual(self.step(saga, "two")["error"], {"code": "busy", "detail": "soon"})
        self.assertEqual(self.step(saga, "one")["output"], {"a": 1})

    def test_a_forged_token_is_refused(self):
        saga, good = self.start(), None
        good = token(saga, "one")
        for bad in ("", "x", good[:-1], good + "A", good[:30] + ("A" if good[30] != "A" else "B") + good[31:], "x" * 300,
                    token(saga, "one", key="ff" * 32)):
            self.assert_problem(self.post("/v1/replies", {"token": bad, "outcome": "success"}), 403, "forged-token")
        self.assertEqual(self.state(saga), "running")

    def test_a_token_of_something_that_is_not_there_is_not_found(self):
        self.assert_problem(self.reply(str(uuid.uuid4()), "one"), 404, "saga-not-found")
        self.assert_problem(self.reply(self.start(), "nine"), 404, "saga-not-found")

    def test_a_malformed_reply_is_told_and_changes_nothing(self):
        saga = self.start()
        before = self.get(f"/v1/sagas/{saga}").bytes
        mine = token(saga, "one")
        for body, pointer in (({"outcome": "success"}, "/token"), ({"token": mine}, "/outcome"), ({"token": mine, "outcome": "done"}, "/outcome"),
                              ({"token": mine, "outcome": "success", "error": {"code": "x"}}, "/error"),
                              ({"token": mine, "outcome": "failure", "output": 1}, "/output"), ({"token": mine, "outcome": "failure", "error": {}}, "/error/code"),
                              ({"token": mine, "outcome": "retry", "retry_after": "5 minutes"}, "/retry_after"), ({"token": mine, "outcome": "success", "verdict": 1}, "/verdict")):
            self.assert_problem(self.post("/v1/replies", body), 422, "invalid", pointer)
        self.assert_problem(self.post("/v1/replies", {"token": mine, "outcome": "success", "output": "x" * 262144}), 413, "input-too-large", "/output")
        self.assertEqual(self.get(f"/v1/sagas/{saga}").bytes, before)


class DeadLetters(ApiTest):
    def put(self, saga, step="one", offset=None):
        """A row as the engine writes it; the record's token is good."""
        headers = '[["ce_sagatoken","%s"],["ce_sagaoutcome","success"]]' % token(saga, step)
        rows = stack().postgres.sql(
            """insert into sagad.dead_letter (namespace_id, at, topic, partition, "offset", reason, key, headers, value)
               values ((select id from sagad.namespace where name = 'default'), 1700000000123, 'saga.replies', 1, :'offset', 'unknown',
                       'k', :'headers', '\\x7b7d') returning id""", offset=offset or uuid.uuid4().int % 10**12, headers=headers)
        return rows[0][0]

    def test_dead_letters_are_listed_shown_and_replayed_once(self):
        saga = self.start()
        letter = self.put(saga)
        listed = self.get("/v1/dead-letters").json["items"]
        self.assertEqual(listed[0]["id"], letter)
        shown = self.get(f"/v1/dead-letters/{letter}").json
        self.assertEqual((shown["topic"], shown["partition"], shown["reason"], shown["value_base64"], shown["key_base64"], shown["at"]),
                         ("saga.replies", 1, "unknown", "e30=", "aw==", "2023-11-14T22:13:20.123Z"))
        self.assertEqual(shown["headers"][1], ["ce_sagaoutcome", "success"])
        key = self.name()
        done = self.assert_status(self.post(f"/v1/dead-letters/{letter}/replay", {"reason": "found it"}, key), 200)
        self.assertEqual(done.json["settled"], "replayed")
        self.assertEqual(self.post(f"/v1/dead-letters/{letter}/replay", {"reason": "found it"}, key).headers["idempotent-replayed"], "true")
        self.assert_problem(self.post(f"/v1/dead-letters/{letter}/replay", {}), 409, "already-settled")
        self.assert_problem(self.post(f"/v1/dead-letters/{letter}/discard", {}), 409, "already-settled")
        self.assertEqual(self.get(f"/v1/sagas/{saga}", {"If-None-Match": '"1"'}, wait=10).json["revision"], 2)
        self.assertEqual(self.step(saga, "one")["state"], "succeeded")
        self.assertNotIn(letter, [item["id"] for item in self.get("/v1/dead-letters", limit=500).json["items"]])

    def test_a_discarded_one_is_gone(self):
        letter = self.put(self.start())
        self.assertEqual(self.assert_status(self.post(f"/v1/dead-letters/{letter}/discard"), 200).json["settled"], "discarded")
        self.assert_problem(self.post(f"/v1/dead-letters/{letter}/discard"), 409, "already-settled")

    def test_pages_hold_each_once(self):
        saga = self.start()
        mine = [self.put(saga) for _ in range(5)]
        found, query = [], {"limit": 2}
        while True:
            page = self.get("/v1/dead-letters", **query).json
            found += [item["id"] for item in page["items"]]
            if not page["next_cursor"]:
                break
            query["cursor"] = page["next_cursor"]
        self.assertEqual(len(found), len(set(found)))
        self.assertEqual([id_ for id_ in found if id_ in mine], list(reversed(mine)))

    def test_an_unknown_one_is_not_found(self):
        for id_ in ("999999999", "x", "-1", "99999999999999999999999"):
            self.assert_problem(self.get(f"/v1/dead-letters/{id_}"), 404, "dead-letter-not-found")
            self.assert_problem(self.post(f"/v1/dead-letters/{id_}/replay"), 404, "dead-letter-not-found")
