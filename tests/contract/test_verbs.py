"""The verb table of rules.md: every verb in every state, previewed, refused, carried out."""

import pytest

from client import new_id
from participant import again, no, ok, silence
from servers import until
from story import ONCE, SLOW

SAGA_VERBS = ("cancel", "pause", "resume", "retry", "terminate")
STEP_VERBS = ("retry", "skip", "complete", "fail")


# ---- scenes: each makes a saga and returns (id, the step that matters) ----------------------

def pending(story):
    return story.start(story.step("pay"), saga={"start_at": "2099-01-01T00:00:00.000Z"}), "pay"


def dispatched(story):
    id_ = story.start(story.step("one"), story.step("pay", silence), story.step("last"))
    story.sent(id_, "pay")
    return id_, "pay"


def waiting(story):
    return dispatched(story)[0], "last"


def retrying(story):
    id_ = story.start(story.step("one"), story.step("pay", again(), ok({}), retry=SLOW), story.step("last"))
    story.api.wait_step(id_, "pay", "retrying")
    return id_, "pay"


def past_pivot(story):
    id_ = story.start(story.step("one", pivot=True, undo=None), story.step("pay", silence, undo=None))
    story.sent(id_, "pay")
    return id_, "pay"


def paused(story):
    id_, _ = dispatched(story)
    story.api.command(id_, "pause").must(202)
    return id_, "pay"


def ready(story):
    """Held back by a pause."""
    id_ = story.start(story.step("one", silence), story.step("pay"))
    story.sent(id_, "one")
    story.api.command(id_, "pause").must(202)
    story.answer(story.sent(id_, "one"), ok({}))
    story.api.wait_step(id_, "pay", "ready")
    return id_, "pay"


def failed_and_paused(story):
    id_ = story.start(story.step("one"), story.step("pay", no("declined"), ok({}), on_failure="pause"), story.step("last"))
    story.api.wait_step(id_, "pay", "failed")
    return id_, "pay"


def unknown_and_paused(story):
    id_ = story.start(story.step("pay", silence, on_failure="pause", timeout="120ms", retry=ONCE), story.step("last"))
    story.api.wait_step(id_, "pay", "unknown")
    return id_, "pay"


def stuck_pivot(story):
    id_ = story.start(story.step("one"), story.step("pay", silence, ok({}), pivot=True, undo=None, timeout="120ms", retry=ONCE))
    story.api.wait(id_, "stuck")
    return id_, "pay"


def stuck_without_undo(story):
    id_ = story.start(story.step("one"), story.step("pay", silence, undo=None, timeout="120ms", retry=ONCE))
    story.api.wait(id_, "stuck")
    return id_, "pay"


def undo_out(story):
    id_ = story.start(story.step("pay", undo=[silence]), story.step("bad", no("declined")))
    story.sent(id_, "undo pay")
    return id_, "pay"


def undo_retrying(story):
    id_ = story.start(story.step("pay", undo=[again(), ok()], undo_with={"retry": {**SLOW, "max_elapsed": "1h"}}), story.step("bad", no("declined")))
    story.sent(id_, "undo pay")
    until(lambda: story.api.step(id_, "pay")["next_attempt_at"], 60, "the undo waits")
    return id_, "pay"


def undo_failed(story):
    id_ = story.start(story.step("one"), story.step("pay", undo=[no("cannot"), ok()]), story.step("bad", no("declined")))
    story.api.wait(id_, "stuck")
    return id_, "pay"


def awaiting_the_last(story):
    id_, _ = dispatched(story)
    story.api.command(id_, "cancel").must(202)
    return id_, "pay"


def succeeded(story):
    return story.run(story.step("pay"))["id"], "pay"


def compensated(story):
    return story.run(story.step("pay"), story.step("bad", no()))["id"], "pay"


def terminated(story):
    id_, step = dispatched(story)
    story.api.command(id_, "terminate").must(202)
    return id_, step


# scene: (saga verbs allowed, step verbs allowed)
TABLE = {
    pending: ("cancel pause terminate", "skip"),
    dispatched: ("cancel pause terminate", "complete fail"),
    waiting: ("cancel pause terminate", "skip"),
    ready: ("cancel resume terminate", "skip"),
    retrying: ("cancel pause terminate", "retry skip complete fail"),
    past_pivot: ("pause terminate", "complete fail"),
    paused: ("cancel resume terminate", "complete fail"),
    failed_and_paused: ("cancel resume terminate", "retry skip complete"),
    unknown_and_paused: ("cancel resume terminate", "retry skip complete"),
    stuck_pivot: ("retry terminate", "retry complete"),
    undo_out: ("pause terminate", ""),
    undo_failed: ("retry terminate", "retry skip"),
    awaiting_the_last: ("pause terminate", "complete fail"),
    succeeded: ("", ""), compensated: ("", ""), terminated: ("", ""),
}
CELLS = [(scene, verb, None, verb in allowed[0].split()) for scene, allowed in TABLE.items() for verb in SAGA_VERBS] + \
    [(scene, verb, "step", verb in allowed[1].split()) for scene, allowed in TABLE.items() for verb in STEP_VERBS]


@pytest.mark.parametrize("scene", TABLE, ids=lambda scene: scene.__name__)
def test_what_the_state_does_not_allow_is_refused_names_what_would_be_and_changes_nothing(story, scene):
    id_, step = scene(story)
    before = story.api.saga(id_)
    for _, verb, level, fine in (cell for cell in CELLS if cell[0] is scene and not cell[3]):
        at = step if level else None
        said = [story.api.command(id_, verb, at, dry=dry).problem(409) for dry in (True, False)]
        for problem in said:
            allowed = problem["detail"].rsplit("Allowed now:", 1)[-1]
            for other in (TABLE[scene][1] if level else TABLE[scene][0]).split():
                assert other in allowed, (verb, level, problem)
            assert problem["retryable"] is False
        assert said[0]["detail"] == said[1]["detail"]
    after = story.api.saga(id_)
    assert (after["revision"], after["state"], after["updated_at"]) == (before["revision"], before["state"], before["updated_at"])
    if after["state"] not in ("succeeded", "compensated", "terminated"):
        story.api.command(id_, "terminate").must(202)


ALLOWED = [cell for cell in CELLS if cell[3]]


@pytest.mark.parametrize("scene,verb,level,_fine", ALLOWED, ids=[f"{c[0].__name__}-{c[2] or 'saga'}-{c[1]}" for c in ALLOWED])
def test_what_is_allowed_is_previewed_without_effect_and_then_done(story, scene, verb, level, _fine):
    id_, step = scene(story)
    at = step if level else None
    before = story.api.saga(id_)
    preview = story.api.command(id_, verb, at, dry=True).must(200)
    assert preview["would"] and {would["do"] for would in preview["would"]} <= {"send", "undo", "skip", "end", "wait"}
    for would in preview["would"]:
        assert would["do"] not in ("send", "undo", "skip") or would["step"]
    assert story.api.saga(id_)["revision"] == before["revision"], "a preview changes nothing"
    answer = story.api.command(id_, verb, at, {"output": {"by": "hand"}} if verb in ("skip", "complete") and level else None)
    saga = answer.must(202)
    assert saga["id"] == id_ and saga["revision"] > before["revision"] and answer.header("etag")
    row = [r for r in story.api.history(id_, "operator.command")][-1]
    assert row["actor"] and "contract test" in str(row["detail"]) and verb in str(row["detail"])
    assert row["step"] == at
    check(story, scene, verb, at, story.api.saga(id_))


def check(story, scene, verb, step, saga):
    id_ = saga["id"]
    if verb == "terminate":
        assert saga["state"] == "terminated" and saga["finished_at"]
    elif verb == "pause":
        assert saga["paused"] and "paused" in saga["attention"]
    elif verb == "resume":
        assert not saga["paused"] or scene is failed_and_paused
    elif verb == "cancel":
        assert saga["cancel_requested"] and saga["state"] in ("compensating", "compensated")
    elif step and verb in ("skip", "complete") and scene is not undo_failed:
        found = story.api.step(id_, step)
        assert found["state"] == {"skip": "skipped", "complete": "succeeded"}[verb] or saga["state"] == "compensating" \
            or saga["state"] == "compensated", found
    elif step and verb == "fail":
        assert story.api.step(id_, step)["state"] == "failed"
    elif verb == "retry":
        assert story.sent(id_, ("undo " if scene is undo_failed else "") + (step or "pay"), 2)
    if story.api.saga(id_)["state"] not in ("succeeded", "compensated", "terminated"):
        story.api.command(id_, "terminate")


# ---- what the verbs lead to ---------------------------------------------------------------

def test_cancel_of_a_pending_saga_sends_nothing(story):
    id_, _ = pending(story)
    assert story.api.saga(id_)["state"] == "pending" and story.api.saga(id_)["started_at"] is None
    story.api.command(id_, "cancel").must(202)
    saga = story.api.wait(id_)
    assert (saga["state"], saga["error"]["code"], story.calls(id_)) == ("compensated", "cancelled", [])
    assert story.api.states(id_) == {"pay": "skipped"}


def test_cancel_awaits_what_is_out_and_undoes_it(story):
    id_, _ = dispatched(story)
    saga = story.api.command(id_, "cancel").must(202)
    assert saga["cancel_requested"] is True and saga["state"] == "compensating"
    story.api.command(id_, "cancel").problem(409)
    story.answer(story.sent(id_, "pay"), ok({}))
    end = story.api.wait(id_)
    assert end["state"] == "compensated" and story.calls(id_) == ["one", "pay", "undo pay", "undo one"]
    assert story.api.history(id_, "saga.cancel_requested")


def test_cancel_of_a_retrying_step_undoes_the_others_only(story):
    id_, _ = retrying(story)
    story.api.command(id_, "cancel").must(202)
    assert story.api.wait(id_)["state"] == "compensated" and story.calls(id_) == ["one", "pay", "undo one"]


def test_cancel_while_paused_after_a_failure_undoes(story):
    id_, _ = failed_and_paused(story)
    story.api.command(id_, "cancel").must(202)
    saga = story.api.wait(id_)
    assert (saga["state"], saga["paused"], story.calls(id_)) == ("compensated", False, ["one", "pay", "undo one"])


def test_terminate_undoes_nothing_and_takes_no_reply_any_more(story):
    id_, _ = dispatched(story)
    story.api.command(id_, "terminate").must(202)
    story.answer(story.sent(id_, "pay"), ok({"n": 1}))
    until(lambda: story.api.history(id_, "reply.ignored"), 60, "the reply to be ignored")
    saga = story.api.saga(id_)
    assert (saga["state"], story.calls(id_), saga["error"]["code"]) == ("terminated", ["one", "pay"], "terminated")
    assert story.api.states(id_)["last"] == "skipped"


def test_a_step_retry_while_it_waits_goes_at_once_and_keeps_the_counters(story):
    id_, _ = retrying(story)
    story.api.command(id_, "retry", "pay").must(202)
    assert story.sent(id_, "pay", 2).attempt == 2
    assert story.api.wait(id_)["state"] == "succeeded"


def test_a_step_retry_after_failure_has_fresh_counters(story):
    id_ = story.start(story.step("pay", *[again()] * 3, again(), again(), ok({}), on_failure="pause"))
    story.api.wait_step(id_, "pay", "failed")
    story.api.command(id_, "retry", "pay").must(202)
    assert story.api.wait(id_)["state"] == "succeeded" and len(story.calls(id_)) == 6


def test_a_skipped_step_gives_the_output_that_was_said_and_is_not_undone(story):
    id_ = story.start(story.step("pay", again(), retry=SLOW), story.step("last", no(), input="${steps.pay.output}"))
    story.api.wait_step(id_, "pay", "retrying")
    story.api.command(id_, "skip", "pay", {"output": {"by": "hand"}}).must(202)
    assert story.sent(id_, "last").json == {"by": "hand"}
    assert story.api.wait(id_)["state"] == "compensated" and story.calls(id_) == ["pay", "last"]


def test_a_completed_step_gives_its_output_and_is_undone_like_any_other(story):
    id_ = story.start(story.step("pay", silence, undo_with={"input": "${output}"}), story.step("last", no(), input="${steps.pay.output.n}"))
    story.sent(id_, "pay")
    story.api.command(id_, "complete", "pay", {"output": {"n": 0.10}}).must(202)
    saga = story.api.wait(id_)
    assert story.calls(saga) == ["pay", "last", "undo pay"]
    assert story.sent(id_, "undo pay").json == {"n": 0.10}


def test_complete_without_an_output_is_null(story):
    id_, _ = dispatched(story)
    story.api.command(id_, "complete", "pay").must(202)
    assert story.api.wait(id_)["state"] == "succeeded" and story.api.step(id_, "pay")["output"] is None


def test_a_failed_step_has_the_code_that_was_said(story):
    id_, _ = dispatched(story)
    story.api.command(id_, "fail", "pay", {"code": "stolen_card"}).must(202)
    saga = story.api.wait(id_)
    assert (saga["state"], saga["error"]["code"], story.calls(id_)) == ("compensated", "stolen_card", ["one", "pay", "undo one"])


def test_a_fail_without_a_code_is_failed_and_a_bad_code_is_refused(story):
    id_, _ = dispatched(story)
    assert "/code" in story.api.command(id_, "fail", "pay", {"code": "Not a code"}).pointers()
    story.api.command(id_, "fail", "pay").must(202)
    assert story.api.wait(id_)["error"]["code"] == "failed"


def test_retry_of_a_stuck_saga_sends_every_stuck_undo_again_and_it_ends(story):
    left = story.step("left", depends_on=[], undo=[no("cannot"), ok()])
    right = story.step("right", depends_on=[], undo=[no("cannot"), ok()])
    id_ = story.start(left, right, story.step("bad", no("declined"), depends_on=["left", "right"]))
    until(lambda: list(story.api.states(id_).values()).count("compensation_failed") == 2, 60, "both stuck")
    story.api.command(id_, "retry").must(202)
    saga = story.api.wait(id_, "compensated")
    assert (saga["error"]["code"], saga["attention"]) == ("declined", [])


def test_a_stuck_unknown_step_without_undo_can_be_completed_or_retried(story):
    for verb in ("complete", "retry"):
        id_, _ = stuck_without_undo(story)
        story.participant.on(f"{story.name}.pay", "action", ok({}))
        answer = story.api.command(id_, verb, "pay")
        if answer.status == 202:
            saga = story.api.wait(id_, "succeeded", "compensated", "stuck")
            assert saga["id"] == id_
        else:
            assert answer.problem(409)["detail"]


def test_a_stuck_pivot_that_is_completed_goes_forward(story):
    id_ = story.start(story.step("one"), story.step("pay", silence, pivot=True, undo=None, timeout="120ms", retry=ONCE), story.step("last", undo=None))
    story.api.wait(id_, "stuck")
    story.api.command(id_, "complete", "pay", {"output": {}}).must(202)
    saga = story.api.wait(id_, "succeeded")
    assert saga["error"] is None and story.calls(id_)[-1] == "last"


@pytest.mark.parametrize("end", ["retry", "skip"])
def test_an_undo_that_waits_for_its_next_attempt_can_be_hurried(story, end):
    id_, _ = undo_retrying(story)
    answer = story.api.command(id_, end, "pay")
    if end == "retry":
        answer.must(202)
        assert story.api.wait(id_)["state"] == "compensated" and story.calls(id_).count("undo pay") == 2
    else:
        answer.problem(409)
        story.api.command(id_, "terminate").must(202)


# ---- members, heads and items -------------------------------------------------------------

def test_a_foreach_item_is_named_by_its_index(story):
    item = lambda p, c: (silence if c.idem.endswith("/1") else ok({"ok": 1}))(p, c)
    id_ = story.start(story.step("each", item, foreach={"in": "${input}"}), story.step("last", input="${steps.each.output}"), input=[1, 2, 3])
    story.sent(id_, "each[1]")
    story.api.wait_step(id_, "each", "succeeded", index=2)
    story.api.command(id_, "complete", "each", {"output": "x"}).must(400, 404, 409, 422)
    for index, status in ((3, 404), (-1, 400), ("x", 400)):
        assert story.api.command(id_, "complete", "each", {"output": "x"}, index=index).status == status, index
    story.api.command(id_, "complete", "each", index=0).problem(409)
    story.api.command(id_, "complete", "each", {"output": "x"}, index=1).must(202)
    story.api.wait(id_, "succeeded")
    assert story.sent(id_, "last").json == [{"ok": 1}, "x", {"ok": 1}]
    row = story.api.history(id_, "operator.command")[-1]
    assert (row["step"], row["index"]) == ("each", 1)


def test_an_index_of_a_step_without_foreach_is_not_found(story):
    id_, _ = dispatched(story)
    assert story.api.command(id_, "complete", "pay", index=0).status in (400, 404)
    story.api.command(id_, "complete", "pay").must(202)


def test_if_match_must_be_the_revision_that_is_there(story):
    id_, _ = dispatched(story)
    etag = story.api.get(f"/v1/sagas/{id_}").header("etag")
    stale = f'"{story.api.saga(id_)["revision"] - 1}"'
    for dry in (True, False):
        story.api.command(id_, "pause", headers={"If-Match": stale}, dry=dry).problem(412, "stale")
    assert story.api.saga(id_)["paused"] is False
    assert story.api.command(id_, "pause", headers={"If-Match": "rubbish"}).status in (400, 412)
    answer = story.api.command(id_, "pause", headers={"If-Match": etag})
    assert answer.must(202)["paused"] is True and answer.header("etag") != etag
    story.api.command(id_, "resume", headers={"If-Match": etag}).problem(412)
    story.api.command(id_, "resume", headers={"If-Match": "*"}).must(202)


def test_a_commands_key_makes_it_once_and_replays_its_answer(story):
    id_, _ = dispatched(story)
    key = new_id()
    first, again_ = (story.api.command(id_, "pause", key=key) for _ in range(2))
    assert first.must(202) == again_.must(202) and again_.header("idempotent-replayed") == "true"
    assert first.header("idempotent-replayed") is None
    assert len(story.api.history(id_, "saga.paused")) == 1
    story.api.command(id_, "pause", body={"reason": "another"}, key=key).problem(422, "key-reused")
    story.api.command(id_, "resume", key=key).problem(422, "key-reused")
    story.api.command(id_, "resume").must(202)
    assert story.api.command(id_, "pause", key=key).header("idempotent-replayed") == "true"
    assert story.api.saga(id_)["paused"] is False, "a replay does nothing"


def test_only_good_answers_are_remembered_under_a_key(story):
    id_, _ = dispatched(story)
    key = new_id()
    story.api.command(id_, "resume", key=key).problem(409)
    story.api.command(id_, "pause").must(202)
    answer = story.api.command(id_, "resume", key=key)
    assert answer.must(202)["paused"] is False and answer.header("idempotent-replayed") is None


def test_a_dry_run_takes_no_key(story):
    id_, _ = dispatched(story)
    key = new_id()
    story.api.command(id_, "pause", dry=True, key=key).must(200)
    answer = story.api.command(id_, "pause", key=key)
    assert answer.status in (202, 422), "another target: another fingerprint or none"
    assert story.api.saga(id_)["paused"] == (answer.status == 202)


@pytest.mark.parametrize("body,pointer", [({"reason": 7}, "/reason"), ({"reasn": "x"}, "/reasn"), ({"output": 1}, "/output"), ([], "")])
def test_a_wrong_member_of_a_command_is_refused_with_its_place(story, body, pointer):
    id_, _ = dispatched(story)
    answer = story.api.post(f"/v1/sagas/{id_}/pause", body)
    assert pointer in answer.pointers()
    assert story.api.saga(id_)["paused"] is False


def test_a_command_may_come_without_a_body(story):
    id_, _ = dispatched(story)
    assert story.api.post(f"/v1/sagas/{id_}/pause").must(202)["paused"] is True


def test_unknown_sagas_and_steps_are_not_found(story):
    id_, _ = dispatched(story)
    story.api.command(new_id(), "cancel").problem(404, "saga-not-found")
    story.api.command("not-a-uuid", "cancel").problem(404, "saga-not-found")
    story.api.command(id_, "retry", "nobody").problem(404, "step-not-found")
    story.api.command(id_, "retry", "nobody", dry=True).problem(404, "step-not-found")
    story.api.get(f"/v1/sagas/{id_}/steps/nobody").problem(404, "step-not-found")
    assert story.api.command(id_, "explode").status == 404


def test_new_input_with_a_retry_replaces_the_mapped_one_for_every_attempt_that_follows(story):
    id_ = story.start(story.step("pay", no("declined"), again(), ok({}), on_failure="pause"), story.step("last", no()), input={"old": 1})
    story.api.wait_step(id_, "pay", "failed")
    body = b'{"reason": "typo", "input": {"z": 0.10, "a": 1E400}}'
    story.api.post(f"/v1/sagas/{id_}/steps/pay/retry", body).must(202)
    assert story.api.wait(id_)["state"] == "compensated"
    values = [c.value for c in story.participant.of(id_) if c.name in ("pay", "undo pay")]
    assert values == [b'{"old":1}', b'{"z": 0.10, "a": 1E400}', b'{"z": 0.10, "a": 1E400}', b'{"old":1}']


def test_the_preview_of_a_retry_with_new_input_shows_it(story):
    id_, _ = failed_and_paused(story)
    would = story.api.command(id_, "retry", "pay", {"input": {"n": [1]}}, dry=True).must(200)["would"]
    assert [(w["do"], w["step"], w.get("input")) for w in would] == [("send", "pay", {"n": [1]})]
    would = story.api.command(id_, "retry", "pay", dry=True).must(200)["would"]
    assert "input" not in would[0]


def test_new_input_may_mend_an_undo(story):
    id_ = story.start(story.step("pay", undo=[no("cannot"), ok()]), story.step("bad", no()), input={"old": 1})
    story.api.wait(id_, "stuck")
    story.api.command(id_, "retry", "pay", {"input": {"iban": "DE"}}).must(202)
    story.api.wait(id_, "compensated")
    assert story.sent(id_, "undo pay", 2).json == {"iban": "DE"}


def test_only_the_retry_of_a_step_takes_an_input(story):
    id_, _ = failed_and_paused(story)
    for verb, step in (("retry", None), ("skip", "pay"), ("complete", "pay"), ("pause", None)):
        assert "/input" in story.api.command(id_, verb, step, {"input": 1}).pointers()


def test_new_input_for_an_unknown_step_is_refused(story):
    for scene in (stuck_pivot, unknown_and_paused):
        id_, _ = scene(story)
        revision = story.api.saga(id_)["revision"]
        assert "without input" in story.api.command(id_, "retry", "pay", {"input": {"n": 1}}).problem(409)["detail"]
        assert story.api.saga(id_)["revision"] == revision


def test_the_preview_of_a_cancel_says_what_is_awaited_and_undone(story):
    id_, _ = dispatched(story)
    would = story.api.command(id_, "cancel", dry=True).must(200)["would"]
    assert ("wait", "pay") in [(w["do"], w.get("step")) for w in would]
    id_, _ = retrying(story)
    would = story.api.command(id_, "cancel", dry=True).must(200)["would"]
    assert ("undo", "one", "compensate") in [(w["do"], w.get("step"), w.get("op")) for w in would]
    assert story.calls(id_) == ["one", "pay"]


def test_ten_operators_at_once_cancel_once(story):
    from concurrent.futures import ThreadPoolExecutor
    id_, _ = dispatched(story)
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: story.api.command(id_, "cancel"), range(10)))
    assert sorted(a.status for a in answers) == [202] + [409] * 9
    story.answer(story.sent(id_, "pay"), ok({}))
    assert story.api.wait(id_)["state"] == "compensated"
    assert len(story.api.history(id_, "saga.cancel_requested")) == 1
