"""Events of all sagas: as a stream, and on Kafka as CloudEvents."""
import uuid
from collections import defaultdict
from json import loads

import pytest
from confluent_kafka import Consumer

from asyncapi import Document
from participant import no, ok, silence
from servers import until
from stream import Stream

ALL = "/v1/events/stream"
OF_SAGA = ("seq", "revision", "at", "type", "step", "index", "op", "attempt", "actor", "detail")


@pytest.fixture
def told(story, stack):
    story.api_url = stack.daemon.url
    return story


def listen(story, last=None, url=None, **filter_):
    return Stream(url or story.api_url, ALL, last=last, **filter_)


def is_end(event):
    return event.name in ("saga.succeeded", "saga.compensated", "saga.terminated")


def ends(count):
    """True at the end of the count-th saga."""
    left = [count]

    def ended(event):
        left[0] -= is_end(event)
        return left[0] == 0
    return ended


def entry(event):
    return {name: event.json[name] for name in OF_SAGA}


def steps(story):
    return story.step("one"), story.step("two", no("declined"))


# ---- the stream --------------------------------------------------------------------------


def test_every_saga_is_told_whole_and_in_its_order(told):
    definition = told.register(*steps(told))
    with listen(told, definition=told.name) as stream:
        ids = [told.api.start(definition) for _ in range(20)]
        heard = stream.until(ends(len(ids)))
    by_saga = defaultdict(list)
    for event in heard:
        by_saga[event.json["saga"]].append(event)
    assert set(by_saga) == set(ids)
    for id_, events in by_saga.items():
        assert [entry(event) for event in events] == told.api.history(id_)[:len(events)]
        assert is_end(events[-1])
    last = heard[-1].json
    assert (last["namespace"], last["definition"], last["state"]) == ("default", definition, "compensated")


def test_it_goes_on_behind_any_event_without_gap_or_duplicate(told):
    definition = told.register(*steps(told))
    with listen(told, definition=told.name) as stream:
        ids = [told.api.start(definition) for _ in range(5)]
        whole = stream.until(ends(len(ids)))
    assert len({event.id for event in whole}) == len(whole), "an id is of one event"
    for i in (0, 1, len(whole) // 2, len(whole) - 2):
        with listen(told, last=whole[i].id, definition=told.name) as stream:
            rest = stream.until(lambda event: event.id == whole[-1].id)
        assert [event.json for event in rest] == [event.json for event in whole[i + 1:]]


def test_it_begins_now_or_with_the_oldest(told):
    before = told.run(told.step("one"))["id"]
    with listen(told, last=0, definition=told.name) as stream:
        assert {event.json["saga"] for event in stream.until(is_end)} == {before}
    with listen(told, definition=told.name) as stream:
        id_ = told.api.start(told.name)
        assert {event.json["saga"] for event in stream.until(is_end)} == {id_}


def test_a_filter_picks_by_type_state_version_label_and_attribute(told):
    definition = told.register(*steps(told), attributes={"order": "${input.order}"})
    with listen(told, last=0, definition=told.name, type=["saga.created", "saga.compensated"]) as by_type, \
            listen(told, last=0, definition=told.name, state="compensated") as by_state, \
            listen(told, last=0, label="run=b", attribute=["order=o-2", "order=o-3"], definition=told.name) as by_tag, \
            listen(told, last=0, definition=told.name, version=2, type="saga.created") as by_version:
        a = told.api.start(definition, {"order": "o-1"}, labels={"run": "a"})
        b = told.api.start(definition, {"order": "o-2"}, labels={"run": "b"})
        assert [event.name for event in by_type.until(ends(2))].count("saga.created") == 2
        assert {event.json["state"] for event in by_state.until(ends(2))} == {"compensated"}
        assert {event.json["saga"] for event in by_tag.until(is_end)} == {b}
        again = told.register(told.step("one"))
        c = told.api.start(again)
        assert [event.json["saga"] for event in by_version.until(lambda event: True)] == [c]
    assert a != b


def test_what_is_no_filter_or_id_is_refused(told):
    api, events = told.api, {"Accept": "text/event-stream"}
    for query in ({"state": "x"}, {"type": "saga.exploded"}, {"label": "x"}, {"limit": 3}, {"version": "x"}):
        api.get(ALL, headers=events, **query).problem(400, "invalid-query")
    for bad in ("x", "1", "1.", ".1", "1.x", "-1.1", "99999999999.1", "1.1.1", str(2 ** 70) + ".1"):
        api.get(ALL, headers={**events, "Last-Event-ID": bad}).problem(400, "invalid-header")
    api.get(ALL, headers={"Accept": "application/json"}).problem(406)
    api.post(ALL, {}).problem(405)


def test_events_that_are_gone_are_not_passed_over(told, stack):
    told.run(told.step("one"))
    with listen(told, last=0) as stream:
        first = next(iter(stream))
    place = int(first.id.partition(".")[0])
    stack.postgres.sql(f"delete from sagad.event_batch where place <= {place}")
    told.api.get(ALL, headers={"Accept": "text/event-stream", "Last-Event-ID": first.id}).problem(410, "events-gone")


# ---- Kafka -------------------------------------------------------------------------------


class Topic:
    """Everything in saga.events, from its first record."""

    def __init__(self, brokers):
        self.by_saga = defaultdict(list)
        self.consumer = Consumer({"bootstrap.servers": brokers, "group.id": f"events-{uuid.uuid4()}", "auto.offset.reset": "earliest",
                                  "fetch.wait.max.ms": 5})
        self.consumer.subscribe(["saga.events"])

    def poll(self):
        message = self.consumer.poll(0.05)
        if message is None or message.error() is not None:
            return
        headers = {name: value.decode() for name, value in message.headers()}
        self.by_saga[headers["ce_subject"]].append((message.key().decode(), headers, message.value()))

    def until(self, id_, type_):
        def there():
            self.poll()
            return any(headers["ce_type"] == type_ for _, headers, _ in self.by_saga[id_])
        until(there, 30, f"{type_} of {id_}", pause=0)
        return self.by_saga[id_]

    def close(self):
        self.consumer.close()


@pytest.fixture
def topic(stack):
    opened = Topic(stack.broker.brokers)
    yield opened
    opened.close()


def test_the_life_of_a_saga_is_on_kafka_as_cloudevents(told, topic):
    id_ = told.run(*steps(told))["id"]
    records = topic.until(id_, "saga.compensated")
    history = [row for row in told.api.history(id_) if row["type"].startswith("saga.")]
    assert [headers["ce_id"] for _, headers, _ in records] == [f"{id_}/{row['seq']}" for row in history]
    document = Document(told.api.get("/asyncapi.json").must())
    message = document.json["components"]["messages"]["event"]
    for (key, headers, value), row in zip(records, history):
        document.check(message["headers"], headers)
        assert set(headers) <= set(document.resolve(message["headers"])["properties"])
        json = loads(value)
        document.check(message["payload"], json)
        assert key == headers["ce_subject"] == json["saga"] == id_
        assert headers["ce_time"] == row["at"] and headers["ce_type"] == row["type"]
        assert headers["ce_source"] == "/sagad/default" and headers["ce_sagadef"] == f"{told.name}/1"
        assert {name: json[name] for name in OF_SAGA} == row


def test_nothing_is_lost_on_kafka_when_the_node_that_publishes_is_killed(told, topic, stack):
    definition = told.register(told.step("one"))
    ids = [told.api.start(definition) for _ in range(30)]
    stack.daemon.kill()
    stack.daemon.start()
    ids += [told.api.start(definition) for _ in range(30)]
    for id_ in ids:
        records = topic.until(id_, "saga.succeeded")
        first = list(dict.fromkeys(headers["ce_id"] for _, headers, _ in records))
        history = [row for row in told.api.history(id_) if row["type"].startswith("saga.")]
        assert first == [f"{id_}/{row['seq']}" for row in history]


# The last ones, because a node that comes and goes holds up replies for seconds.


def test_another_node_tells_the_same_and_takes_over(told, stack):
    id_ = told.start(told.step("one", silence), timeout="1h")
    other = stack.another_node()
    try:
        with listen(told, url=other.url, last=0, definition=told.name) as stream:
            heard = stream.until(lambda event: event.name == "step.dispatched")
            told.api.command(id_, "pause").must(202)
            heard += stream.until(lambda event: event.name == "saga.paused")
            stack.daemon.stop()
            other_api = type(told.api)(other.url)
            other_api.command(id_, "resume").must(202)
            other_api.command(id_, "complete", "one").must(202)
            heard += stream.until(is_end)
        assert [entry(event) for event in heard] == other_api.history(id_)
    finally:
        stack.daemon.start()
        other.close()


def test_without_events_a_node_says_so(told, stack):
    node = stack.another_node("--events", "off")
    try:
        api = type(told.api)(node.url)
        api.get(ALL, headers={"Accept": "text/event-stream"}).problem(409, "events-off")
    finally:
        node.close()
