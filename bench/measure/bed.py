"""A bed to measure on: one PostgreSQL, one broker, a participant, sagad; and the bare programs beside it.

The bare programs write to a database of their own on the same server, so that neither leaves the other
dead rows. Both get the same warmth: they run until they get no faster.
"""
import json
import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from measure import machine

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "support"))
from servers import (Daemon, EmbeddedBroker, Kafka, Postgres, Process, build_folder, http, program,  # noqa: E402
                     sql, until)

TOPICS = ["bench.commands", "bench.silent", "bench.replies"]
OWN_TOPICS = ["saga.replies", "saga.events", "saga.signals", "saga.replies.dlt"]
SETTINGS = {"max_wal_size": "4GB", "shared_buffers": "512MB"}
WARM_ROUNDS_MAX = 8
WARM_RISE = 1.1  # warm: one round more brings less than this


def say(text):
    print(text, flush=True)


def run(name, *words, **environment):
    """One of our measuring programs to its end: its line of JSON."""
    done = subprocess.run([program(name), *map(str, words)], capture_output=True, text=True, timeout=1500,
                          env={**os.environ, **{key: str(value) for key, value in environment.items()}})
    if done.returncode != 0:
        raise RuntimeError(f"{name} {' '.join(map(str, words))}: {done.stdout}{done.stderr}")
    return json.loads(done.stdout.strip().split("\n")[-1])


def until_warm(rate, name):
    """Calls rate() until two rounds in a row did not raise the best; the best."""
    rates, level = [rate()], 0
    while len(rates) < WARM_ROUNDS_MAX and level < 2:
        best = max(rates)
        rates.append(rate())
        level = 0 if rates[-1] > WARM_RISE * best else level + 1
    say(f"  warming {name}: {', '.join(f'{value:,}' for value in rates)}")
    return max(rates)


# ---- definitions ----------------------------------------------------------------------

def step(name, undo=True, topic="bench.commands", timeout="30s", input="${input}", **more):
    made = {"id": name, **more,
            "action": {"topic": topic, "type": f"bench.{name}", "input": input, "timeout": timeout}}
    if undo:
        made["compensation"] = {"topic": topic, "type": f"bench.{name}.undo", "input": input}
    return made


DEFINITIONS = {
    "bench-three": [step("one"), step("two"), step("three", False)],
    "bench-refused": [step("one"), step("two"), step("refused", False)],
    "bench-ten": [step(f"s{i}", i < 9) for i in range(10)],
    "bench-wide": [step(f"w{i}", depends_on=[]) for i in range(10)],
    # Its input is kept and not sent.
    "bench-kept": [step(name, name != "three", input="${input.order_id}") for name in ("one", "two", "three")],
    # Nobody answers its commands: what is started stays open.
    "bench-waiting": [step("waits", False, "bench.silent", "24h")],
}


# ---- the bed --------------------------------------------------------------------------

class Echo(Process):
    """A participant in C that answers everything with success, but refuses the step `refused`."""

    def __init__(self, brokers, settings):
        super().__init__("echo")
        self.launch([program("saga-participant-echo"), "--brokers", brokers, "--topics", "bench.commands",
                     "--group", "bench", "--fail-step", "refused", *(["--set", settings] if settings else [])])


class Bed:
    def __init__(self, postgres, broker, size):
        self.postgres, self.broker, self.size = postgres, broker, size
        embedded = isinstance(broker, EmbeddedBroker)
        # As `sagad dev` does it: a waiting fetch of the embedded broker is not woken by a new record.
        self.settings = "fetch.wait.max.ms=1" if embedded else ""
        self.bare_settings = {"FETCH_WAIT_MS": 1, "LINGER_MS": 1} if embedded else {"FETCH_WAIT_MS": 5}
        self.echo = Echo(broker.brokers, self.settings.partition(",")[0])
        self.daemon = self.new_daemon()
        self.transport_limit = None

    def new_daemon(self):
        return Daemon(self.postgres.url, self.broker.brokers,
                      ["--kafka-settings", self.settings] if self.settings else [])

    @property
    def pid(self):
        return self.daemon.process.pid

    def open(self):
        """sagad serves, definitions are known."""
        self.daemon.start()
        self.register()
        return self

    def register(self):
        for name, steps in DEFINITIONS.items():
            status, answer = self.daemon.call("POST", "/v1/definitions", {"name": name, "steps": steps})
            if status not in (200, 201):
                raise RuntimeError(f"{name}: {status} {answer}")

    def close(self):
        self.daemon.close()
        self.echo.close()

    def warm(self):
        """Broker, participant and sagad, until none gets faster: a JVM needs many rounds."""
        trips, sagas = self.size["trips"], self.size["sagas"]
        self.transport_limit = until_warm(
            lambda: self.bare("transport", self.broker.brokers, trips, 2000)["round_trips_per_s"], "transport")
        until_warm(lambda: self.load("saturate", "bench-three", sagas // 2, 2000)["sagas_per_s"], "sagad")

    # what is run on it

    def load(self, mode, definition, *words, url=None, **environment):
        return run("saga-load", mode, url or self.daemon.where[1], definition, *words, **environment)

    def commands_sent(self):
        """Records in the participants' topic."""
        return run("saga-bare", "records", self.broker.brokers, "bench.commands")["records"]

    def bare(self, *words, **environment):
        return run("saga-bare", *words, **self.bare_settings, **environment)

    def bare_loop(self, sagas, opened, **environment):
        return self.bare("loop", emptied_bare(self.postgres), self.broker.brokers, sagas, opened,
                         **environment)["sagas_per_s"]

    def bare_rows(self, *words, **environment):
        return bare_rows(self.postgres, *words, **environment)

    def saturate(self, definition, sagas, opened, mode="saturate", **environment):
        """Throughput with what each part used for it."""
        pids = {"sagad": (self.pid, False), "postgres": (self.postgres.process.pid, True),
                "broker": (self.broker.process.pid, False)}
        before = {name: machine.cpu_seconds(*pid) for name, pid in pids.items()}
        wal = self.wal_position()
        found = self.load(mode, definition, sagas, opened, **environment)
        for name, pid in pids.items():
            found[f"{name}_cpu_s_per_1000"] = round((machine.cpu_seconds(*pid) - before[name]) / sagas * 1000, 4)
        found["wal_bytes_per_saga"] = round((self.wal_position() - wal) / sagas)
        return found

    def wal_position(self):
        return int(self.postgres.sql("select (pg_current_wal_insert_lsn() - '0/0')::bigint")[0][0])

    def open_sagas(self):
        return int(self.postgres.sql("select count(*) from sagad.saga where finished_at is null")[0][0])

    def forget_waiting(self):
        """Take away the sagas that nobody answers, with sagad stopped meanwhile."""
        self.daemon.stop()
        self.postgres.sql("""
            create temporary table gone as
                select s.id from sagad.saga s join sagad.definition d on d.id = s.definition_id
                 where d.name = 'bench-waiting';
            delete from sagad.saga where id in (select id from gone);
            delete from sagad.saga_start where id in (select id from gone);
            delete from sagad.history where saga_id in (select id from gone)""")
        self.daemon.start()

    def drain(self, seconds=180):
        """Until no saga is open."""
        until(lambda: self.open_sagas() == 0, seconds, "no saga open", 0.2)

    def latencies(self, since_ms, until_ms=None):
        """(p50, p99) in ms of the sagas created in this time, by their own time stamps."""
        row = self.postgres.sql(f"""
            select percentile_disc(0.5) within group (order by finished_at - created_at),
                   percentile_disc(0.99) within group (order by finished_at - created_at)
              from sagad.saga
             where finished_at is not null and namespace_id = any(array(select id from sagad.namespace))
               and id >= '{least_id(since_ms)}' and id < '{least_id(until_ms or since_ms + 86400000)}'""")[0]
        return tuple(float(value) if value else None for value in row)

    def counter(self, family):
        """The sum of a metric of sagad over its labels."""
        text = http("GET", self.daemon.admin + "/metrics")[2].decode()
        return sum(float(line.rpartition(" ")[2]) for line in text.split("\n")
                   if line.startswith((family + "{", family + " ")))


def now_ms():
    return int(time.time() * 1000)


def least_id(at_ms):
    """The least saga id of an instant: ids are UUIDv7."""
    digits = f"{at_ms:012x}"
    return f"{digits[:8]}-{digits[8:]}-0000-0000-000000000000"


# ---- the database -----------------------------------------------------------------------

def bare_url(postgres):
    """Where the bare programs write."""
    return re.sub("/postgres$", "/bare", postgres.url)


def emptied_bare(postgres):
    sql(bare_url(postgres), "truncate sagad.saga, sagad.saga_start, sagad.history, sagad.request_key")
    return bare_url(postgres)


def bare_rows(postgres, mode, sagas, batch, **environment):
    """The bare database limit: sagas a second."""
    return run("saga-bare", mode, emptied_bare(postgres), sagas, batch, **environment)["sagas_per_s"]


def migrate(postgres):
    """sagad's tables, for it and for the bare programs."""
    postgres.sql("create database bare")
    for url in (postgres.url, bare_url(postgres)):
        done = subprocess.run([program("sagad"), "migrate", "--database-url", url], capture_output=True, text=True,
                              timeout=60)
        if done.returncode != 0:
            raise RuntimeError(done.stdout + done.stderr)


@contextmanager
def new_postgres(**settings):
    with Postgres({**SETTINGS, **settings}) as postgres:
        migrate(postgres)
        yield postgres


def has_kafka():
    return bool(os.environ.get("KAFKA_LIB"))


@contextmanager
def new_broker(kind):
    if kind == "embedded":
        with EmbeddedBroker(TOPICS + OWN_TOPICS) as broker:
            yield broker
    else:
        with Kafka() as broker:
            broker.create_topics(TOPICS + OWN_TOPICS, 8)
            yield broker


@contextmanager
def new_bed(kind, size, postgres=None, warm=True):
    """A bed with a broker of this kind, on this server or a new one."""
    if postgres is None:
        with new_postgres() as made, new_bed(kind, size, made, warm) as bed:
            yield bed
        return
    with new_broker(kind) as broker:
        bed = Bed(postgres, broker, size)
        try:
            bed.open()
            if warm:
                bed.warm()
            yield bed
        except Exception:
            say(bed.daemon.tail())
            raise
        finally:
            bed.close()
