"""Bad input: each is answered with a clear error that names the place, and none changes anything."""
import json
import socket
import unittest
import uuid

import servers
from support import ApiTest, Daemon, stack

# JSON that is none, or that two readers would read differently (RFC 8259, RFC 7493).
NO_JSON = {
    "nothing": b"", "white space": b" \n", "text": b"hello", "an open object": b"{", "an open string": b'{"a', "an open array": b"[1",
    "a trailing comma": b'{"a":1,}', "two commas": b"[1,,2]", "a comment": b"{/**/}", "single quotes": b"{'a':1}", "no quotes": b"{a:1}",
    "a member twice": b'{"input":1,"input":2}', "a member twice, escaped": b'{"input":1,"inpu\\u0074":2}', "a nested member twice": b'{"input":{"a":1,"a":2}}',
    "two values": b"{}{}", "rubbish behind": b"{}x", "NaN": b'{"a":NaN}', "Infinity": b'{"a":Infinity}', "a leading zero": b"[01]", "a lone minus": b"[-]",
    "a plus": b"[+1]", "a hexadecimal number": b"[0x1]", "a point alone": b"[1.]", "an exponent alone": b"[1e]", "a raw tab in a string": b'["\t"]',
    "a raw NUL in a string": b'["\0"]', "a NUL behind": b"{}\0", "a NUL before": b"\0{}", "an unknown escape": b'["\\x41"]', "half an escape": b'["\\u12"]',
    "a lone high surrogate": b'["\\ud800"]', "a lone low surrogate": b'["\\udc00"]', "surrogates the wrong way round": b'["\\udc00\\ud800"]',
    "invalid UTF-8": b'["\xff"]', "overlong UTF-8": b'["\xc0\xaf"]', "a UTF-8 surrogate": b'["\xed\xa0\x80"]', "beyond Unicode": b'["\xf4\x90\x80\x80"]',
    "cut UTF-8": b'["\xc3"]', "a byte order mark": b"\xef\xbb\xbf{}", "UTF-16": '{"a":1}'.encode("utf-16"), "129 arrays": b"[" * 129 + b"]" * 129,
    "5,000 arrays": b"[" * 5000 + b"]" * 5000, "5,000 objects": b'{"a":' * 5000 + b"1" + b"}" * 5000, "100,000 open arrays": b"[" * 100000,
}


class NoJson(ApiTest):
    def test_what_is_no_json_is_refused_with_its_byte(self):
        before = self.count()
        for path in ("/v1/sagas", "/v1/sagas/bulk", "/v1/definitions", "/v1/definitions/validate", "/v1/replies"):
            for name, body in NO_JSON.items():
                with self.subTest(name, path=path):
                    problem = self.assert_problem(self.ask("POST", path, body), 400, "invalid-json")
                    self.assertRegex(problem["detail"], r"byte \d+: |a JSON body is expected")
        self.assertEqual(self.count(), before)

    def test_commands_take_no_rubbish_either(self):
        saga = self.start()
        for name, body in NO_JSON.items():
            if body:
                self.assert_problem(self.post(f"/v1/sagas/{saga}/pause", body), 400, "invalid-json")
        self.assertEqual(self.get(f"/v1/sagas/{saga}").json["revision"], 1)

    def test_deep_but_allowed_json_is_taken(self):
        body = b'{"definition":"%s","input":%s}' % (self.register("one").encode(), b"[" * 127 + b"]" * 127)
        self.assert_status(self.post("/v1/sagas", body), 201)

    def test_numbers_at_the_edges_pass_untouched(self):
        name = self.register("one").encode()
        for number in (b"1e400", b"-1e400", b"9223372036854775808", b"-9223372036854775809", b"0.1", b"-0", b"1E-999", b"0.10000000000000001"):
            answer = self.post("/v1/sagas", b'{"definition":"%s","input":[%s]}' % (name, number))
            self.assert_status(answer, 201)
            self.assertIn(b'"input":[' + number + b"]", answer.bytes)

    def test_odd_but_valid_strings_are_taken(self):
        name = self.register("one").encode()
        for text in (b'"\\u0000"', b'"\\ud83d\\ude00"', '"\u2028\U0001f600\ufffe"'.encode(), b'"\\/\\b\\f"', b'"</script>"', b'"%00%zz"'):
            self.assertIn(b'"input":' + text, self.post("/v1/sagas", b'{"definition":"%s","input":%s}' % (name, text)).bytes)


class Headers(ApiTest):
    def test_a_body_must_be_declared_as_json(self):
        for type_ in ("text/plain", "application/x-www-form-urlencoded", "application/jsonx", "multipart/form-data", ""):
            self.assert_problem(self.ask("POST", "/v1/sagas", b"{}", {"Content-Type": type_}), 415, "unsupported-media-type")
        self.assert_problem(self.raw(b"POST /v1/sagas HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}").answer(), 415, "unsupported-media-type")
        self.assert_problem(self.ask("POST", "/v1/sagas", b"{}", {"Content-Type": "Application/JSON; charset=utf-8"}), 422, "invalid")

    def test_an_answer_that_is_not_accepted_is_not_made(self):
        for accept in ("text/html", "application/xml", "application/json;q=0"):
            self.assert_problem(self.get("/v1/sagas", {"Accept": accept}), 406, "not-acceptable")
        for accept in ("*/*", "application/*", "application/json", "text/html, application/problem+json", "text/html;q=1, */*;q=0.1"):
            self.assert_status(self.get("/v1/sagas", {"Accept": accept}), 200)
        self.assert_status(self.get("/metrics", {"Accept": "text/plain;version=0.0.4"}), 200)

    def test_an_unknown_path_or_method_is_told(self):
        for path in ("/", "/v1", "/v2/sagas", "/v1/saga", "/v1/sagas/", "/v1//sagas", "/v1/../livez", "/V1/sagas", "/v1/sagas/x/y", "/admin", "/.env"):
            self.assert_problem(self.get(path), 404, "no-such-route")
        for method, path, allow in (("DELETE", "/v1/sagas", "POST, GET, HEAD"), ("PUT", "/v1/definitions/x", "GET, HEAD"), ("GET", "/v1/replies", "POST"),
                                    ("PATCH", "/livez", "GET, HEAD"), ("BREW", "/livez", "GET, HEAD"), ("OPTIONS", "/v1/sagas", "POST, GET, HEAD")):
            answer = self.ask(method, path)
            self.assert_problem(answer, 405, "method-not-allowed")
            self.assertEqual(answer.headers["allow"], allow)

    def test_a_request_id_is_echoed_when_it_is_sane(self):
        self.assertEqual(self.get("/livez", {"X-Request-Id": "abc-1.2_3"}).headers["x-request-id"], "abc-1.2_3")
        for odd in ("a b", 'a"b', "x" * 65, "\u00e4"):
            self.assertNotEqual(self.get("/livez", {"X-Request-Id": odd.encode().decode("latin-1")}).headers["x-request-id"], odd)

    def test_every_answer_forbids_sniffing_and_caching(self):
        for path in ("/livez", "/v1/sagas", "/nope", "/problems"):
            headers = self.get(path).headers
            self.assertEqual((headers["x-content-type-options"], headers["cache-control"]), ("nosniff", "no-store"))


class Sizes(ApiTest):
    def test_a_body_of_10_mb_is_refused_and_the_reason_arrives(self):
        before = self.count()
        for path in ("/v1/sagas", "/v1/sagas/bulk", "/v1/definitions", f"/v1/sagas/{uuid.uuid4()}/cancel", "/v1/replies"):
            self.assert_problem(self.ask("POST", path, b'"' + b"x" * 10_000_000 + b'"'), 413, "too-large")
        self.assertEqual(self.count(), before)

    def test_a_body_of_10_mb_in_chunks_is_refused_too(self):
        connection = self.raw(b"POST /v1/sagas HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(160):
            connection.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        connection.send(b"0\r\n\r\n")
        self.assert_problem(connection.answer(), 413, "too-large")

    def test_a_body_that_never_ends_is_cut_off(self):
        connection = self.raw(b"POST /v1/sagas HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        with self.assertRaises((ConnectionError, BrokenPipeError)):
            for _ in range(2000):
                connection.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")

    def test_a_declared_gigabyte_is_refused_at_once(self):
        connection = self.raw(b"POST /v1/sagas HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1073741824\r\n\r\n{")
        self.assert_problem(connection.answer(), 413, "too-large")
        self.assertEqual(connection.until_closed(), b"")

    def test_a_bulk_may_be_larger_than_a_start(self):
        items = [{"definition": "none", "input": "x" * 100_000}] * 20
        self.assert_status(self.post("/v1/sagas/bulk", {"items": items}), 200)
        self.assert_problem(self.ask("POST", "/v1/sagas/bulk", json.dumps({"items": items * 5}).encode()), 413, "too-large")


class Starting(unittest.TestCase):
    """What cannot be served says so at the start, with the place and the cure."""

    def refuse(self, *words, environment=None):
        # Its own folder and ports; never started.
        daemon = Daemon(stack().postgres.url, stack().broker.brokers, environment=environment)
        self.addCleanup(daemon.close)
        done = daemon.tool("serve", "--database-url", daemon.database_url, "--kafka-brokers", daemon.brokers, *words, timeout=30)
        self.assertNotEqual(done.returncode, 0)
        return done.stderr

    def test_a_port_in_use(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            said = self.refuse("--insecure", "--listen", address, "--admin-listen", "127.0.0.1:0")
            self.assertIn(address, said)
            self.assertIn("another port", said)
            self.assertIn(address, self.refuse("--insecure", "--listen", "127.0.0.1:0", "--admin-listen", address))

    def test_an_address_that_is_none(self):
        for address in ("8080", "localhost", "127.0.0.1:", "127.0.0.1:http", "256.0.0.1:80", "192.0.2.1:8080"):
            self.assertIn(address, self.refuse("--insecure", "--listen", address, "--admin-listen", "127.0.0.1:0"))

    def test_insecure_on_a_public_address(self):
        said = self.refuse("--insecure", "--listen", "0.0.0.0:0", "--admin-listen", "127.0.0.1:0")
        self.assertIn("keys add", said)

    def test_no_keys_and_not_insecure(self):
        self.assertIn("keys add", self.refuse("--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"))

    LISTEN = ("--insecure", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0")

    def test_a_database_that_is_not_there(self):
        said = self.refuse(*self.LISTEN, "--database-url", "postgresql://127.0.0.1:1/none")
        self.assertIn("127.0.0.1", said)

    def test_a_database_that_was_never_migrated_or_is_too_new(self):
        stack().postgres.sql("create database fresh")
        url = stack().postgres.url.rsplit("/", 1)[0] + "/fresh"
        self.assertIn("migrate", self.refuse(*self.LISTEN, "--database-url", url))
        moved = stack().daemon.tool("migrate", "--database-url", url)
        self.assertEqual(moved.returncode, 0, moved.stderr)
        servers.sql(url, "insert into sagad.schema_version (version, name, checksum) values (999, 'later', '')")
        self.assertIn("999", self.refuse(*self.LISTEN, "--database-url", url))

    def test_a_broker_that_is_not_there_does_not_stop_the_start(self):
        daemon = Daemon(stack().postgres.url, "127.0.0.1:1", ["--namespace", "no-broker"])
        self.addCleanup(daemon.close)
        daemon.start()
        checks = json.loads(servers.http("GET", daemon.admin + "/readyz?verbose")[2])["checks"]
        self.assertEqual([check["state"] for check in checks if check["name"] == "broker"], ["down"])
        self.assertEqual(daemon.call("POST", "/v1/definitions", ApiTest().definition("one"))[0], 201)

    def test_a_wrong_flag_names_the_nearest(self):
        said = self.refuse(*self.LISTEN, "--listne", "127.0.0.1:0")
        self.assertIn("`--listne`", said)
        self.assertIn("`--listen`", said)

    def test_a_keys_file_that_is_not_there_or_broken(self):
        listen = ("--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0")
        self.assertIn("/nowhere/keys", self.refuse("--keys-file", "/nowhere/keys", *listen))
        self.assertIn("line 1", self.refuse("--keys-file", "/etc/hostname", *listen))
