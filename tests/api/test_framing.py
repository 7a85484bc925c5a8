"""Raw requests: what two servers could read in two ways is refused, and the connection closed (E7)."""
from support import ApiTest

HOST = b"Host: localhost\r\n"
JSON = b"Content-Type: application/json\r\n"


def get(*headers, target=b"/livez", version=b"HTTP/1.1"):
    return b"GET " + target + b" " + version + b"\r\n" + b"".join(headers) + b"\r\n"


def post(*headers, body=b"{}", target=b"/v1/sagas"):
    return b"POST " + target + b" HTTP/1.1\r\n" + b"".join(headers) + b"\r\n" + body


# name -> bytes; each must be refused with a 4xx or 5xx and end the connection. None may start a saga.
REFUSED = {
    "content-length with transfer-encoding": post(HOST, JSON, b"Content-Length: 2\r\n", b"Transfer-Encoding: chunked\r\n", body=b"0\r\n\r\n"),
    "transfer-encoding before content-length": post(HOST, JSON, b"Transfer-Encoding: chunked\r\n", b"Content-Length: 2\r\n", body=b"0\r\n\r\n"),
    "two content-lengths that differ": post(HOST, JSON, b"Content-Length: 2\r\n", b"Content-Length: 3\r\n"),
    "two content-lengths that agree": post(HOST, JSON, b"Content-Length: 2\r\n", b"Content-Length: 2\r\n"),
    "a list of content-lengths": post(HOST, JSON, b"Content-Length: 2, 2\r\n"),
    "a negative content-length": post(HOST, JSON, b"Content-Length: -2\r\n"),
    "a signed content-length": post(HOST, JSON, b"Content-Length: +2\r\n"),
    "a hexadecimal content-length": post(HOST, JSON, b"Content-Length: 0x2\r\n"),
    "an empty content-length": post(HOST, JSON, b"Content-Length:\r\n"),
    "a content-length of spaces": post(HOST, JSON, b"Content-Length: 2 2\r\n"),
    "a content-length beyond 64 bits": post(HOST, JSON, b"Content-Length: 99999999999999999999999\r\n"),
    "transfer-encoding twice": post(HOST, JSON, b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: chunked\r\n", body=b"0\r\n\r\n"),
    "transfer-encoding identity": post(HOST, JSON, b"Transfer-Encoding: identity\r\n"),
    "transfer-encoding gzip, chunked": post(HOST, JSON, b"Transfer-Encoding: gzip, chunked\r\n", body=b"0\r\n\r\n"),
    "transfer-encoding xchunked": post(HOST, JSON, b"Transfer-Encoding: xchunked\r\n", body=b"0\r\n\r\n"),
    "transfer-encoding with a tab in its name": post(HOST, JSON, b"Transfer-Encoding\t: chunked\r\n", body=b"0\r\n\r\n"),
    "transfer-encoding with a space in its name": post(HOST, JSON, b"Transfer-Encoding : chunked\r\n", body=b"0\r\n\r\n"),
    "chunked over HTTP/1.0": b"POST /v1/sagas HTTP/1.0\r\n" + HOST + JSON + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "no host": get(),
    "two hosts": get(HOST, b"Host: other\r\n"),
    "two hosts that agree": get(HOST, HOST),
    "a host with a space": get(b"Host: a b\r\n"),
    "a host with a path": get(b"Host: a/b\r\n"),
    "a host with a user": get(b"Host: a@b\r\n"),
    "a folded header": get(HOST, b"X-A: b\r\n c\r\n"),
    "a header folded with a tab": get(HOST, b"X-A: b\r\n\tc\r\n"),
    "a folded first header": get(b" X-A: b\r\n", HOST),
    "a folded host": get(b"Host: local\r\n host\r\n"),
    "a fold that hides a length": post(HOST, JSON, b"X-A: b\r\n Content-Length: 2\r\n", b"Content-Length: 2\r\n"),
    "a bare LF after the request line": b"GET /livez HTTP/1.1\n" + HOST + b"\r\n",
    "a bare LF after a header": get(b"Host: localhost\n", b"X-A: b\r\n"),
    "a bare LF as the empty line": b"GET /livez HTTP/1.1\r\n" + HOST + b"\n",
    "bare LFs everywhere": b"GET /livez HTTP/1.1\nHost: localhost\n\n",
    "a bare LF that hides a header": get(HOST, b"X-A: b\nTransfer-Encoding: chunked\r\n"),
    "a bare CR in a value": get(HOST, b"X-A: b\rc\r\n"),
    "a bare CR that hides a header": get(HOST, b"X-A: b\rTransfer-Encoding: chunked\r\n"),
    "CR CR LF": get(HOST, b"X-A: b\r\r\n"),
    "a NUL in a value": get(HOST, b"X-A: b\0c\r\n"),
    "two NULs in a value": get(HOST, b"X-A: b\0\0c\r\n"),
    "a NUL at the end of a value": get(HOST, b"X-A: b\0\r\n"),
    "a NUL in a name": get(HOST, b"X-\0A: b\r\n"),
    "NULs that look like line ends": get(HOST, b"X-A: v\0\0B\0 w\r\n"),
    "a NUL in the target": get(HOST, target=b"/livez\0"),
    "a NUL that hides a target": get(HOST, target=b"/livez\0HTTP/1.1"),
    "a NUL in the method": b"GE\0T /livez HTTP/1.1\r\n" + HOST + b"\r\n",
    "a control in a value": get(HOST, b"X-A: \x01\r\n"),
    "a DEL in a value": get(HOST, b"X-A: \x7f\r\n"),
    "a header without colon": get(HOST, b"X-A\r\n"),
    "a header without name": get(HOST, b": b\r\n"),
    "a name with a space": get(HOST, b"X A: b\r\n"),
    "a name with a space at its end": get(HOST, b"X-A : b\r\n"),
    "a name with UTF-8": get(HOST, b"X-\xc3\xa4: b\r\n"),
    "a name with brackets": get(HOST, b"X(A): b\r\n"),
    "two spaces before the target": b"GET  /livez HTTP/1.1\r\n" + HOST + b"\r\n",
    "two spaces after the target": b"GET /livez  HTTP/1.1\r\n" + HOST + b"\r\n",
    "a tab after the method": b"GET\t/livez HTTP/1.1\r\n" + HOST + b"\r\n",
    "a space in the target": get(HOST, target=b"/liv ez"),
    "a tab in the target": get(HOST, target=b"/liv\tez"),
    "UTF-8 in the target": get(HOST, target=b"/liv\xc3\xa4z"),
    "a fragment in the target": get(HOST, target=b"/livez#x"),
    "%00 in the path": get(HOST, target=b"/livez%00"),
    "%00 in the query": get(HOST, target=b"/livez?x=%00"),
    "a % alone": get(HOST, target=b"/livez%"),
    "a % with one digit": get(HOST, target=b"/livez%4"),
    "a % with letters": get(HOST, target=b"/livez%zz"),
    "a bad escape in the query": get(HOST, target=b"/readyz?verbose=%zz"),
    "overlong UTF-8 in the path": get(HOST, target=b"/livez%c0%af"),
    "half a character in the path": get(HOST, target=b"/livez%c3"),
    "an empty target": b"GET  HTTP/1.1\r\n" + HOST + b"\r\n",
    "a target without slash": get(HOST, target=b"livez"),
    "an asterisk": b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n",
    "an authority": b"CONNECT localhost:80 HTTP/1.1\r\n" + HOST + b"\r\n",
    "no version": b"GET /livez\r\n" + HOST + b"\r\n",
    "HTTP/0.9": get(HOST, version=b"HTTP/0.9"),
    "HTTP/2.0": get(HOST, version=b"HTTP/2.0"),
    "HTTP/1": get(HOST, version=b"HTTP/1"),
    "lower-case http": get(HOST, version=b"http/1.1"),
    "an HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a TLS hello": bytes.fromhex("160301006f0100006b0303") + b"\0" * 100 + b"\r\n\r\n",
    "binary rubbish": bytes(range(256)) + b"\r\n\r\n",
    "one word": b"hello\r\n\r\n",
    "a key twice": post(HOST, JSON, b"Idempotency-Key: a\r\n", b"Idempotency-Key: b\r\n", b"Content-Length: 2\r\n"),
    "an authorization twice": get(HOST, b"Authorization: Bearer a\r\n", b"Authorization: Bearer b\r\n"),
    "a content-type twice": post(HOST, JSON, b"Content-Type: text/plain\r\n", b"Content-Length: 2\r\n"),
    "a target of 9 KiB": get(HOST, target=b"/livez?x=" + b"a" * 9000),
    "a target of 60 KiB": get(HOST, target=b"/livez?x=" + b"a" * 60000),
    "a header of 20 KiB": get(HOST, b"X-A: " + b"a" * 20000 + b"\r\n"),
    "a header of 60 KiB": get(HOST, b"X-A: " + b"a" * 60000 + b"\r\n"),
    "101 headers": get(HOST, *[b"X-%d: b\r\n" % i for i in range(101)]),
    "2,000 headers": get(HOST, *[b"X-%d: b\r\n" % i for i in range(2000)]),
    "a chunk without length": post(HOST, JSON, b"Transfer-Encoding: chunked\r\n", body=b"\r\n{}\r\n0\r\n\r\n"),
    "a chunk with a bad length": post(HOST, JSON, b"Transfer-Encoding: chunked\r\n", body=b"zz\r\n{}\r\n0\r\n\r\n"),
    "a chunk with a negative length": post(HOST, JSON, b"Transfer-Encoding: chunked\r\n", body=b"-2\r\n{}\r\n0\r\n\r\n"),
    "a chunk with a length beyond 64 bits": post(HOST, JSON, b"Transfer-Encoding: chunked\r\n", body=b"fffffffffffffffffff\r\n{}\r\n0\r\n\r\n"),
    "a chunk longer than it says": post(HOST, JSON, b"Transfer-Encoding: chunked\r\n", body=b"1\r\n{}\r\n0\r\n\r\n"),
}

# These libmicrohttpd refuses before anybody is asked: with a page of its own, or without a word.
OF_LIBRARY = {
    "HTTP/0.9", "HTTP/2.0", "HTTP/1", "lower-case http", "an HTTP/2 preface", "no version", "one word", "a TLS hello", "binary rubbish",
    "an empty target", "a tab after the method", "two spaces after the target", "a NUL in the method", "a NUL in the target",
    "a header without colon", "a NUL in a name", "a list of content-lengths", "a negative content-length", "a signed content-length",
    "a hexadecimal content-length", "an empty content-length", "a content-length of spaces", "a content-length beyond 64 bits",
    "a target of 60 KiB", "a header of 60 KiB", "2,000 headers", "a folded first header", "a chunk without length",
    "a chunk with a bad length", "a chunk with a negative length", "a chunk with a length beyond 64 bits", "a chunk longer than it says",
}
OURS = {"bad-request", "uri-too-long", "headers-too-large"}


class Framing(ApiTest):
    def test_what_is_ambiguous_is_refused_and_the_connection_closed(self):
        before = self.count()
        for name, data in REFUSED.items():
            with self.subTest(name):
                connection = self.raw(data)
                answer = connection.answer()
                self.assertTrue(answer or name in OF_LIBRARY, name)
                if answer:
                    self.assertIn(answer.status, {400, 411, 413, 414, 431, 501, 505}, answer)
                if name not in OF_LIBRARY:
                    self.assertEqual(answer.headers["content-type"], "application/problem+json")
                    self.assertIn(answer.json["type"].removeprefix("/problems/"), OURS)
                self.assertNotIn(b"HTTP/1.1 2", connection.until_closed(), name)
        self.assertEqual(self.count(), before)

    def test_after_a_refusal_nothing_of_what_follows_is_read(self):
        smuggled = post(HOST, JSON, b"Content-Length: 2\r\n", b"Transfer-Encoding: chunked\r\n",
                        body=b"0\r\n\r\n" + get(HOST, target=b"/version"))
        connection = self.raw(smuggled)
        self.assert_problem(connection.answer(), 400, "bad-request")
        self.assertTrue(connection.is_closed())

    def test_a_chunked_body_ends_the_connection_with_its_answer(self):
        body = b"3\r\n{\"a\r\n3;x=y\r\n\":1\r\n1\r\n}\r\n0\r\nX-Trailer: 1\r\n\r\n"
        connection = self.raw(post(HOST, JSON, b"Transfer-Encoding: chunked\r\n", body=body + get(HOST)))
        self.assert_problem(connection.answer(), 422, "invalid", "/a")
        self.assertTrue(connection.is_closed())

    def test_requests_may_come_one_after_the_other_before_the_first_answer(self):
        connection = self.raw(get(HOST) * 3 + get(HOST, b"Connection: close\r\n", target=b"/version"))
        answers = [connection.answer() for _ in range(4)]
        self.assertEqual([answer.status for answer in answers], [200] * 4)
        self.assertEqual(answers[3].json["name"], "sagad")
        self.assertTrue(connection.is_closed())

    def test_pipelined_starts_and_reads_are_answered_in_order(self):
        name = self.register("one")
        body = b'{"definition":"%s"}' % name.encode()
        start = post(HOST, JSON, b"Content-Length: %d\r\n" % len(body), body=body)
        connection = self.raw(start + get(HOST, target=b"/v1/definitions/" + name.encode()) + start)
        self.assertEqual([connection.answer().status for _ in range(3)], [201, 200, 201])

    def test_a_request_may_come_byte_by_byte(self):
        body = b'{"definition":"%s"}' % self.register("one").encode()
        connection = self.raw()
        for byte in post(HOST, JSON, b"Content-Length: %d\r\n" % len(body), body=body):
            connection.send(bytes([byte]))
        self.assert_status(connection.answer(), 201)

    def test_a_client_that_waits_for_100_gets_it_or_the_refusal(self):
        name = self.register("one").encode()
        body = b'{"definition":"%s"}' % name
        head = lambda size: post(HOST, JSON, b"Expect: 100-continue\r\n", b"Content-Length: %d\r\n" % size, body=b"")
        connection = self.raw(head(len(body)))
        self.assertTrue(connection.socket.recv(100).startswith(b"HTTP/1.1 100"))
        self.assert_status(connection.send(body).answer(), 201)
        refused = self.raw(head(2 * 1024 * 1024))
        self.assert_problem(refused.answer(), 413, "too-large")
        self.assertTrue(refused.is_closed())

    def test_a_client_may_close_its_half_and_still_read(self):
        connection = self.raw(get(HOST, b"Connection: close\r\n"))
        connection.socket.shutdown(1)
        self.assert_status(connection.answer(), 200)

    def test_a_client_that_leaves_in_the_middle_harms_nobody(self):
        for part in (b"", b"G", b"GET /livez", get(HOST)[:-2], post(HOST, JSON, b"Content-Length: 100\r\n")):
            self.raw(part).close()
        gone = [self.raw(get(HOST, target=b"/v1/sagas")) for _ in range(20)]
        for connection in gone:
            connection.close()
        self.assert_status(self.get("/v1/sagas"), 200)

    def test_http_1_0_is_answered_and_closed(self):
        connection = self.raw(get(version=b"HTTP/1.0"))
        self.assert_status(connection.answer(), 200)
        self.assertTrue(connection.is_closed())

    def test_an_absolute_target_means_its_path(self):
        self.assert_status(self.raw(get(HOST, target=b"http://localhost/livez")).answer(), 200)

    def test_empty_lines_before_a_request_are_skipped(self):
        self.assert_status(self.raw(b"\r\n\r\n" + get(HOST)).answer(), 200)

    def test_white_space_around_a_value_does_not_count(self):
        key = b"Idempotency-Key:\t k1 \t\r\n"
        answer = self.raw(post(HOST, JSON, key, b"Content-Length: 2\r\n")).answer()
        self.assert_problem(answer, 422, "invalid", "/definition")

    def test_a_body_on_a_read_is_ignored(self):
        connection = self.raw(get(HOST, b"Content-Length: 5\r\n") + b"hello" + get(HOST))
        self.assertEqual([connection.answer().status for _ in range(2)], [200, 200])

    def test_head_has_the_headers_of_get_and_no_body(self):
        connection = self.raw(b"HEAD /version HTTP/1.1\r\n" + HOST + b"\r\n" + get(HOST))
        answer = connection.answer(head=True)
        self.assertEqual(answer.status, 200)
        self.assertGreater(int(answer.headers["content-length"]), 10)
        self.assert_status(connection.answer(), 200)
