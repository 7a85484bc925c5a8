"""A participant of sagas: take a command, do it once, answer.

    app = Worker("payments.commands", group="payments", db=DSN, schema="payments")

    @app.on("payments.charge.v1")
    def charge(cmd, tx):
        if not has_card(tx, cmd["customer_id"]):
            raise Refuse("card_declined")
        return {"charge_id": take(tx, cmd["amount"], key=cmd.key)}

    app.run()

`tx` is a psycopg cursor in the transaction that already holds the barrier's row: what the handler
writes there happens once, however often the command comes. A handler answers by what it does:
return a value: success; raise Refuse: nothing happened and nothing will; raise Later: not now.
Any other error of a handler is a Later with the code `error`.
"""
import json
import logging
import signal
import time
from decimal import Decimal
from pathlib import Path

import psycopg
from confluent_kafka import Consumer, KafkaError, Producer

SQL = Path(__file__).resolve().parent.parent / "sql"
log = logging.getLogger("participant")


class Refuse(Exception):
    """A business refusal, with its code: no effect, no retry, the saga turns back."""

    def __init__(self, code, detail=None):
        super().__init__(code)
        self.code, self.detail = code, detail


class Later(Exception):
    """Not now. `after` ("30s") names the time; without it sagad waits by its retry policy."""

    def __init__(self, code="busy", after=None):
        super().__init__(code)
        self.code, self.after = code, after


class Command(dict):
    """The command's input, with what its headers say."""

    def __init__(self, message):
        super().__init__(json.loads(message.value() or b"null", parse_float=Decimal) or {})
        headers = {name: value.decode() for name, value in message.headers() or []}
        self.key, self.op = headers["ce_idempotencykey"], headers["ce_sagaop"]
        self.type, self.attempt = headers["ce_type"], int(headers.get("ce_sagaattempt", 1))
        self.reply_to, self.token = headers["ce_sagareplyto"], headers["ce_sagatoken"]
        self.partition_key = message.key()


class Worker:
    def __init__(self, topic, group, db, brokers, schema="public", install=()):
        self.handlers, self.silent, self.stopping = {}, {}, False
        self.topic, self.db, self.schema, self.connection = topic, db, schema, None
        self.install = [SQL / "barrier.sql", *install]
        common = {"bootstrap.servers": brokers, "socket.nagle.disable": True, "topic.metadata.refresh.interval.ms": 5000}
        self.consumer = Consumer({**common, "group.id": group, "auto.offset.reset": "earliest",
                                  "enable.auto.offset.store": False, "session.timeout.ms": 6000,
                                  "fetch.wait.max.ms": 10})
        self.producer = Producer({**common, "acks": "all", "linger.ms": 0, "partitioner": "murmur2_random"})

    def on(self, type_, silent=None):
        """Handle commands of this ce_type. silent(cmd): the effect happens, the answer is lost (for demos)."""
        def register(handler):
            self.handlers[type_], self.silent[type_] = handler, silent or (lambda cmd: False)
            return handler
        return register

    def transaction(self):
        if self.connection is None or self.connection.closed:
            self.connection = psycopg.connect(self.db, autocommit=True)
            self.connection.execute(
                f"begin; select pg_advisory_xact_lock(hashtext('{self.schema}'));"
                f"create schema if not exists {self.schema}; commit; set search_path to {self.schema}")
            for script in self.install:
                self.connection.execute(script.read_text())
        return self.connection.transaction()

    def once(self, cmd):
        """(outcome, reply bytes, further headers), after the commit."""
        with self.transaction(), self.connection.cursor() as tx:
            verdict, stored = tx.execute("select verdict, reply from saga_begin(%s, %s)", (cmd.key, cmd.op)).fetchone()
            if verdict == "run":
                stored = json.dumps(self.handlers[cmd.type](cmd, tx) or {}, default=str)
                tx.execute("select saga_done(%s, %s, %s)", (cmd.key, cmd.op, stored))
        if verdict == "refuse":
            return "failure", "", {"ce_sagaerror": "already_compensated"}
        if verdict == "skip" and cmd.op == "probe":
            return "failure", "", {"ce_sagaerror": "never_ran"}
        return "success", stored or "", {}

    def patiently(self, cmd):
        """Did it commit before the database went away? Only the barrier knows, so ask until it answers."""
        while True:
            try:
                return self.once(cmd)
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                log.warning("%s: %s", cmd.key, error)
                if self.stopping:
                    raise
                time.sleep(0.5)

    def answer(self, cmd):
        try:
            return self.patiently(cmd)
        except Refuse as no:
            return "failure", json.dumps({"code": no.code, "detail": no.detail}), {"ce_sagaerror": no.code}
        except Later as later:
            return "retry", "", {"ce_sagaerror": later.code, **({"ce_sagaretryafter": later.after} if later.after else {})}
        except (psycopg.OperationalError, psycopg.InterfaceError):
            raise  # we are stopping: no answer, the command comes again
        except Exception:  # noqa: BLE001 - a bug of one handler must not stop the others
            log.exception("%s %s failed", cmd.type, cmd.key)
            return "retry", "", {"ce_sagaerror": "error"}

    def handle(self, message):
        cmd = Command(message)
        if cmd.type not in self.handlers:
            outcome, reply, more = "failure", "", {"ce_sagaerror": "unknown_type"}
        else:
            outcome, reply, more = self.answer(cmd)
            if self.silent[cmd.type](cmd):
                return
        self.producer.produce(cmd.reply_to, key=cmd.partition_key, value=reply, headers={
            "ce_sagatoken": cmd.token, "ce_sagaoutcome": outcome, "content-type": "application/json", **more})

    def run(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: setattr(self, "stopping", True))
        self.consumer.subscribe([self.topic])
        log.info("serving %s in schema %s", self.topic, self.schema)
        while not self.stopping:
            message = self.consumer.poll(0.2)
            self.producer.poll(0)
            if message is None:
                continue
            if message.error():
                if message.error().code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    log.warning("%s: %s", self.topic, message.error())
                continue
            try:
                self.handle(message)
            except (KeyError, ValueError) as error:  # not a command of sagad: nobody to answer to
                log.error("%s [%s] @ %s is no command: %r", self.topic, message.partition(), message.offset(), error)
            except psycopg.Error:
                break
            self.consumer.store_offsets(message)
        self.producer.flush(5)
        self.consumer.close()
