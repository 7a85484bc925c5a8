"""Who may: every route with every role, from the document that the daemon serves."""
import re

from support import ROLES, ApiTest, stack

STAND_INS = {"{id}": "018f3c1e-0000-7000-8000-00000000dead", "{step}": "one", "{name}": "none-such", "{version}": "1", "{slug}": "stale"}


class Roles(ApiTest):
    @property
    def daemon(self):
        return stack().keyed()

    def routes(self):
        document = self.get("/openapi.json").json
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                yield method.upper(), re.sub(r"\{\w+\}", lambda found: STAND_INS[found.group()], path), operation["x-role"]

    def send(self, method, path, key):
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return self.ask(method, path, b"[]" if method == "POST" else None, headers)

    def test_every_cell_of_routes_and_roles(self):
        keys = {None: None, **self.daemon.keys}
        cells = 0
        for method, path, needed in self.routes():
            for role, key in keys.items():
                with self.subTest(method=method, path=path, role=role):
                    answer = self.send(method, path, key)
                    rank = ROLES.index(role) if role else -1
                    allowed = needed == "nobody" or rank >= ROLES.index(needed)
                    if allowed:
                        self.assertNotIn(answer.status, (401, 403), answer)
                    elif role is None:
                        self.assert_problem(answer, 401, "unauthenticated")
                        self.assertTrue(answer.headers["www-authenticate"].startswith("Bearer"))
                    else:
                        self.assertIn(needed, self.assert_problem(answer, 403, "forbidden")["detail"])
                    cells += 1
        self.assertGreaterEqual(cells, 200)

    def test_a_key_that_is_wrong_in_any_way_opens_nothing(self):
        good = self.daemon.keys["admin"]
        head, id_, secret = re.fullmatch(r"(sagad)_(.{16})_(.{43})", good).groups()
        other = re.fullmatch(r"sagad_(.{16})_(.{43})", self.daemon.keys["reader"])
        for authorization in ("", "Bearer", "Bearer ", f"Basic {good}", good, f"Bearer {good}x", f"Bearer {good[:-1]}", f"Bearer  {good}",
                              f"Bearer {head}_{id_}_{other.group(2)}", f"Bearer {head}_{other.group(1)}_{secret}", f"Bearer {good.upper()}",
                              f"Bearer {good}, Bearer {good}", "Bearer sagad__", "Bearer " + "x" * 5000, "Bearer null"):
            answer = self.ask("GET", "/v1/sagas", headers={"Authorization": authorization})
            self.assert_problem(answer, 401, "unauthenticated")
        self.assert_status(self.ask("GET", "/v1/sagas", headers={"Authorization": f"bearer {good}"}), 200)

    def test_nothing_is_told_before_the_key_is_known(self):
        self.assert_problem(self.ask("GET", "/v1/sagas/not-even-an-id"), 401, "unauthenticated")
        self.assert_problem(self.ask("GET", "/v1/sagas?limit=x"), 401, "unauthenticated")
        self.assert_problem(self.ask("POST", "/v1/sagas", b"{"), 401, "unauthenticated")
        self.assert_problem(self.ask("GET", "/v1/nothing"), 404, "no-such-route")

    def test_the_history_names_the_key_that_commanded(self):
        as_ = lambda role: {"Authorization": f"Bearer {self.daemon.keys[role]}"}
        definition = self.definition("one")
        self.assert_status(self.post("/v1/definitions", definition, headers=as_("admin")), 201)
        saga = self.assert_status(self.post("/v1/sagas", {"definition": definition["name"]}, headers=as_("submitter")), 201).json["id"]
        self.assert_status(self.post(f"/v1/sagas/{saga}/pause", {"reason": "x"}, headers=as_("operator")), 202)
        items = self.get(f"/v1/sagas/{saga}/history", as_("reader")).json["items"]
        self.assertEqual([item["actor"] for item in items if item["type"] == "operator.command"], ["key:the-operator"])
        self.assertEqual(self.get(f"/v1/sagas/{saga}/why", as_("reader")).json["waiting_for"]["by"], "key:the-operator")

    def test_a_key_that_is_added_counts_within_seconds_and_one_that_is_removed_no_more(self):
        from servers import until
        key = self.daemon.add_key("reader", self.name())
        ask = lambda: self.ask("GET", "/v1/sagas", headers={"Authorization": f"Bearer {key}"}).status
        until(lambda: ask() == 200, 60, "the new key is known")
        lines = self.daemon.keys_file.read_text().splitlines()
        self.daemon.keys_file.write_text("\n".join(lines[:-1]) + "\n")
        until(lambda: ask() == 401, 60, "the removed key is forgotten")
        self.assert_status(self.ask("GET", "/v1/sagas", headers={"Authorization": f"Bearer {self.daemon.keys['reader']}"}), 200)

    def test_secrets_and_payloads_are_in_no_log_and_no_metric(self):
        keys, canary = self.daemon.keys, "canary-" + self.name()
        definition = self.definition("one")
        as_admin = {"Authorization": f"Bearer {keys['admin']}"}
        self.post("/v1/definitions", definition, headers=as_admin)
        self.post("/v1/sagas", {"definition": definition["name"], "input": canary, "labels": {"x": canary}}, headers=as_admin, key=canary)
        self.ask("GET", f"/v1/sagas?label=x={canary}", headers={"Authorization": f"Bearer {canary}"})
        seen = self.daemon.log.read_text() + self.get("/metrics", as_admin).bytes.decode()
        self.assertFalse(canary in seen, "a payload or a key is in the log or the metrics")
        for role, key in keys.items():
            self.assertFalse(key[-43:] in seen, role)

    def test_the_admin_listener_asks_for_no_key_and_serves_no_sagas(self):
        for path in ("/livez", "/readyz", "/metrics", "/version"):
            self.assert_status(self.ask("GET", path, url=self.daemon.admin), 200)
        self.assert_problem(self.ask("GET", "/v1/sagas", url=self.daemon.admin, headers={"Authorization": f"Bearer {self.daemon.keys['admin']}"}),
                            404, "no-such-route")
