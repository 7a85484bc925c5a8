"""Batches: a frozen set, each item once, at a rate, through kills and beside another node."""
import subprocess

import pytest

from client import Api, new_id
from conftest import Stack
from participant import again, made, no, ok, silence
from servers import Daemon, program, sql, until
from story import SLOW, Story

FAST = 5000


@pytest.fixture(scope="module")
def stack():
    """One of our own: it is broken here."""
    made_ = Stack()
    yield made_
    made_.close()


@pytest.fixture
def story(stack):
    yield Story(stack.api, stack.participant)
    if not stack.daemon.alive():
        stack.daemon.start()


def post(story, verb_, key=None, headers=None, **members):
    given = {"verb": verb_, "reason": "contract test", "rate_per_s": FAST, **members}
    return story.api.post("/v1/batches", {name: value for name, value in given.items() if value is not ...}, key=key, headers=headers)


def batch(story, id_):
    return story.api.get(f"/v1/batches/{id_}").must()


def done(story, id_, *states, seconds=40):
    def there():
        found = batch(story, id_)
        return found["state"] in (states or ("done",)) and found
    return until(there, seconds, f"batch {id_} in {states or 'done'}")


def run(story, verb, **members):
    return done(story, post(story, verb, **members).must(202)["id"])


def items(story, id_, **query):
    return list(story.api.pages(f"/v1/batches/{id_}/items", **query))


def mine(story):
    return {"definition": story.name}


def silent(story, count):
    """Sagas whose first command is never answered."""
    definition = story.register(story.step("pay", silence), story.step("last"))
    body = {"items": [{"definition": definition} for _ in range(count)]}
    return [one["saga"]["id"] for one in story.api.post("/v1/sagas/bulk", body).must(200)["items"]]


def retrying(story, count):
    definition = story.register(story.step("pay", again("busy"), ok({}), retry=SLOW))
    ids = [story.api.start(definition) for _ in range(count)]
    for id_ in ids:
        story.api.wait_step(id_, "pay", "retrying")
    return ids


def stuck(story, count, *undo):
    definition = story.register(story.step("one", undo=undo or (no("locked"), ok())), story.step("pay", no("declined")))
    ids = [story.api.start(definition) for _ in range(count)]
    for id_ in ids:
        story.api.wait(id_, "stuck")
    return ids


# ---- the verbs ------------------------------------------------------------------------------

def test_a_batch_takes_what_the_filter_finds_and_records_who_and_why(story):
    ids = silent(story, 5)
    made_ = post(story, "cancel", filter=mine(story)).must(202)

    assert made_["total"] == 5 and sorted(made_["sample"]) == sorted(ids) and made_["filter"] == mine(story), made_
    found = done(story, made_["id"])

    assert (found["done"], found["failed"], found["verb"], found["reason"]) == (5, 0, "cancel", "contract test")
    assert [act["verb"] for act in found["acts"]] == ["make"] and found["finished_at"] >= found["created_at"]
    assert [(item["seq"], item["state"], item["problem"]) for item in items(story, made_["id"])] == [(n, "done", None) for n in range(5)]
    for id_ in ids:
        [entry] = story.api.history(id_, "operator.command")
        assert entry["detail"] == {"verb": "cancel", "reason": "contract test"} and entry["actor"] == "anonymous"


def test_items_that_the_state_does_not_allow_fail_as_the_single_command_would(story):
    good, ended, missing = silent(story, 1)[0], silent(story, 1)[0], new_id()
    story.api.command(ended, "terminate").must(202)

    found = run(story, "pause", ids=[good, ended, missing])

    assert (found["total"], found["done"], found["failed"], found["filter"]) == (3, 1, 2, None)
    by_id = {item["id"]: item for item in items(story, found["id"])}
    assert by_id[good]["state"] == "done"
    single = story.api.command(ended, "pause").problem(409, "not-allowed")
    assert by_id[ended]["problem"] == {"type": "/problems/not-allowed", "title": single["title"], "status": 409, "detail": single["detail"]}
    assert by_id[missing]["problem"]["type"] == "/problems/saga-not-found"
    assert {item["id"] for item in items(story, found["id"], failed="true")} == {ended, missing}
    assert [len(page) for page in pages_of(story, found["id"], 2)] == [2, 1]


def pages_of(story, id_, limit):
    cursor = {}
    while True:
        page = story.api.get(f"/v1/batches/{id_}/items", limit=limit, **cursor).must()
        yield page["items"]
        if page["next_cursor"] is None:
            return
        cursor = {"cursor": page["next_cursor"]}


def test_past_the_pivot_a_cancel_says_so(story):
    id_ = story.start(story.step("one", pivot=True, undo=None), story.step("pay", silence, undo=None))
    story.sent(id_, "pay")

    found = run(story, "cancel", ids=[id_])

    assert items(story, found["id"])[0]["problem"]["type"] == "/problems/past-pivot"


def test_a_failure_group_is_retried_as_a_whole(story):
    ids = stuck(story, 3)
    [group] = story.api.get("/v1/failures", definition=story.name).must()["items"]

    found = run(story, "retry", filter={"failure": group["id"]})

    assert (found["total"], found["done"]) == (3, 3)
    for id_ in ids:
        story.api.wait(id_, "compensated")
    story.api.get(f"/v1/failures/{group['id']}").problem(404)
    post(story, "retry", filter={"failure": group["id"]}).problem(404, "failure-not-found")


def test_skip_takes_the_step_of_its_group(story):
    ids = stuck(story, 2, no("locked"))
    [group] = story.api.get("/v1/failures", definition=story.name).must()["items"]

    found = run(story, "skip", filter={"failure": group["id"]})

    assert (found["step"], found["done"]) == ("one", 2)
    for id_ in ids:
        assert story.api.wait(id_)["state"] == "compensated"
        assert story.api.states(id_)["one"] == "compensation_skipped"


def test_retry_now_sends_what_waits_for_its_next_attempt(story):
    ids = retrying(story, 3)
    other = silent(Story(story.api, story.participant), 1)[0]

    found = run(story, "retry_now", ids=[*ids, other])

    assert (found["done"], found["failed"]) == (3, 1)
    for id_ in ids:
        story.api.wait(id_, "succeeded")
    assert "next attempt" in items(story, found["id"], failed="true")[0]["problem"]["detail"]


def test_skip_of_a_foreach_takes_every_item_or_the_one_that_is_named(story):
    id_ = story.start(story.step("each", again("busy"), retry=SLOW, foreach={"in": "${input}"}), story.step("last"), input=[1, 2, 3])
    for index in range(3):
        story.api.wait_step(id_, "each", "retrying", index=index)

    assert run(story, "skip", ids=[id_], step="none")["failed"] == 1
    assert run(story, "skip", ids=[id_], step="each", index=1)["done"] == 1
    assert story.api.step(id_, "each", 1)["state"] == "skipped" and story.api.step(id_, "each", 2)["state"] == "retrying"
    assert run(story, "skip", ids=[id_], step="each", output={"by": "hand"})["done"] == 1

    assert story.api.wait(id_)["state"] == "succeeded"
    assert story.api.step(id_, "each", 2)["output"] == {"by": "hand"}


def test_pause_resume_and_terminate(story):
    ids = silent(story, 3)
    for verb, filter_, state in (("pause", {"state": "running"}, "running"), ("resume", {"attention": "paused"}, "running"),
                                 ("terminate", {"state": ["running", "pending"]}, "terminated")):
        assert run(story, verb, filter={**mine(story), **filter_})["done"] == 3, verb
        assert {story.api.saga(id_)["state"] for id_ in ids} == {state}
    assert run(story, "terminate", filter=mine(story))["total"] == 0


def test_labels_attributes_versions_and_times_narrow_the_set(story):
    definition = story.register(story.step("pay", silence), attributes={"order": "${input.order}"})
    blue = story.api.start(definition, {"order": "a"}, labels={"team": story.name})
    story.api.start(definition, {"order": "b"}, labels={"team": "other"})
    preview = lambda **filter_: story.api.post("/v1/batches", {"verb": "cancel", "reason": "x", "filter": filter_}, dry_run="true").must(200)

    assert preview(definition=story.name)["total"] == 2
    for narrow in ({"label": f"team={story.name}"}, {"attribute": "order=a", **mine(story)}, {"label": [f"team={story.name}", "team=none"]}):
        found = preview(**narrow)
        assert (found["total"], found["sample"], found["state"], found["id"]) == (1, [blue], "previewed", None), narrow
    assert preview(**mine(story), version=1)["total"] == 2 and preview(**mine(story), version=2)["total"] == 0
    assert preview(**mine(story), created_before="2020-01-01T00:00:00Z")["total"] == 0
    assert run(story, "cancel", filter={"label": f"team={story.name}"})["total"] == 1


def test_dead_letters_are_replayed(story):
    id_ = story.start(story.step("pay", silence))
    command = story.sent(id_, "pay")
    for _ in range(2):
        made(b"{}", ce_sagaoutcome="success", ce_sagatoken="forged" + story.name)(story.participant, command)
    letters = until(lambda: [l for l in story.api.pages("/v1/dead-letters") if l["reason"] == "forged"], 60, "dead letters")

    found = run(story, "replay", filter={"reason": "forged"})

    assert found["total"] == len(letters) and found["failed"] == 0
    assert {item["id"] for item in items(story, found["id"])} == {letter["id"] for letter in letters}
    assert story.api.get(f"/v1/dead-letters/{letters[0]['id']}").must()["settled"] == "replayed"
    again_ = run(story, "replay", ids=[letters[0]["id"], "999999999"])
    assert (again_["done"], again_["failed"]) == (1, 1)


# ---- signals --------------------------------------------------------------------------------

APPROVAL = {"id": "approval", "signal": {"name": "approved", "schema": {"type": ["object", "null"], "required": ["by"]}}}


def waiting(story, count):
    definition = story.register(APPROVAL, story.step("ship"), output={"by": "${steps.approval.output.by}"})
    body = {"items": [{"definition": definition} for _ in range(count)]}
    return [one["saga"]["id"] for one in story.api.post("/v1/sagas/bulk", body).must(200)["items"]]


def test_a_batch_brings_its_signal_to_each_saga_once(story):
    ids = waiting(story, 30)

    found = run(story, "signal", filter=mine(story), name="approved", payload={"by": "ann", "n": 0.10})

    assert (found["done"], found["failed"], found["name"]) == (30, 0, "approved") and "payload" not in found
    for id_ in ids:
        assert story.api.wait(id_, "succeeded")["output"] == {"by": "ann"}
        [row] = story.api.history(id_, "step.signal_received")
        assert row["detail"] == {"name": "approved", "key": f"batch:{found['id']}", "reason": "contract test"} and row["actor"] == "anonymous"


def test_a_saga_that_does_not_take_the_batchs_signal_fails_as_it_would_alone(story):
    good, other, missing = waiting(story, 1)[0], silent(Story(story.api, story.participant), 1)[0], new_id()
    ended = waiting(story, 1)[0]
    story.api.command(ended, "terminate").must(202)

    found = run(story, "signal", ids=[good, other, missing, ended], name="approved", payload={"by": "ann"})

    assert (found["done"], found["failed"]) == (1, 3)
    problems = {item["id"]: item["problem"] for item in items(story, found["id"], failed="true")}
    assert {id_: problem["type"] for id_, problem in problems.items()} == {
        other: "/problems/signal-not-found", missing: "/problems/saga-not-found", ended: "/problems/not-allowed"}
    assert "terminated" in problems[ended]["detail"]
    story.api.wait(good, "succeeded")


def test_a_payload_that_breaks_a_schema_fails_item_by_item(story):
    strict, loose = waiting(story, 1)[0], Story(story.api, story.participant)
    free = loose.start({"id": "approval", "signal": {"name": "approved"}})
    found = run(story, "signal", ids=[strict, free], name="approved", payload={"to": "ann"})
    [problem] = [item["problem"] for item in items(story, found["id"], failed="true")]
    assert (problem["type"], problem["status"]) == ("/problems/invalid", 422) and "by" in problem["detail"]
    assert story.api.wait(free, "succeeded") and story.api.step(strict, "approval")["state"] == "dispatched"
    assert run(story, "signal", ids=[strict], name="approved")["done"] == 1
    story.api.wait(strict, "succeeded")
    assert story.api.step(strict, "approval")["output"] is None


def test_a_preview_of_a_batch_of_signals_signals_nobody(story):
    ids = waiting(story, 3)
    shown = story.api.post("/v1/batches", {"verb": "signal", "name": "approved", "filter": mine(story), "reason": "look"}, dry_run="true").must(200)
    assert (shown["state"], shown["total"], shown["name"]) == ("previewed", 3, "approved")
    assert not [row for id_ in ids for row in story.api.history(id_, "step.signal_received")]


def test_sagactl_signals_many(story, stack):
    ids = waiting(story, 4)
    words = [program("sagactl"), "--url", stack.daemon.url, "batch", "start", "signal", "--definition", story.name, "--reason", "the board met"]
    lacking = subprocess.run([*words, "--yes"], capture_output=True, text=True, timeout=60)
    assert lacking.returncode != 0 and "/name" in lacking.stderr
    words += ["--name", "approved", "--payload", '{"by":"ann"}']
    preview = subprocess.run([*words, "--dry-run"], capture_output=True, text=True, timeout=60)
    assert preview.returncode == 0 and "4 items" in preview.stderr
    done_ = subprocess.run([*words, "--yes", "--wait", "-o", "json"], capture_output=True, text=True, timeout=60)
    assert done_.returncode == 0, done_.stderr
    for id_ in ids:
        story.api.wait(id_, "succeeded")


def test_a_batch_of_signals_is_once_for_each_saga_through_kills(stack, story):
    definition = story.register(story.step("first", silence), APPROVAL)
    body = {"items": [{"definition": definition} for _ in range(200)]}
    ids = [one["saga"]["id"] for one in story.api.post("/v1/sagas/bulk", body).must(200)["items"]]
    id_ = post(story, "signal", filter=mine(story), name="approved", payload={"by": "ann"}, rate_per_s=200).must(202)["id"]
    for share in (20, 100):
        until(lambda: batch(story, id_)["done"] >= share, 60, "it goes on")
        stack.daemon.kill()
        stack.daemon.start()
    found = done(story, id_)
    assert (found["done"], found["failed"]) == (200, 0)
    assert [len(story.api.history(saga, "step.signal_received")) for saga in ids] == [1] * 200


# ---- steering -------------------------------------------------------------------------------

def test_a_batch_is_paused_goes_on_and_is_stopped(story):
    silent(story, 40)
    id_ = post(story, "pause", filter=mine(story), rate_per_s=5).must(202)["id"]
    until(lambda: batch(story, id_)["done"] >= 1, 60, "it began")

    paused = story.api.post(f"/v1/batches/{id_}/pause", {"reason": "lunch"}).must(202)
    assert paused["state"] == "paused" and paused["done"] < 40
    held = until(lambda: (lambda one, two: one["done"] == two["done"] and two)(batch(story, id_), batch(story, id_)), 60, "it rests")
    story.api.post(f"/v1/batches/{id_}/pause").problem(409, "not-allowed")
    assert story.api.get("/v1/batches", state="paused").must()["items"][0]["id"] == id_

    story.api.post(f"/v1/batches/{id_}/resume").must(202)
    until(lambda: batch(story, id_)["done"] > held["done"], 60, "it goes on")
    stopped = story.api.post(f"/v1/batches/{id_}/stop").must(202)
    assert stopped["state"] == "stopped" and stopped["finished_at"]
    assert [act["verb"] for act in stopped["acts"]] == ["stop", "resume", "pause", "make"] and stopped["acts"][2]["reason"] == "lunch"
    for verb in ("pause", "resume", "stop"):
        story.api.post(f"/v1/batches/{id_}/{verb}").problem(409, "not-allowed")
    last = items(story, id_)
    assert "waiting" in {item["state"] for item in last} and batch(story, id_)["done"] < 40


def test_the_same_key_is_the_same_batch(story):
    silent(story, 2)
    key = new_id()
    first = post(story, "pause", key=key, filter=mine(story))
    second = post(story, "pause", key=key, filter=mine(story))

    assert first.must(202)["id"] == second.must(202)["id"] and second.header("idempotent-replayed") == "true"
    assert first.header("location") == f"/v1/batches/{first.json['id']}"
    post(story, "resume", key=key, filter=mine(story)).problem(422, "key-reused")
    done(story, first.json["id"])
    assert len([b for b in story.api.pages("/v1/batches") if b["filter"] == mine(story)]) == 1


# ---- bad input ------------------------------------------------------------------------------

@pytest.mark.parametrize("members, pointer", (
    ({"verb": "explode"}, "/verb"), ({"verb": "migrate"}, "/version"), ({"verb": 7}, "/verb"), ({"reason": ...}, "/reason"), ({"reason": ""}, "/reason"),
    ({"reason": "x" * 1001}, "/reason"), ({"reason": "a\0b"}, "/reason"), ({"rate_per_s": 0}, "/rate_per_s"), ({"rate_per_s": 5001}, "/rate_per_s"),
    ({"rate_per_s": 1.5}, "/rate_per_s"), ({"filter": ...}, ""), ({"ids": [new_id()]}, ""), ({"filter": {}}, "/filter"), ({"filter": []}, "/filter"),
    ({"filter": {"colour": "red"}}, "/filter/colour"), ({"filter": {"state": "sleeping"}}, "/filter/state"), ({"filter": {"state": []}}, "/filter/state"),
    ({"filter": {"state": "succeeded"}}, "/filter/state"), ({"filter": {"state": [["stuck"]]}}, "/filter/state"), ({"filter": {"state": None}}, "/filter/state"),
    ({"filter": {"version": "x"}}, "/filter/version"), ({"filter": {"label": "x"}}, "/filter/label"), ({"filter": {"created_after": "noon"}}, "/filter/created_after"),
    ({"filter": {"definition": "a\0b"}}, "/filter/definition"), ({"filter": {"failure": "x"}}, "/filter/failure"), ({"filter": {"failure": 1}}, "/filter/failure"),
    ({"filter": {"failure": "s1-0000000000000001", "state": "stuck"}}, "/filter"), ({"filter": {"definition": ["d"] * 65}}, "/filter"),
    ({"filter": ..., "ids": []}, "/ids"), ({"filter": ..., "ids": ["x"]}, "/ids/0"), ({"filter": ..., "ids": [new_id(), 7]}, "/ids/1"),
    ({"name": "approved"}, "/name"), ({"payload": None}, "/payload"), ({"verb": "signal"}, "/name"), ({"verb": "signal", "name": ""}, "/name"),
    ({"verb": "signal", "name": "a\0b"}, "/name"), ({"verb": "signal", "name": "x" * 101}, "/name"), ({"verb": "signal", "name": "a", "step": "b"}, "/step"),
    ({"step": "pay"}, "/step"), ({"output": {}}, "/output"), ({"index": 1}, "/index"), ({"verb": "skip"}, "/step"), ({"verb": "skip", "step": ""}, "/step"),
    ({"verb": "skip", "step": "a", "index": -1}, "/index"), ({"verb": "replay", "filter": {"state": "stuck"}}, "/filter/state"),
    ({"verb": "replay", "filter": ..., "ids": [new_id()]}, "/ids/0"), ({"colour": "red"}, "/colour")))
def test_what_is_wrong_with_a_wish_is_told_with_its_place(story, members, pointer):
    answer = post(story, "pause", **{"filter": {"definition": "none"}, **members})
    assert pointer in answer.pointers(), answer.json


def test_other_bad_requests(story):
    post(story, "skip", step="a", ids=[new_id()], output="x" * 300_000).problem(413, "input-too-large")
    post(story, "signal", name="a", ids=[new_id()], payload="x" * 300_000).problem(413, "input-too-large")
    post(story, "pause", ids=[new_id()] * 100_001).problem(413, "batch-too-large")
    for path in ("x", new_id()):
        story.api.get(f"/v1/batches/{path}").problem(404, "batch-not-found")
        story.api.get(f"/v1/batches/{path}/items").problem(404, "batch-not-found")
        story.api.post(f"/v1/batches/{path}/stop").problem(404, "batch-not-found")
    story.api.get("/v1/batches", state="previewed").problem(400)
    story.api.get("/v1/batches", cursor="x").problem(400)
    id_ = run(story, "pause", ids=[new_id()])["id"]
    story.api.get(f"/v1/batches/{id_}/items", failed="maybe").problem(400)
    assert post(story, "pause", ids=[id_] * 3).must(202)["total"] == 1


# ---- kills and nodes ------------------------------------------------------------------------

def commands_of(story, ids):
    return [len(story.api.history(id_, "operator.command")) for id_ in ids]


def test_a_kill_in_the_middle_leaves_no_item_out_and_does_none_twice(stack, story):
    ids = silent(story, 300)
    id_ = post(story, "pause", filter=mine(story), rate_per_s=200).must(202)["id"]
    for share in (20, 120, 200):
        until(lambda: batch(story, id_)["done"] >= share, 60, "it goes on")
        stack.daemon.kill()
        stack.daemon.start()

    found = done(story, id_)

    assert (found["done"], found["failed"]) == (300, 0)
    assert set(commands_of(story, ids)) == {1}


def test_another_node_goes_on_when_one_dies_and_two_never_count_twice(stack, story):
    ids = silent(story, 200)
    with Daemon(stack.postgres.url, stack.broker.brokers) as second:
        second.start()
        id_ = post(story, "pause", filter=mine(story), rate_per_s=50).must(202)["id"]
        until(lambda: batch(story, id_)["done"] >= 10, 60, "it began")
        [[holder]] = sql(stack.postgres.url, f"select holder from sagad.operator_batch where id = '{id_}'")
        stack.daemon.kill()
        there = Api(second.url)
        until(lambda: there.get(f"/v1/batches/{id_}").must()["state"] == "done", 40, "the other node ends it")
        stack.daemon.start()
        found = there.get(f"/v1/batches/{id_}").must()

    assert (found["done"], found["failed"]) == (200, 0) and holder != "0"
    assert set(commands_of(story, ids)) == {1}


def test_batches_that_ended_long_ago_go(stack, story):
    id_ = run(story, "pause", ids=[new_id(), new_id()])["id"]
    sql(stack.postgres.url, f"update sagad.operator_batch set finished_at = 1 where id = '{id_}'")

    gone = stack.daemon.tool("maintain", "--database-url", stack.postgres.url, "--retention-days", "1", timeout=120)

    assert gone.returncode == 0, gone.stderr
    story.api.get(f"/v1/batches/{id_}").problem(404)
    assert sql(stack.postgres.url, f"select 1 from sagad.operator_batch_page where batch_id = '{id_}'"
                                   f" union all select 1 from sagad.operator_batch_failure where batch_id = '{id_}'") == []
