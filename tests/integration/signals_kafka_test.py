#!/usr/bin/env python3
"""Signals on real Kafka: nothing is lost and nothing counts twice while nodes and the broker come and go.

Needs KAFKA_LIB (a folder of Kafka's jars) and confluent-kafka. Sagas that wait for signals, one sender that writes
good ones, each of them twice, and poison between them, to every partition. Meanwhile a second node comes, the first is
killed, and the broker is killed and started again. At the end every record of every partition was applied, is known, or
is a dead letter, the offsets that the group committed are the ends of the partitions, and each saga took each of its
signals once (S9, S15, S16, S18, S19, L2).
"""
import importlib.util
import os
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from servers import SKIPPED, Daemon, Kafka, Postgres, until  # noqa: E402

TOPIC, PARTITIONS, SAGAS, ROUNDS, PATIENCE_S = "saga.signals", 4, 12, 30, 120
POISON = [{"ce_type": None}, {"ce_subject": "nobody"}, {"ce_id": None}, {"value": b"{"}, {"value": b"\xff\x00\xfe"},
          {"ce_type": b"aproved"}, {"ce_subject": b"0190a0b0-1111-7222-8333-444455556666"}]
DEFINITION = {"name": "waits", "steps": [{"id": f"s{n}", "signal": {"name": "approved"}} for n in range(ROUNDS)]}


def missing():
    """Why this cannot run here, or None."""
    if not os.environ.get("KAFKA_LIB"):
        return "KAFKA_LIB names no folder of Kafka jars"
    if importlib.util.find_spec("confluent_kafka") is None:
        return "python3-confluent-kafka is not installed"
    return None


class Sender:
    def __init__(self, brokers):
        from confluent_kafka import Producer
        self.producer = Producer({"bootstrap.servers": brokers, "linger.ms": 5, "enable.idempotence": True,
                                  "message.timeout.ms": PATIENCE_S * 1000})
        self.ends, self.errors = Counter(), []

    def placed(self, error, message):
        if error:
            self.errors.append(error)
        else:
            self.ends[message.partition()] += 1

    def send(self, saga, id_, partition, **other):
        given = {"ce_specversion": b"1.0", "ce_type": b"approved", "ce_subject": saga.encode(), "ce_id": id_.encode(),
                 "ce_source": b"/test", "value": f'"{id_}"'.encode(), **other}
        value = given.pop("value")
        self.producer.produce(TOPIC, key=saga, value=value, headers=[(k, v) for k, v in given.items() if v is not None],
                              partition=partition, on_delivery=self.placed)
        self.producer.poll(0)

    def flush(self):
        assert self.producer.flush(PATIENCE_S) == 0 and not self.errors, self.errors


def send_rounds(sender, ids, rounds):
    for n in rounds:
        for at, saga in enumerate(ids):
            sender.send(saga, f"r{n}", (at + n) % PARTITIONS)
            sender.send(saga, f"r{n}", at % PARTITIONS)
        sender.send(ids[0], f"p{n}", n % PARTITIONS, **POISON[n % len(POISON)])


def rows(daemon, path):
    cursor, found = "", []
    while True:
        status, page = daemon.call("GET", f"{path}?limit=500{cursor}")
        assert status == 200, page
        found += page["items"]
        if page["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"


def taken(daemon, saga):
    return [row["detail"] for row in rows(daemon, f"/v1/sagas/{saga}/history") if row["type"] == "step.signal_received"]


def state(daemon, saga):
    return daemon.call("GET", f"/v1/sagas/{saga}")[1]["state"]


def committed(brokers):
    from confluent_kafka import Consumer, TopicPartition
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "sagad", "enable.auto.commit": False})
    try:
        found = consumer.committed([TopicPartition(TOPIC, n) for n in range(PARTITIONS)], timeout=30)
        return {one.partition: one.offset for one in found}
    finally:
        consumer.close()


def check(daemon, kafka, sender, ids):
    until(lambda: all(state(daemon, saga) == "succeeded" for saga in ids), PATIENCE_S, "every saga took its signals")
    until(lambda: committed(kafka.brokers) == dict(sender.ends), PATIENCE_S, f"every record is settled: {sender.ends}")
    applied = Counter()
    for saga in ids:
        details = taken(daemon, saga)
        assert sorted(one["key"] for one in details) == sorted(f"r{n}" for n in range(ROUNDS)), (saga, details)
        applied.update(int(one["reason"].split("/")[1]) for one in details)
    letters = Counter(letter["partition"] for letter in rows(daemon, "/v1/dead-letters"))
    reasons = Counter(letter["reason"] for letter in rows(daemon, "/v1/dead-letters"))
    # Each good record came twice, to partitions of its own: as many are known as were applied, over all.
    assert sum(applied.values()) == SAGAS * ROUNDS and sum(letters.values()) == ROUNDS, (applied, letters)
    assert sum(sender.ends.values()) == 2 * sum(applied.values()) + sum(letters.values()), (sender.ends, applied, letters)
    assert all(applied[n] + letters[n] <= sender.ends[n] for n in range(PARTITIONS)), (sender.ends, applied, letters)
    assert set(reasons) == {"malformed", "undeclared", "unknown"}, reasons
    print(f"records {sum(sender.ends.values())}, applied {sum(applied.values())}, dead letters {dict(reasons)}")


def play(postgres, kafka):
    with Daemon(postgres.url, kafka.brokers) as first, Daemon(postgres.url, kafka.brokers) as second:
        first.prepare().start()
        assert TOPIC in first.tool("topics", "plan", "--kafka-brokers", kafka.brokers).stdout
        assert first.call("POST", "/v1/definitions", DEFINITION)[0] == 201
        ids = [first.call("POST", "/v1/sagas", {"definition": "waits"})[1]["id"] for _ in range(SAGAS)]
        sender = Sender(kafka.brokers)

        send_rounds(sender, ids, range(0, 8))
        sender.flush()
        until(lambda: len(taken(first, ids[0])) >= 4, PATIENCE_S, "some signals were taken")
        second.start()
        send_rounds(sender, ids, range(8, 16))
        first.kill()
        send_rounds(sender, ids, range(16, 20))
        sender.flush()
        until(lambda: len(taken(second, ids[0])) >= 12, PATIENCE_S, "the second node took over")
        send_rounds(sender, ids, range(20, 24))
        kafka.kill()
        assert state(second, ids[0]) == "running"
        kafka.start()
        send_rounds(sender, ids, range(24, ROUNDS))
        sender.flush()
        first.start()
        check(first, kafka, sender, ids)


def main():
    why = missing()
    if why:
        print("skipped:", why)
        return SKIPPED
    with Postgres() as postgres, Kafka() as kafka:
        play(postgres, kafka)
    return 0


if __name__ == "__main__":
    sys.exit(main())
