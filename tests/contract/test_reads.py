"""Reading: sagas, steps, history, why, lists, cursors, tags and long polls."""
import re
import threading
import time

import pytest

from client import ENDED, new_id
from participant import again, no, ok, reply, silence
from servers import until
from story import NOBODY, ONCE, SLOW

STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
SAGA = {"id", "namespace", "definition", "state", "paused", "cancel_requested", "attention", "labels", "attributes", "input", "output",
        "revision", "error", "created_at", "started_at", "updated_at", "finished_at", "deadline_at"}
STEP = {"id", "index", "kind", "state", "op", "attempt", "output", "error", "started_at", "finished_at", "next_attempt_at", "deadline_at"}
WAITING_FOR = {"kind", "step", "op", "attempt", "topic", "partition", "key", "command_sent_at", "next_attempt_at", "group_lag", "last_error", "by"}


# ---- why ----------------------------------------------------------------------------------

def scene_reply(story):
    id_ = story.start(story.step("pay", silence))
    story.sent(id_, "pay")
    return id_, {"kind": "reply", "step": "pay", "op": "action", "attempt": 1, "topic": "contract.commands", "key": id_}


def scene_retry(story):
    id_ = story.start(story.step("pay", again("busy"), retry=SLOW))
    story.api.wait_step(id_, "pay", "retrying")
    return id_, {"kind": "retry", "step": "pay", "op": "action", "attempt": 1}


def scene_pending_reply(story):
    id_ = story.start(story.step("pay", reply("pending")))
    until(lambda: story.api.history(id_, "step.pending"), 60, "pending")
    return id_, {"kind": "reply", "step": "pay"}


def scene_start_at(story):
    return story.start(story.step("pay"), saga={"start_at": "2099-01-01T00:00:00.000Z"}), {"kind": "timer"}


def scene_paused(story):
    id_, _ = scene_reply(story)
    story.api.command(id_, "pause", body={"reason": "audit of the books"}).must(202)
    story.answer(story.sent(id_, "pay"), again())
    return id_, {"kind": "operator"}


def scene_failed_and_paused(story):
    id_ = story.start(story.step("pay", no("declined"), on_failure="pause"))
    story.api.wait_step(id_, "pay", "failed")
    return id_, {"kind": "operator", "step": "pay"}


def scene_stuck_undo(story):
    id_ = story.start(story.step("pay", undo=[no("cannot")]), story.step("bad", no()))
    story.api.wait(id_, "stuck")
    return id_, {"kind": "operator", "step": "pay", "op": "compensate"}


def scene_stuck_pivot(story):
    id_ = story.start(story.step("pay", silence, pivot=True, undo=None, timeout="120ms", retry=ONCE))
    story.api.wait(id_, "stuck")
    return id_, {"kind": "operator", "step": "pay"}


def scene_undo_out(story):
    id_ = story.start(story.step("pay", undo=[silence]), story.step("bad", no()))
    story.sent(id_, "undo pay")
    return id_, {"kind": "reply", "step": "pay", "op": "compensate", "attempt": 1}


def scene_undo_retry(story):
    id_ = story.start(story.step("pay", undo=[again("down")], undo_with={"retry": {**SLOW, "max_elapsed": "1h"}}), story.step("bad", no()))
    until(lambda: story.api.step(id_, "pay")["next_attempt_at"], 60, "the undo waits")
    return id_, {"kind": "retry", "step": "pay", "op": "compensate"}


def scene_nobody(story):
    id_ = story.start(story.step("pay", topic=NOBODY))
    story.api.wait_step(id_, "pay", "dispatched")
    return id_, {"kind": "reply", "step": "pay", "topic": NOBODY}


def scene_awaiting(story):
    id_, _ = scene_reply(story)
    story.api.command(id_, "cancel").must(202)
    return id_, {"kind": "reply", "step": "pay", "op": "action"}


def scene_foreach(story):
    id_ = story.start(story.step("each", silence, foreach={"in": "${input}", "concurrency": 1}), input=[1, 2])
    story.sent(id_, "each[0]")
    return id_, {"kind": "reply", "step": "each"}


def ended(end):
    def scene(story):
        id_ = story.start(story.step("pay", silence if end == "terminated" else no() if end == "compensated" else ok({})))
        if end == "terminated":
            story.api.command(id_, "terminate").must(202)
        story.api.wait(id_, end)
        return id_, {"kind": "nothing"}
    scene.__name__ = f"scene_{end}"
    return scene


SCENES = [scene_reply, scene_retry, scene_pending_reply, scene_start_at, scene_paused, scene_failed_and_paused, scene_stuck_undo,
          scene_stuck_pivot, scene_undo_out, scene_undo_retry, scene_nobody, scene_awaiting, scene_foreach,
          ended("succeeded"), ended("compensated"), ended("terminated")]


@pytest.mark.parametrize("scene", SCENES, ids=lambda s: s.__name__)
def test_why_says_in_a_sentence_and_in_fields_what_it_waits_for(story, scene):
    id_, wanted = scene(story)
    if scene is scene_paused:
        story.api.wait_step(id_, "pay", "retrying", "ready", "failed")
    why = story.api.why(id_)
    assert set(why) >= {"saga", "state", "sentence", "since", "waiting_for"} and why["saga"] == id_
    assert why["state"] == story.api.saga(id_)["state"]
    assert set(why["waiting_for"]) >= WAITING_FOR, WAITING_FOR - set(why["waiting_for"])
    assert {name: why["waiting_for"][name] for name in wanted} == wanted
    assert len(why["sentence"]) > 15 and not re.match("unknown|nothing is known", why["sentence"].lower())
    assert re.fullmatch(STAMP, why["since"])
    for name in ("command_sent_at", "next_attempt_at"):
        assert why["waiting_for"][name] is None or re.fullmatch(STAMP, why["waiting_for"][name])
    if wanted["kind"] == "retry":
        assert why["waiting_for"]["next_attempt_at"] and why["waiting_for"]["last_error"]
    if wanted["kind"] == "reply":
        assert why["waiting_for"]["command_sent_at"]
    if scene is scene_paused:
        assert why["waiting_for"]["by"]
    if why["state"] not in ENDED or why["state"] == "stuck":
        story.api.command(id_, "terminate")


# ---- saga, steps, history -----------------------------------------------------------------

def test_a_saga_and_its_steps_have_every_member_in_every_state(story):
    id_ = story.start(story.step("pay", silence), story.step("each", foreach={"in": "${input.l}"}), story.step("last"),
                      input={"l": [1, 2]}, saga={"labels": {"team": "x"}}, labels={"tier": "gold"}, attributes={"n": "${size(input.l)}"})
    story.sent(id_, "pay")
    saga = story.api.saga(id_)
    assert set(saga) >= SAGA and saga["labels"]["team"] == "x" and saga["attributes"] in ({"n": "2"}, {"n": 2})
    assert saga["namespace"] and saga["state"] == "running" and saga["finished_at"] is None and saga["output"] is None
    for step in story.api.steps(id_):
        assert set(step) >= STEP and step["kind"] == "action", step
    pay = story.api.step(id_, "pay")
    assert (pay["state"], pay["op"], pay["attempt"], pay["error"], pay["output"]) == ("dispatched", "action", 1, None, None)
    assert re.fullmatch(STAMP, pay["started_at"]) and re.fullmatch(STAMP, pay["deadline_at"]) and pay["finished_at"] is None
    assert [s["id"] for s in story.api.get(f"/v1/sagas/{id_}/steps/pay").must()["items"]] == ["pay"]
    assert [s["id"] for s in story.api.get(f"/v1/sagas/{id_}/steps/each").must()["items"]] == ["each"]
    story.answer(story.sent(id_, "pay"), ok({"x": 1}))
    saga = story.api.wait(id_)
    assert re.fullmatch(STAMP, saga["finished_at"]) and saga["started_at"] <= saga["finished_at"]
    assert [(s["id"], s["index"]) for s in story.api.steps(id_)] == [("pay", None), ("each", 0), ("each", 1), ("last", None)]
    assert "output" not in story.api.get("/v1/sagas", definition=story.name).must()["items"][0]
    assert "input" not in story.api.get("/v1/sagas", definition=story.name).must()["items"][0]


def test_history_is_paged_and_a_cursor_belongs_to_it(story):
    saga = story.run(*[story.step(f"s{n}") for n in range(5)])
    path = f"/v1/sagas/{saga['id']}/history"
    whole = story.api.get(path, limit=500).must()
    assert whole["next_cursor"] is None
    assert [r["seq"] for r in story.api.pages(path, limit=2)] == [r["seq"] for r in whole["items"]]
    other = story.run(story.step("one"))
    cursor = story.api.get(path, limit=2).must()["next_cursor"]
    story.api.get(f"/v1/sagas/{other['id']}/history", cursor=cursor).problem(400, "invalid-cursor")


def test_what_is_not_there_is_not_found(story):
    for tail in ("", "/steps", "/history", "/why", "/steps/x"):
        story.api.get(f"/v1/sagas/{new_id()}{tail}").problem(404, "saga-not-found")
        story.api.get(f"/v1/sagas/not-a-uuid{tail}").problem(404)


# ---- lists --------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def crowd(stack):
    """Twelve sagas of one definition; (story, ids oldest first)."""
    from story import Story
    story = Story(stack.api, stack.participant)
    made = story.register(story.step("one", lambda p, c: (no() if c.json["n"] % 3 == 0 else ok({}))(p, c)), attributes={"order": "${'o-' + string(input.n)}"})
    ids = []
    for n in range(12):
        ids.append(story.api.start(made, {"n": n}, labels={"parity": "even" if n % 2 == 0 else "odd", "n": str(n)}))
        story.api.wait(ids[-1])
    return story, ids


def found(story, **query):
    return [saga["id"] for saga in story.api.pages("/v1/sagas", definition=story.name, **query)]


def test_filters_repeated_are_any_of_and_different_ones_all_of(crowd):
    story, ids = crowd
    assert found(story) == ids[::-1], "newest first"
    assert found(story, state="compensated") == [ids[n] for n in (9, 6, 3, 0)]
    assert set(found(story, state=["compensated", "succeeded"])) == set(ids)
    assert found(story, label="parity=even", state="compensated") == [ids[6], ids[0]]
    assert found(story, attribute="order=o-7") == [ids[7]]
    assert set(found(story, attribute=["order=o-7", "order=o-8"])) == {ids[7], ids[8]}
    assert found(story, label=["n=1", "n=2"]) == [ids[2], ids[1]]
    assert found(story, version=1) == ids[::-1] and found(story, version=2) == []
    assert found(story, state="stuck") == [] and found(story, attention="stuck") == []
    assert found(story, label="parity=none") == []


def test_filters_of_time(crowd):
    story, ids = crowd
    stamps = [story.api.saga(i)["created_at"] for i in ids]
    after = found(story, created_after=stamps[8])
    before = found(story, created_before=stamps[4])
    assert set(ids[9:]) <= set(after) <= set(ids[8:]) and set(ids[:4]) <= set(before) <= set(ids[:5])
    assert found(story, created_after="2099-01-01T00:00:00Z") == []
    story.api.get("/v1/sagas", created_after="yesterday").problem(400, "invalid-query")


@pytest.mark.parametrize("limit", [1, 5, 12, 500])
def test_pages_hold_every_saga_once(crowd, limit):
    story, ids = crowd
    assert found(story, limit=limit) == ids[::-1]


def test_pages_are_stable_while_new_sagas_come(crowd):
    story, ids = crowd
    page = story.api.get("/v1/sagas", definition=story.name, label="parity=odd", limit=3).must()
    story.api.wait(story.api.start({"name": story.name, "version": 1}, {"n": 1}, labels={"parity": "new"}))
    rest = list(story.api.pages("/v1/sagas", definition=story.name, label="parity=odd", limit=3, cursor=page["next_cursor"]))
    assert [s["id"] for s in page["items"] + rest] == [ids[n] for n in (11, 9, 7, 5, 3, 1)]


def test_a_cursor_is_bound_to_its_filter(crowd):
    story, _ = crowd
    cursor = story.api.get("/v1/sagas", definition=story.name, limit=2).must()["next_cursor"]
    for query in ({}, {"definition": story.name, "state": "succeeded"}, {"definition": "other"}):
        story.api.get("/v1/sagas", cursor=cursor, **query).problem(400, "invalid-cursor")
    for bad in ("rubbish", cursor[:-2], cursor + "A", ""):
        answer = story.api.get("/v1/sagas", definition=story.name, cursor=bad)
        assert answer.status == 400 or bad == "", bad
    story.api.get("/v1/sagas", definition=story.name, limit=3, cursor=cursor).must()


def test_what_is_asked_for_twice_comes_once(crowd):
    story, ids = crowd
    assert found(story, state=["compensated", "compensated"]) == [ids[n] for n in (9, 6, 3, 0)]
    assert found(story, label=["n=1", "n=1"]) == [ids[1]]
    assert story.api.get("/v1/sagas/count", definition=story.name, label=["n=1", "n=1"]).must()["count"] == 1


@pytest.mark.parametrize("query", [{}, {"state": "compensated"}, {"state": ["compensated", "succeeded"]}, {"label": "parity=even", "state": "compensated"},
                                   {"attribute": ["order=o-7", "order=o-8"]}, {"version": 2}, {"attention": "stuck"},
                                   {"created_after": "2099-01-01T00:00:00Z"}, {"parent": new_id()}], ids=str)
def test_a_count_is_what_the_list_would_hold(crowd, query):
    story, _ = crowd
    wanted = {"count": len(found(story, **query)), "exact": True}
    assert story.api.get("/v1/sagas/count", definition=story.name, **query).must() == wanted
    assert story.api.get("/v1/sagas/count", definition=story.name, exact="true", **query).must() == wanted


@pytest.mark.parametrize("query", [{"limit": "1"}, {"cursor": "x"}, {"exact": "maybe"}, {"state": "flying"}, {"colour": "red"}])
def test_a_wrong_count_is_refused(story, query):
    assert next(iter(query)) in story.api.get("/v1/sagas/count", **query).problem(400)["detail"]


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 501}, {"limit": -1}, {"limit": "x"}, {"limit": "1.5"}, {"stat": "running"},
                                   {"state": "flying"}, {"attention": "bored"}, {"label": "nokey"}, {"attribute": "nokey"},
                                   {"version": "x"}, {"parent": "x"}, {"wait": "1"}, {"created_before": "1"}])
def test_a_wrong_query_is_refused(story, query):
    answer = story.api.get("/v1/sagas", **query)
    assert next(iter(query)) in answer.problem(400)["detail"]


# ---- tags and waiting ---------------------------------------------------------------------

def test_an_etag_is_the_revision_and_304_has_no_body(story):
    id_ = story.start(story.step("pay", silence))
    story.sent(id_, "pay")
    answer = story.api.get(f"/v1/sagas/{id_}")
    etag = answer.header("etag")
    assert re.fullmatch(r'(W/)?"[^"]+"', etag)
    same = story.api.get(f"/v1/sagas/{id_}", headers={"If-None-Match": etag})
    assert (same.status, same.raw, same.header("etag")) == (304, b"", etag)
    assert story.api.get(f"/v1/sagas/{id_}", headers={"If-None-Match": f'"x", {etag}'}).status == 304
    assert story.api.get(f"/v1/sagas/{id_}", headers={"If-None-Match": "*"}).status == 304
    assert story.api.get(f"/v1/sagas/{id_}", headers={"If-None-Match": '"9999"'}).status == 200
    story.answer(story.sent(id_, "pay"), ok({}))
    story.api.wait(id_)
    assert story.api.get(f"/v1/sagas/{id_}", headers={"If-None-Match": etag}).header("etag") != etag


def test_a_long_poll_returns_with_the_change(story):
    id_ = story.start(story.step("pay", silence))
    command = story.sent(id_, "pay")
    etag = story.api.get(f"/v1/sagas/{id_}").header("etag")
    threading.Timer(0.4, lambda: story.answer(command, ok({}))).start()
    began = time.monotonic()
    answer = story.api.get(f"/v1/sagas/{id_}", headers={"If-None-Match": etag}, wait=15)
    took = time.monotonic() - began
    assert answer.status == 200 and answer.header("etag") != etag and 0.3 < took < 14


def test_a_long_poll_in_vain_is_304_in_its_time(story):
    id_ = story.start(story.step("pay", silence))
    story.sent(id_, "pay")
    etag = story.api.get(f"/v1/sagas/{id_}").header("etag")
    began = time.monotonic()
    answer = story.api.get(f"/v1/sagas/{id_}", headers={"If-None-Match": etag}, wait=1)
    assert answer.status == 304 and 0.9 < time.monotonic() - began < 30
    began = time.monotonic()
    assert story.api.get(f"/v1/sagas/{id_}", headers={"If-None-Match": '"1000000"'}, wait=10).status == 200
    assert time.monotonic() - began < 9
    for bad in ("x", "-1"):
        story.api.get(f"/v1/sagas/{id_}", wait=bad).problem(400)


def test_wait_without_a_tag_waits_for_the_end_or_answers_at_once(story):
    """contracts leave open what wait= means alone; in no case an error, and an ended saga never waits."""
    saga = story.run(story.step("pay"))
    began = time.monotonic()
    assert story.api.get(f"/v1/sagas/{saga['id']}", wait=10).must()["state"] == "succeeded"
    assert time.monotonic() - began < 9


def test_fifty_long_polls_are_all_answered(story):
    from concurrent.futures import ThreadPoolExecutor
    id_ = story.start(story.step("pay", silence))
    command = story.sent(id_, "pay")
    etag = story.api.get(f"/v1/sagas/{id_}").header("etag")
    with ThreadPoolExecutor(50) as pool:
        polls = [pool.submit(story.api.get, f"/v1/sagas/{id_}", {"If-None-Match": etag}, wait=20) for _ in range(50)]
        threading.Timer(0.5, lambda: story.answer(command, ok({}))).start()
        assert {poll.result(25).status for poll in polls} == {200}


def test_head_is_get_without_a_body(story):
    saga = story.run(story.step("pay"))
    answer = story.api.ask("HEAD", f"/v1/sagas/{saga['id']}")
    assert (answer.status, answer.raw) == (200, b"") and answer.header("etag")


# ---- redaction ----------------------------------------------------------------------------

def test_what_is_redacted_is_masked_in_the_api_and_not_on_the_wire(story):
    saga = story.run(story.step("charge", ok({"pan": "4111", "id": "c-1"})), input={"card": {"no": "4242"}, "name": "Zoë"},
                     redact=["/input/card", "/steps/charge/output/pan"], output={"pan": "${steps.charge.output.pan}"})
    id_ = saga["id"]
    everything = b"".join(story.api.get(path).raw for path in (
        f"/v1/sagas/{id_}", f"/v1/sagas/{id_}/steps", f"/v1/sagas/{id_}/history", f"/v1/sagas/{id_}/why", f"/v1/sagas/{id_}/steps/charge"))
    assert b"4242" not in everything
    assert story.api.saga(id_)["input"]["name"] == "Zoë" and story.api.step(id_, "charge")["output"]["id"] == "c-1"
    assert "4111" not in str(story.api.step(id_, "charge")["output"])
    assert story.sent(id_, "charge").json["card"] == {"no": "4242"}
