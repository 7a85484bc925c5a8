"""Definitions: versions, checks, pauses, deprecation."""
from support import ApiTest


class Definitions(ApiTest):
    def test_identical_content_is_the_same_version_and_changed_content_the_next(self):
        name = self.name()
        one, two = self.definition("a", name=name), self.definition("a", "b", name=name)
        answers = [self.post("/v1/definitions", body) for body in (one, one, two, one)]
        self.assertEqual([(answer.status, answer.json["version"]) for answer in answers], [(201, 1), (200, 1), (201, 2), (200, 1)])
        self.assertEqual(answers[0].headers["location"], f"/v1/definitions/{name}/versions/1")
        self.assertEqual(set(answers[0].json), {"name", "version", "hash", "created_at", "deprecated", "paused", "definition", "warnings"})

    def test_the_definition_is_served_byte_for_byte(self):
        name = self.name()
        source = b'{ "name" : "%s",\n "steps":[ {"id":"a","action":{"topic":"t"}, "x-n":0.10} ] }' % name.encode()
        self.assert_status(self.post("/v1/definitions", source), 201)
        for path in ("", "/versions/1"):
            self.assertIn(source, self.get(f"/v1/definitions/{name}{path}").bytes)

    def test_versions_are_listed_newest_first_and_the_newest_is_the_default(self):
        name = self.register("a")
        self.post("/v1/definitions", self.definition("a", "b", name=name))
        self.assertEqual([item["version"] for item in self.get(f"/v1/definitions/{name}/versions").json["items"]], [2, 1])
        self.assertEqual(self.get(f"/v1/definitions/{name}").json["version"], 2)
        self.assertEqual(self.get(f"/v1/definitions/{name}/versions/1").json["version"], 1)

    def test_the_list_has_the_newest_of_each_by_name(self):
        names = [self.register("a") for _ in range(5)]
        self.post("/v1/definitions", self.definition("a", "b", name=names[0]))
        found, query = [], {"limit": 2}
        while True:
            page = self.get("/v1/definitions", **query).json
            found += [(item["name"], item["version"]) for item in page["items"]]
            if not page["next_cursor"]:
                break
            query["cursor"] = page["next_cursor"]
        self.assertEqual(found, sorted(set(found)))
        self.assertTrue({(names[0], 2), (names[1], 1), (names[4], 1)} <= set(found))

    def test_unknown_names_and_versions_are_not_found(self):
        name = self.register("a")
        for path in ("none", "none/versions", "none/versions/1", f"{name}/versions/2", f"{name}/versions/0", f"{name}/versions/x", f"{name}/versions/99999999999"):
            self.assert_problem(self.get(f"/v1/definitions/{path}"), 404, "definition-not-found")
        for path in ("none/pause", "none/versions/1/deprecate", f"{name}/versions/2/restore", f"{name}/versions/x/restore"):
            self.assert_problem(self.post(f"/v1/definitions/{path}"), 404, "definition-not-found")

    def test_every_error_is_told_at_once_and_nothing_is_stored(self):
        definition = self.definition("a", "b")
        definition["stpes"] = 1
        definition["steps"][1]["depends_on"] = ["zz"]
        problem = self.assert_problem(self.post("/v1/definitions", definition), 422, "invalid-definition", "/stpes")
        self.assertTrue(any(error["pointer"].startswith("/steps/1/depends_on") for error in problem["errors"]))
        self.assert_status(self.get(f"/v1/definitions/{definition['name']}"), 404)
        checked = self.assert_status(self.post("/v1/definitions/validate", definition), 200).json
        self.assertFalse(checked["valid"])
        self.assertEqual([error["pointer"] for error in checked["errors"]], [error["pointer"] for error in problem["errors"]])
        good = self.definition("a")
        self.assertEqual(self.post("/v1/definitions/validate", good).json["valid"], True)
        self.assert_status(self.get(f"/v1/definitions/{good['name']}"), 404)

    def test_a_rehearsal_tells_every_end_and_stores_nothing(self):
        name = self.register("a", "b")
        answer = self.assert_status(self.post(f"/v1/definitions/{name}/simulate", {"explore": True}), 200).json
        self.assertEqual(answer["definition"], {"name": name, "version": 1})
        runs = answer["rehearsal"]["runs"]
        self.assertEqual([(call["step"], call["op"]) for call in runs[0]["calls"]], [("a", "action"), ("b", "action")])
        self.assertEqual(runs[0]["end"], "succeeded")
        self.assertEqual(answer["rehearsal"]["ends"]["succeeded"], 1)
        self.assertEqual(answer["rehearsal"]["problems"], 0)
        one = self.post(f"/v1/definitions/{name}/simulate", {"faults": [{"step": "b", "how": "refuses"}]}).json["rehearsal"]["runs"]
        self.assertEqual([run["end"] for run in one], ["compensated"])
        self.assertEqual([(call["step"], call["op"]) for call in one[0]["calls"]], [("a", "action"), ("b", "action"), ("a", "compensate")])
        self.assertEqual(self.get(f"/v1/sagas?definition={name}").json["items"], [])

    def test_a_rehearsal_with_bad_input_names_the_place(self):
        name = self.register("a")
        path = f"/v1/definitions/{name}/simulate"
        for body, pointer in (({"explore": 1}, "/explore"), ({"faults": [{"step": "zz", "how": "refuses"}]}, "/faults/0/step"),
                              ({"faults": [{"step": "a", "how": "dies"}]}, "/faults/0/how"), ({"outputs": {"zz": 1}}, "/outputs/zz"),
                              ({"explore": True, "faults": []}, "/faults"), ({"version": 0}, "/version"), ({"inptu": 1}, "/inptu"),
                              ({"faults": [{"step": "a", "op": "undo", "how": "refuses"}]}, "/faults/0/op")):
            self.assert_problem(self.post(path, body), 422, "invalid", pointer)
        self.assert_problem(self.post(path, {"version": 2}), 404, "definition-not-found")

    def test_a_cycle_is_refused(self):
        definition = self.definition("a", "b")
        definition["steps"][0]["depends_on"] = ["b"]
        self.assert_problem(self.post("/v1/definitions", definition), 422, "invalid-definition")

    def test_a_version_out_of_order_is_refused_and_names_the_next(self):
        name = self.register("a")
        problem = self.assert_problem(self.post("/v1/definitions", self.definition("b", name=name, version=7)), 422, "invalid-definition", "/version")
        self.assertIn("2", problem["detail"])
        self.assert_status(self.post("/v1/definitions", self.definition("b", name=name, version=2)), 201)

    def test_sagas_of_a_paused_definition_wait_and_go_on(self):
        name = self.register("a")
        self.assertTrue(self.assert_status(self.post(f"/v1/definitions/{name}/pause", {"reason": "x"}), 200).json["paused"])
        saga = self.assert_status(self.post("/v1/sagas", {"definition": name}), 201).json
        self.assertEqual(saga["state"], "pending")
        self.assertEqual(self.get(f"/v1/sagas/{saga['id']}/why").json["waiting_for"]["kind"], "operator")
        self.assertFalse(self.post(f"/v1/definitions/{name}/resume").json["paused"])
        self.assertEqual(self.post("/v1/sagas", {"definition": name}).json["state"], "running")

    def test_a_deprecated_version_starts_nothing_until_it_is_restored(self):
        name = self.register("a")
        saga = self.start(name)
        self.assertTrue(self.assert_status(self.post(f"/v1/definitions/{name}/versions/1/deprecate"), 200).json["deprecated"])
        for wanted in (name, {"name": name, "version": 1}):
            self.assert_problem(self.post("/v1/sagas", {"definition": wanted}), 409, "definition-deprecated")
        self.assertEqual(self.reply(saga, "a").json["verdict"], "applied")
        self.assertFalse(self.post(f"/v1/definitions/{name}/versions/1/restore").json["deprecated"])
        self.assert_status(self.post("/v1/sagas", {"definition": name}), 201)

    def test_wrong_members_of_a_switch_are_told(self):
        name = self.register("a")
        self.assert_problem(self.post(f"/v1/definitions/{name}/pause", {"raeson": "x"}), 422, "invalid", "/raeson")
        self.assertFalse(self.get(f"/v1/definitions/{name}").json["paused"])
