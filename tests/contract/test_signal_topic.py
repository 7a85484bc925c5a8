"""Signals that come by Kafka: what a record has to say, once whatever comes twice, dead letters, nodes and restarts."""
import base64
import json
import uuid

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from client import Api, encode, new_id
from participant import no, ok, silence
from servers import Daemon, until
from story import Story
from test_signals import signal, waits

TOPIC = "saga.signals"
PARTITIONS = 4


class Sender:
    """Somebody who may write to the topic; remembers where each record lies."""

    def __init__(self, brokers):
        self.producer = Producer({"bootstrap.servers": brokers, "linger.ms": 0, "message.max.bytes": 2_000_000})
        self.placed = []

    def send(self, saga, name="approved", payload=None, id_=None, topic=TOPIC, value=None, partition=-1, **headers):
        """*headers* are without their `ce_`; None leaves one out. The (partition, offset) where it came to lie."""
        given = {"specversion": "1.0", "type": name, "subject": saga, "id": id_ or uuid.uuid4().hex, "source": "/shop", **headers}
        listed = [(f"ce_{key}", text if isinstance(text, bytes) else text.encode()) for key, text in given.items() if text is not None]
        before, errors = len(self.placed), []

        def placed(error, message):
            if error:
                errors.append(error)
            else:
                self.placed.append((message.partition(), message.offset()))
        self.producer.produce(topic, key=saga if isinstance(saga, str) else None, headers=listed, partition=partition,
                              value=encode(payload) if value is None else value, on_delivery=placed)
        assert self.producer.flush(30) == 0 and not errors, errors
        return self.placed[before]


@pytest.fixture(scope="module")
def sender(stack):
    return Sender(stack.broker.brokers)


def taken(story, id_):
    return story.api.history(id_, "step.signal_received")


def counts(api):
    lines = api.get("/metrics", headers={"Accept": "*/*"}).raw.decode().splitlines()
    return {line.split('result="')[1].split('"')[0]: int(float(line.split()[-1])) for line in lines if line.startswith("saga_signals_total{")}


def letter_at(api, place, topic=TOPIC):
    """The open dead letter of the record there."""
    def look():
        for letter in api.pages("/v1/dead-letters", limit=500):
            if (letter["topic"], letter["partition"], letter["offset"]) == (topic, *place):
                return letter
        return None
    return until(look, 30, f"the dead letter of {topic} {place}")


# ---- what a record says ---------------------------------------------------------------------

def test_a_record_ends_the_wait_and_its_value_is_the_output(story, sender):
    id_ = story.start(*waits(story), output={"by": "${steps.approval.output.by}"})
    story.api.wait_step(id_, "approval", "dispatched")
    place = sender.send(id_, value=b'{"by":"ann","n":0.10}', source="/shop/desk")
    assert story.api.wait(id_, "succeeded")["output"] == {"by": "ann"}
    row = taken(story, id_)[0]
    assert row["step"] == "approval" and row["actor"] == "kafka:/shop/desk"
    assert row["detail"]["reason"] == f"{TOPIC}/{place[0]}/{place[1]}"
    assert b'"n":0.10' in story.api.get(f"/v1/sagas/{id_}/export").raw


def test_an_empty_value_is_null_and_the_key_of_the_record_means_nothing(story, sender):
    ids = [story.start(*waits(story)) for _ in range(PARTITIONS)]
    for partition, id_ in enumerate(ids):
        sender.send(id_, value=b"", partition=partition)
    for id_ in ids:
        story.api.wait(id_, "succeeded")
        assert story.api.step(id_, "approval")["output"] is None


def test_a_record_that_comes_early_is_kept(story, sender):
    id_ = story.start(*waits(story, story.step("first", silence)))
    story.sent(id_, "first")
    sender.send(id_, payload=[1])
    until(lambda: taken(story, id_), 30, "the signal")
    assert story.api.step(id_, "approval")["state"] == "waiting"
    story.answer(story.sent(id_, "first"), ok())
    story.api.wait(id_, "succeeded")
    assert story.api.step(id_, "approval")["output"] == [1]


# ---- once -----------------------------------------------------------------------------------

def test_the_same_id_is_one_signal_wherever_it_comes_from(story, sender):
    id_ = story.start(*waits(story, story.step("first", silence)))
    story.sent(id_, "first")
    before, key = counts(story.api), uuid.uuid4().hex
    for n in range(3):
        sender.send(id_, payload=n, id_=key, partition=n)
    until(lambda: counts(story.api).get("duplicate", 0) >= before.get("duplicate", 0) + 2, 30, "two duplicates")
    signal(story.api, id_, payload=9, key=key).must(202)
    by_rest = uuid.uuid4().hex
    signal(story.api, id_, payload=4, key=by_rest).must(202)
    sender.send(id_, payload=5, id_=by_rest)
    until(lambda: counts(story.api).get("duplicate", 0) >= before.get("duplicate", 0) + 3, 30, "three duplicates")
    assert [row["detail"]["key"] for row in taken(story, id_)] == [key, by_rest]
    story.answer(story.sent(id_, "first"), ok())
    story.api.wait(id_, "succeeded")


def test_an_id_that_is_known_is_no_dead_letter_after_the_end(story, sender):
    id_ = story.start(*waits(story))
    before, key = counts(story.api), uuid.uuid4().hex
    sender.send(id_, id_=key)
    story.api.wait(id_, "succeeded")
    sender.send(id_, id_=key)
    until(lambda: counts(story.api).get("duplicate", 0) > before.get("duplicate", 0), 30, "a duplicate")


# ---- what cannot be carried out ---------------------------------------------------------------

POISON = [
    ("no type", {"type": None}), ("an empty type", {"type": ""}), ("no subject", {"subject": None}), ("no saga's id", {"subject": "order-1"}),
    ("no id", {"id": None}), ("an empty id", {"id": ""}), ("a long id", {"id": "k" * 256}), ("bytes for an id", {"id": b"\xff\xfe\x00"}),
    ("no JSON", {"value": b'{"a":'}), ("twice the same member", {"value": b'{"a":1,"a":2}'}), ("bytes", {"value": bytes(range(256))}),
    ("a lone surrogate", {"value": b'"\\ud800"'}), ("depth", {"value": b"[" * 200 + b"]" * 200}), ("256 KiB and one", {"value": b'"' + b"x" * (256 * 1024 - 1) + b'"'}),
]


@pytest.mark.parametrize("headers", [given for _, given in POISON], ids=[name for name, _ in POISON])
def test_a_malformed_record_is_a_dead_letter_and_holds_nobody_up(story, sender, headers):
    id_ = story.start(*waits(story))
    given = {"saga": id_, "payload": 1, **headers}
    place = sender.send(**given, partition=2)
    sender.send(id_, payload="behind it", partition=2)
    letter = letter_at(story.api, place)
    assert letter["reason"] == "malformed"
    if "value" in headers:
        assert base64.b64decode(letter["value_base64"]) == headers["value"]
    story.api.wait(id_, "succeeded")
    assert story.api.step(id_, "approval")["output"] == "behind it"


def test_what_no_saga_takes_is_a_dead_letter_that_says_why(story, sender):
    ended = story.run(story.step("only"), {"id": "last", "signal": {"name": "approved", "timeout": "1ms", "on_timeout": "continue"}})["id"]
    schema = {"type": "object", "required": ["by"]}
    open_ = story.start(*waits(story, schema=schema))
    undone = story.start(story.step("first", undo=[silence]), story.step("bad", silence), *waits(story))
    story.answer(story.sent(undone, "bad"), no("declined"))
    story.sent(undone, "undo first")
    wanted = {
        sender.send(new_id()): "unknown", sender.send(ended): "too_late", sender.send(undone): "too_late",
        sender.send(open_, "aproved"): "undeclared", sender.send(open_, payload={"to": "ann"}): "bad_payload",
    }
    for place, reason in wanted.items():
        letter = letter_at(story.api, place)
        assert letter["reason"] == reason and dict(letter["headers"])["ce_source"] == "/shop"
    assert not taken(story, open_) and not taken(story, undone)
    sender.send(open_, payload={"by": "ann"})
    story.api.wait(open_, "succeeded")


def test_more_than_a_saga_remembers_is_a_dead_letter(story, sender):
    id_ = story.start(*waits(story, story.step("first", silence)))
    story.sent(id_, "first")
    for n in range(1000):
        sender.producer.produce(TOPIC, key=id_, value=str(n), headers=[
            ("ce_type", b"approved"), ("ce_subject", id_.encode()), ("ce_id", f"{story.name}-{n}".encode())], partition=1)
        sender.producer.poll(0)
    assert sender.producer.flush(30) == 0
    assert letter_at(story.api, sender.send(id_, partition=1))["reason"] == "too_many"
    assert len(taken(story, id_)) == 1000
    story.answer(story.sent(id_, "first"), ok())
    story.api.wait(id_, "succeeded")
    assert story.api.step(id_, "approval")["output"] == 0


# ---- dead letters -------------------------------------------------------------------------------

def test_a_dead_letter_is_replayed_as_the_signal_that_it_was(story, sender):
    id_ = new_id()
    place = sender.send(id_, payload={"early": True})
    letter = letter_at(story.api, place)
    assert letter["reason"] == "unknown"
    story.start(*waits(story), saga={"id": id_})
    story.api.wait_step(id_, "approval", "dispatched")
    story.api.post(f"/v1/dead-letters/{letter['id']}/replay").must(200)
    story.api.wait(id_, "succeeded")
    assert story.api.step(id_, "approval")["output"] == {"early": True}
    assert taken(story, id_)[0]["detail"]["reason"] == f"{TOPIC}/{place[0]}/{place[1]}"


def test_a_batch_replays_the_signals_among_the_dead_letters(story, sender):
    ids = [new_id() for _ in range(5)]
    found = [letter_at(story.api, sender.send(id_, payload=n))["id"] for n, id_ in enumerate(ids)]
    for id_ in ids:
        story.start(*waits(story), saga={"id": id_})
    batch = story.api.post("/v1/batches", {"verb": "replay", "ids": found, "reason": "the sagas are there now"}).must(202)["id"]
    ended = until(lambda: (b := story.api.get(f"/v1/batches/{batch}").must())["state"] == "done" and b, 30, "the batch")
    assert (ended["done"], ended["failed"]) == (5, 0)
    for n, id_ in enumerate(ids):
        story.api.wait(id_, "succeeded")
        assert story.api.step(id_, "approval")["output"] == n


# ---- S19: consumed = applied + ignored + dead-lettered, partition by partition ---------------------

def committed(brokers, group="sagad"):
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": group, "enable.auto.commit": False})
    try:
        asked = [TopicPartition(TOPIC, n) for n in range(PARTITIONS)]
        return {found.partition: max(found.offset, 0) for found in consumer.committed(asked, timeout=30)}
    finally:
        consumer.close()


def test_every_record_is_applied_ignored_or_a_dead_letter(story, sender, stack):
    ids = [story.start(*waits(story, story.step("first", silence))) for _ in range(PARTITIONS)]
    before, sent = counts(story.api), {n: [] for n in range(PARTITIONS)}
    for round_ in range(5):
        for partition, id_ in enumerate(ids):
            for n, headers in enumerate(({}, {}, {"subject": "nobody"}, {"name": "aproved"}, {"value": b"{"})):
                key = f"{story.name}/{round_}/{min(n, 1)}"  # the second comes again below
                sent[partition].append(sender.send(**{"saga": id_, "id_": key, "partition": partition, **headers})[1])
            sent[partition].append(sender.send(id_, id_=f"{story.name}/{round_}/1", partition=partition)[1])
    until(lambda: all(offset > max(sent[n]) for n, offset in committed(stack.broker.brokers).items()), 60, "all offsets committed")
    after = counts(story.api)
    dead = [letter for letter in story.api.pages("/v1/dead-letters", limit=500) if letter["topic"] == TOPIC]
    for partition, id_ in enumerate(ids):
        places = [row["detail"]["reason"] for row in taken(story, id_)]
        assert places == [f"{TOPIC}/{partition}/{offset}" for n, offset in enumerate(sent[partition]) if n % 6 < 2]
        letters = {letter["offset"] for letter in dead if letter["partition"] == partition}
        assert letters & set(sent[partition]) == {offset for n, offset in enumerate(sent[partition]) if n % 6 in (2, 3, 4)}
    grown = {result: after[result] - before.get(result, 0) for result in after}
    # A partition that moves brings records again: then more are counted, but none is applied twice.
    assert grown["applied"] == 40 and all(grown[result] >= n for result, n in {"duplicate": 20, "malformed": 40, "undeclared": 20}.items())
    assert not {"unknown", "too_late", "bad_payload", "too_many"} & {result for result, n in grown.items() if n}
    for id_ in ids:
        story.answer(story.sent(id_, "first"), ok())
        story.api.wait(id_, "succeeded")


# ---- nodes and restarts -----------------------------------------------------------------------------

def test_what_came_while_no_node_was_there_is_taken_after_the_start(story, sender, stack):
    ids = [story.start(*waits(story)) for _ in range(8)]
    for id_ in ids:
        story.api.wait_step(id_, "approval", "dispatched")
    stack.daemon.kill()
    for n, id_ in enumerate(ids):
        for _ in range(2):
            sender.send(id_, payload=n, id_=f"{story.name}-{n}")
    stack.daemon.start()
    for n, id_ in enumerate(ids):
        story.api.wait(id_, "succeeded")
        assert story.api.step(id_, "approval")["output"] == n and len(taken(story, id_)) == 1


def test_a_node_that_is_killed_amid_signals_loses_and_doubles_none(story, sender, stack):
    ids = [story.start(*waits(story, story.step("first", silence))) for _ in range(4)]
    for id_ in ids:
        story.sent(id_, "first")
    for n in range(150):
        for id_ in ids:
            sender.producer.produce(TOPIC, key=id_, value=str(n), headers=[
                ("ce_type", b"approved"), ("ce_subject", id_.encode()), ("ce_id", f"{story.name}-{n}".encode())])
        if n == 75:
            assert sender.producer.flush(30) == 0
            until(lambda: taken(story, ids[0]), 30, "the first ones")
            stack.daemon.kill()
    assert sender.producer.flush(30) == 0
    stack.daemon.start()
    for id_ in ids:
        until(lambda: len(taken(story, id_)) >= 150, 60, f"150 signals of {id_}")
        assert sorted(row["detail"]["key"] for row in taken(story, id_)) == sorted(f"{story.name}-{n}" for n in range(150))
        story.answer(story.sent(id_, "first"), ok())
        story.api.wait(id_, "succeeded")


def test_two_nodes_share_the_topic_and_either_may_have_the_saga(story, sender, stack):
    with stack.another_node() as other:
        apis = [story.api, Api(other.url)]
        made = story.register(*waits(story, story.step("first")), story.step("last"))
        ids = [apis[n % 2].start(made) for n in range(24)]
        for n, id_ in enumerate(ids):
            sender.send(id_, payload=n, id_=f"{story.name}-{n}", partition=n % PARTITIONS)
            sender.send(id_, payload=-1, id_=f"{story.name}-{n}", partition=(n + 1) % PARTITIONS)
        for n, id_ in enumerate(ids):
            story.api.wait(id_, "succeeded", seconds=60)
            assert len(taken(story, id_)) == 1
            assert story.calls(id_) == ["first", "ship", "last"]


def test_a_prefixed_topic_is_another_one(stack, sender):
    stack.postgres.sql("create database prefixed_signals")
    url = stack.postgres.url.removesuffix("/postgres") + "/prefixed_signals"
    with Daemon(url, stack.broker.brokers, extra=["--migrate", "--topic-prefix", "blue.", "--group", "blue-signals"]).start() as daemon:
        there = Story(Api(daemon.url), stack.participant)
        id_ = there.start(*waits(there))
        stray = sender.send(id_, payload="stray")
        assert letter_at(stack.api, stray)["reason"] == "unknown"
        sender.send(id_, payload="blue", topic="blue.saga.signals")
        there.api.wait(id_, "succeeded")
        assert there.api.step(id_, "approval")["output"] == "blue"
        dead = sender.send(id_, topic="blue.saga.signals")
        letter = letter_at(there.api, dead, "blue.saga.signals")
        assert letter["reason"] == "too_late"
        there.api.post(f"/v1/dead-letters/{letter['id']}/replay").must(200)
        until(lambda: [x for x in there.api.pages("/v1/dead-letters") if x["id"] != letter["id"] and x["reason"] == "too_late"], 30, "it is dead again")


def test_the_topic_of_dead_letters_has_a_copy(story, sender, stack):
    consumer = Consumer({"bootstrap.servers": stack.broker.brokers, "group.id": story.name, "auto.offset.reset": "earliest"})
    try:
        consumer.subscribe(["saga.replies.dlt"])
        sender.send(new_id(), payload={"mark": story.name})

        def look():
            message = consumer.poll(0.2)
            return message is not None and not message.error() and story.name.encode() in (message.value() or b"") and message
        found = until(look, 60, "the copy")
        assert dict(found.headers())["sagad_reason"] == b"unknown" and json.loads(found.value()) == {"mark": story.name}
    finally:
        consumer.close()
