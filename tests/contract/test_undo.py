"""Undoing: order in graphs, foreach, unknown outcomes, exhausted undos, pauses and cancels in the middle."""
import pytest

from client import new_id
from participant import again, no, ok, silence
from servers import until
from story import AMPLE, NOBODY, ONCE, QUICK


def order(calls, *pairs):
    for first, second in pairs:
        assert calls.index(first) < calls.index(second), (first, second, calls)


def test_a_graph_is_undone_against_its_edges(story):
    """     a -> b -> d -> e(refused)
            a -> c -> d                """
    steps = [story.step("a", depends_on=[]), story.step("b", depends_on=["a"]), story.step("c", depends_on=["a"]),
             story.step("d", depends_on=["b", "c"]), story.step("e", no(), depends_on=["d"])]
    saga = story.run(*steps)
    calls = story.calls(saga)
    assert saga["state"] == "compensated" and len(calls) == 9
    order(calls, ("undo d", "undo b"), ("undo d", "undo c"), ("undo b", "undo a"), ("undo c", "undo a"))


def test_undos_that_do_not_depend_run_side_by_side(story):
    left, right = (story.step(n, depends_on=[], undo=[silence]) for n in ("left", "right"))
    id_ = story.start(left, right, story.step("bad", no(), depends_on=["left", "right"]))
    one, two = story.sent(id_, "undo left"), story.sent(id_, "undo right")
    story.answer(two, ok())
    story.answer(one, ok())
    assert story.api.wait(id_)["state"] == "compensated"


def test_an_undo_is_sent_only_when_its_own_action_is_settled(story):
    id_ = story.start(story.step("slow", silence, depends_on=[]), story.step("bad", no(), depends_on=[]))
    story.api.wait(id_, "compensating")
    assert "undo slow" not in story.calls(id_)
    story.answer(story.sent(id_, "slow"), no("also refused"))
    saga = story.api.wait(id_)
    assert saga["state"] == "compensated" and "undo slow" not in story.calls(id_)
    assert saga["error"]["step"] == "bad", "the first cause stays the error"


def test_skipped_and_never_run_steps_are_not_undone(story):
    saga = story.run(story.step("off", when="${false || input.off}"), story.step("on"), story.step("bad", no()), story.step("never"), input={"off": False})
    assert story.calls(saga) == ["on", "bad", "undo on"]
    assert story.api.states(saga["id"]) == {"off": "skipped", "on": "compensated", "bad": "failed", "never": "skipped"}


def test_an_undo_sees_its_output_its_input_and_what_came_before(story):
    undo_with = {"input": {"own": "${output.id}", "given": "${input.order}", "before": "${steps.first.output.n}"}}
    saga = story.run(story.step("first", ok({"n": 0.10})), story.step("pay", ok({"id": "p-1"}), undo_with=undo_with), story.step("bad", no()),
                     input={"order": "o-1"})
    assert story.sent(saga, "undo pay").value.startswith(b'{"own":"p-1","given":"o-1","before":0.1')


def test_the_undo_of_an_unknown_step_has_a_null_output(story):
    saga = story.run(story.step("pay", silence, timeout="120ms", retry=ONCE, undo_with={"input": {"id": "${output.id}", "all": "${output}"}}))
    assert story.sent(saga, "undo pay").json == {"id": None, "all": None}


@pytest.mark.parametrize("undo,state", [("null", "compensated"), (None, "stuck")])
def test_an_unknown_step_without_undo(story, undo, state):
    """null counts as undone; left out, an operator decides."""
    saga = story.run(story.step("one"), story.step("pay", silence, undo=undo, timeout="120ms", retry=ONCE))
    assert saga["state"] == state
    if state == "stuck":
        assert story.calls(saga) == ["one", "pay"] and saga["error"]["step"] == "pay"


def test_an_unanswered_undo_is_sent_again_and_then_stuck(story):
    saga = story.run(story.step("one"), story.step("pay", undo=[silence], undo_with={"timeout": "100ms"}), story.step("bad", no()))
    assert (saga["state"], story.calls(saga).count("undo pay"), "undo one" in story.calls(saga)) == ("stuck", 3, False)
    assert saga["error"]["code"] == "timeout"
    assert [c.attempt for c in story.participant.of(saga["id"], "undo pay")] == [1, 2, 3]


def test_another_branch_is_undone_although_one_is_stuck(story):
    left, right = story.step("left", depends_on=[], undo=[no("cannot")]), story.step("right", depends_on=[])
    id_ = story.start(left, right, story.step("bad", no(), depends_on=["left", "right"]))
    story.sent(id_, "undo right")
    assert story.api.wait(id_, "stuck")["error"]["step"] == "left"
    until(lambda: story.api.states(id_)["right"] == "compensated", 60, "right is undone")


def test_a_late_answer_of_a_stuck_undo_is_taken_or_ignored_and_never_lost(story):
    saga = story.run(story.step("pay", undo=[silence], undo_with={"timeout": "100ms", "retry": ONCE}), story.step("bad", no()))
    assert saga["state"] == "stuck"
    story.answer(story.sent(saga, "undo pay"), ok())
    until(lambda: story.api.saga(saga["id"])["state"] == "compensated" or story.api.history(saga["id"], "reply.ignored"), 60, "seen")


# ---- foreach ------------------------------------------------------------------------------

def by_item(**answers):
    return lambda p, c: answers.get(f"i{c.idem.split('/')[2]}", ok({}))(p, c)


def test_one_refused_item_fails_the_step_after_the_outstanding_ones_and_undoes_the_finished(story):
    id_ = story.start(story.step("each", by_item(i1=no("sold_out"), i2=silence), foreach={"in": "${input}"}), input=[1, 2, 3])
    story.api.wait_step(id_, "each", "failed", index=1)
    assert story.api.saga(id_)["state"] in ("running", "compensating") and not [c for c in story.calls(id_) if c == "undo each[2]"]
    story.answer(story.sent(id_, "each[2]"), ok({}))
    saga = story.api.wait(id_)
    assert (saga["state"], saga["error"]["code"], saga["error"]["step"]) == ("compensated", "sold_out", "each")
    assert sorted(c for c in story.calls(id_) if c.startswith("undo")) == ["undo each[0]", "undo each[2]"]


def test_items_that_wait_for_their_turn_are_not_sent_after_a_refusal(story):
    saga = story.run(story.step("each", by_item(i0=no()), foreach={"in": "${input}", "concurrency": 1}), input=list(range(5)))
    assert story.calls(saga) == ["each[0]"] and saga["state"] == "compensated"
    states = story.api.states(saga["id"])
    assert states["each[0]"] == "failed" and set(list(states.values())[1:]) == {"skipped"}


def test_an_unknown_item_is_undone_with_the_others(story):
    saga = story.run(story.step("each", by_item(i1=silence), foreach={"in": "${input}"}, timeout=AMPLE, retry=ONCE), input=[1, 2])
    assert saga["state"] == "compensated"
    assert sorted(c for c in story.calls(saga) if c.startswith("undo")) == ["undo each[0]", "undo each[1]"]


def test_each_item_reads_its_own_output_in_its_undo(story):
    saga = story.run(story.step("each", ok(lambda c: {"id": f"r-{c.json['sku']}"}), foreach={"in": "${input.l}", "as": "line"},
                                input={"sku": "${line.sku}", "i": "${index}"}, undo_with={"input": {"id": "${output.id}", "sku": "${line.sku}", "i": "${index}"}}),
                     story.step("bad", no()), input={"l": [{"sku": "a"}, {"sku": "b"}]})
    assert {c.name: c.json for c in story.participant.of(saga["id"]) if c.op == "compensate"} == {
        "undo each[0]": {"id": "r-a", "sku": "a", "i": 0}, "undo each[1]": {"id": "r-b", "sku": "b", "i": 1}}


def test_a_foreach_of_a_thousand_items_ends(story):
    saga = story.api.wait(story.start(story.step("each", foreach={"in": "${input}", "concurrency": 100}), input=list(range(1000))), seconds=60)
    assert saga["state"] == "succeeded" and len(set(story.calls(saga))) == 1000


def test_an_ignored_foreach_goes_on_with_what_it_has(story):
    saga = story.run(story.step("each", by_item(i0=no()), foreach={"in": "${input}"}, on_failure="ignore"),
                     story.step("last", input="${steps.each.output}"), input=[1, 2])
    assert saga["state"] == "succeeded" and story.sent(saga, "last").json is None


def test_retries_of_items_are_each_their_own(story):
    flaky = lambda p, c: (again() if c.attempt < 2 else ok({}))(p, c)
    saga = story.run(story.step("each", flaky, foreach={"in": "${input}", "concurrency": 2}, retry=QUICK), input=[1, 2, 3])
    assert saga["state"] == "succeeded" and {story.calls(saga).count(f"each[{i}]") for i in range(3)} == {2}


# ---- the middle of it ---------------------------------------------------------------------

def test_a_pause_holds_the_undo_back(story):
    id_ = story.start(story.step("one"), story.step("pay", undo=[silence]), story.step("bad", no()))
    undo = story.sent(id_, "undo pay")
    story.api.command(id_, "pause").must(202)
    story.answer(undo, ok())
    until(lambda: story.api.states(id_)["pay"] == "compensated", 60, "pay is undone")
    assert "undo one" not in story.calls(id_) and story.api.saga(id_)["state"] == "compensating"
    story.api.command(id_, "resume").must(202)
    assert story.api.wait(id_)["state"] == "compensated"


def test_terminate_stops_the_undo(story):
    id_ = story.start(story.step("one"), story.step("pay", undo=[silence]), story.step("bad", no("declined")))
    undo = story.sent(id_, "undo pay")
    story.api.command(id_, "terminate").must(202)
    story.answer(undo, ok())
    until(lambda: story.api.history(id_, "reply.ignored"), 60, "ignored")
    assert story.api.saga(id_)["state"] == "terminated" and "undo one" not in story.calls(id_)


def test_a_cancel_while_a_foreach_is_out(story):
    id_ = story.start(story.step("each", by_item(i1=silence), foreach={"in": "${input}", "concurrency": 2}), input=[1, 2, 3, 4])
    story.sent(id_, "each[1]")
    until(lambda: story.calls(id_).count("each[3]") == 1, 60, "the others went on")
    story.api.command(id_, "cancel").must(202)
    story.answer(story.sent(id_, "each[1]"), ok({}))
    assert story.api.wait(id_)["state"] == "compensated"
    assert sorted(c for c in story.calls(id_) if c.startswith("undo")) == [f"undo each[{i}]" for i in range(4)]


def test_the_sagas_deadline_undoes_and_awaits_what_is_out(story):
    id_ = story.start(story.step("one"), story.step("pay", silence), timeout="3s",
                      defaults={"timeout": AMPLE, "retry": {"max_attempts": 0, "initial": "50ms", "max": "50ms", "jitter": "none"}})
    saga = story.api.wait(id_)
    assert (saga["state"], saga["error"]["code"]) == ("compensated", "saga_timeout")
    assert story.calls(id_)[-2:] == ["undo pay", "undo one"]
    assert saga["deadline_at"] is not None


def test_a_topic_that_nobody_reads_times_out_as_unknown(story):
    saga = story.run(story.step("pay", topic=NOBODY, undo="null", timeout="200ms", retry=ONCE))
    assert (saga["state"], saga["error"]["code"]) == ("compensated", "timeout")


def test_a_topic_that_does_not_exist_is_no_end_of_the_daemon(story):
    body = story.define(story.step("pay", topic=f"nowhere-{new_id()[:8]}.commands", undo="null", timeout="300ms", retry=ONCE))
    answer = story.api.post("/v1/definitions", body)
    if answer.status == 201:
        story.api.wait(story.api.start(story.name), seconds=40)
    assert story.api.get("/livez").status == 200
