"""rules.md, "Steps and sagas", rule by rule, as a caller and a participant see it."""
import re
import time

import pytest

from participant import again, each, made, no, ok, reply, silence
from servers import until
from story import AMPLE, ONCE, QUICK, SLOW, TOPIC

STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


# ---- 1: the key ---------------------------------------------------------------------------

def test_1_the_key_names_saga_step_and_item_and_the_op_tells_the_direction(story):
    saga = story.run(story.step("pay", again(), ok({}), undo=[again(), ok()]),
                     story.step("each", foreach={"in": "${input.l}"}), story.step("bad", no()), input={"l": [7, 8]})
    id_ = saga["id"]
    keys = {(c.idem, c.op) for c in story.participant.of(id_)}
    assert keys == {(f"{id_}/pay", "action"), (f"{id_}/pay", "compensate"), (f"{id_}/bad", "action")} | \
        {(f"{id_}/each/{i}", op) for i in (0, 1) for op in ("action", "compensate")}


# ---- 2: what counts from which attempt ----------------------------------------------------

def two_attempts(story, **more):
    """A saga whose first attempt timed out and whose second is out; both commands."""
    id_ = story.start(story.step("pay", silence, timeout=AMPLE, retry={**QUICK, "max_attempts": 2}), **more)
    old = story.sent(id_, "pay")
    story.answer(story.sent(id_, "pay", 2), reply("progress", {"progress": 0.1}))
    return id_, old, story.sent(id_, "pay", 2)


def test_2_a_success_of_an_older_attempt_counts_while_the_step_is_open(story):
    id_, old, _ = two_attempts(story)
    story.answer(old, ok({"from": "old"}))
    assert story.api.wait(id_)["state"] == "succeeded"
    assert story.api.step(id_, "pay")["output"] == {"from": "old"}


def test_2_other_outcomes_of_an_older_attempt_are_late(story):
    id_, old, new = two_attempts(story)
    for outcome in ("failure", "retry", "progress", "pending"):
        story.answer(old, reply(outcome, None, "declined"))
    story.answer(new, ok({"n": 2}))
    saga = story.api.wait(id_)
    assert (saga["state"], story.api.step(id_, "pay")["output"]) == ("succeeded", {"n": 2})
    ignored = [row["detail"]["reason"] for row in story.api.history(id_, "reply.ignored")]
    assert ignored == ["late"] * 4


def test_2_a_failure_speaks_for_the_key_so_nothing_is_undone(story):
    saga = story.run(story.step("pay", silence, no("declined"), timeout=AMPLE))
    assert (saga["state"], story.calls(saga)) == ("compensated", ["pay", "pay"])
    assert story.api.step(saga["id"], "pay")["state"] == "failed"


# ---- 3: attempts --------------------------------------------------------------------------

def test_3_attempts_grow_stated_delays_use_none_up_and_the_undo_begins_at_one(story):
    stated = again("busy", after="50ms")
    saga = story.run(story.step("pay", stated, stated, again(), ok({}), retry={**QUICK, "max_attempts": 2},
                                undo=[again(), ok()]), story.step("bad", no()))
    sent = [(c.op, c.attempt) for c in story.participant.of(saga["id"]) if "pay" in c.name]
    assert sent == [("action", n) for n in (1, 2, 3, 4)] + [("compensate", 1), ("compensate", 2)]


def test_3_the_event_id_is_saga_step_index_op_attempt(story):
    saga = story.run(story.step("each", again(), ok({}), foreach={"in": "${input}"}), story.step("bad", no()), input=[1])
    id_ = saga["id"]
    assert [c.h("ce_id") for c in story.participant.of(id_)] == [
        f"{id_}/each/0/action/1", f"{id_}/each/0/action/2", f"{id_}/bad/action/1", f"{id_}/each/0/compensate/1"]


def test_3_a_stated_delay_is_a_duration_of_at_most_a_day(story):
    id_ = story.start(story.step("pay", again("busy", after="PT30H")))
    step = story.api.wait_step(id_, "pay", "retrying")
    due = time.mktime(time.strptime(step["next_attempt_at"][:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone
    assert 23 * 3600 < due - time.time() <= 24 * 3600 + 5
    story.api.command(id_, "terminate").must(202)


def test_3_a_stated_delay_ends_with_max_elapsed(story):
    began = time.monotonic()
    saga = story.run(story.step("pay", again("busy", after="1h"), retry={**QUICK, "max_elapsed": "400ms"}))
    assert saga["state"] == "compensated" and saga["error"]["code"] == "busy"
    assert time.monotonic() - began < 15


# ---- 4: never_on --------------------------------------------------------------------------

def test_4_a_code_of_never_on_ends_the_attempts(story):
    saga = story.run(story.step("pay", again("broken"), retry={**QUICK, "never_on": ["broken"]}))
    assert (saga["state"], saga["error"]["code"], story.calls(saga)) == ("compensated", "broken", ["pay"])


def test_4_a_code_of_never_on_after_an_unanswered_attempt_is_unknown(story):
    saga = story.run(story.step("pay", silence, again("broken"), timeout=AMPLE, retry={**QUICK, "never_on": ["broken"]}))
    assert (saga["state"], story.calls(saga)) == ("compensated", ["pay", "pay", "undo pay"])
    assert [r["op"] for r in story.api.history(saga["id"], "step.unknown")] == ["action"]


# ---- 5: deadlines -------------------------------------------------------------------------

@pytest.mark.parametrize("outcome", ["progress", "pending"])
def test_5_progress_and_pending_set_the_deadline_to_the_heartbeat(story, outcome):
    id_ = story.start(story.step("pay", reply(outcome, {"progress": 0.5} if outcome == "progress" else None),
                                 timeout="20s", heartbeat="300ms", retry=ONCE))
    saga = story.api.wait(id_, seconds=60)
    assert (saga["state"], story.calls(id_)) == ("compensated", ["pay", "undo pay"])
    assert [r["type"] for r in story.api.history(id_)][:4] == ["saga.created", "saga.started", "step.dispatched", f"step.{outcome}"]


def test_5_each_progress_moves_the_deadline_by_the_timeout(story):
    beats = [reply("progress", {"progress": n / 4, "message": "on it"}, delay=n) for n in range(1, 4)]
    saga = story.run(story.step("pay", each(*beats, ok({}, delay=4)), timeout=AMPLE, retry=ONCE))
    assert (saga["state"], story.calls(saga)) == ("succeeded", ["pay"])


def test_5_pending_alone_ends_in_unknown_with_the_timeout(story):
    saga = story.run(story.step("pay", reply("pending"), timeout="250ms", retry=ONCE))
    assert story.calls(saga) == ["pay", "undo pay"]


# ---- 6: turning to undo -------------------------------------------------------------------

def test_6_outstanding_actions_are_awaited_and_then_undone(story):
    slow, bad = story.step("slow", silence, depends_on=[]), story.step("bad", silence, depends_on=[])
    id_ = story.start(slow, bad)
    out = story.sent(id_, "slow")
    story.answer(story.sent(id_, "bad"), no("declined"))
    assert story.api.wait(id_, "compensating")["state"] == "compensating"
    assert story.api.step(id_, "slow")["state"] == "dispatched" and "undo slow" not in story.calls(id_)
    story.answer(out, ok({"n": 1}))
    assert story.api.wait(id_)["state"] == "compensated"
    assert story.calls(id_)[-1] == "undo slow"


def test_6_an_outstanding_action_that_says_retry_is_not_sent_again(story):
    id_ = story.start(story.step("slow", silence, depends_on=[]), story.step("bad", silence, depends_on=[]))
    out = story.sent(id_, "slow")
    story.answer(story.sent(id_, "bad"), no())
    story.api.wait(id_, "compensating")
    story.answer(out, again())
    assert story.api.wait(id_)["state"] == "compensated"
    assert sorted(story.calls(id_)) == ["bad", "slow"]
    assert story.api.step(id_, "slow")["state"] == "failed"


def test_6_progress_no_longer_extends_and_the_end_of_the_timeout_is_unknown(story):
    id_ = story.start(story.step("slow", silence, depends_on=[], timeout=AMPLE), story.step("bad", silence, depends_on=[]))
    out = story.sent(id_, "slow")
    story.answer(story.sent(id_, "bad"), no())
    before = story.api.step(id_, "slow")["deadline_at"]
    story.api.wait(id_, "compensating")
    story.answer(out, reply("progress", {"progress": 0.9}))
    until(lambda: story.api.history(id_, "step.progress"), 60, "progress in history")
    assert story.api.step(id_, "slow")["deadline_at"] in (before, None)
    assert story.api.wait(id_, seconds=60)["state"] == "compensated"
    assert story.calls(id_).count("slow") == 1 and story.calls(id_)[-1] == "undo slow"


def test_6_a_retry_that_waits_when_the_turn_comes_is_not_sent(story):
    id_ = story.start(story.step("busy", again(), depends_on=[], retry=SLOW), story.step("bad", silence, depends_on=[]))
    story.api.wait_step(id_, "busy", "retrying")
    story.answer(story.sent(id_, "bad"), no())
    saga = story.api.wait(id_)
    assert saga["state"] == "compensated" and sorted(story.calls(id_)) == ["bad", "busy"]
    assert saga["error"]["step"] == "bad"


def test_6_a_step_is_undone_as_soon_as_those_after_it_are_settled(story):
    """a -> a2, b -> b2: b's branch does not wait for the slow undo of a2."""
    a, a2 = story.step("a", depends_on=[]), story.step("a2", depends_on=["a"], undo=[silence])
    b, b2 = story.step("b", depends_on=[]), story.step("b2", depends_on=["b"])
    id_ = story.start(a, a2, b, b2, story.step("bad", no(), depends_on=["a2", "b2"]))
    story.sent(id_, "undo b")
    assert "undo a" not in story.calls(id_)
    story.answer(story.sent(id_, "undo a2"), ok())
    assert story.api.wait(id_)["state"] == "compensated"
    calls = story.calls(id_)
    assert calls.index("undo b2") < calls.index("undo b") and calls.index("undo a2") < calls.index("undo a")


# ---- 7: replies to an undo ----------------------------------------------------------------

def test_7_a_refused_undo_makes_the_saga_stuck_at_once_with_its_code(story):
    saga = story.run(story.step("one"), story.step("pay", undo=[no("cannot")]), story.step("bad", no("declined")))
    assert (saga["state"], saga["error"]["code"], saga["error"]["step"], saga["error"]["op"]) == ("stuck", "cannot", "pay", "compensate")
    assert saga["attention"] == ["stuck"] and story.calls(saga) == ["one", "pay", "bad", "undo pay"]
    assert story.api.states(saga["id"])["pay"] == "compensation_failed"


def test_7_progress_and_pending_of_an_undo_are_as_for_actions(story):
    undo = each(reply("pending"), reply("progress", {"progress": 0.5}, delay=0.15), ok(delay=0.3))
    saga = story.run(story.step("pay", undo=[undo]), story.step("bad", no()))
    rows = [(r["type"], r["op"]) for r in story.api.history(saga["id"]) if r["step"] == "pay"]
    assert ("step.pending", "compensate") in rows and ("step.progress", "compensate") in rows
    assert saga["state"] == "compensated" and story.calls(saga).count("undo pay") == 1


def test_7_an_undo_that_runs_out_of_attempts_is_stuck(story):
    saga = story.run(story.step("pay", undo=[again("down")]), story.step("bad", no()))
    assert (saga["state"], saga["error"]["code"], saga["error"]["op"]) == ("stuck", "down", "compensate")
    assert story.calls(saga).count("undo pay") == 3


# ---- 8: ignored steps ---------------------------------------------------------------------

@pytest.mark.parametrize("answer,timeout,state,undone", [(no("x"), "30s", "failed", False), (again(), "30s", "failed", False),
                                                         (silence, "150ms", "unknown", True), (ok({}), "30s", "succeeded", True)])
def test_8_an_ignored_step_is_undone_unless_it_was_refused(story, answer, timeout, state, undone):
    soft = story.step("soft", answer, on_failure="ignore", timeout=timeout, retry=ONCE)
    id_ = story.start(soft, story.step("bad", silence, input="${steps.soft.output}"))
    last = story.sent(id_, "bad")
    assert story.api.step(id_, "soft")["state"] == state
    assert last.json == ({} if state == "succeeded" else None)
    story.answer(last, no())
    saga = story.api.wait(id_)
    assert saga["state"] == "compensated" and ("undo soft" in story.calls(id_)) == undone


def test_8_an_ignored_step_may_stay_unknown_in_a_saga_that_succeeds(story):
    saga = story.run(story.step("soft", silence, on_failure="ignore", timeout="150ms", retry=ONCE), story.step("last"))
    assert saga["state"] == "succeeded" and saga["error"] is None
    assert story.api.states(saga["id"]) == {"soft": "unknown", "last": "succeeded"}


# ---- 9: what `compensated` means ----------------------------------------------------------

def test_9_null_and_on_exhausted_continue_waive_the_undo(story):
    saga = story.run(story.step("null", undo="null"),
                     story.step("soft", undo=[again("down")], undo_with={"on_exhausted": "continue"}), story.step("bad", no()))
    assert saga["state"] == "compensated"
    states = story.api.states(saga["id"])
    assert states["soft"] == "compensation_skipped" and states["null"] in ("compensated", "compensation_skipped")


def test_9_continue_also_passes_over_an_undo_that_nobody_answers(story):
    saga = story.run(story.step("one"), story.step("soft", undo=[silence], undo_with={"on_exhausted": "continue", "timeout": "100ms"}),
                     story.step("bad", no()))
    assert saga["state"] == "compensated" and story.calls(saga)[-1] == "undo one"


def test_9_an_operator_may_waive_an_undo_and_it_is_written_down(story):
    saga = story.run(story.step("one"), story.step("pay", undo=[no("cannot")]), story.step("bad", no()))
    story.api.command(saga["id"], "skip", "pay", {"reason": "paid back by hand"}).must(202)
    end = story.api.wait(saga["id"], "compensated")
    assert story.api.states(end["id"])["pay"] == "compensation_skipped" and story.calls(end)[-1] == "undo one"
    row = story.api.history(end["id"], "operator.command")[-1]
    assert row["actor"] and "paid back by hand" in str(row["detail"])


# ---- 10: the pivot ------------------------------------------------------------------------

def test_10_after_the_pivot_a_cancel_is_refused(story):
    id_ = story.start(story.step("one"), story.step("pivot", pivot=True, undo=None), story.step("last", silence, undo=None))
    story.sent(id_, "last")
    story.api.command(id_, "cancel").problem(409, "past-pivot")
    story.answer(story.sent(id_, "last"), ok({}))
    assert story.api.wait(id_)["state"] == "succeeded"


def test_10_after_the_pivot_the_deadline_only_raises_overdue(story):
    id_ = story.start(story.step("pivot", pivot=True, undo=None), story.step("last", silence, undo=None), timeout="3s",
                      defaults={"timeout": AMPLE, "retry": {"max_attempts": 0, "initial": "60ms", "max": "60ms", "jitter": "none"}})
    until(lambda: "overdue" in story.api.saga(id_)["attention"], 60, "overdue")
    assert story.api.saga(id_)["state"] == "running"
    assert [s["id"] for s in story.api.get("/v1/sagas", attention="overdue", definition=story.name).must()["items"]] == [id_]
    story.answer(story.participant.of(id_, "last")[-1], ok({}))
    assert story.api.wait(id_)["state"] == "succeeded"


@pytest.mark.parametrize("answer", [no("declined"), again("down")])
def test_10_a_failure_after_the_pivot_makes_the_saga_stuck(story, answer):
    saga = story.run(story.step("one"), story.step("pivot", pivot=True, undo=None), story.step("last", answer, undo=None))
    assert saga["state"] == "stuck" and saga["error"]["step"] == "last"
    assert not [call for call in story.calls(saga) if call.startswith("undo")]
    story.participant.on(f"{story.name}.last", "action", ok({}))
    story.api.command(saga["id"], "retry").must(202)
    end = story.api.wait(saga["id"], "succeeded")
    assert end["state"] == "succeeded" and end["attention"] == []


def test_10_on_failure_compensate_after_the_pivot_is_refused_when_written_out(story):
    body = story.define(story.step("pivot", pivot=True, undo=None), story.step("last", undo=None, on_failure="compensate"))
    assert "/steps/1/on_failure" in story.api.post("/v1/definitions", body).pointers()


def test_10_an_unknown_pivot_is_stuck_and_neither_undone_nor_passed_over(story):
    saga = story.run(story.step("one"), story.step("pivot", silence, pivot=True, undo=None, timeout="120ms", retry={**QUICK, "max_attempts": 2}),
                     story.step("last", undo=None))
    assert (saga["state"], story.calls(saga)) == ("stuck", ["one", "pivot", "pivot"])
    assert story.api.states(saga["id"]) == {"one": "succeeded", "pivot": "unknown", "last": "waiting"}


def test_10_a_refused_pivot_undoes_what_came_before(story):
    saga = story.run(story.step("one"), story.step("pivot", no(), pivot=True, undo=None), story.step("last", undo=None))
    assert (saga["state"], story.calls(saga)) == ("compensated", ["one", "pivot", "undo one"])


# ---- 11: pauses ---------------------------------------------------------------------------

def test_11_resume_after_on_failure_pause_sends_again_with_fresh_attempts(story):
    id_ = story.start(story.step("pay", *[again()] * 3, ok({}), on_failure="pause"))
    step = story.api.wait_step(id_, "pay", "failed")
    saga = story.api.saga(id_)
    assert (saga["state"], saga["paused"], saga["attention"]) == ("running", True, ["paused"]), step
    story.api.command(id_, "resume").must(202)
    assert story.api.wait(id_)["state"] == "succeeded" and story.calls(id_) == ["pay"] * 4
    assert story.api.saga(id_)["attention"] == []


def test_11_fresh_attempts_means_all_of_them_again(story):
    id_ = story.start(story.step("pay", again(), on_failure="pause"))
    for round_ in (1, 2):
        until(lambda: len(story.calls(id_)) == 3 * round_ and story.api.saga(id_)["paused"], 60, "paused")
        if round_ == 1:
            story.api.command(id_, "resume").must(202)
    assert story.api.step(id_, "pay")["state"] == "failed"


def stamp(text):
    seconds = time.mktime(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone
    return seconds + float(text[19:-1])


def test_11_a_deadline_that_passed_in_the_pause_fires_on_resume(story):
    id_ = story.start(story.step("one", silence), story.step("two"), timeout="3s",
                      defaults={"timeout": AMPLE, "retry": ONCE})
    first = story.sent(id_, "one")
    story.api.command(id_, "pause").must(202)
    story.answer(first, ok({}))
    story.api.wait_step(id_, "one", "succeeded")
    deadline = story.api.saga(id_)["deadline_at"]
    until(lambda: time.time() > stamp(deadline) + 0.2, 60, "the deadline to pass")
    assert (story.api.saga(id_)["state"], story.calls(id_)) == ("running", ["one"])
    story.api.command(id_, "resume").must(202)
    saga = story.api.wait(id_)
    assert (saga["state"], saga["error"]["code"], story.calls(id_)) == ("compensated", "saga_timeout", ["one", "undo one"])


def test_11_on_timeout_pause_pauses_and_resume_gives_the_time_anew(story):
    id_ = story.start(story.step("one", silence), story.step("two"), timeout="3s", on_timeout="pause",
                      defaults={"timeout": AMPLE, "retry": {"max_attempts": 0, "initial": "60ms", "max": "60ms", "jitter": "none"}})
    story.sent(id_, "one")
    saga = until(lambda: (found := story.api.saga(id_))["paused"] and found, 60, "paused")
    assert saga["state"] == "running" and "paused" in saga["attention"]
    before = saga["deadline_at"]
    story.participant.on(f"{story.name}.one", "action", ok({}))
    story.api.command(id_, "resume").must(202)
    story.answer(story.participant.of(id_, "one")[-1], ok({}))
    end = story.api.wait(id_)
    assert end["state"] == "succeeded", end["error"]
    assert before is None or stamp(end["deadline_at"] or before) >= stamp(before)


def test_11_a_pause_holds_new_commands_takes_replies_and_lets_timers_of_outstanding_ones_run(story):
    id_ = story.start(story.step("one", silence, depends_on=[]), story.step("slow", silence, depends_on=[], timeout="300ms", retry=SLOW),
                      story.step("two", depends_on=["one"]))
    first = story.sent(id_, "one")
    story.sent(id_, "slow")
    assert story.api.command(id_, "pause").must(202)["paused"] is True
    story.answer(first, ok({}))
    story.api.wait_step(id_, "one", "succeeded")
    story.api.wait_step(id_, "slow", "retrying")
    assert "two" not in story.calls(id_)
    assert story.api.step(id_, "two")["state"] == "ready"
    assert story.api.why(id_)["waiting_for"]["kind"] == "operator"
    story.api.command(id_, "resume").must(202)
    story.sent(id_, "two")
    story.answer(story.sent(id_, "slow"), ok({}))
    assert story.api.wait(id_)["state"] == "succeeded"


# ---- 12: retry horizons -------------------------------------------------------------------

@pytest.mark.parametrize("retry,timeout,fine", [
    ({"max_attempts": 3, "initial": "1s", "multiplier": 1, "jitter": "none"}, "3s", True),      # 3 x 3 + 2 = 11
    ({"max_attempts": 3, "initial": "1s", "multiplier": 1, "jitter": "none"}, "10s", False),    # 32
    ({"max_attempts": 9, "initial": "1s", "max_elapsed": "15s"}, "10s", True),
    ({"max_attempts": 2, "initial": "1s", "max_elapsed": "1h"}, "1s", False),
    ({"max_attempts": 0}, "10s", True)])
def test_12_the_horizon_of_an_action_is_checked_against_the_sagas_timeout(story, retry, timeout, fine):
    body = story.define(story.step("one", retry=retry, timeout=timeout), timeout="20s", defaults={})
    answer = story.api.post("/v1/definitions/validate", body).must()
    assert answer["valid"] == fine, answer
    assert fine or answer["errors"][0]["pointer"].startswith("/steps/0/action")


def test_12_steps_are_not_summed_and_undo_is_not_bounded(story):
    body = story.define(*[story.step(f"s{n}", timeout="8s", retry=ONCE) for n in range(5)], timeout="10s",
                        defaults={"compensation_retry": {"max_attempts": 0, "max_elapsed": "24h"}})
    assert story.api.post("/v1/definitions/validate", body).must()["valid"] is True


# ---- 13: what was never reached -----------------------------------------------------------

def test_13_steps_that_never_started_are_skipped_and_an_unreached_foreach_is_one_item(story):
    saga = story.run(story.step("bad", no()), story.step("each", foreach={"in": "${input}"}), story.step("last"), input=[1, 2])
    rows = [(s["id"], s["index"], s["state"]) for s in story.api.steps(saga["id"])]
    assert rows == [("bad", None, "failed"), ("each", None, "skipped"), ("last", None, "skipped")]


@pytest.mark.parametrize("given,code", [(None, None), ([], None), ({"a": 1}, "expression_error"), ("abc", "expression_error"),
                                        (7, "expression_error"), ([0] * 1001, "too_many_items")])
def test_13_what_a_foreach_may_run_over(story, given, code):
    saga = story.run(story.step("each", foreach={"in": "${input.l}"}), story.step("last", input="${steps.each.output}"), input={"l": given})
    each_rows = [(s["index"], s["state"]) for s in story.api.steps(saga["id"]) if s["id"] == "each"]
    if code:
        assert (saga["state"], saga["error"]["code"], saga["error"]["step"], story.calls(saga)) == ("compensated", code, "each", [])
        assert each_rows == [(None, "failed")]
    else:
        assert saga["state"] == "succeeded" and story.sent(saga, "last").json == []
        assert [index for index, _ in each_rows] == [None]


def test_13_max_items_of_the_definition_is_kept(story):
    saga = story.run(story.step("each", foreach={"in": "${input}", "max_items": 2}), input=[1, 2, 3])
    assert (saga["error"]["code"], story.calls(saga)) == ("too_many_items", [])


# ---- 14: expression errors at run time ----------------------------------------------------

def test_14_in_an_input_or_key_the_step_fails_without_being_sent(story):
    for where in ({"input": {"n": "${1 / input.zero}"}}, {"key": "${1 / input.zero}"}, {"when": "${1 / input.zero == 1}"},
                  {"when": "${input.text}"}, {"headers": {"x-n": "${1 / input.zero}"}}, {"key": "${input.list}"}):
        one = story.step("one")
        saga = story.run(one, story.step("two", **where), input={"zero": 0, "text": "yes", "list": [1]})
        assert (saga["state"], saga["error"]["code"], saga["error"]["step"]) == ("compensated", "expression_error", "two"), where
        assert story.calls(saga) == ["one", "undo one"], where
        assert story.api.step(saga["id"], "two")["state"] == "failed"


def test_14_when_null_is_false(story):
    saga = story.run(story.step("maybe", when="${input.none}"), story.step("last"))
    assert story.api.states(saga["id"]) == {"maybe": "skipped", "last": "succeeded"}


def test_14_in_an_undo_the_saga_is_stuck(story):
    saga = story.run(story.step("one"), story.step("pay", ok({"n": 0}), undo_with={"input": "${1 / output.n}"}), story.step("bad", no("declined")))
    assert (saga["state"], saga["error"]["code"], saga["error"]["step"], saga["error"]["op"]) == \
        ("stuck", "expression_error", "pay", "compensate")
    story.api.command(saga["id"], "skip", "pay").must(202)
    end = story.api.wait(saga["id"], "compensated")
    assert end["error"]["code"] == "declined"


def test_14_in_attributes_the_start_is_refused(story):
    made_ = story.register(story.step("one"), attributes={"n": "${1 / input.zero}"})
    answer = story.api.post("/v1/sagas", {"definition": made_, "input": {"zero": 0}})
    assert answer.problem(422)["errors"], answer.raw
    assert story.api.get("/v1/sagas", definition=story.name).must()["items"] == []


def test_14_in_the_output_the_saga_succeeds_with_null_and_the_error_is_kept(story):
    saga = story.run(story.step("one"), output={"n": "${1 / input.zero}"}, input={"zero": 0})
    assert (saga["state"], saga["output"], saga["error"]["code"]) == ("succeeded", None, "expression_error")


def test_14_an_expression_error_is_not_retried_and_can_be_ignored(story):
    saga = story.run(story.step("soft", input="${1 / input.zero}", on_failure="ignore"), story.step("last"), input={"zero": 0})
    assert (saga["state"], story.calls(saga)) == ("succeeded", ["last"])


# ---- 15: codes that sagad sets ------------------------------------------------------------

def test_15_codes_of_timeouts_and_of_a_failure_without_a_code(story):
    saga = story.run(story.step("pay", silence, timeout="100ms", retry=ONCE))
    assert (saga["error"]["code"], saga["error"]["step"], saga["error"]["op"]) == ("timeout", "pay", "action")
    saga = story.run(story.step("pay", reply("failure")))
    assert saga["error"]["code"] == "failed"
    saga = story.run(story.step("pay", reply("failure", None, "Not A Code!")))
    assert saga["error"]["code"] == "failed"


def test_15_codes_of_the_saga_timeout_a_cancel_and_a_terminate(story):
    endless = {"timeout": "250ms", "retry": {"max_attempts": 0, "initial": "60ms", "max": "60ms", "jitter": "none"}}
    saga = story.run(story.step("one"), story.step("pay", silence), timeout="400ms", defaults=endless)
    assert (saga["state"], saga["error"]["code"]) == ("compensated", "saga_timeout")
    ids = [story.start(story.step("pay", silence)) for _ in range(2)]
    for id_, verb, end in zip(ids, ("cancel", "terminate"), ("compensated", "terminated")):
        command = story.sent(id_, "pay")
        story.api.command(id_, verb).must(202)
        story.answer(command, ok({}))
        found = story.api.wait(id_, end)
        assert found["error"]["code"] == {"cancel": "cancelled", "terminate": "terminated"}[verb]


def test_15_an_output_that_breaks_its_schema_is_bad_output(story):
    saga = story.run(story.step("pay", ok({"n": "text"}), output_schema={"type": "object", "properties": {"n": {"type": "number"}}}, retry=ONCE))
    assert saga["error"]["code"] == "bad_output"


# ---- 16: attention ------------------------------------------------------------------------

def test_16_a_retrying_saga_is_found_by_its_attention(story):
    id_ = story.start(story.step("pay", again(), retry=SLOW))
    story.api.wait_step(id_, "pay", "retrying")
    saga = story.api.saga(id_)
    assert (saga["state"], saga["attention"]) == ("running", ["retrying"])
    found = story.api.get("/v1/sagas", attention="retrying", definition=story.name).must()["items"]
    assert [s["id"] for s in found] == [id_]
    story.api.command(id_, "terminate").must(202)
    assert story.api.saga(id_)["attention"] == []


# ---- 17: history --------------------------------------------------------------------------

def test_17_seq_and_revision_run_without_gaps_and_each_row_has_every_member(story):
    saga = story.run(story.step("pay", again(), ok({}), undo=[again(), ok()]), story.step("bad", no("declined")))
    rows = story.api.history(saga["id"])
    assert [r["seq"] for r in rows] == list(range(1, len(rows) + 1))
    revisions = [r["revision"] for r in rows]
    assert sorted(set(revisions)) == list(range(1, saga["revision"] + 1)) and revisions == sorted(revisions)
    for row in rows:
        assert set(row) >= {"seq", "at", "type", "step", "index", "op", "attempt", "actor", "detail", "revision"}, row
        assert re.fullmatch(STAMP, row["at"]) and isinstance(row["detail"], dict)
    assert [(r["type"], r["step"], r["op"], r["attempt"]) for r in rows if r["type"].startswith("step")] == [
        ("step.dispatched", "pay", "action", 1), ("step.retry_scheduled", "pay", "action", 1), ("step.dispatched", "pay", "action", 2),
        ("step.succeeded", "pay", "action", 2), ("step.dispatched", "bad", "action", 1), ("step.failed", "bad", "action", 1),
        ("step.dispatched", "pay", "compensate", 1), ("step.retry_scheduled", "pay", "compensate", 1),
        ("step.dispatched", "pay", "compensate", 2), ("step.succeeded", "pay", "compensate", 2)]
    assert [r["type"] for r in rows if r["type"].startswith("saga")] == [
        "saga.created", "saga.started", "saga.compensating", "saga.compensated"]


def test_17_ignored_replies_are_rows_with_their_reason(story):
    id_ = story.start(story.step("pay", each(ok({"n": 1}), ok({"n": 1}))), story.step("last", silence))
    story.answer(story.sent(id_, "pay"), no("contradiction"))
    rows = until(lambda: len(r := story.api.history(id_, "reply.ignored")) == 2 and r, 60, "both ignored")
    assert rows[0]["detail"]["reason"] == "duplicate" and rows[1]["detail"]["reason"] in ("late", "illegal")
    assert {r["step"] for r in rows} == {"pay"}
    before = story.api.saga(id_)["revision"]
    story.answer(story.sent(id_, "pay"), ok({"n": 2}))
    until(lambda: len(story.api.history(id_, "reply.ignored")) == 3, 60, "the third")
    assert story.api.saga(id_)["revision"] == before, "an ignored reply is no transition"
    story.answer(story.sent(id_, "last"), ok({}))
    assert story.api.wait(id_)["state"] == "succeeded"
    assert story.api.step(id_, "pay")["output"] == {"n": 1}


def test_17_a_bad_reply_leaves_the_step_open_and_raises_attention(story):
    id_ = story.start(story.step("pay", made(ce_sagatoken=True, ce_sagaoutcome="maybe")))
    until(lambda: story.api.saga(id_)["attention"] == ["bad_reply"], 60, "bad_reply")
    assert story.api.step(id_, "pay")["state"] == "dispatched"
    story.answer(story.sent(id_, "pay"), ok({}))
    end = story.api.wait(id_)
    assert (end["state"], end["attention"]) == ("succeeded", [])


# ---- 18 and the rest of a definition's promises -------------------------------------------

def test_18_a_child_must_exist_when_its_parent_is_registered(story):
    body = story.define({"id": "child", "saga": {"name": "nobody-" + story.name, "input": {}}})
    answer = story.api.post("/v1/definitions", body)
    assert any(p.startswith("/steps/0/saga") for p in answer.pointers())


def test_topics_that_are_not_allowed_are_refused_with_the_place(story):
    for topic in ("saga.replies", "saga.events", "saga.anything", "__transaction_state"):
        body = story.define(story.step("one", topic=topic))
        assert "/steps/0/action/topic" in story.api.post("/v1/definitions", body).pointers(), topic
    body = story.define(story.step("one", undo_with={"topic": "saga.replies"}, topic=TOPIC))
    assert "/steps/0/compensation/topic" in story.api.post("/v1/definitions", body).pointers()
