"""Starting sagas: shapes, idempotency, bulk, waiting for the end."""
import threading
import time
import uuid

from support import ApiTest

MEMBERS = {"id", "namespace", "definition", "state", "paused", "cancel_requested", "attention", "labels", "attributes", "input",
           "output", "revision", "error", "created_at", "start_at", "started_at", "updated_at", "finished_at", "deadline_at"}


class Start(ApiTest):
    def test_a_start_answers_with_the_saga_its_place_and_its_revision(self):
        name = self.register("one")
        answer = self.assert_status(self.post("/v1/sagas", {"definition": name, "input": {"a": 1}, "labels": {"team": "x"}}), 201)
        saga = answer.json
        self.assertEqual(set(saga), MEMBERS)
        self.assertEqual(answer.headers["location"], f"/v1/sagas/{saga['id']}")
        self.assertEqual(answer.headers["etag"], f'"{saga["revision"]}"')
        self.assertEqual((saga["definition"], saga["labels"]), ({"name": name, "version": 1}, {"team": "x"}))
        self.assertRegex(saga["created_at"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertEqual(uuid.UUID(saga["id"]).version, 7)

    def test_payload_bytes_come_back_as_they_went(self):
        name = self.register("one")
        odd = b'{ "n" : 0.10,"e":1E400, "big":123456789012345678901234567890,"u":"\\u00e4\xc3\xa4","z":{"b":1,"a":2} }'
        saga = self.post("/v1/sagas", b'{"definition":"%s","input": %s}' % (name.encode(), odd)).json["id"]
        self.assertIn(odd, self.get(f"/v1/sagas/{saga}").bytes)
        self.reply(saga, "one")
        output = b'{ "x":1.0e-0 , "y" : [ ] }'
        other = self.start(name)
        body = b'{"token":"%s","outcome":"success","output":%s}'
        from support import token
        self.assert_status(self.post("/v1/replies", body % (token(other, "one").encode(), output)), 200)
        self.assertIn(output, self.get(f"/v1/sagas/{other}/steps").bytes)

    def test_any_json_is_an_input_and_none_is_an_empty_object(self):
        name = self.register("one")
        for given in ([], [1], "text", 7, None, True):
            saga = self.post("/v1/sagas", {"definition": name, "input": given}).json
            self.assertEqual(saga["input"], given)
        self.assertEqual(self.post("/v1/sagas", {"definition": name}).json["input"], {})

    def test_a_saga_may_be_given_its_id(self):
        name, id_ = self.register("one"), str(uuid.uuid4())
        body = {"definition": name, "input": {"a": 1}, "id": id_}
        self.assert_status(self.post("/v1/sagas", body), 201)
        self.assertEqual(self.assert_status(self.post("/v1/sagas", body), 200).json["id"], id_)
        self.assert_problem(self.post("/v1/sagas", {**body, "input": {"a": 2}}), 409, "id-taken")
        self.assert_problem(self.post("/v1/sagas", {**body, "if_exists": "fail"}), 409, "id-taken")
        self.assertEqual(self.count(definition=name), 1)

    def test_a_start_in_the_future_is_pending(self):
        saga = self.post("/v1/sagas", {"definition": self.register("one"), "start_at": "2999-01-01T00:00:00+01:00"}).json
        self.assertEqual((saga["state"], saga["start_at"], saga["started_at"]), ("pending", "2998-12-31T23:00:00.000Z", None))

    def test_an_inline_definition_starts_and_its_errors_are_told_with_their_place(self):
        good = self.definition("one")
        saga = self.assert_status(self.post("/v1/sagas", {"definition": {"inline": good}}), 201).json
        self.assertEqual(saga["definition"], {"name": good["name"], "version": 0})
        self.assert_status(self.get(f"/v1/definitions/{good['name']}"), 404)
        bad = {**good, "stpes": 1}
        self.assert_problem(self.post("/v1/sagas", {"definition": {"inline": bad}}), 422, "invalid-definition", "/definition/inline/stpes")

    def test_what_is_wrong_is_told_at_once_with_its_places(self):
        problem = self.assert_problem(self.post("/v1/sagas", {
            "definition": 7, "defintion": "x", "labels": {"a": 1, "b": "x" * 201}, "id": "7", "start_at": "soon", "if_exists": "maybe"}),
            422, "invalid")
        self.assertEqual({error["pointer"] for error in problem["errors"]},
                         {"/definition", "/defintion", "/labels/a", "/labels/b", "/id", "/start_at", "/if_exists"})
        self.assert_problem(self.post("/v1/sagas", {}), 422, "invalid", "/definition")
        self.assert_problem(self.post("/v1/sagas", []), 422, "invalid", "")
        self.assert_problem(self.post("/v1/sagas", {"definition": {"name": "x", "verson": 1}}), 422, "invalid", "/definition/verson")
        self.assert_problem(self.post("/v1/sagas", {"definition": self.register("one"), "labels": {str(i): "x" for i in range(33)}}),
                            422, "invalid", "/labels")

    def test_an_unknown_definition_or_version_is_told(self):
        name = self.register("one")
        for wanted in (self.name(), {"name": name, "version": 2}, "a\0b"):
            self.assert_problem(self.post("/v1/sagas", {"definition": wanted}), 422, "unknown-definition", "/definition")
        self.assert_problem(self.post("/v1/sagas", {"definition": {"name": name, "version": 0}}), 422, "invalid", "/definition/version")

    def test_the_newest_version_starts_the_moment_it_is_registered(self):
        name = self.register("one")
        for version in range(2, 6):
            self.assert_status(self.post("/v1/definitions", self.definition(f"s{version}", name=name)), 201)
            self.assertEqual(self.post("/v1/sagas", {"definition": name}).json["definition"]["version"], version)

    def test_attributes_that_cannot_be_computed_refuse_the_start(self):
        name = self.register("one", attributes={"total": "${input.a / 0}"})
        self.assert_status(self.post("/v1/sagas", {"definition": name, "input": {"a": 1}}), 422)
        self.assertEqual(self.count(definition=name), 0)

    def test_a_large_input_is_taken_and_a_larger_one_refused(self):
        name = self.register("one")
        self.assert_status(self.post("/v1/sagas", {"definition": name, "input": "x" * (256 * 1024 - 2)}), 201)
        self.assert_problem(self.post("/v1/sagas", {"definition": name, "input": "x" * (256 * 1024 - 1)}), 413, "input-too-large", "/input")


class Keys(ApiTest):
    def test_the_same_request_gives_the_stored_answer_even_when_the_saga_has_ended(self):
        name, key = self.register("one"), self.name()
        first = self.post("/v1/sagas", {"definition": name, "input": {"a": 1}}, key)
        self.assertNotIn("idempotent-replayed", first.headers)
        self.reply(first.json["id"], "one")
        self.assertEqual(self.state(first.json["id"]), "succeeded")
        again = self.post("/v1/sagas", {"definition": name, "input": {"a": 1}}, key)
        self.assertEqual((again.status, again.bytes), (first.status, first.bytes))
        self.assertEqual(again.headers["idempotent-replayed"], "true")
        for header in ("location", "etag"):
            self.assertEqual(again.headers[header], first.headers[header])

    def test_a_held_and_a_future_start_are_replayed_as_they_were(self):
        name = self.register("one")
        body, key = {"definition": name, "start_at": "2999-01-01T00:00:00Z"}, self.name()
        self.assertEqual(self.post("/v1/sagas", body, key).bytes, self.post("/v1/sagas", body, key).bytes)
        self.assert_status(self.post(f"/v1/definitions/{name}/pause"), 200)
        body, key = {"definition": name}, self.name()
        first = self.post("/v1/sagas", body, key)
        self.assertEqual(first.json["state"], "pending")
        self.assertEqual(self.post("/v1/sagas", body, key).bytes, first.bytes)

    def test_another_body_path_or_method_is_refused_and_changes_nothing(self):
        name, key = self.register("one"), self.name()
        id_ = self.post("/v1/sagas", {"definition": name}, key).json["id"]
        self.assert_problem(self.post("/v1/sagas", {"definition": name, "input": 1}, key), 422, "key-reused")
        self.assert_problem(self.post("/v1/sagas", b'{"definition": "%s"} ' % name.encode(), key), 422, "key-reused")
        self.assert_problem(self.post("/v1/sagas/bulk", {"items": [{"definition": name}]}, key), 422, "key-reused")
        self.assert_problem(self.post(f"/v1/sagas/{id_}/pause", {}, key), 422, "key-reused")
        self.assert_problem(self.post("/v1/definitions", self.definition("a"), key), 422, "key-reused")
        self.assertEqual(self.count(definition=name), 1)
        self.assertFalse(self.get(f"/v1/sagas/{id_}").json["paused"])

    def test_a_long_body_is_another_one_by_any_of_its_bytes(self):
        name, key, text = self.register("one"), self.name(), "x" * 100_000
        self.assertEqual(self.post("/v1/sagas", {"definition": name, "input": text}, key).status, 201)
        for place in (0, 50_000, 99_999):
            other = text[:place] + "y" + text[place + 1:]
            self.assert_problem(self.post("/v1/sagas", {"definition": name, "input": other}, key), 422, "key-reused")
        self.assertEqual(self.post("/v1/sagas", {"definition": name, "input": text}, key).status, 201)

    def test_a_refused_start_may_be_mended_under_its_key(self):
        name, key = self.register("one"), self.name()
        self.assert_status(self.post("/v1/sagas", {"definition": name, "id": "x"}, key), 422)
        self.assert_status(self.post("/v1/sagas", {"definition": name}, key), 201)

    def test_keys_are_visible_ascii(self):
        name = self.register("one")
        for key in ("x" * 256, "a b"):
            self.assert_problem(self.post("/v1/sagas", {"definition": name}, key), 400, "invalid-header")
        self.assert_status(self.post("/v1/sagas", {"definition": name}, "x" * 223 + uuid.uuid4().hex), 201)

    def test_twenty_racing_starts_make_one_saga(self):
        name, key, answers = self.register("one"), self.name(), []
        threads = [threading.Thread(target=lambda: answers.append(self.post("/v1/sagas", {"definition": name}, key))) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual({answer.status for answer in answers}, {201})
        self.assertEqual(len({answer.json["id"] for answer in answers}), 1)
        self.assertEqual(self.count(definition=name), 1)

    def test_commands_and_definitions_are_carried_out_once(self):
        saga, key = self.start(), self.name()
        first = self.post(f"/v1/sagas/{saga}/pause", {"reason": "x"}, key)
        self.assert_status(first, 202)
        again = self.post(f"/v1/sagas/{saga}/pause", {"reason": "x"}, key)
        self.assertEqual((again.status, again.headers["idempotent-replayed"]), (202, "true"))
        self.assert_problem(self.post(f"/v1/sagas/{saga}/pause", {"reason": "y"}, key), 422, "key-reused")
        definition, key = self.definition("one"), self.name()
        first = self.post("/v1/definitions", definition, key)
        again = self.post("/v1/definitions", definition, key)
        self.assertEqual((again.status, again.bytes), (201, first.bytes))
        self.assertEqual((again.headers["location"], again.headers["idempotent-replayed"]), (first.headers["location"], "true"))
        self.assertEqual(self.assert_status(self.post("/v1/definitions", definition), 200).json["version"], 1)


class Bulk(ApiTest):
    def test_each_item_has_its_answer(self):
        name = self.register("one")
        items = [{"definition": name, "input": 0}, {"definition": self.name()}, {"definition": name, "wrong": 1}, 7, {"definition": name, "input": 4}]
        answers = self.assert_status(self.post("/v1/sagas/bulk", {"items": items}), 200).json["items"]
        self.assertEqual([answer["status"] for answer in answers], [201, 422, 422, 422, 201])
        self.assertEqual([answers[i]["saga"]["input"] for i in (0, 4)], [0, 4])
        self.assertEqual(answers[2]["problem"]["errors"][0]["pointer"], "/wrong")
        self.assertEqual(self.count(definition=name), 2)

    def test_a_bulk_is_idempotent_as_a_whole(self):
        name, key = self.register("one"), self.name()
        body = {"items": [{"definition": name, "input": n % 2} for n in range(6)]}
        first, again = (self.post("/v1/sagas/bulk", body, key) for _ in range(2))
        self.assertEqual(first.bytes, again.bytes)
        self.assertEqual(again.headers["idempotent-replayed"], "true")
        self.assertEqual(self.count(definition=name), 6)
        self.assert_problem(self.post("/v1/sagas/bulk", {"items": body["items"] + [{"definition": name}]}, key), 422, "key-reused")
        self.assert_problem(self.post("/v1/sagas", {"definition": name}, key), 422, "key-reused")
        self.assertEqual(self.count(definition=name), 6)

    def test_items_that_were_refused_start_on_a_replay_once_they_can(self):
        late, there, key = self.name(), self.register("one"), self.name()
        body = {"items": [{"definition": late}, {"definition": there}, {"definition": there}, {"definition": late}]}
        first = self.post("/v1/sagas/bulk", body, key).json["items"]
        self.assertEqual([item["status"] for item in first], [422, 201, 201, 422])
        self.register("one", name=late)
        second = self.post("/v1/sagas/bulk", body, key).json["items"]
        self.assertEqual([item["status"] for item in second], [201] * 4)
        self.assertEqual([item["saga"]["id"] for item in second[1:3]], [item["saga"]["id"] for item in first[1:3]])
        self.assertEqual(self.post("/v1/sagas/bulk", body, key).json["items"], second)
        self.assertEqual((self.count(definition=late), self.count(definition=there)), (2, 2))

    def test_a_thousand_items_and_not_one_more(self):
        name = self.register("one")
        item = {"definition": name}
        self.assert_problem(self.post("/v1/sagas/bulk", {"items": [item] * 1001}), 413, "too-many-items", "/items")
        self.assertEqual(self.count(definition=name), 0)
        answers = self.assert_status(self.post("/v1/sagas/bulk", {"items": [item] * 1000}), 200).json["items"]
        self.assertEqual(len({answer["saga"]["id"] for answer in answers}), 1000)
        self.assertEqual(self.assert_status(self.post("/v1/sagas/bulk", {"items": []}), 200).json, {"items": []})
        self.assert_problem(self.post("/v1/sagas/bulk", {"items": {}}), 422, "invalid", "/items")


class Waiting(ApiTest):
    def later(self, call):
        thread = threading.Thread(target=call)
        thread.start()
        self.addCleanup(thread.join)

    def test_a_start_may_wait_for_the_end(self):
        name, id_ = self.register("one"), str(uuid.uuid4())

        def play():
            while self.reply(id_, "one").status != 200:
                time.sleep(0.01)
        self.later(play)
        answer = self.post("/v1/sagas", {"definition": name, "id": id_}, headers={"Prefer": "respond-async, wait=15"})
        self.assertEqual((answer.status, answer.json["state"]), (201, "succeeded"))
        self.assertEqual(answer.headers["preference-applied"], "wait=15")
        self.assertEqual(answer.headers["etag"], f'"{answer.json["revision"]}"')
        self.assertEqual(answer.headers["location"], f"/v1/sagas/{id_}")

    def test_a_start_that_waits_in_vain_gets_the_ordinary_answer(self):
        began = time.monotonic()
        answer = self.post("/v1/sagas", {"definition": self.register("one")}, headers={"Prefer": "wait=1"})
        self.assertGreaterEqual(time.monotonic() - began, 0.95)
        self.assertEqual((answer.status, answer.json["state"]), (201, "running"))
        self.assertNotIn("preference-applied", answer.headers)

    def test_a_long_poll_answers_when_the_saga_changes(self):
        saga = self.start()
        tag = self.get(f"/v1/sagas/{saga}").headers["etag"]
        waiting = self.raw(f"GET /v1/sagas/{saga}?wait=15 HTTP/1.1\r\nHost: a\r\nIf-None-Match: {tag}\r\n\r\n".encode())
        began = time.monotonic()
        self.later(lambda: (time.sleep(0.3), self.reply(saga, "one")))
        answer = waiting.answer()
        self.assertTrue(0.2 < time.monotonic() - began < 14)
        self.assertEqual(answer.status, 200)
        self.assertNotEqual(answer.headers["etag"], tag)

    def test_a_long_poll_in_vain_is_not_modified(self):
        saga = self.start()
        tag = self.get(f"/v1/sagas/{saga}").headers["etag"]
        answer = self.get(f"/v1/sagas/{saga}", {"If-None-Match": tag}, wait="0.5")
        self.assertEqual((answer.status, answer.bytes, answer.headers["etag"]), (304, b"", tag))

    def test_without_a_tag_a_long_poll_waits_for_the_end(self):
        saga = self.start()
        self.later(lambda: (self.reply(saga, "one"), time.sleep(0.2), self.reply(saga, "two")))
        self.assertEqual(self.get(f"/v1/sagas/{saga}", wait=15).json["state"], "succeeded")
        self.assertEqual(self.get(f"/v1/sagas/{saga}", wait=15).json["state"], "succeeded")
        self.assertEqual(self.get(f"/v1/sagas/{self.start()}", wait="0.3").json["state"], "running")

    def test_what_another_node_does_is_noticed(self):
        from support import stack
        other, saga = stack().keyed(), self.start()
        tag = self.get(f"/v1/sagas/{saga}").headers["etag"]
        head = {"Authorization": f"Bearer {other.keys['operator']}"}
        self.later(lambda: (time.sleep(0.2), self.ask("POST", f"/v1/sagas/{saga}/pause", b"{}", head, url=other.url)))
        answer = self.get(f"/v1/sagas/{saga}", {"If-None-Match": tag}, wait=15)
        self.assertTrue(answer.json["paused"], answer)

    def test_a_thousand_long_polls_hold_no_thread(self):
        saga = self.start()
        tag = self.get(f"/v1/sagas/{saga}").headers["etag"]
        request = f"GET /v1/sagas/{saga}?wait=20 HTTP/1.1\r\nHost: a\r\nIf-None-Match: {tag}\r\n\r\n".encode()
        waiting = [self.raw(request) for _ in range(1000)]
        self.assert_status(self.get("/v1/sagas", limit=1), 200)
        self.reply(saga, "one")
        self.assertEqual({connection.answer().status for connection in waiting}, {200})

    def test_wait_is_a_number(self):
        saga = self.start()
        for wrong in ("x", "-1", "1.2345", ""):
            self.assert_problem(self.get(f"/v1/sagas/{saga}", wait=wrong), 400, "invalid-query")
        self.assert_problem(self.get(f"/v1/sagas/{uuid.uuid4()}", wait=5), 404, "saga-not-found")
