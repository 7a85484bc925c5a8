"""REST as a caller sees it: one answer object, no exceptions for statuses. Standard library only."""
import http.client
import json
import threading
import urllib.parse
import uuid

from servers import until

ENDED = ("succeeded", "compensated", "terminated", "stuck")


def encode(value):
    if value is None or isinstance(value, bytes):
        return value or b""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


class Answer:
    def __init__(self, status, headers, raw, what):
        self.status, self.headers, self.raw, self.what = status, headers, raw, what

    @property
    def json(self):
        return json.loads(self.raw)

    def header(self, name):
        return self.headers.get(name)

    def must(self, *statuses):
        """Its JSON, when the status is one of these."""
        assert self.status in (statuses or (200,)), f"{self.what} -> {self.status} {self.raw[:700]!r}"
        return self.json if self.raw else None

    def problem(self, status, slug=None):
        """The problem, checked to be one by the whole contract."""
        assert self.status == status, f"{self.what} -> {self.status} {self.raw[:700]!r}"
        assert self.header("content-type").split(";")[0] == "application/problem+json"
        found = self.json
        assert set(found) >= {"type", "title", "status", "detail", "request_id", "retryable"}, found
        assert found["type"].startswith("/problems/") and found["status"] == status
        assert found["title"] and found["detail"] and found["request_id"]
        assert isinstance(found["retryable"], bool)
        for error in found.get("errors", []):
            assert set(error) >= {"pointer", "detail"} and error["detail"], found
        if status in (429, 503):
            assert int(self.header("retry-after")) > 0
        if slug:
            assert found["type"] == f"/problems/{slug}", found
        return found

    def pointers(self):
        return [error["pointer"] for error in self.problem(422)["errors"]]


class Api:
    """One keep-alive connection a thread."""

    def __init__(self, url):
        self.address = urllib.parse.urlsplit(url).netloc
        self.local = threading.local()

    def ask(self, method, path, body=None, headers=None, timeout=40, **query):
        target = path + ("?" + urllib.parse.urlencode(query, doseq=True) if query else "")
        sent = dict(headers or {})
        data = None if body is None else encode(body)
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        sent = {name: value for name, value in sent.items() if value is not None}
        for last in (False, True):
            connection = getattr(self.local, "connection", None)
            fresh = connection is None
            if fresh:
                connection = self.local.connection = http.client.HTTPConnection(self.address, timeout=timeout)
            try:
                connection.timeout = timeout
                if connection.sock:
                    connection.sock.settimeout(timeout)
                connection.request(method, target, body=data, headers=sent)
                answer = connection.getresponse()
                return Answer(answer.status, answer.headers, answer.read(), f"{method} {target}")
            except (http.client.HTTPException, OSError) as error:
                connection.close()
                self.local.connection = None
                # A connection that the server closed while idle says so only now.
                if fresh or last or isinstance(error, TimeoutError):
                    raise

    def get(self, path, headers=None, **query):
        return self.ask("GET", path, headers=headers, **query)

    def post(self, path, body=None, key=None, headers=None, **query):
        more = {"Idempotency-Key": key} if key else {}
        return self.ask("POST", path, body, {**more, **(headers or {})}, **query)

    # sagas
    def start(self, definition, input=None, **members):
        body = {"definition": definition, "input": {} if input is None else input, **members}
        return self.post("/v1/sagas", body).must(201)["id"]

    def saga(self, id_):
        return self.get(f"/v1/sagas/{id_}").must()

    def steps(self, id_):
        return self.get(f"/v1/sagas/{id_}/steps").must()["items"]

    def step(self, id_, step, index=None):
        for found in self.steps(id_):
            if found["id"] == step and found["index"] == index:
                return found
        raise AssertionError(f"no step {step} [{index}]")

    def states(self, id_):
        return {(s["id"] if s["index"] is None else f"{s['id']}[{s['index']}]"): s["state"] for s in self.steps(id_)}

    def why(self, id_):
        return self.get(f"/v1/sagas/{id_}/why").must()

    def pages(self, path, **query):
        while True:
            page = self.get(path, **query).must()
            yield from page["items"]
            if page["next_cursor"] is None:
                return
            query["cursor"] = page["next_cursor"]

    def history(self, id_, *types):
        return [row for row in self.pages(f"/v1/sagas/{id_}/history", limit=500) if not types or row["type"] in types]

    def command(self, id_, verb, step=None, body=None, index=None, dry=False, headers=None, key=None):
        query = {**({"index": index} if index is not None else {}), **({"dry_run": "true"} if dry else {})}
        path = f"/v1/sagas/{id_}" + (f"/steps/{step}" if step else "") + f"/{verb}"
        return self.post(path, {"reason": "contract test", **(body or {})}, headers=headers, key=key, **query)

    def wait(self, id_, *states, seconds=60):
        """The saga once it is in one of the states (ended, when none is given)."""
        wanted, seen = states or ENDED, {}

        def there():
            seen.update(self.saga(id_))
            return seen["state"] in wanted and dict(seen)
        try:
            return until(there, seconds, f"saga in {wanted}")
        except TimeoutError as error:
            raise AssertionError(f"{error}: {seen['state']} {seen['error']} {self.states(id_)}") from None

    def wait_step(self, id_, step, *states, index=None, seconds=60):
        def there():
            found = self.step(id_, step, index)
            return found["state"] in states and found
        return until(there, seconds, f"{step} in {states}: {id_}")


def new_id():
    return str(uuid.uuid4())
