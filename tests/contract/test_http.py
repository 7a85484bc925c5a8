"""HTTP: what is refused, how, and that nothing of it changes anything; probes, pages, documents, metrics."""
import json
import re
import socket
import threading
import time

import pytest

from client import new_id
from participant import silence
from servers import until

METRICS = """saga_started_total saga_finished_total saga_duration_seconds saga_active saga_attention saga_step_attempts_total
    saga_step_duration_seconds saga_schedule_lag_seconds saga_outbox_pending saga_outbox_oldest_seconds saga_replies_total saga_timers_pending
    saga_topic_lag saga_topic_participants saga_topic_paused saga_compensation_stuck saga_http_requests_total saga_http_request_duration_seconds
    saga_pg_query_duration_seconds saga_kafka_produce_failures_total saga_build_info""".split()


def raw(api, data, wait=5.0):
    """(status or None, everything that came, closed by the server) of bytes sent as they are."""
    host, port = api.address.split(":")
    with socket.create_connection((host, int(port)), timeout=wait) as sock:
        came, closed = b"", False
        try:
            sock.sendall(data)
            while True:
                part = sock.recv(65536)
                if not part:
                    closed = True
                    break
                came += part
        except (TimeoutError, ConnectionError) as error:
            closed = closed or isinstance(error, ConnectionError)
    found = re.match(rb"HTTP/1\.[01] (\d{3})", came)
    return (int(found[1]) if found else None), came, closed


def head(method="GET", path="/v1/sagas", *lines, body=b""):
    return ("\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", *lines]) + "\r\n\r\n").encode() + body


# ---- framing ------------------------------------------------------------------------------

START = b'{"definition":"nobody"}'
FRAMING = {
    "length and chunked": head("POST", "/v1/sagas", "Content-Type: application/json", "Content-Length: 5", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    "two lengths": head("POST", "/v1/sagas", "Content-Type: application/json", "Content-Length: 23", "Content-Length: 5", body=START),
    "a negative length": head("POST", "/v1/sagas", "Content-Length: -1"),
    "a length that is none": head("POST", "/v1/sagas", "Content-Length: 0x10"),
    "a signed length": head("POST", "/v1/sagas", "Content-Length: +23", body=START),
    "an unknown coding": head("POST", "/v1/sagas", "Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"),
    "two hosts": b"GET /v1/sagas HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "no host": b"GET /v1/sagas HTTP/1.1\r\n\r\n",
    "a folded header": b"GET /v1/sagas HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c\r\n\r\n",
    "bare line feeds": b"GET /v1/sagas HTTP/1.1\nHost: a\n\n",
    "a blank before the colon": b"GET /v1/sagas HTTP/1.1\r\nHost : a\r\n\r\n",
    "NUL in a path": b"GET /v1/sa\x00gas HTTP/1.1\r\nHost: a\r\n\r\n",
    "NUL in a header": b"GET /v1/sagas HTTP/1.1\r\nHost: a\r\nX-A: a\x00b\r\n\r\n",
    "%00 in a path": b"GET /v1/sagas/%00 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "%00 in a query": b"GET /v1/sagas?state=a%00b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "a cut escape": b"GET /v1/sagas/%4 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "a CR in a value": b"GET /v1/sagas HTTP/1.1\r\nHost: a\r\nX-A: a\rb\r\n\r\n",
    "rubbish": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "no version": b"GET /v1/sagas\r\n\r\n",
    "version 2": b"GET /v1/sagas HTTP/2.0\r\nHost: a\r\n\r\n",
}


@pytest.mark.parametrize("what", FRAMING)
def test_ambiguous_framing_is_refused_and_the_connection_closed(api, what):
    status, came, closed = raw(api, FRAMING[what])
    assert closed and (status is None or status in (400, 404, 411, 413, 414, 431, 501, 505)), came[:300]
    # Of a length that is no number libmicrohttpd 0.9.75 says so itself, its head twice.
    assert len(re.findall(rb"^HTTP/1\.[01] \d", came, re.M)) <= (2 if "length" in what else 1), "one answer at most"


def test_a_smuggled_request_is_never_carried_out(story):
    made = story.register(story.step("only"))
    body = json.dumps({"definition": made}).encode()
    inner = head("POST", "/v1/sagas", "Content-Type: application/json", f"Content-Length: {len(body)}", body=body)
    raw(story.api, head("POST", "/v1/sagas", "Content-Type: application/json", "Content-Length: 3", "Transfer-Encoding: chunked", body=b"0\r\n\r\n" + inner), 2)
    raw(story.api, head("POST", "/v1/sagas", "Content-Type: application/json", "Content-Length: 0", f"Content-Length: {len(inner)}", body=inner), 2)
    assert story.api.get("/v1/sagas", definition=story.name).must()["items"] == []


def test_a_chunked_body_is_taken(story):
    made = story.register(story.step("only"))
    body = json.dumps({"definition": made, "input": {"a": 1}}).encode()
    chunks = b"".join(b"%x\r\n%s\r\n" % (1, body[i:i + 1]) for i in range(len(body))) + b"0\r\n\r\n"
    status, came, _ = raw(story.api, head("POST", "/v1/sagas", "Content-Type: application/json", "Transfer-Encoding: chunked", body=chunks))
    assert status == 201, came[:300]


def test_pipelined_requests_are_answered_in_order(api):
    _, came, _ = raw(api, b"GET /version HTTP/1.1\r\nHost: a\r\n\r\nGET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert came.count(b"HTTP/1.1 200") == 2


def test_expect_100_continue_is_honoured(story):
    made = story.register(story.step("only"))
    body = json.dumps({"definition": made}).encode()
    host, port = story.api.address.split(":")
    with socket.create_connection((host, int(port)), timeout=5) as sock:
        sock.sendall(head("POST", "/v1/sagas", "Content-Type: application/json", f"Content-Length: {len(body)}", "Expect: 100-continue"))
        assert sock.recv(1000).startswith(b"HTTP/1.1 100")
        sock.sendall(body)
        assert b"HTTP/1.1 201" in sock.recv(65536)


# ---- sizes --------------------------------------------------------------------------------

def test_ten_megabytes_are_refused(api):
    length = ("Content-Type: application/json", "Content-Length: 10485760")
    status, came, closed = raw(api, head("POST", "/v1/sagas", *length, "Expect: 100-continue"))
    assert (status, closed) == (413, True), came[:200]
    status, came, _ = raw(api, head("POST", "/v1/sagas", *length, body=b"x" * 10_485_760))
    assert status == 413, came[:200]
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    status, came, _ = raw(api, head("POST", "/v1/sagas", "Content-Type: application/json", "Transfer-Encoding: chunked", body=chunk * 40 + b"0\r\n\r\n"))
    assert status in (413, None), came[:200]


def test_the_limits_of_body_and_input(story):
    made = story.register(story.step("only", input=1))
    def with_input(size):
        return story.api.post("/v1/sagas", b'{"definition":"%s","input":"%s"}' % (story.name.encode(), b"x" * (size - 2)))
    assert with_input(256 * 1024).must(201)
    assert with_input(256 * 1024 + 1).problem(413)
    story.api.post("/v1/sagas", b" " * (1024 * 1024 + 1)).problem(413)
    padded = json.dumps({"definition": made}).encode()
    assert story.api.post("/v1/sagas", padded + b" " * (1024 * 1024 - len(padded))).must(201)
    story.api.post("/v1/sagas/bulk", {"items": [{"definition": made}] * 1001}).problem(413)
    story.api.post("/v1/sagas/bulk", b" " * (8 * 1024 * 1024 + 1)).problem(413)


def test_long_headers_and_targets_are_refused(api):
    status, _, closed = raw(api, head("GET", "/v1/sagas", "X-Long: " + "a" * 100_000))
    assert status in (431, 400, None) and closed
    status, _, closed = raw(api, head("GET", "/v1/sagas?label=" + "a" * 100_000))
    assert status in (414, 431, 400, None) and closed
    status, _, closed = raw(api, head("GET", "/v1/sagas", *[f"X-{n}: 1" for n in range(5000)]))
    assert status in (431, 400, None) and closed


# ---- JSON ---------------------------------------------------------------------------------

BAD_JSON = {
    "nothing": b"", "white space": b"  ", "no JSON": b"hello", "cut": b'{"definition":', "two values": b"{} {}", "a comma too many": b'{"a":1,}',
    "single quotes": b"{'a':1}", "a comment": b"{/* */}", "NaN": b'{"input":NaN}', "a leading zero": b'{"input":01}', "a bare dot": b'{"input":.5}',
    "hex": b'{"input":0x1}', "bad UTF-8": b'{"input":"\xff"}', "overlong UTF-8": b'{"input":"\xc0\xaf"}', "a surrogate in UTF-8": b'{"input":"\xed\xa0\x80"}',
    "a control character": b'{"input":"\x01"}', "NUL": b'{"input":"\x00"}', "a bad escape": b'{"input":"\\x"}', "a lone surrogate": b'{"input":"\\ud800"}',
    "a wrong pair": b'{"input":"\\udc00\\ud800"}', "a member twice": b'{"definition":"a","definition":"b"}', "twice inside": b'{"input":{"a":1,"a":2}}',
    "twice by escape": b'{"input":{"a":1,"\\u0061":2}}', "BOM": b"\xef\xbb\xbf{}", "UTF-16": '{"a":1}'.encode("utf-16"),
    "129 deep": b'{"input":' + b"[" * 129 + b"]" * 129 + b"}", "5,000 deep": b'{"input":' + b"[" * 5000 + b"]" * 5000 + b"}",
    "5,000 deep and cut": b"[" * 5000, "a NUL after it": b"{}\x00",
}


@pytest.mark.parametrize("what", BAD_JSON)
@pytest.mark.parametrize("path", ["/v1/sagas", "/v1/definitions"])
def test_what_is_no_json_is_refused(api, path, what):
    problem = api.post(path, BAD_JSON[what]).problem(400, "invalid-json")
    assert problem["retryable"] is False


def test_bad_json_is_refused_by_every_route_that_takes_a_body(story):
    id_ = story.start(story.step("only", silence))
    for path in ("/v1/sagas/bulk", "/v1/replies", "/v1/definitions/validate", f"/v1/sagas/{id_}/pause", f"/v1/sagas/{id_}/steps/only/complete",
                 f"/v1/definitions/{story.name}/pause"):
        story.api.post(path, b"{nope").problem(400, "invalid-json")
        answer = story.api.post(path, b"[]")
        assert answer.status == 422 or path.endswith("/validate") and answer.must()["valid"] is False, path
    assert story.api.saga(id_)["paused"] is False


@pytest.mark.parametrize("change,pointer", [
    ({"definition": None}, "/definition"), ({"labels": {"a": None}}, "/labels/a"), ({"labels": 1}, "/labels"), ({"wait": 1}, "/wait"),
    ({"start_at": 7}, "/start_at"), ({"start_at": "2026-13-01T00:00:00Z"}, "/start_at"), ({"if_exists": 1}, "/if_exists"),
    ({"definition": {"name": 1}}, "/definition/name"), ({"definition": {"name": "x", "version": "1"}}, "/definition/version"),
    ({"definition": {"inline": 1}}, "/definition/inline"), ({"definition": {}}, "/definition"), ({"labels": {"a": "x" * 201}}, "/labels/a")])
def test_a_wrong_member_is_named_by_its_pointer(story, change, pointer):
    made = story.register(story.step("only"))
    found = story.api.post("/v1/sagas", {"definition": made, **change}).pointers()
    assert any(p == pointer or p.startswith(pointer) for p in found), found


def test_all_wrong_members_are_told_at_once(story):
    found = story.api.post("/v1/sagas", {"defintion": "x", "labels": {"a": 1}, "start_at": "soon", "if_exists": "maybe"}).pointers()
    assert {"/defintion", "/labels/a", "/start_at", "/if_exists"} <= set(found)


# ---- methods, media, paths ----------------------------------------------------------------

def test_methods_paths_and_media_types(api):
    answer = api.ask("DELETE", "/v1/sagas")
    answer.problem(405, "method-not-allowed")
    assert {"GET", "POST"} <= set(answer.header("allow").replace(" ", "").split(","))
    for path in ("/", "/v1", "/v2/sagas", "/v1/sagas/", "/v1//sagas", "/v1/sagas/x/y/z/w", "/V1/sagas", "/v1/sagas/../definitions", "/v1/nothing"):
        answer = api.get(path)
        assert answer.status in (404, 400), path
        answer.problem(answer.status)
    for media in ("text/plain", "application/xml", "application/x-www-form-urlencoded", "application/jsonx", ""):
        api.post("/v1/sagas", b"{}", headers={"Content-Type": media}).problem(415, "unsupported-media-type")
    for media in ("application/json", "application/json; charset=utf-8", "APPLICATION/JSON"):
        api.post("/v1/sagas", b"{}", headers={"Content-Type": media}).problem(422)
    for accept in ("text/html", "application/xml", "text/plain;q=1"):
        api.get("/v1/sagas", headers={"Accept": accept}).problem(406, "not-acceptable")
    for accept in ("*/*", "application/*", "application/json", "text/html, application/json;q=0.5", "application/problem+json, */*;q=0.1"):
        api.get("/v1/sagas", headers={"Accept": accept}).must()


def test_every_unknown_method_is_answered(api):
    for method in ("PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW", "get"):
        assert api.ask(method, "/v1/sagas").status in (400, 405, 501), method


def test_unknown_query_parameters_are_refused_everywhere(story):
    id_ = story.run(story.step("only"))["id"]
    for path in ("/v1/sagas", f"/v1/sagas/{id_}", f"/v1/sagas/{id_}/steps", f"/v1/sagas/{id_}/history", f"/v1/sagas/{id_}/why", "/v1/definitions",
                 "/v1/dead-letters"):
        story.api.get(path, nonsense=1).problem(400, "invalid-query")
    story.api.post(f"/v1/sagas/{id_}/cancel", {}, dry="true").problem(400, "invalid-query")
    story.api.post(f"/v1/sagas/{id_}/cancel", {}, dry_run="perhaps").problem(400, "invalid-query")


def test_request_ids_differ_and_are_in_a_header_or_the_body(api):
    ids = {api.get("/v1/nothing").problem(404)["request_id"] for _ in range(20)}
    assert len(ids) == 20


# ---- what nobody changed ------------------------------------------------------------------

def test_after_all_that_sagas_still_run(story):
    assert story.run(story.step("only"))["state"] == "succeeded"


def test_a_client_that_goes_away_in_the_middle_harms_nobody(story):
    host, port = story.api.address.split(":")
    made = story.register(story.step("only"))
    for cut in range(0, 200, 10):
        whole = head("POST", "/v1/sagas", "Content-Type: application/json", "Content-Length: 200", body=json.dumps({"definition": made}).encode())
        with socket.create_connection((host, int(port)), timeout=5) as sock:
            sock.sendall(whole[:cut])
    assert story.run(story.step("only"))["state"] == "succeeded"


def test_a_slow_sender_is_cut_off_while_others_are_served(story):
    host, port = story.api.address.split(":")
    sock = socket.create_connection((host, int(port)), timeout=60)
    stop = threading.Event()

    def drip():
        try:
            for byte in head("GET", "/v1/sagas", "X-A: " + "a" * 10_000):
                if stop.wait(0.5):
                    return
                sock.sendall(bytes([byte]))
        except OSError:
            pass
    thread = threading.Thread(target=drip, daemon=True)
    thread.start()
    began = time.monotonic()
    assert story.run(story.step("only"))["state"] == "succeeded"
    assert time.monotonic() - began < 10
    stop.set()
    thread.join()
    sock.close()


# ---- documents ----------------------------------------------------------------------------

def test_every_problem_that_is_named_has_its_page(api):
    page = api.get("/problems").raw.decode()
    slugs = set(re.findall(r"/problems/([a-z0-9-]+)", page))
    assert {"invalid-json", "saga-not-found", "past-pivot", "stale", "key-reused", "forged-token"} <= slugs
    for slug in slugs:
        answer = api.get(f"/problems/{slug}")
        text = answer.raw.decode()
        assert answer.status == 200 and len(text) > 100, slug
    api.get("/problems/nothing").problem(404)


def test_the_openapi_document_lists_every_route_and_every_route_answers(api):
    document = api.get("/openapi.json").must()
    assert document["openapi"].startswith("3.")
    paths = document["paths"]
    wanted = {"/v1/sagas": "get post", "/v1/sagas/bulk": "post", "/v1/sagas/{id}": "get", "/v1/sagas/{id}/steps": "get", "/v1/sagas/{id}/history": "get",
              "/v1/sagas/{id}/why": "get", "/v1/sagas/{id}/cancel": "post", "/v1/sagas/{id}/pause": "post", "/v1/sagas/{id}/resume": "post",
              "/v1/sagas/{id}/retry": "post", "/v1/sagas/{id}/terminate": "post", "/v1/sagas/{id}/steps/{step}/retry": "post",
              "/v1/sagas/{id}/steps/{step}/skip": "post", "/v1/sagas/{id}/steps/{step}/complete": "post", "/v1/sagas/{id}/steps/{step}/fail": "post",
              "/v1/definitions": "get post", "/v1/definitions/validate": "post", "/v1/definitions/{name}": "get", "/v1/dead-letters": "get",
              "/v1/dead-letters/{id}/replay": "post", "/v1/dead-letters/{id}/discard": "post", "/v1/replies": "post", "/livez": "get", "/readyz": "get",
              "/metrics": "get", "/version": "get", "/openapi.json": "get"}
    for path, methods in wanted.items():
        assert set(methods.split()) <= set(paths.get(path, {})), path
    for path, item in paths.items():
        real = re.sub(r"\{id\}", new_id(), re.sub(r"\{(?!id\})[a-z_]+\}", "1", path))
        for method in set(item) & {"get", "post"}:
            answer = api.ask(method.upper(), real, b"{}" if method == "post" else None, {"Accept": "*/*"})
            assert answer.status not in (405, 500, 501) and (answer.status != 404 or "no-such-route" not in answer.raw.decode()), (method, path)
            assert str(answer.status) in item[method]["responses"] or "default" in item[method]["responses"] \
                or f"{answer.status // 100}XX" in item[method]["responses"], (method, path, answer.status)


def test_every_metric_of_the_contract_is_there_and_well_formed(story, stack):
    story.run(story.step("only"))
    text = story.api.get("/metrics", headers={"Accept": "*/*"}).raw.decode()
    for name in METRICS:
        assert re.search(rf"^# TYPE {name} (counter|gauge|histogram)$", text, re.M), name
        assert re.search(rf"^# HELP {name} .+$", text, re.M), name
    for line in text.splitlines():
        assert line.startswith("#") or re.fullmatch(r'[a-z_]+(\{([a-z_]+="[^"]*",?)*\})? [-+0-9.eEinfNa]+', line), line
    assert new_id()[:8] not in text and not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-7", text), "no saga id in labels"
    assert re.search(rf'saga_started_total{{[^}}]*definition="{story.name}"', text)
    from servers import http
    status, _, body = http("GET", stack.daemon.admin + "/metrics")
    assert status == 200 and b"saga_build_info" in body


def test_probes_answer_on_both_listeners(stack):
    from servers import http
    for base in (stack.daemon.url, stack.daemon.admin):
        for path in ("/livez", "/readyz", "/version"):
            assert http("GET", base + path)[0] == 200, path
        verbose = http("GET", base + "/readyz?verbose")[2].decode()
        assert "postgres" in verbose.lower() or "database" in verbose.lower()
        assert http("GET", base + "/readyz?exclude=broker")[0] in (200, 400)
    assert http("GET", stack.daemon.admin + "/v1/sagas")[0] == 404


def test_the_schema_of_definitions_is_served(api):
    answer = api.get("/schemas/saga-definition-1.json", headers={"Accept": "*/*"})
    assert answer.must()["title"]


def test_http_requests_are_counted_by_route_and_code(api):
    def seen():
        return len(re.findall(r'saga_http_requests_total\{[^}]*route="/v1/sagas/\{id\}"[^}]*code="404"|saga_http_requests_total\{[^}]*code="404"[^}]*route="/v1/sagas/\{id\}"',
                              api.get("/metrics", headers={"Accept": "*/*"}).raw.decode()))
    api.get(f"/v1/sagas/{new_id()}").problem(404)
    until(lambda: seen() == 1, 60, "the count")


def test_a_hundred_connections_at_once(story):
    from concurrent.futures import ThreadPoolExecutor
    made = story.register(story.step("only"))
    with ThreadPoolExecutor(100) as pool:
        ids = list(pool.map(lambda n: story.api.start(made, {"n": n}), range(200)))
    assert len(set(ids)) == 200
    for id_ in ids:
        assert story.api.wait(id_)["state"] == "succeeded"
