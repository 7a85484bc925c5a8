#!/usr/bin/env python3
"""The demo flows on real Kafka with participants in three languages: Python takes the payments, Node the
stock and the mail, C the rest. Needs KAFKA_LIB, confluent-kafka and psycopg for PARTICIPANT_PYTHON (an
interpreter), and participants/node with its modules. Ends, order of the undo and ledgers are checked.
"""
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import flows  # noqa: E402
from servers import ROOT, SKIPPED, Daemon, Kafka, Participants, Postgres, program  # noqa: E402

PYTHON = os.environ.get("PARTICIPANT_PYTHON", sys.executable)
SHOPS = [
    ("shop_python", [PYTHON, ROOT / "participants" / "python" / "shop.py", "payments"]),
    ("shop_node", ["node", ROOT / "participants" / "node" / "shop.js", "inventory"]),
    ("shop_node", ["node", ROOT / "participants" / "node" / "shop.js", "mail"]),
    ("shop", [program("saga-demo-participants"), "--topics", "risk.commands,shipping.commands,content.commands"]),
]


def missing():
    """Why this cannot run here, or None."""
    if not os.environ.get("KAFKA_LIB"):
        return "KAFKA_LIB names no folder of Kafka jars"
    if subprocess.run([PYTHON, "-c", "import confluent_kafka, psycopg"], capture_output=True).returncode != 0:
        return f"{PYTHON} has no confluent-kafka and psycopg"
    if not (ROOT / "participants" / "node" / "node_modules" / "kafkajs").is_dir():
        return "participants/node has no modules: npm ci"
    return None


def workload():
    work = []
    for i in range(20):
        work += [flows.order(f"fine-{i}", total=750 if i % 2 else 20), flows.order(f"declined-{i}", "declined")]
        work += [flows.title(f"title-{i}"), flows.title(f"refused-{i}", refuse="FR")]
    work += [flows.order(f"down-{i}", "down") for i in range(5)]
    work += [flows.order(f"timeout-{i}", "timeout") for i in range(5)]
    return work


def undo_order(daemon, flow):
    """The steps in the order in which their undo was sent."""
    status, page = daemon.call("GET", f"/v1/sagas/{flow.id}/history?limit=500")
    assert status == 200, page
    return [row["step"] for row in page["items"] if row["type"] == "step.dispatched" and row["op"] == "compensate"]


def play(postgres, kafka):
    with Daemon(postgres.url, kafka.brokers) as daemon:
        daemon.prepare().start()
        flows.register(daemon)
        done = daemon.tool("topics", "apply", "--all", "--kafka-brokers", kafka.brokers, "--database-url", postgres.url)
        assert done.returncode == 0, done.stderr
        shops = [Participants(postgres.url, kafka.brokers, argv, {"SHOP_SCHEMA": schema}) for schema, argv in SHOPS]
        work = [flows.start(daemon, flow) for flow in workload()]
        ended = flows.wait_for_ends(daemon, work, 120)
        for shop in shops:
            shop.must_live()
        wrong = flows.violations(work, flows.ledger(postgres.url, {schema for schema, _ in SHOPS}))
        for flow in work:
            if flow.definition == "order-checkout" and flow.input.get("card") == "timeout":
                undone = undo_order(daemon, flow)
                if not undone or undone[0] != "charge" or set(undone[1:]) != {"reserve"}:
                    wrong.append(f"{flow.id}: undone in the order {undone}")
        if not ended or wrong:
            print(daemon.tail())
            for shop in shops:
                print(shop.argv, shop.tail())
        for shop in shops:
            status = shop.stop()
            if status != 0:
                wrong.append(f"{shop.argv} ended with {status}")
            shop.close()
        assert daemon.stop() == 0, "sagad did not stop well"
    print(f"{len(work)} sagas with participants in Python, Node and C on Kafka")
    return wrong


def main():
    why = missing()
    if why:
        print(f"skipped: {why}")
        return SKIPPED
    with Postgres() as postgres, Kafka() as kafka:
        wrong = play(postgres, kafka)
    for sentence in wrong[:20]:
        print(f"WRONG: {sentence}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
