"""A participant that does what the test says: one consumer, one producer, answers by command type."""
import json
import threading
import time
from collections import Counter, defaultdict

from confluent_kafka import Consumer, Producer

from client import encode
from servers import until


class Command:
    """One command as it came, byte for byte."""

    def __init__(self, message):
        self.topic, self.partition = message.topic(), message.partition()
        self.key, self.value = message.key(), message.value() or b""
        self.headers = [(name, value.decode()) for name, value in message.headers() or ()]
        self.at, self.wall = time.monotonic(), time.time()
        self.sent_ms = message.timestamp()[1]  # by sagad's clock: no matter in which order partitions are read

    def h(self, name):
        return next((value for key, value in self.headers if key == name), None)

    saga = property(lambda self: self.h("ce_subject"))
    type = property(lambda self: self.h("ce_type"))
    op = property(lambda self: self.h("ce_sagaop"))
    idem = property(lambda self: self.h("ce_idempotencykey"))
    token = property(lambda self: self.h("ce_sagatoken"))
    attempt = property(lambda self: int(self.h("ce_sagaattempt")))
    json = property(lambda self: json.loads(self.value))

    @property
    def name(self):
        """"pay", "pay[2]", "undo pay", "probe pay"."""
        _, step, *index = self.idem.split("/")
        return {"compensate": "undo ", "probe": "probe "}.get(self.op, "") + step + (f"[{index[0]}]" if index else "")


# ---- answers: each is called as answer(participant, command) ------------------------------

def reply(outcome, value=None, code=None, after=None, delay=0.0, **headers):
    def answer(participant, command):
        participant.send(command, {"ce_sagatoken": command.token, "ce_sagaoutcome": outcome, "ce_sagaerror": code,
                                   "ce_sagaretryafter": after, **headers}, value, delay)
    return answer


def ok(output=None, delay=0.0):
    if callable(output):
        return lambda participant, command: reply("success", output(command), delay=delay)(participant, command)
    return reply("success", output, delay=delay)


def no(code="refused", detail=None, delay=0.0):
    return reply("failure", {"detail": detail} if detail else None, code, delay=delay)


def again(code="busy", after=None, delay=0.0):
    return reply("retry", None, code, after, delay)


def silence(_participant, _command):
    pass


def made(value=b"", delay=0.0, topic=None, key=True, **headers):
    """A reply by hand; ce_sagatoken=True copies the token."""
    def answer(participant, command):
        filled = {name: command.token if given is True else given for name, given in headers.items()}
        participant.send(command, filled, value, delay, topic, key)
    return answer


def each(*answers):
    """All of them, one after the other."""
    def answer(participant, command):
        for one in answers:
            one(participant, command)
    return answer


class Participant:
    def __init__(self, brokers, topics, group="contract"):
        self.scripts, self.errors, self.lock = {}, [], threading.Lock()
        self.by_saga, self.nth = defaultdict(list), Counter()
        self.producer = Producer({"bootstrap.servers": brokers, "linger.ms": 0})
        self.consumer = Consumer({"bootstrap.servers": brokers, "group.id": group, "auto.offset.reset": "earliest",
                                  "fetch.wait.max.ms": 5, "session.timeout.ms": 10000})
        assigned = threading.Event()
        self.consumer.subscribe(list(topics), on_assign=lambda *_: assigned.set())
        self.running = True
        self.thread = threading.Thread(target=self._consume, daemon=True)
        self.thread.start()
        assert assigned.wait(30), "the participant got no partitions"

    def close(self):
        self.running = False
        self.thread.join(5)
        self.producer.flush(5)
        self.consumer.close()

    def on(self, type_, op, *answers):
        """The n-th delivery of a key gets the n-th answer, the last one for ever."""
        self.scripts[type_, op] = answers

    def send(self, command, headers, value=None, delay=0.0, topic=None, key=True):
        def produce():
            listed = [(name, given.encode() if isinstance(given, str) else given)
                      for name, given in headers.items() if given is not None]
            self.producer.produce(topic or command.h("ce_sagareplyto"), key=command.key if key is True else key,
                                  value=encode(value) or None, headers=listed)
            self.producer.poll(0)
        if not delay:
            return produce()
        timer = threading.Timer(delay, produce)
        timer.daemon = True
        timer.start()

    def of(self, saga, name=None):
        with self.lock:
            return [command for command in self.by_saga[saga] if name in (None, command.name)]

    def calls(self, saga):
        return [command.name for command in self.of(saga)]

    def wait(self, saga, name, n=1, seconds=60):
        """The n-th command of this name."""
        until(lambda: len(self.of(saga, name)) >= n, seconds, f"{n} x {name!r} of {saga}; came {self.calls(saga)}")
        return self.of(saga, name)[n - 1]

    def _consume(self):
        while self.running:
            message = self.consumer.poll(0.05)
            if message is None or message.error() is not None:
                continue
            try:
                self._take(Command(message))
            except Exception as error:  # pylint: disable=broad-except
                self.errors.append(error)

    def _take(self, command):
        with self.lock:
            self.by_saga[command.saga].append(command)
            self.nth[command.idem, command.op] += 1
            nth = self.nth[command.idem, command.op]
        answers = self.scripts.get((command.type, command.op)) or (ok({}),)
        answers[min(nth, len(answers)) - 1](self, command)
