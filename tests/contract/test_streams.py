"""Streams of events: one saga's."""
import socket
import urllib.parse

import pytest

from client import new_id
from participant import no, ok, silence
from servers import until
from stream import Stream

STREAMS_MAX = 1000


def path(id_):
    return f"/v1/sagas/{id_}/events/stream"


def listen(story, id_, last=None, url=None):
    with Stream(url or story.api_url, path(id_), last=last) as stream:
        return list(stream)


@pytest.fixture
def told(story, stack):
    story.api_url = stack.daemon.url
    return story


def seqs(events):
    return [event.json["seq"] for event in events]


def undone(story):
    return story.run(story.step("one"), story.step("two", no("declined")))["id"]


def test_the_events_of_a_saga_are_its_history(told):
    id_ = undone(told)
    events = listen(told, id_)
    assert [event.json for event in events] == told.api.history(id_)
    assert [event.name for event in events] == [event.json["type"] for event in events]
    assert [event.id for event in events] == [str(seq) for seq in seqs(events)]
    assert events[-1].name == "saga.compensated"


def test_it_goes_on_behind_any_event(told):
    id_ = undone(told)
    whole = seqs(listen(told, id_))
    for last in (0, 1, 4, whole[-2], whole[-1], whole[-1] + 7):
        assert seqs(listen(told, id_, last=last)) == [seq for seq in whole if seq > last]


def test_what_happens_is_heard_while_it_happens(told):
    id_ = told.start(told.step("one", silence), timeout="1h")
    with Stream(told.api_url, path(id_)) as stream:
        stream.until(lambda event: event.name == "step.dispatched")
        told.answer(told.sent(id_, "one"), ok())
        rest = list(stream)
    assert [event.name for event in rest] == ["step.succeeded", "saga.succeeded"]


def test_a_stuck_saga_is_not_at_its_end(told):
    id_ = told.run(told.step("one", undo=[no("cannot")]), told.step("two", no("declined")))["id"]
    with Stream(told.api_url, path(id_)) as stream:
        stream.until(lambda event: event.name == "saga.stuck")
        told.api.command(id_, "skip", "one").must(202)
        assert list(stream)[-1].name == "saga.compensated"


def test_a_long_history_comes_in_pieces(told):
    items = list(range(300))
    id_ = told.run(told.step("each", foreach={"in": "${input}", "concurrency": 50}), input=items)["id"]
    events = listen(told, id_)
    assert seqs(events) == list(range(1, len(events) + 1))
    assert [event.json for event in events] == told.api.history(id_)


def test_a_stream_that_cannot_be_is_refused(told):
    id_ = undone(told)
    api = told.api
    events = {"Accept": "text/event-stream"}
    api.get(path(new_id()), headers=events).problem(404, "saga-not-found")
    api.get(path("no-id"), headers=events).problem(404)
    for bad in ("", "x", "-1", "1.5", "99999999999"):
        api.get(path(id_), headers={**events, "Last-Event-ID": bad}).problem(400, "invalid-header")
    api.get(path(id_), headers={"Accept": "application/json"}).problem(406)
    api.get(path(id_), headers=events, state="running").problem(400, "invalid-query")
    api.post(path(id_), {}).problem(405)


# The last ones, because a node that comes and goes holds up replies for seconds.

def test_what_another_node_does_is_heard_too_and_goes_on_there(told, stack):
    id_ = told.start(told.step("one", silence), timeout="1h")
    other = stack.another_node()
    try:
        with Stream(other.url, path(id_)) as stream:
            heard = stream.until(lambda event: event.name == "step.dispatched")
            told.api.command(id_, "pause").must(202)
            heard += stream.until(lambda event: event.name == "saga.paused")
        told.api.command(id_, "resume").must(202)
        told.api.command(id_, "complete", "one").must(202)
        heard += listen(told, id_, last=heard[-1].id)
    finally:
        other.close()
    assert [event.json for event in heard] == told.api.history(id_)


def open_deaf(url, target):
    """A reader that asks and never reads."""
    address = urllib.parse.urlsplit(url)
    deaf = socket.create_connection((address.hostname, address.port), timeout=30)
    deaf.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n".encode())
    return deaf


def test_readers_that_never_read_take_places_and_nothing_else(told, stack):
    id_ = told.start(told.step("one", silence), timeout="1h")
    node = stack.another_node()
    deaf = []
    try:
        deaf += [open_deaf(node.url, path(id_)) for _ in range(STREAMS_MAX + 200)]

        def full():
            with_reason = Stream(node.url, path(id_))
            status, after = with_reason.answer.status, with_reason.answer.headers["retry-after"]
            with_reason.close()
            return status == 429 and int(after) > 0

        until(full, 60, "no place is left")
        with Stream(told.api_url, path(id_)) as stream:
            told.api.command(id_, "complete", "one").must(202)
            assert list(stream)[-1].name == "saga.succeeded"
        for reader in deaf:
            reader.close()
        until(lambda: Stream(node.url, path(id_)).answer.status == 200, 60, "places are free again")
    finally:
        for reader in deaf:
            reader.close()
        node.close()


def test_a_node_that_stops_ends_its_streams(told, stack):
    id_ = told.start(told.step("one", silence), timeout="1h")
    node = stack.another_node()
    with Stream(node.url, path(id_)) as stream:
        stream.until(lambda event: event.name == "step.dispatched")
        node.stop()
        assert list(stream) == []
    node.close()
