"""Server-sent events as a client hears them, by the rules of the WHATWG page. Standard library only."""
import http.client
import json
import urllib.parse


class Event:
    def __init__(self, id_, name, data):
        self.id, self.name, self.json = id_, name, json.loads(data)


class Stream:
    """One open stream. Iterating ends where it ends; `timeout` is for silence, heartbeats included."""

    def __init__(self, url, path, last=None, timeout=40, headers=None, **query):
        self.connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=timeout)
        target = path + ("?" + urllib.parse.urlencode(query, doseq=True) if query else "")
        sent = {"Accept": "text/event-stream", **(headers or {})}
        if last is not None:
            sent["Last-Event-ID"] = str(last)
        self.connection.request("GET", target, headers=sent)
        self.answer = self.connection.getresponse()
        self.last = last
        self.comments = 0

    def __enter__(self):
        assert self.answer.status == 200, self.answer.read()
        assert self.answer.headers["content-type"].split(";")[0] == "text/event-stream"
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.connection.close()

    def __iter__(self):
        name, data = None, []
        for line in iter(self.answer.readline, b""):
            line = line.decode().rstrip("\n")
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if line == "":
                if data:
                    yield Event(self.last, name, "\n".join(data))
                name, data = None, []
            elif field == "":
                self.comments += 1
            elif field == "id":
                self.last = value
            elif field == "event":
                name = value
            elif field == "data":
                data.append(value)
            else:
                assert field == "retry" and int(value) > 0, line

    def until(self, wanted):
        """The events up to the first one that is wanted."""
        heard = []
        for event in self:
            heard.append(event)
            if wanted(event):
                return heard
        raise AssertionError(f"the stream ended after {[event.name for event in heard]}")
