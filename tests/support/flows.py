"""The two demo flows as a test wants them: inputs with a known end, and the ledger that must follow.

What each card and each refused region leads to is the law of participants/demo/README.md.
"""
import json
import time
from collections import Counter, defaultdict

from servers import ROOT, sql

DEMO = ROOT / "participants" / "demo"
TOPICS = [f"{name}.commands" for name in ("inventory", "risk", "payments", "shipping", "mail", "content")]
OWN_TOPICS = ["saga.replies", "saga.events", "saga.signals", "saga.replies.dlt"]
ENDED = {"succeeded", "compensated", "stuck", "terminated"}
END_BY_CARD = {None: "succeeded", "down": "succeeded", "declined": "compensated", "timeout": "compensated"}
# Without an undo: what they did stays.
KEPT = {"fraud_check", "cache"}


class Flow:
    """One saga to be: its definition and input, the end it has in good weather, and the effects of each end.

    `effects` maps an end to (steps that took effect, steps that may have). An end that is not in it is
    wrong in any weather; one that is, but is not `end`, comes of attempts that ran out while sagad was dead.
    """

    def __init__(self, definition, given, end, effects):
        self.definition, self.input, self.end, self.effects = definition, given, end, effects
        self.id = self.state = None

    def body(self):
        return {"definition": self.definition, "input": self.input}


def order(name, card=None, items=2, total=120.5):
    """An order-checkout; above 500 the risk is checked too."""
    given = {"order_id": name, "customer_id": f"c-{name}", "total": total,
             "items": [{"sku": f"sku-{i}", "qty": i + 1} for i in range(items)]}
    if card:
        given["card"] = card
    before = [f"reserve/{i}" for i in range(items)] + (["fraud_check"] if total > 500 else [])
    effects = {
        None: {"succeeded": (before + ["charge", "ship", "notify"], []), "compensated": ([], before + ["charge"])},
        "declined": {"compensated": (before, [])},
        # Its last attempt, which gets no answer either, may not have come to the participant.
        "timeout": {"compensated": (before, ["charge"])},
    }
    return Flow("order-checkout", given, END_BY_CARD[card], effects.get(card, effects[None]))


def title(name, state="published", regions=("DE", "FR", "US"), refuse=None):
    """A content-publish. Beside a region that refuses, others may or may not have been asked already."""
    given = {"title_id": name, "state": state, "regions": list(regions)}
    if refuse:
        given["refuse_region"] = refuse
    first = ["rights", "catalogue", "artwork"]
    asked = [f"availability/{i}" for i, region in enumerate(regions) if region != refuse]
    if refuse in regions:
        return Flow("content-publish", given, "compensated", {"compensated": (first, asked)})
    return Flow("content-publish", given, "succeeded", {"succeeded": (first + asked + ["search", "cache"], [])})


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


def violations(flows, books, weather="good"):
    """What is wrong, one sentence each: ends that differ, effects that are missing, doubled or not undone."""
    wrong = []
    for flow in flows:
        name = f"{flow.definition} {flow.id} {json.dumps(flow.input)}"
        if flow.state not in ({flow.end} if weather == "good" else flow.effects):
            wrong.append(f"{name}: ended {flow.state}, not {flow.end}")
            continue
        must, may = flow.effects[flow.state]
        rows = books.get(flow.id, {})
        for step in sorted({*rows, *must}):
            ops = rows.get(step, {})
            done, undone = ops.get("action", 0), ops.get("compensate", 0)
            if done > 1 or done < (step in must):
                wrong.append(f"{name}: ended {flow.state}, {step} took effect {done} times")
            if done and step not in must and step not in may:
                wrong.append(f"{name}: ended {flow.state}, {step} took effect and should not have")
            must_undo = done if flow.state == "compensated" and step not in KEPT else 0
            if undone != must_undo:
                wrong.append(f"{name}: ended {flow.state}, {step} was undone {undone} times, not {must_undo}")
    known = {flow.id for flow in flows}
    wrong += [f"effects of a saga that nobody started: {saga}" for saga in sorted(set(books) - known)]
    return wrong
