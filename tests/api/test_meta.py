"""Probes, metrics, documents and the pages of problems."""
import re

from support import ApiTest


class Meta(ApiTest):
    def test_probes_answer_on_both_listeners(self):
        for url in (self.daemon.url, self.daemon.admin):
            self.assertEqual(self.ask("GET", "/livez", url=url).json, {"status": "alive"})
            self.assertEqual(self.ask("GET", "/readyz", url=url).json, {"status": "ready"})
            self.assertEqual(set(self.ask("GET", "/version", url=url).json), {"name", "version", "commit", "schema"})

    def test_readiness_names_each_check(self):
        checks = self.get("/readyz?verbose").json["checks"]
        self.assertTrue({"database", "broker"} <= {check["name"] for check in checks})
        excluded = self.get("/readyz?verbose&exclude=database").json["checks"]
        self.assertEqual([check["state"] for check in excluded if check["name"] == "database"], ["excluded"])

    def test_requests_are_counted_by_route_and_code(self):
        self.get("/v1/sagas/" + "x" * 8)
        self.get("/nope")
        text = self.get("/metrics").bytes.decode()
        self.assertRegex(text, r'saga_http_requests_total\{route="/v1/sagas/\{id\}",code="404"\} \d+')
        self.assertRegex(text, r'saga_http_requests_total\{route="none",code="404"\} \d+')
        self.assertRegex(text, r'saga_http_request_duration_seconds_count\{route="/v1/sagas/\{id\}"\} \d+')
        self.assertNotIn("xxxxxxxx", text)

    def test_every_problem_has_a_page_for_people_and_one_for_programs(self):
        problems = self.get("/problems").json["items"]
        self.assertGreater(len(problems), 30)
        for problem in problems:
            page = self.get(problem["type"]).json
            self.assertTrue(page["cause"] and page["fix"])
            html = self.get(problem["type"], {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
            self.assertTrue(html.headers["content-type"].startswith("text/html"))
            self.assertIn(b"<h1>", html.bytes)
        self.assertIn(b"/problems/stale", self.get("/problems", {"Accept": "text/html"}).bytes)
        self.assert_problem(self.get("/problems/none"), 404, "document-not-found")

    def test_the_documents_are_served(self):
        document = self.get("/openapi.json").json
        self.assertTrue(document["openapi"].startswith("3.1"))
        self.assertEqual(self.get("/schemas/saga-definition-1.json").json["title"], "Saga definition")
        self.assert_problem(self.get("/schemas/other.json"), 404, "document-not-found")
        ids = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
        self.assertEqual(len(ids), len(set(ids)))

    def test_answers_have_the_members_that_the_document_requires(self):
        document = self.get("/openapi.json").json
        schemas = document["components"]["schemas"]
        saga = self.start()
        for path, name in ((f"/v1/sagas/{saga}", "Saga"), (f"/v1/sagas/{saga}/why", "Why"), ("/v1/sagas", "SagaList"), ("/version", "Version"),
                           (f"/v1/sagas/{saga}/steps", "Steps"), (f"/v1/sagas/{saga}/history", "History"), ("/v1/definitions", "DefinitionList"), ("/v1/failures", "FailureList"), ("/v1/locks", "LockList"), ("/v1/exposure", "Exposure"), ("/v1/batches", "BatchList")):
            self.check(schemas, schemas[name], self.get(path).json, name)

    def check(self, schemas, schema, value, place):
        """As much of JSON Schema as the document uses."""
        if "$ref" in schema:
            found = re.fullmatch(r"#/components/schemas/(\w+)", schema["$ref"])
            return self.check(schemas, schemas[found.group(1)], value, place) if found else None
        if "oneOf" in schema and value is not None:
            schema = next(one for one in schema["oneOf"] if one.get("type") != "null")
            return self.check(schemas, schema, value, place)
        if "enum" in schema:
            self.assertIn(value, schema["enum"], place)
        if isinstance(value, dict) and "properties" in schema:
            self.assertTrue(set(schema["required"]) <= set(value), (place, set(schema["required"]) - set(value)))
            self.assertTrue(set(value) <= set(schema["properties"]), (place, set(value) - set(schema["properties"])))
            for name, one in value.items():
                self.check(schemas, schema["properties"][name], one, f"{place}/{name}")
        if isinstance(value, list) and "items" in schema:
            for one in value:
                self.check(schemas, schema["items"], one, place + "/-")
        return None
