"""A sagad made of canned answers, for tests of sagactl: an HTTP server in a thread.

Answers are bytes and go out as they are, so that a test can check that they are printed as
they came. Every request is kept. Nothing is scripted that a test did not ask for.
"""
import json
import re
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

NOW = "2026-01-02T03:04:05.678Z"


@dataclass
class Request:
    method: str
    path: str
    query: list
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


@dataclass
class Answer:
    status: int = 200
    body: bytes = b"{}"
    headers: dict = field(default_factory=dict)
    hang_up: bool = False  # close the connection without an answer


def answer(value, status=200, **headers):
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return Answer(status, body, {k.replace("_", "-"): v for k, v in headers.items()})


def problem(status, slug, detail="", errors=(), **members):
    return answer({"type": f"/problems/{slug}", "title": slug.replace("-", " "), "status": status, "detail": detail,
                   "errors": [{"pointer": p, "detail": d} for p, d in errors], "request_id": "r-1",
                   **{"retryable": False, **members}}, status)


def saga(id_="00000000-0000-7000-8000-000000000001", state="running", **members):
    return {"id": id_, "namespace": "default", "definition": {"name": "order-checkout", "version": 1}, "state": state,
            "paused": False, "cancel_requested": False, "attention": [], "labels": {}, "attributes": {},
            "input": None, "output": None, "revision": 1, "error": None, "created_at": NOW, "started_at": NOW,
            "updated_at": NOW, "finished_at": None if state in ("pending", "running", "compensating", "stuck") else NOW,
            "deadline_at": None, **members}


def step(id_, state="succeeded", index=None, **members):
    return {"id": id_, "index": index, "kind": "action", "state": state, "op": "action", "attempt": 1, "output": None,
            "error": None, "started_at": NOW, "finished_at": NOW, "next_attempt_at": None, "deadline_at": None, **members}


def page(*items, cursor=None):
    return {"items": list(items), "next_cursor": cursor}


class FakeSagad:
    def __init__(self):
        self.requests = []
        self.rules = []  # (method, path pattern, queue or callable)
        self.lock = threading.Condition()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def serve(self):
                size = int(self.headers.get("Content-Length") or 0)
                url = urlsplit(self.path)
                request = Request(self.command, url.path, parse_qsl(url.query), dict(self.headers), self.rfile.read(size))
                given = fake.take(request)
                if given.hang_up:
                    self.close_connection = True
                    return
                self.send_response(given.status)
                kind = "application/problem+json" if given.status >= 400 else "application/json"
                for name, value in {"Content-Type": kind, "Content-Length": str(len(given.body)), **given.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(given.body)

            do_GET = do_POST = serve

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # the other side may go away whenever it likes

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def on(self, line, *answers):
        """`on("GET /v1/sagas", a, b)`: a, then b again and again. A callable gets the request."""
        method, pattern = line.split(" ", 1)
        self.rules.insert(0, (method, re.compile(pattern + r"\Z"), list(answers)))

    def take(self, request):
        with self.lock:
            self.requests.append(request)
            self.lock.notify_all()
            given = self.find(request)
        return given(request) if callable(given) else given

    def find(self, request):
        for method, pattern, answers in self.rules:
            if method == request.method and pattern.match(request.path):
                return answers.pop(0) if len(answers) > 1 else answers[0]
        return problem(404, "no-such-route", f"no {request.method} {request.path}")

    def sent(self, line):
        method, pattern = line.split(" ", 1)
        with self.lock:
            return [r for r in self.requests if r.method == method and re.fullmatch(pattern, r.path)]


class LiveSaga:
    """A saga that a test moves on while sagactl watches: reads, long polls, steps, history, why."""

    def __init__(self, fake, id_="00000000-0000-7000-8000-000000000001"):
        self.fake, self.id = fake, id_
        self.changed = threading.Condition()
        self.saga, self.steps, self.history = saga(id_), [], []
        self.polls = 0  # long polls that came
        fake.on(f"GET /v1/sagas/{id_}", self.read)
        fake.on(f"GET /v1/sagas/{id_}/steps", lambda _: answer(page(*self.steps)))
        fake.on(f"GET /v1/sagas/{id_}/history", self.read_history)
        fake.on(f"GET /v1/sagas/{id_}/why", lambda _: answer({"saga": id_, "state": self.saga["state"],
                                                              "sentence": "It waits for payments.", "since": NOW,
                                                              "waiting_for": {"kind": "reply", "step": "charge"}}))

    def move(self, state=None, steps=None, history=(), **members):
        with self.changed:
            self.saga = {**self.saga, **members, "revision": self.saga["revision"] + 1}
            if state:
                self.saga["state"] = state
            if steps is not None:
                self.steps = steps
            for row in history:
                self.history.append({"seq": len(self.history) + 1, "at": NOW, "step": None, "index": None, "op": None,
                                     "attempt": None, "actor": None, "detail": {}, **row})
            self.changed.notify_all()

    def etag(self):
        return f'"{self.saga["revision"]}"'

    def read(self, request):
        wait = float(dict(request.query).get("wait", 0))
        with self.changed:
            known = request.headers.get("If-None-Match")
            if known == self.etag() and wait:
                self.polls += 1
                self.changed.notify_all()
                self.changed.wait_for(lambda: known != self.etag(), wait)
            if known == self.etag():
                return Answer(304, b"", {"ETag": self.etag()})
            return answer(self.saga, ETag=self.etag())

    def read_history(self, request):
        query = dict(request.query)
        start, limit = int(query.get("cursor", 0)), int(query.get("limit", 50))
        with self.changed:
            end = start + limit
            return answer(page(*self.history[start:end], cursor=str(end) if end < len(self.history) else None))

    def wait_for_poll(self, count=1, deadline=60):
        with self.changed:
            assert self.changed.wait_for(lambda: self.polls >= count, deadline), "no long poll came"


def until(what, deadline=60):
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        found = what()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError("it did not happen in time")
