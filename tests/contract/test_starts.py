"""Starting: once, with what was given, now or later; definitions that are paused or deprecated."""
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from client import new_id
from participant import no, ok, silence
from servers import until
from story import ONCE


@pytest.fixture
def made(story):
    return story.register(story.step("only"))


def count(story, **query):
    return len(list(story.api.pages("/v1/sagas", definition=story.name, **query)))


def start(story, body, **more):
    return story.api.post("/v1/sagas", body, **more)


def body_of(made, **more):
    return {"definition": made, "input": {"a": 1}, **more}


# ---- the same start twice -----------------------------------------------------------------

def test_a_start_says_where_it_is(story, made):
    answer = start(story, body_of(made))
    saga = answer.must(201)
    assert answer.header("location").endswith(f"/v1/sagas/{saga['id']}") and answer.header("etag")
    assert saga["state"] in ("pending", "running") and saga["definition"] == made and saga["input"] == {"a": 1}
    assert saga["id"][14] == "7", "UUIDv7 where sagad chooses"


def test_a_key_is_bound_to_method_path_and_body_bytes(story, made):
    key = new_id()
    first, same = start(story, body_of(made), key=key), start(story, body_of(made), key=key)
    assert first.must(201)["id"] == same.must(201)["id"] and same.header("idempotent-replayed") == "true"
    assert same.header("location") == first.header("location") and same.header("etag") == first.header("etag")
    spaced = json.dumps(body_of(made), indent=1).encode()
    start(story, spaced, key=key).problem(422, "key-reused")
    story.api.post("/v1/sagas/bulk", {"items": [body_of(made)]}, key=key).problem(422, "key-reused")
    story.api.post("/v1/definitions", story.define(story.step("other"), name=story.name + "x"), key=key).problem(422, "key-reused")
    assert count(story) == 1


def test_a_refused_start_leaves_its_key_free(story, made):
    key = new_id()
    start(story, {**body_of(made), "wrong": 1}, key=key).problem(422)
    start(story, body_of({"name": "nobody-" + story.name}), key=key).problem(422)
    assert start(story, body_of(made), key=key).must(201)


@pytest.mark.parametrize("key", ["", " ", "a" * 256, "a b", "ü", "a\tb"])
def test_a_key_is_1_to_255_visible_characters(story, made, key):
    answer = start(story, body_of(made), headers={"Idempotency-Key": key.encode() if key == "ü" else key})
    assert answer.status in (400, 201) and (answer.status == 400 or key in ("", " ", "a b")), answer.raw


def test_an_attribute_that_comes_out_with_a_nul_is_refused(story):
    made = story.register(story.step("one"), attributes={"who": "${input.who}"})
    problem = start(story, body_of(made, input={"who": "a\0b"})).problem(422, "invalid")
    assert "who" in problem["detail"] and "NUL" in problem["detail"], problem
    start(story, body_of(made, input={"who": "ab"})).must(201)


def test_a_key_of_255_characters_is_fine(story, made):
    assert start(story, body_of(made), key="k" * 255).must(201)


def test_an_id_and_a_key_must_agree(story, made):
    key, id_ = new_id(), new_id()
    assert start(story, body_of(made, id=id_), key=key).must(201)["id"] == id_
    assert start(story, body_of(made, id=id_), key=key).header("idempotent-replayed") == "true"
    start(story, body_of(made, id=new_id()), key=key).problem(422, "key-reused")
    answer = start(story, body_of(made, id=id_), key=new_id())
    assert answer.must(200)["id"] == id_
    assert count(story) == 1


@pytest.mark.parametrize("change", [{"input": {"a": 2}}, {"labels": {"x": "y"}}, {"start_at": "2099-01-01T00:00:00Z"}])
def test_the_same_id_with_other_content_is_a_conflict(story, made, change):
    id_ = new_id()
    start(story, body_of(made, id=id_)).must(201)
    start(story, {**body_of(made, id=id_), **change}).problem(409, "id-taken")
    start(story, body_of(made, id=id_, if_exists="fail")).problem(409, "id-taken")
    assert start(story, body_of(made, id=id_, if_exists="return")).must(200)["input"] == {"a": 1}


def test_the_same_id_with_other_input_bytes_is_a_conflict(story, made):
    id_ = new_id()
    body = b'{"definition":"%s","id":"%s","input":%s}'
    assert start(story, body % (story.name.encode(), id_.encode(), b'{"a":1}')).must(201)
    start(story, body % (story.name.encode(), id_.encode(), b'{"a":1.0}')).problem(409)
    start(story, body % (story.name.encode(), id_.encode(), b'{"a":1}')).must(200)


def test_thirty_racing_starts_of_one_id_make_one(story, made):
    id_ = new_id()
    with ThreadPoolExecutor(15) as pool:
        answers = list(pool.map(lambda _: start(story, body_of(made, id=id_)), range(30)))
    statuses = sorted(a.status for a in answers)
    assert statuses.count(201) == 1 and set(statuses) <= {200, 201, 409}
    assert count(story) == 1 and story.api.wait(id_)["state"] == "succeeded" and story.calls(id_) == ["only"]


@pytest.mark.parametrize("id_", ["x", "", 7, None, "00000000-0000-0000-0000-00000000000g", "{0}"])
def test_an_id_is_a_uuid(story, made, id_):
    answer = start(story, body_of(made, id=id_))
    assert "/id" in answer.pointers()


def test_an_id_in_capitals_is_the_same_id(story, made):
    id_ = new_id()
    assert start(story, body_of(made, id=id_.upper())).must(201)["id"] == id_
    assert start(story, body_of(made, id=id_)).must(200)["id"] == id_
    assert story.api.get(f"/v1/sagas/{id_.upper()}").must()["id"] == id_


# ---- bulk ---------------------------------------------------------------------------------

def test_bulk_takes_a_thousand_and_is_once(story, made):
    key = new_id()
    items = [{"definition": made, "input": {"n": n}} for n in range(1000)]
    first = story.api.post("/v1/sagas/bulk", {"items": items}, key=key).must(200)["items"]
    assert {item["status"] for item in first} == {201} and len(first) == 1000
    again = story.api.post("/v1/sagas/bulk", {"items": items}, key=key)
    assert again.header("idempotent-replayed") == "true"
    assert [i["saga"]["id"] for i in again.must(200)["items"]] == [i["saga"]["id"] for i in first]
    assert count(story, limit=500) == 1000
    until(lambda: count(story, limit=500, state="succeeded") == 1000, 60, "all thousand", pause=0.3)


def test_bulk_tells_each_items_trouble(story, made):
    id_ = new_id()
    items = [body_of(made, id=id_), body_of(made, id=id_), {**body_of(made, id=id_), "input": 2}, body_of({"name": story.name, "version": 9}),
             {**body_of(made), "labels": {"a": 1}}, 7, body_of(made)]
    found = story.api.post("/v1/sagas/bulk", {"items": items}).must(200)["items"]
    assert [f["status"] for f in found[:4]] == [201, 200, 409, 422] and found[4]["status"] == found[5]["status"] == 422
    assert found[6]["status"] == 201
    for item in found[2:6]:
        problem = item["problem"]
        assert set(problem) >= {"type", "title", "status", "detail"} and problem["status"] == item["status"]
    assert found[4]["problem"]["errors"][0]["pointer"].endswith("/labels/a")


@pytest.mark.parametrize("body,status", [({"items": []}, {200, 422}), ({"items": {}}, {422}), ({}, {422}), ({"items": [], "x": 1}, {422}), ([], {422})])
def test_a_wrong_bulk_is_refused(story, body, status):
    assert story.api.post("/v1/sagas/bulk", body).status in status


# ---- later --------------------------------------------------------------------------------

def test_a_saga_of_later_is_pending_until_then(story, made):
    at = time.time() + 1.2
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at % 1 * 1000):03d}Z"
    saga = start(story, body_of(made, start_at=stamp)).must(201)
    assert (saga["state"], saga["started_at"], saga["start_at"]) == ("pending", None, stamp)
    assert story.api.why(saga["id"])["waiting_for"]["kind"] == "timer" and story.calls(saga["id"]) == []
    end = story.api.wait(saga["id"])
    assert end["state"] == "succeeded" and end["started_at"] >= stamp
    assert story.participant.of(saga["id"])[0].wall >= at - 0.02


def test_a_time_in_the_past_starts_at_once(story, made):
    assert story.api.wait(start(story, body_of(made, start_at="2001-01-01T00:00:00Z")).must(201)["id"])["state"] == "succeeded"


def test_start_at_takes_any_zone(story, made):
    saga = start(story, body_of(made, start_at="2099-01-01T02:00:00+02:00")).must(201)
    assert saga["start_at"] == "2099-01-01T00:00:00.000Z"


# ---- prefer -------------------------------------------------------------------------------

def test_prefer_wait_gives_the_end_and_says_so(story):
    made = story.register(story.step("only", ok({}, delay=0.2)), output={"ok": True})
    answer = start(story, body_of(made), headers={"Prefer": "wait=20"})
    saga = answer.must(201)
    assert saga["state"] == "succeeded" and saga["output"] == {"ok": True}
    assert "wait" in answer.header("preference-applied")


def test_prefer_wait_gives_a_bad_end_too(story):
    made = story.register(story.step("only", no("declined")))
    saga = start(story, body_of(made), headers={"Prefer": "respond-async, wait=20"}).must(201)
    assert (saga["state"], saga["error"]["code"]) == ("compensated", "declined")


def test_prefer_wait_in_vain_is_the_ordinary_answer(story):
    made = story.register(story.step("only", silence))
    began = time.monotonic()
    answer = start(story, body_of(made), headers={"Prefer": "wait=1"})
    assert answer.must(201)["state"] == "running" and answer.header("preference-applied") is None
    assert time.monotonic() - began < 8


def test_a_stuck_saga_ends_the_wait(story):
    made = story.register(story.step("pivot", silence, pivot=True, undo=None, timeout="150ms", retry=ONCE))
    began = time.monotonic()
    assert start(story, body_of(made), headers={"Prefer": "wait=20"}).must(201)["state"] == "stuck"
    assert time.monotonic() - began < 10


# ---- definitions --------------------------------------------------------------------------

def test_the_newest_version_is_the_default_and_the_name_alone_shows_it(story):
    for step in ("a", "b"):
        story.register(story.step(step))
    found = story.api.get(f"/v1/definitions/{story.name}").must()
    assert found["version"] == 2 and found["definition"]["steps"][0]["id"] == "b"
    assert set(found) >= {"name", "version", "hash", "created_at", "deprecated", "paused", "definition"}
    assert start(story, {"definition": story.name}).must(201)["definition"]["version"] == 2
    assert start(story, {"definition": {"name": story.name}}).must(201)["definition"]["version"] == 2


@pytest.mark.parametrize("wanted", ["nobody", {"name": "nobody"}, {"name": "minimal", "version": 77}])
def test_an_unknown_definition_is_refused_at_its_place(story, wanted):
    answer = start(story, {"definition": wanted, "input": {}})
    assert answer.problem(422)["errors"][0]["pointer"].startswith("/definition")
    assert story.api.get("/v1/definitions/nobody").problem(404, "definition-not-found")


def test_a_paused_definition_takes_starts_that_wait_for_an_operator(story, made):
    story.api.post(f"/v1/definitions/{story.name}/pause", {"reason": "x"}).must(200)
    assert story.api.get(f"/v1/definitions/{story.name}").must()["paused"] is True
    saga = start(story, body_of(made)).must(201)
    assert saga["state"] == "pending"
    why = story.api.why(saga["id"])
    assert why["waiting_for"]["kind"] == "operator" and story.calls(saga["id"]) == []
    story.api.post(f"/v1/definitions/{story.name}/resume").must(200)
    assert story.api.wait(saga["id"])["state"] == "succeeded"
    assert start(story, body_of(made), headers={"Prefer": "wait=20"}).must(201)["state"] == "succeeded"


def test_a_deprecated_version_is_not_started_and_those_that_run_go_on(story):
    made = story.register(story.step("only", silence))
    id_ = story.api.start(made)
    path = f"/v1/definitions/{story.name}/versions/1"
    assert story.api.post(f"{path}/deprecate").must(200)["deprecated"] is True
    start(story, body_of(made)).problem(409, "definition-deprecated")
    story.answer(story.sent(id_, "only"), ok({}))
    assert story.api.wait(id_)["state"] == "succeeded"
    story.api.post(f"{path}/restore").must(200)
    start(story, body_of(made)).must(201)
    story.api.post(f"/v1/definitions/{story.name}/versions/9/deprecate").problem(404)
    story.api.post("/v1/definitions/nobody/pause").problem(404)


def test_versions_are_immutable_and_named_in_order(story):
    one, two = story.define(story.step("a")), story.define(story.step("b"))
    post = lambda body: story.api.post("/v1/definitions", body)
    assert post({**one, "version": 2}).pointers() == ["/version"]
    assert post({**one, "version": 1}).must(201)["version"] == 1
    assert post(one).must(200)["version"] == 1 and post({**one, "version": 1}).must(200)["version"] == 1
    assert "/version" in post({**two, "version": 1}).pointers()
    assert post({**two, "version": 2}).must(201)["version"] == 2
    assert [v["version"] for v in story.api.pages(f"/v1/definitions/{story.name}/versions")] in ([1, 2], [2, 1])


def test_twenty_racing_registrations_make_one_version(story):
    body = story.define(story.step("a"))
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: story.api.post("/v1/definitions", body), range(20)))
    assert sorted(a.status for a in answers) == [200] * 19 + [201] and {a.json["version"] for a in answers} == {1}


def test_racing_different_contents_make_versions_in_a_row(story):
    bodies = [story.define(story.step(f"s{n}")) for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda body: story.api.post("/v1/definitions", body), bodies))
    assert sorted(a.must(201)["version"] for a in answers) == list(range(1, 9))


def test_white_space_and_order_do_not_make_a_version_or_do(story):
    """Identical content: at least the same bytes; what differs in white space alone is the same value."""
    body = story.define(story.step("a"))
    assert story.api.post("/v1/definitions", body).must(201)["version"] == 1
    assert story.api.post("/v1/definitions", json.dumps(body, indent=2).encode()).must(200, 201)["version"] in (1, 2)


def test_an_inline_definition_is_stored_by_its_content_and_listed_nowhere_twice(story):
    body = story.define(story.step("only"))
    ids = [start(story, {"definition": {"inline": body}, "input": n}).must(201) for n in range(2)]
    assert ids[0]["definition"] == ids[1]["definition"] and ids[0]["definition"]["name"] == story.name
    for saga in ids:
        assert story.api.wait(saga["id"])["state"] == "succeeded"
    assert count(story) == 2


def test_the_name_validate_is_reserved(story):
    assert "/name" in story.api.post("/v1/definitions", story.define(story.step("a"), name="validate")).pointers()


def test_labels_are_those_of_the_start(story):
    made = story.register(story.step("only"), labels={"team": "orders", "tier": "gold"})
    saga = start(story, body_of(made, labels={"tier": "lead", "x": "y"})).must(201)
    assert {"tier": "lead", "x": "y"}.items() <= saga["labels"].items()


def test_input_left_out_is_an_empty_object_or_null(story, made):
    saga = start(story, {"definition": made}).must(201)
    assert saga["input"] in ({}, None)


def test_a_resumed_definition_lets_go_what_it_held_and_nothing_else(story, made):
    switch = lambda verb: story.api.post(f"/v1/definitions/{story.name}/{verb}").must(200)
    switch("pause")
    held = [start(story, body_of(made)).must(201)["id"] for _ in range(30)]
    later = start(story, body_of(made, start_at="2099-01-01T00:00:00Z")).must(201)["id"]
    by_hand = start(story, body_of(made)).must(201)["id"]
    story.api.command(by_hand, "resume").must(202)
    assert story.api.wait(by_hand)["state"] == "succeeded", "an operator may let one go"
    switch("resume")
    operators = start(story, body_of(made, start_at="2099-01-01T00:00:00Z")).must(201)["id"]
    story.api.command(operators, "pause").must(202)
    for id_ in held:
        assert story.api.wait(id_)["state"] == "succeeded" and story.api.saga(id_)["attention"] == []
    until(lambda: not story.api.saga(later)["paused"], 60, "that of later is let go too")
    assert story.api.saga(later)["state"] == "pending" and story.api.why(later)["waiting_for"]["kind"] == "timer"
    switch("pause"), switch("resume")
    assert story.api.saga(operators)["paused"], "what an operator paused stays paused"
    assert [r["type"] for r in story.api.history(held[0])][:3] == ["saga.created", "saga.paused", "saga.resumed"]
