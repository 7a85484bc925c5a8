"""Signals by REST and by attribute: early, awaited, again, too late; what they bring and who may not send them."""
import subprocess
import uuid

import pytest

from client import new_id
from participant import no, ok, silence
from servers import program, until
from story import ONCE


def waits(story, *before, **members):
    return [*before, {"id": "approval", "signal": {"name": "approved", **members}}, story.step("ship")]


def signal(api, id_, name="approved", payload=None, key=None, reason=None, **query):
    body = {k: v for k, v in {"payload": payload, "reason": reason}.items() if v is not None}
    headers = query.pop("headers", None)
    return api.post(f"/v1/sagas/{id_}/signals/{name}", body, key=key, headers=headers, **query)


def test_a_signal_ends_the_wait_and_is_its_output(story):
    id_ = story.start(*waits(story), output={"by": "${steps.approval.output.by}"})
    assert story.api.step(id_, "approval")["state"] == "dispatched"
    answer = signal(story.api, id_, payload={"by": "ann", "n": 0.10}, reason="four eyes")
    assert answer.must(202)["id"] == id_ and answer.header("etag")
    saga = story.api.wait(id_, "succeeded")
    assert saga["output"] == {"by": "ann"}
    taken = story.api.history(id_, "step.signal_received")[0]
    assert taken["step"] == "approval" and taken["actor"] and taken["detail"]["reason"] == "four eyes"
    assert b'"n":0.1' in story.api.get(f"/v1/sagas/{id_}/steps/approval").raw


def test_a_signal_that_comes_early_is_kept(story):
    id_ = story.start(*waits(story, story.step("first", silence)))
    story.sent(id_, "first")
    signal(story.api, id_, payload=[1]).must(202)
    assert story.api.step(id_, "approval")["state"] == "waiting"
    story.answer(story.sent(id_, "first"), ok())
    story.api.wait(id_, "succeeded")
    assert story.api.step(id_, "approval")["output"] == [1]


def test_the_same_key_is_one_signal(story):
    id_ = story.start(*waits(story, story.step("first", silence)))
    key = uuid.uuid4().hex
    first = signal(story.api, id_, payload={"n": 1}, key=key)
    again = signal(story.api, id_, payload={"n": 1}, key=key)
    assert first.must(202) == again.must(202) and again.header("idempotent-replayed") == "true"
    signal(story.api, id_, payload={"n": 2}, key=key).problem(422, "key-reused")
    assert len(story.api.history(id_, "step.signal_received")) == 1
    signal(story.api, id_, payload={"n": 3}).must(202)
    signal(story.api, id_, payload={"n": 3}).must(202)
    assert len(story.api.history(id_, "step.signal_received")) == 3, "without a key each is a new one"


def test_a_payload_that_breaks_its_schema_is_told_with_every_place(story):
    schema = {"type": "object", "required": ["by", "level"], "properties": {"level": {"type": "integer"}}}
    id_ = story.start(*waits(story, schema=schema), attributes={"shop": "${saga.id}"})
    story.api.wait_step(id_, "approval", "dispatched")
    problem = signal(story.api, id_, payload={"level": "high"}).problem(422, "invalid")
    assert {error["pointer"] for error in problem["errors"]} == {"/payload/by", "/payload/level"}
    problem = by_attribute(story.api, attribute={"shop": id_}, payload=1).problem(422, "invalid")
    assert problem["errors"][0]["pointer"] == "/payload"
    signal(story.api, id_, payload={"by": "ann", "level": 2}).must(202)
    assert story.api.wait(id_)["state"] == "succeeded"
    signal(story.api, id_, payload={"level": "high"}).problem(409, "not-allowed")


def test_a_preview_refuses_a_payload_as_the_signal_itself_would(story):
    schema = {"type": "object", "required": ["by", "level"], "properties": {"level": {"type": "integer"}}}
    id_ = story.start(*waits(story, schema=schema))
    real = signal(story.api, id_, payload={"level": "high"}).problem(422, "invalid")
    preview = signal(story.api, id_, payload={"level": "high"}, dry_run="true").problem(422, "invalid")
    assert preview["errors"] == real["errors"]
    assert signal(story.api, id_, payload={"by": "ann", "level": 2}, dry_run="true").must(200)["would"]
    story.api.command(id_, "cancel").must(202)
    story.api.wait(id_)
    signal(story.api, id_, payload={"level": "high"}, dry_run="true").problem(409, "not-allowed")


def test_an_unknown_name_is_answered_with_those_that_are_known(story):
    id_ = story.start(*waits(story))
    detail = signal(story.api, id_, "aproved").problem(404, "signal-not-found")["detail"]
    assert "approved" in detail
    signal(story.api, id_, "aproved", dry_run="true").problem(404, "signal-not-found")
    signal(story.api, new_id()).problem(404, "saga-not-found")
    other = story.api.start({"inline": story.define(story.step("one", silence))})
    assert "none" in signal(story.api, other).problem(404, "signal-not-found")["detail"]


def test_a_saga_that_has_ended_takes_no_signal(story):
    id_ = story.start(*waits(story))
    key = uuid.uuid4().hex
    signal(story.api, id_, key=key).must(202)
    story.api.wait(id_, "succeeded")
    assert "succeeded" in signal(story.api, id_).problem(409, "not-allowed")["detail"]
    signal(story.api, id_, dry_run="true").problem(409, "not-allowed")
    signal(story.api, id_, key=key).must(202)


def test_a_preview_says_what_would_follow_and_changes_nothing(story):
    id_ = story.start(*waits(story))
    would = signal(story.api, id_, payload=1, dry_run="true").must(200)["would"]
    assert [w["do"] for w in would] == ["send"] and would[0]["step"] == "ship"
    assert story.api.step(id_, "approval")["state"] == "dispatched"
    stale = signal(story.api, id_, headers={"If-Match": '"77"'})
    stale.problem(412, "stale")
    signal(story.api, id_, headers={"If-Match": f'"{story.api.saga(id_)["revision"]}"'}).must(202)
    story.api.wait(id_, "succeeded")


@pytest.mark.parametrize("body, status, pointer", [
    ({"output": 1}, 422, "/output"), ({"payload": 1, "input": {}}, 422, "/input"), ({"code": "x"}, 422, "/code"),
    ({"reason": ""}, 422, "/reason"), ({"colour": 1}, 422, "/colour"), ({"payload": "x" * (256 * 1024)}, 413, "/payload")])
def test_a_wrong_signal_is_refused(story, body, status, pointer):
    id_ = story.start(*waits(story))
    answer = story.api.post(f"/v1/sagas/{id_}/signals/approved", body)
    assert pointer in [error["pointer"] for error in answer.problem(status)["errors"]]
    assert story.api.step(id_, "approval")["state"] == "dispatched"


def test_a_payload_of_256_kib_is_taken(story):
    id_ = story.start(*waits(story))
    text = "x" * (256 * 1024 - 2)
    signal(story.api, id_, payload=text).must(202)
    story.api.wait(id_, "succeeded")
    assert story.api.step(id_, "approval")["output"] == text


def test_a_payload_is_no_member_of_other_commands(story):
    id_ = story.start(*waits(story))
    answer = story.api.post(f"/v1/sagas/{id_}/cancel", {"payload": 1})
    assert answer.pointers() == ["/payload"]


def test_a_saga_remembers_a_thousand_signals(story):
    id_ = story.start(*waits(story, story.step("first", silence)))
    story.sent(id_, "first")
    for n in range(1000):
        signal(story.api, id_, payload=n).must(202)
    assert "1000" in signal(story.api, id_).problem(409, "not-allowed")["detail"]
    story.answer(story.sent(id_, "first"), ok())
    story.api.wait(id_, "succeeded")
    assert story.api.step(id_, "approval")["output"] == 0


def test_what_is_kept_survives_a_kill(story, stack):
    id_ = story.start(*waits(story, story.step("first", silence)))
    story.sent(id_, "first")
    key = uuid.uuid4().hex
    signal(story.api, id_, payload={"kept": True}, key=key).must(202)
    stack.daemon.kill()
    stack.daemon.start()
    assert signal(story.api, id_, payload={"kept": True}, key=key).must(202)
    story.answer(story.sent(id_, "first"), ok())
    story.api.wait(id_, "succeeded")
    assert story.api.step(id_, "approval")["output"] == {"kept": True}
    assert len(story.api.history(id_, "step.signal_received")) == 1


def test_a_signal_is_in_the_export_and_replays(story, stack, tmp_path):
    id_ = story.start(*waits(story, story.step("first", silence, timeout="1h", retry=ONCE)))
    story.sent(id_, "first")
    ran = subprocess.run([program("sagactl"), "--url", stack.daemon.url, "signal", id_, "approved", "--payload", '{"a":0.10}'],
                         capture_output=True, text=True, timeout=30)
    assert ran.returncode == 0, ran.stderr
    story.answer(story.sent(id_, "first"), ok())
    story.api.wait(id_, "succeeded")
    raw = story.api.get(f"/v1/sagas/{id_}/export").raw
    assert b'"payload":{"a":0.10}' in raw
    ran = subprocess.run([program("sagactl"), "replay", "-"], input=raw, capture_output=True, timeout=30)
    assert ran.returncode == 0, (ran.stdout, ran.stderr)


# ---- by attribute -------------------------------------------------------------------------

def order(story, n, *before):
    made = story.register(*waits(story, *before), attributes={"order_id": "${input.order}", "shop": "${input.shop}"})
    return story.api.start(made, {"order": f"{story.name}-{n}", "shop": story.name})


def by_attribute(api, name="approved", key=None, **body):
    return api.post(f"/v1/signals/{name}", body, key=key)


def test_a_signal_finds_its_saga_by_an_attribute(story):
    ids = [order(story, n) for n in range(3)]
    answer = by_attribute(story.api, attribute={"order_id": f"{story.name}-1", "shop": story.name}, match="one", payload=7, reason="paid")
    assert answer.must(202) == {"items": [{"saga": ids[1], "status": 202, "verdict": "applied"}]}
    story.api.wait(ids[1], "succeeded")
    assert story.api.step(ids[1], "approval")["output"] == 7
    assert story.api.step(ids[0], "approval")["state"] == "dispatched"
    by_attribute(story.api, attribute={"order_id": f"{story.name}-1"}).problem(404, "saga-not-found")


def test_one_is_exactly_one(story):
    ids = [order(story, n) for n in range(2)]
    assert "2 open" in by_attribute(story.api, attribute={"shop": story.name}).problem(409, "matches-many")["detail"]
    by_attribute(story.api, attribute={"shop": story.name, "order_id": "other"}).problem(404, "saga-not-found")
    assert "approved" in by_attribute(story.api, "aproved", attribute={"order_id": f"{story.name}-0"}).problem(404, "signal-not-found")["detail"]
    assert [story.api.step(i, "approval")["state"] for i in ids] == ["dispatched"] * 2


@pytest.mark.parametrize("attribute", [{"shop": "a\0b"}, {"sh\0op": "a"}])
def test_an_attribute_with_a_nul_names_no_saga(story, attribute):
    by_attribute(story.api, attribute=attribute).problem(422, "invalid")


def test_all_are_told_one_by_one_what_became_of_them(story):
    ids = [order(story, n) for n in range(3)]
    story.api.command(ids[0], "terminate").must(202)
    undone = order(story, 9, story.step("first", undo=[silence]), story.step("bad", silence))
    story.answer(story.sent(undone, "bad"), no("declined"))
    story.sent(undone, "undo first")
    key = uuid.uuid4().hex
    answer = by_attribute(story.api, attribute={"shop": story.name}, match="all", payload=1, key=key)
    found = {item["saga"]: item for item in answer.must(202)["items"]}
    assert {i: found[i]["status"] for i in found} == {ids[1]: 202, ids[2]: 202, undone: 409}
    assert found[undone]["problem"]["type"] == "/problems/not-allowed"
    for id_ in ids[1:]:
        story.api.wait(id_, "succeeded")
    again = until(lambda: (a := by_attribute(story.api, attribute={"shop": story.name}, match="all", payload=1, key=key)).status == 202 and a, 60, "a replay")
    assert again.json == answer.json and again.header("idempotent-replayed") == "true"
    by_attribute(story.api, attribute={"shop": story.name}, match="all", payload=2, key=key).problem(422, "key-reused")


def test_the_key_of_a_signal_is_the_same_by_attribute(story):
    id_ = order(story, 0, story.step("first", silence))
    key = uuid.uuid4().hex
    signal(story.api, id_, payload=1, key=key).must(202)
    story.api.post("/v1/signals/approved", {"attribute": {"shop": story.name}}, key=key).problem(422, "key-reused")
    assert len(story.api.history(id_, "step.signal_received")) == 1


@pytest.mark.parametrize("body, pointer", [
    ({}, "/attribute"), ({"attribute": {}}, "/attribute"), ({"attribute": "x"}, "/attribute"), ({"attribute": {"a": 1}}, "/attribute/a"),
    ({"attribute": {"a": "b"}, "match": "some"}, "/match"), ({"attribute": {"a": "b"}, "colour": 1}, "/colour"),
    ({"attribute": {f"a{n}": "b" for n in range(17)}}, "/attribute"), ({"attribute": {"a": "b"}, "reason": ""}, "/reason")])
def test_a_wrong_signal_by_attribute_is_refused(story, body, pointer):
    assert pointer in story.api.post("/v1/signals/approved", body).pointers()


def test_more_than_a_thousand_sagas_are_for_a_batch(story):
    made = story.register(*waits(story), attributes={"shop": "${input.shop}"})
    for bulk in (1000, 1):
        items = [{"definition": made, "input": {"shop": story.name}}] * bulk
        assert {item["status"] for item in story.api.post("/v1/sagas/bulk", {"items": items}).must()["items"]} == {201}
    answer = by_attribute(story.api, attribute={"shop": story.name}, match="all")
    assert "1000" in answer.problem(409, "matches-many")["detail"]
    last = story.api.get("/v1/sagas", definition=story.name, limit=1).must()["items"][0]["id"]
    story.api.command(last, "terminate").must(202)
    items = by_attribute(story.api, attribute={"shop": story.name}, match="all").must(202)["items"]
    assert len(items) == 1000 and {item["status"] for item in items} == {202}


def test_sagactl_signals_by_attribute(story, stack):
    ids = [order(story, n) for n in range(2)]

    def sagactl(*words):
        return subprocess.run([program("sagactl"), "--url", stack.daemon.url, "signal", *words], capture_output=True, text=True, timeout=30)
    many = sagactl("approved", "--attribute", f"shop={story.name}")
    assert many.returncode == 4 and "2 open" in many.stderr
    one = sagactl("approved", "--attribute", f"shop={story.name}", "--attribute", f"order_id={story.name}-0", "--payload", "[1]", "-o", "id")
    assert (one.returncode, one.stdout) == (0, ids[0] + "\n"), one.stderr
    rest = sagactl("approved", "--attribute", f"shop={story.name}", "--all", "--reason", "closing")
    assert rest.returncode == 0 and ids[1] in rest.stdout
    assert sagactl("approved", "--attribute", "shop").returncode == 2
    assert sagactl("approved").returncode == 2
