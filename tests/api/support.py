"""A real daemon for the tests of the API, raw sockets to it, and the reply tokens that it will accept.

The daemon is started once for all test modules. Its token key is given, so that a token can be made here
from the documented format: a participant answers by POST /v1/replies and no Kafka client is needed.
"""
import atexit
import base64
import hashlib
import json
import socket
import struct
import sys
import unittest
import uuid
from pathlib import Path
from urllib.parse import quote, urlencode

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from servers import Daemon, EmbeddedBroker, Postgres, SKIPPED, http, until  # noqa: E402

TOKEN_KEY = "00112233445566778899aabbccddeeff" * 2
TOPIC = "api-test.commands"
OWN_TOPICS = ["saga.replies", "saga.events", "saga.signals", "saga.replies.dlt"]
ROLES = ["reader", "submitter", "operator", "admin"]


class KeyedDaemon(Daemon):
    """sagad serve with a file of keys instead of --insecure; `keys` is role -> key."""

    def __init__(self, *words):
        super().__init__(*words)
        self.keys_file = self.home / "keys"
        self.keys = {role: self.add_key(role, f"the-{role}") for role in ROLES}

    def add_key(self, role, name):
        made = self.tool("keys", "add", "--keys-file", self.keys_file, "--role", role, name)
        if made.returncode != 0:
            raise RuntimeError(made.stderr)
        return next(word for word in made.stdout.split() if word.startswith("sagad_"))

    def start(self, wait=30):
        self.launch([self.binary, "serve", "--keys-file", self.keys_file, "--database-url", self.database_url,
                     "--kafka-brokers", self.brokers, *self.where, *self.extra], env=self.environment)
        until(self.ready, wait, "sagad ready")
        return self


class Stack:
    """PostgreSQL, broker and one daemon that everybody shares, closed at exit."""

    def __init__(self):
        try:
            self.postgres = Postgres()
        except FileNotFoundError as missing:
            print(missing)
            sys.exit(SKIPPED)
        atexit.register(self.postgres.close)
        self.broker = EmbeddedBroker(OWN_TOPICS + [TOPIC])
        atexit.register(self.broker.close)
        self._keyed = None
        moved = self._make(Daemon).tool("migrate", "--database-url", self.postgres.url)
        if moved.returncode != 0:
            raise RuntimeError(moved.stderr)
        self.daemon = self.another()

    def _make(self, kind, *extra):
        made = kind(self.postgres.url, self.broker.brokers, ["--token-key", TOKEN_KEY, *extra])
        atexit.register(made.close)
        return made

    def another(self, kind=Daemon, *extra):
        """One more daemon on the same database."""
        return self._make(kind, *extra).start()

    def keyed(self):
        self._keyed = self._keyed or self.another(KeyedDaemon)
        return self._keyed


def end():
    """Stop the daemons; what is wrong with how they ended."""
    daemons = [one for one in (_stack.daemon, _stack._keyed) if one] if _stack else []
    return [f"sagad ended with {status}: {one.tail()}" for one in daemons if (status := one.stop()) != 0]


_stack = None


def stack():
    global _stack
    _stack = _stack or Stack()
    return _stack


def token(saga, step, attempt=1, op=0, index=-1, key=TOKEN_KEY):
    """The reply token as token.h documents it."""
    body = struct.pack(">B16sBIi", 1, uuid.UUID(saga).bytes, op, attempt, index) + step.encode()
    tag = hashlib.blake2b(body, key=bytes.fromhex(key), digest_size=16).digest()
    return base64.urlsafe_b64encode(body + tag).rstrip(b"=").decode()


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.bytes = status, headers, body

    @property
    def json(self):
        return json.loads(self.bytes)

    def __repr__(self):
        return f"{self.status} {self.bytes[:500]!r}"


class Raw:
    """One TCP connection; what is sent is what is given."""

    def __init__(self, url, timeout=20):
        host, port = url.removeprefix("http://").split(":")
        self.socket = socket.create_connection((host, int(port)), timeout=timeout)
        self.rest = b""

    def send(self, data):
        self.socket.sendall(data)
        return self

    def answer(self, head=False):
        """The next response; None when the connection ended without one."""
        while b"\r\n\r\n" not in self.rest:
            if not self._more():
                return None
        top, _, self.rest = self.rest.partition(b"\r\n\r\n")
        lines = top.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        status = int(lines[0].split()[1])
        if status == 100:
            return self.answer(head)
        size = 0 if head or status == 304 else int(headers.get("content-length", 0))
        while len(self.rest) < size and self._more():
            pass
        body, self.rest = self.rest[:size], self.rest[size:]
        return Answer(status, headers, body)

    def _more(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            return False
        self.rest += data
        return bool(data)

    def is_closed(self):
        """Nothing more comes, within the socket's timeout."""
        try:
            return not self.rest and not self._more()
        except TimeoutError:
            return False

    def until_closed(self):
        """What still comes before the other side ends the connection."""
        while self._more():
            pass
        return self.rest

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class ApiTest(unittest.TestCase):
    """Requests to the shared daemon, and what is often asserted of their answers."""

    @property
    def daemon(self):
        return stack().daemon

    def name(self):
        return "d" + uuid.uuid4().hex[:12]

    def raw(self, *data, url=None, timeout=20):
        made = Raw(url or self.daemon.url, timeout)
        self.addCleanup(made.close)
        for part in data:
            made.send(part)
        return made

    def ask(self, method, path, body=None, headers=(), url=None, timeout=30, **query):
        head = {"Content-Type": "application/json"} if body is not None else {}
        head.update(dict(headers))
        if query:
            path += "?" + urlencode(query, doseq=True, quote_via=quote)
        status, got, data = http(method, (url or self.daemon.url) + path, body, head, timeout)
        return Answer(status, {name.lower(): value for name, value in got.items()}, data)

    def get(self, path, headers=(), **query):
        return self.ask("GET", path, headers=headers, **query)

    def post(self, path, body=None, key=None, headers=(), **query):
        more = {"Idempotency-Key": key} if key else {}
        return self.ask("POST", path, b"" if body is None else body, {**more, **dict(headers)}, **query)

    def assert_status(self, answer, status):
        self.assertEqual(answer.status, status, answer)
        return answer

    def assert_problem(self, answer, status, slug, pointer=None):
        """An RFC 9457 problem whose page exists."""
        self.assertEqual(answer.status, status, answer)
        self.assertEqual(answer.headers["content-type"], "application/problem+json")
        problem = answer.json
        self.assertEqual((problem["type"], problem["status"]), (f"/problems/{slug}", status))
        self.assertEqual(problem["request_id"], answer.headers["x-request-id"])
        self.assertTrue(problem["title"] and problem["detail"])
        self.assertIsInstance(problem["retryable"], bool)
        if pointer is not None:
            self.assertIn(pointer, [error["pointer"] for error in problem["errors"]], problem)
        return problem

    # ---- sagas ----

    def definition(self, *ids, name=None, **members):
        """Steps one after the other, each with an undo; long timeouts, no retries but by hand."""
        step = lambda id_: {"id": id_, "action": {"topic": TOPIC, "timeout": "1h"},
                            "compensation": {"topic": TOPIC, "timeout": "1h"}}
        return {"name": name or self.name(), "steps": [step(id_) for id_ in ids], **members}

    def register(self, *ids, **members):
        made = self.assert_status(self.post("/v1/definitions", self.definition(*ids, **members)), 201)
        return made.json["name"]

    def start(self, definition=None, input_=None, **members):
        body = {"definition": definition or self.register("one", "two"), "input": input_ or {}, **members}
        return self.assert_status(self.post("/v1/sagas", body), 201).json["id"]

    def reply(self, saga, step, outcome="success", attempt=1, op=0, index=-1, **members):
        body = {"token": token(saga, step, attempt, op, index), "outcome": outcome, **members}
        return self.post("/v1/replies", body)

    def state(self, saga):
        return self.get(f"/v1/sagas/{saga}").json["state"]

    def step(self, saga, id_, index=None):
        items = self.get(f"/v1/sagas/{saga}/steps").json["items"]
        return next(item for item in items if item["id"] == id_ and item["index"] == index)

    def count(self, **query):
        return len(self.get("/v1/sagas", limit=500, **query).json["items"])
