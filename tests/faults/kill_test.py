#!/usr/bin/env python3
"""Kills sagad again and again, restarts PostgreSQL as after a power cut, and counts what came of it.

    kill_test.py [--sagas 3000] [--kills 20] [--crashes 2] [--seed N]

Sagas of both demo flows come in through REST with an Idempotency-Key, sent again until they are accepted.
At seeded moments sagad is killed with -9 and started again, and PostgreSQL is shut down in immediate
mode. At the end every accepted saga must have its right end, each effect must be in the participants'
ledger exactly once, and what was undone must be there undone exactly once. (A charge has four attempts of a
second each; while sagad is dead they may run out, and then the order is undone.) Real Kafka where
KAFKA_LIB names a folder of its jars, else the embedded broker in a process of its own.
"""
import argparse
import json
import os
import random
import sys
import threading
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flows  # noqa: E402
from servers import Daemon, EmbeddedBroker, Kafka, Participants, Postgres, SKIPPED, http  # noqa: E402

CLIENTS = 8
CONVERGE_S = 240


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sagas", type=int, default=3000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--crashes", type=int, default=2, help="of PostgreSQL, immediate mode")
    parser.add_argument("--seed", type=int, default=None)
    return parser.parse_args()


def workload(count, chance):
    """Flows in a seeded mixture: most end well, each kind of trouble is there."""
    made = []
    for i in range(count):
        kind = chance.random()
        if kind < 0.20:
            made.append(flows.title(f"t-{i}", refuse="FR" if kind < 0.06 else None))
        else:
            card = None if kind < 0.74 else "declined" if kind < 0.86 else "down" if kind < 0.95 else "timeout"
            made.append(flows.order(f"o-{i}", card, items=chance.randint(1, 3), total=chance.choice([99.9, 750])))
    return made


class Clients:
    """Threads that submit flows as fast as they are let, and never give one up."""

    def __init__(self, daemon, work):
        self.daemon, self.work = daemon, work
        self.allowed, self.next, self.counts, self.refused = 0, 0, Counter(), []
        self.lock = threading.Condition()
        self.threads = [threading.Thread(target=self._serve, daemon=True) for _ in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def allow(self, count):
        with self.lock:
            self.allowed = count
            self.lock.notify_all()

    def join(self):
        for thread in self.threads:
            thread.join()

    def _take(self):
        with self.lock:
            while self.next >= self.allowed and self.allowed < len(self.work):
                self.lock.wait()
            self.next += 1
            return self.next - 1 if self.next <= len(self.work) else None

    def _serve(self):
        while (index := self._take()) is not None:
            flow = self.work[index]
            while not self._submit(flow, f"kill-{index}"):
                time.sleep(0.1)

    def _submit(self, flow, key):
        try:
            status, headers, body = http("POST", self.daemon.url + "/v1/sagas", flow.body(),
                                         {"Idempotency-Key": key}, timeout=10)
        except ConnectionError:
            return self._count("submits without an answer")
        if status not in (200, 201):
            if status not in (409, 429, 503):
                self.refused.append(f"{flow.input} was refused: {status} {body!r}")
                return True
            return self._count(f"submits answered {status}")
        if headers.get("Idempotent-Replayed"):
            self._count("submits replayed")
        flow.id = json.loads(body)["id"]
        return True

    def _count(self, what):
        with self.lock:
            self.counts[what] += 1
        return False


def break_things(daemon, postgres, clients, plan, chance):
    """Carry out the faults; after each, a share more of the work is let in, so that the work outlasts them."""
    counts = Counter()
    for number, fault in enumerate(plan):
        clients.allow(len(clients.work) * (number + 1) // (len(plan) + 1))
        time.sleep(chance.uniform(0.3, 2.0))
        if fault == "kill":
            daemon.must_live()
            daemon.kill()
            counts["sagad killed"] += 1
            time.sleep(chance.uniform(0, 0.5))
            # Now and then it is killed again while it starts.
            in_a_hurry = plan[number + 1:number + 2] == ["kill"] and chance.random() < 0.3
            daemon.start(wait=0 if in_a_hurry else 30)
        else:
            postgres.crash()
            counts["PostgreSQL crashed"] += 1
    return counts


def all_sagas(daemon):
    """The ids of every saga that is there, by the API."""
    ids, cursor = [], ""
    while cursor is not None:
        status, page = daemon.call("GET", "/v1/sagas?limit=500" + (f"&cursor={cursor}" if cursor else ""))
        assert status == 200, page
        ids += [saga["id"] for saga in page["items"]]
        cursor = page["next_cursor"]
    return ids


def worked_on(postgres):
    """Sagas of which an effect was there."""
    return int(postgres.sql("select count(distinct split_part(key, '/', 1)) from shop.ledger")[0][0])


def judge(daemon, postgres, work):
    wrong = flows.violations(work, flows.ledger(postgres.url), weather="bad")
    ids = all_sagas(daemon)
    if sorted(ids) != sorted(flow.id for flow in work):
        wrong.append(f"{len(ids)} sagas are there, {len({flow.id for flow in work})} were accepted")
    return wrong


def play(options, seed, postgres, broker):
    chance = random.Random(seed)
    work = workload(options.sagas, chance)
    plan = ["kill"] * options.kills + ["crash"] * options.crashes
    chance.shuffle(plan)
    settings = ["--instance", "kill-test"]
    if isinstance(broker, EmbeddedBroker):
        settings += ["--kafka-settings", "fetch.wait.max.ms=5"]
    with Daemon(postgres.url, broker.brokers, settings) as daemon:
        daemon.prepare().start()
        with Participants(postgres.url, broker.brokers) as participants:
            flows.register(daemon)
            begun = time.monotonic()
            clients = Clients(daemon, work)
            counts = break_things(daemon, postgres, clients, plan, chance)
            during = worked_on(postgres)
            clients.allow(len(work))
            clients.join()
            daemon.must_live()
            participants.must_live()
            counts.update(clients.counts)
            accepted = [flow for flow in work if flow.id]
            ended = flows.wait_for_ends(daemon, accepted, CONVERGE_S)
            wrong = clients.refused + judge(daemon, postgres, accepted)
            if not ended or wrong:
                wrong += [f"sagad's log ends:\n{daemon.tail()}\nits errors:\n{daemon.complaints()}"]
            ends = Counter(flow.state for flow in accepted)
            print(f"{len(accepted)} sagas in {time.monotonic() - begun:.0f} s: "
                  + ", ".join(f"{number} {state}" for state, number in sorted(ends.items(), key=str)))
            print(f"attempts ran out, so undone: {sum(flow.state != flow.end for flow in accepted)}")
            print(f"sagas with effects before the last fault was over: {during}")
            for what, number in sorted(counts.items()):
                print(f"{what}: {number}")
            assert daemon.stop() == 0, "sagad did not stop well"
    return wrong, counts


def main():
    options = arguments()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 31)
    print(f"seed {seed}", flush=True)
    try:
        postgres = Postgres()
    except FileNotFoundError as missing:
        print(f"skipped: {missing}")
        return SKIPPED
    with postgres:
        if os.environ.get("KAFKA_LIB"):
            broker = Kafka()
            broker.create_topics(flows.OWN_TOPICS + flows.TOPICS)
        else:
            broker = EmbeddedBroker(flows.OWN_TOPICS + flows.TOPICS)
        with broker:
            print(f"broker: {type(broker).__name__}", flush=True)
            wrong, counts = play(options, seed, postgres, broker)
    if counts["sagad killed"] != options.kills or counts["PostgreSQL crashed"] != options.crashes:
        wrong.append("not every planned fault was injected")
    for sentence in wrong[:20]:
        print(f"WRONG: {sentence}")
    if wrong:
        print(f"{len(wrong)} violations; again with --seed {seed}")
    else:
        print("every accepted saga ended as it should, every effect is there once")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
