"""Slow senders, many connections, a database that is away, a node that stops."""
import os
import signal
import socket
import threading
import time

from support import ApiTest, stack
from servers import until

HEAD = b"POST /v1/sagas HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"


def trickle(connection, data, every=1.0):
    """Send a byte now and then; the seconds until the other side had enough."""
    began = time.monotonic()
    connection.socket.settimeout(every)
    for byte in data:
        try:
            connection.send(bytes([byte]))
            if not connection.socket.recv(1000):
                return time.monotonic() - began
        except TimeoutError:
            continue
        except ConnectionError:
            return time.monotonic() - began
    return None


class Slow(ApiTest):
    def test_whoever_is_slow_is_cut_off_after_a_fixed_time(self):
        """A head, a body and a silence; a byte a second keeps none of them alive."""
        took = {}
        cases = {
            "head": (b"", b"GET /livez HTTP/1.1\r\nX-Slow: " + b"x" * 60),
            "line": (b"", b"GET /" + b"x" * 60),
            "body": (HEAD, b"{" + b" " * 60),
            "silence": (b"GET /livez HTTP/1.1\r\n", b""),
        }

        def run(name, first, rest):
            connection = self.raw(first)
            took[name] = trickle(connection, rest) if rest else self.silence(connection)
        threads = [threading.Thread(target=run, args=(name, *case)) for name, case in cases.items()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for name, seconds in took.items():
            self.assertIsNotNone(seconds, name)
            self.assertTrue(13 < seconds < 60, (name, seconds))

    def silence(self, connection):
        began = time.monotonic()
        connection.socket.settimeout(90)
        try:
            connection.socket.recv(1000)
        except ConnectionError:
            pass
        return time.monotonic() - began

    def test_five_hundred_slow_clients_stop_nobody(self):
        slow = [self.raw(HEAD + b"{") for _ in range(500)]
        began = time.monotonic()
        self.start()
        self.assertLess(time.monotonic() - began, 10)
        self.assertEqual(len(slow), 500)


class Pressure(ApiTest):
    def open_connections(self):
        """Sockets of the API listener on the daemon's side: neither listening nor waiting out their end."""
        port = int(self.daemon.url.rsplit(":", 1)[1])
        rows = [line.split() for line in open("/proc/net/tcp").readlines()[1:]]
        return sum(int(row[1].split(":")[1], 16) == port and row[3] in ("01", "08", "04", "05") for row in rows)

    def test_connections_come_and_go_without_a_trace(self):
        for _ in range(300):
            self.raw(b"GET /livez HT").close()
        until(lambda: self.open_connections() == 0, 60, "the connections are closed")

    def test_memory_does_not_grow_with_refused_bodies(self):
        pid = self.daemon.process.pid
        resident = lambda: int(open(f"/proc/{pid}/statm").read().split()[1]) * 4096
        body = b'"' + b"x" * 2_000_000 + b'"'
        for _ in range(5):
            self.ask("POST", "/v1/sagas", body)
        before = resident()
        for _ in range(60):
            self.ask("POST", "/v1/sagas", body)
        self.assertLess(resident() - before, 20 * 1024 * 1024)


class Outage(ApiTest):
    """On a daemon and a database of their own."""

    @classmethod
    def setUpClass(cls):
        from servers import Daemon, Postgres
        from support import TOKEN_KEY
        cls.postgres = Postgres()
        cls.addClassCleanup(cls.postgres.close)
        cls.own = Daemon(cls.postgres.url, stack().broker.brokers, ["--token-key", TOKEN_KEY, "--grace-s", "10"])
        cls.addClassCleanup(cls.own.close)
        moved = cls.own.tool("migrate", "--database-url", cls.postgres.url)
        assert moved.returncode == 0, moved.stderr
        cls.own.start()

    @property
    def daemon(self):
        return self.own

    def test_1_a_frozen_database_is_503_within_five_seconds(self):
        saga = self.start()
        group = os.popen(f"pgrep -P {self.postgres.process.pid}").read().split()
        processes = [self.postgres.process.pid, *map(int, group)]
        for pid in processes:
            os.kill(pid, signal.SIGSTOP)
        try:
            for call in (lambda: self.get(f"/v1/sagas/{saga}"), lambda: self.post("/v1/sagas", {"definition": self.name()}),
                         lambda: self.post(f"/v1/sagas/{saga}/pause", {})):
                began = time.monotonic()
                answer = call()
                self.assertLess(time.monotonic() - began, 15)
                self.assertEqual(answer.status, 503, answer)
                self.assertTrue(answer.json["retryable"])
                self.assertIn("retry-after", answer.headers)
            self.assert_status(self.ask("GET", "/livez", url=self.daemon.admin), 200)
        finally:
            for pid in processes:
                os.kill(pid, signal.SIGCONT)
        until(lambda: self.get(f"/v1/sagas/{saga}").status == 200, 60, "reads work again")
        until(lambda: self.post(f"/v1/sagas/{saga}/resume", {}).status in (202, 409), 60, "commands work again")

    def test_2_a_database_that_is_away_is_503_and_heals(self):
        saga = self.start()
        self.postgres.stop()
        until(lambda: self.ask("GET", "/readyz", url=self.daemon.admin).status == 503, 60, "not ready")
        for call in (lambda: self.get(f"/v1/sagas/{saga}"), lambda: self.get("/v1/sagas"), lambda: self.post("/v1/definitions", self.definition("a")),
                     lambda: self.post(f"/v1/sagas/{saga}/pause", {})):
            answer = call()
            self.assertEqual(answer.status, 503, answer)
            self.assertTrue(answer.json["retryable"])
        self.assert_status(self.ask("GET", "/livez", url=self.daemon.admin), 200)
        self.assert_problem(self.get("/v1/nothing"), 404, "no-such-route")
        self.postgres.start()
        until(lambda: self.ask("GET", "/readyz", url=self.daemon.admin).status == 200, 60, "ready again")
        until(lambda: self.get(f"/v1/sagas/{saga}").status == 200, 60, "reads work again")
        self.start()

    def test_3_a_stop_answers_long_polls_and_refuses_new_connections(self):
        saga = self.start()
        tag = self.get(f"/v1/sagas/{saga}").headers["etag"]
        waiting = self.raw(f"GET /v1/sagas/{saga}?wait=60 HTTP/1.1\r\nHost: a\r\nIf-None-Match: {tag}\r\n\r\n".encode())
        idle = self.raw(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
        idle.answer()
        for _ in range(20):  # whoever asks after the long poll is answered after it was taken in, on each thread
            self.raw(f"GET /v1/sagas/{saga} HTTP/1.1\r\nHost: a\r\n\r\n".encode()).answer()
        began = time.monotonic()
        self.daemon.process.send_signal(signal.SIGTERM)
        self.assertEqual(waiting.answer().status, 304)
        self.assertEqual(self.daemon.process.wait(60), 0)
        self.assertLess(time.monotonic() - began, 40)
        with self.assertRaises(OSError):
            socket.create_connection(("127.0.0.1", int(self.daemon.url.rsplit(":", 1)[1])), timeout=2)
