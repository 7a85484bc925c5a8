"""The two demo flows as a test wants them: inputs with a known end, and the ledger that must follow.

What each card and each refused region leads to is the law of participants/demo/README.md.
"""
import json
import time
from collections import Counter, defaultdict

from servers import ROOT, sql

DEMO = ROOT / "participants" / "demo"
TOPICS = [f"{name}.commands" for name in ("inventory", "risk", "payments", "shipping", "mail", "content")]
ENDED = {"succeeded", "compensated", "stuck", "terminated"}
END_BY_CARD = {None: "succeeded", "down": "succeeded", "declined": "compensated", "timeout": "compensated"}
# Without an undo: what they did stays.
KEPT = {"fraud_check", "cache"}


class Flow:
    """One saga to be: its definition and input, the end it must have, and the effects of that end."""

    def __init__(self, definition, given, end, done, may_be_done=()):
        self.definition, self.input, self.end = definition, given, end
        self.done, self.may_be_done = set(done), set(may_be_done)
        self.id = self.state = None

    def body(self):
        return {"definition": self.definition, "input": self.input}


def order(name, card=None, items=2, total=120.5):
    """An order-checkout; above 500 the risk is checked too."""
    given = {"order_id": name, "customer_id": f"c-{name}", "total": total,
             "items": [{"sku": f"sku-{i}", "qty": i + 1} for i in range(items)]}
    if card:
        given["card"] = card
    reserved = [f"reserve/{i}" for i in range(items)]
    risk = ["fraud_check"] if total > 500 else []
    end = END_BY_CARD[card]
    done = reserved + risk + {"succeeded": ["charge", "ship", "notify"],
                              "compensated": ["charge"] if card == "timeout" else []}[end]
    return Flow("order-checkout", given, end, done)


def title(name, state="published", regions=("DE", "FR", "US"), refuse=None):
    """A content-publish. Beside a region that refuses, others may or may not have been asked already."""
    given = {"title_id": name, "state": state, "regions": list(regions)}
    if refuse:
        given["refuse_region"] = refuse
    first = ["rights", "catalogue", "artwork"]
    asked = [f"availability/{i}" for i, region in enumerate(regions) if region != refuse]
    if refuse in regions:
        return Flow("content-publish", given, "compensated", first, asked)
    return Flow("content-publish", given, "succeeded", first + asked + ["search", "cache"])


def register(daemon, headers=()):
    """Register both definitions; they may be there already."""
    for path in sorted(DEMO.glob("*.saga.json")):
        status, answer = daemon.call("POST", "/v1/definitions", path.read_bytes(), headers)
        assert status in (200, 201), f"{path.name}: {status} {answer}"


def start(daemon, flow, headers=()):
    status, answer = daemon.call("POST", "/v1/sagas", flow.body(), headers)
    assert status in (200, 201), f"{flow.input}: {status} {answer}"
    flow.id, flow.state = answer["id"], answer["state"]
    return flow


def wait_for_ends(daemon, flows, seconds, headers=()):
    """Until each saga ended; fills in their states. Unavailable reads are tried again."""
    deadline = time.monotonic() + seconds
    for flow in flows:
        while flow.state not in ENDED:
            try:
                status, answer = daemon.call("GET", f"/v1/sagas/{flow.id}?wait=5", None, headers)
                flow.state = answer["state"] if status == 200 else flow.state
            except ConnectionError:
                time.sleep(0.2)
            if time.monotonic() > deadline and flow.state not in ENDED:
                return False
    return True


def ledger(database_url, schemas=("shop",)):
    """{saga id: {step key: Counter of ops}} over all schemas."""
    found = defaultdict(lambda: defaultdict(Counter))
    for schema in schemas:
        for key, op in sql(database_url, f"select key, op from {schema}.ledger"):
            saga, _, step = key.partition("/")
            found[saga][step][op] += 1
    return found


def violations(flows, books):
    """What is wrong, one sentence each: ends that differ, effects that are missing, doubled or not undone."""
    wrong = []
    for flow in flows:
        name = f"{flow.definition} {flow.id} {json.dumps(flow.input)}"
        if flow.state != flow.end:
            wrong.append(f"{name}: ended {flow.state}, not {flow.end}")
            continue
        rows = books.get(flow.id, {})
        for step in sorted(set(rows) | flow.done):
            actions, undone = rows[step]["action"] if step in rows else 0, rows[step]["compensate"] if step in rows else 0
            if step not in flow.done | flow.may_be_done and actions:
                wrong.append(f"{name}: {step} took effect and should not have")
            if step in flow.done and actions != 1 or actions > 1:
                wrong.append(f"{name}: {step} took effect {actions} times")
            must_undo = actions if flow.end == "compensated" and step.split("/")[0] not in KEPT else 0
            if undone != must_undo:
                wrong.append(f"{name}: {step} was undone {undone} times, not {must_undo}")
    known = {flow.id for flow in flows}
    wrong += [f"effects of a saga that nobody started: {saga}" for saga in set(books) - known]
    return wrong
