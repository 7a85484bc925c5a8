"""Delays, signals as far as they only wait, probes and holds, from outside."""
import datetime

import pytest

from participant import no, ok, silence
from story import ONCE

LOST = {"timeout": "120ms", "retry": ONCE}


def asked(story, id_, *answers, **members):
    """A step that nobody answers, with a probe whose answers these are."""
    type_ = f"{story.name}.{id_}.asked"
    story.participant.on(type_, "probe", *answers)
    probe = {"topic": "contract.commands", "type": type_, "input": {"asks": "${input}"}, "retry": {**ONCE}}
    return story.step(id_, silence, on_unknown="probe", probe={**probe, **members}, **LOST)


def test_a_delay_waits_and_what_follows_comes_after_it(story):
    saga = story.run(story.step("one"), {"id": "rest", "delay": {"for": "300ms"}}, story.step("two"))
    assert saga["state"] == "succeeded"
    step = story.api.step(saga["id"], "rest")
    assert (step["kind"], step["state"], step["output"], step["attempt"]) == ("delay", "succeeded", None, 1)
    began, ended = (datetime.datetime.fromisoformat(step[name][:-1]) for name in ("started_at", "finished_at"))
    assert ended - began >= datetime.timedelta(milliseconds=300)
    assert story.calls(saga) == ["one", "two"]


def test_a_delay_until_a_time_that_has_passed_is_over_at_once(story):
    saga = story.run({"id": "rest", "delay": {"until": "${input.at}"}}, story.step("two"), input={"at": "2001-01-01T00:00:00Z"})
    assert saga["state"] == "succeeded"


def test_why_tells_the_end_of_a_delay_and_a_cancel_drops_it(story):
    id_ = story.start(story.step("one"), {"id": "rest", "delay": {"for": "40d"}}, story.step("two"))
    story.api.wait_step(id_, "rest", "dispatched")
    why = story.api.why(id_)
    waits = why["waiting_for"]
    assert (waits["kind"], waits["step"], waits["command_sent_at"]) == ("timer", "rest", None)
    assert waits["next_attempt_at"] == story.api.step(id_, "rest")["deadline_at"] is not None
    story.api.command(id_, "cancel").must(202)
    assert story.api.wait(id_)["state"] == "compensated"
    assert story.api.states(id_) == {"one": "compensated", "rest": "skipped", "two": "skipped"}


def test_an_operator_ends_a_delay(story):
    id_ = story.start({"id": "rest", "delay": {"for": "1d"}}, story.step("two"))
    story.api.wait_step(id_, "rest", "dispatched")
    story.api.command(id_, "skip", "rest").problem(409)
    story.api.command(id_, "complete", "rest").must(202)
    assert story.api.wait(id_)["state"] == "succeeded"


def test_a_delay_that_is_no_time_fails_its_step(story):
    saga = story.run(story.step("one"), {"id": "rest", "delay": {"for": "${input.n}"}}, input={"n": 3})
    assert saga["state"] == "compensated"
    assert (saga["error"]["code"], saga["error"]["step"]) == ("expression_error", "rest")


def test_why_names_the_awaited_signal_and_its_time_fails_the_step(story):
    id_ = story.start(story.step("one"), {"id": "ask", "signal": {"name": "approved", "timeout": "1h"}})
    story.api.wait_step(id_, "ask", "dispatched")
    waits = story.api.why(id_)["waiting_for"]
    assert (waits["kind"], waits["signal"], waits["step"]) == ("signal", "approved", "ask")
    assert waits["deadline_at"] == story.api.step(id_, "ask")["deadline_at"] is not None
    saga = story.run(story.step("one"), {"id": "ask", "signal": {"name": "approved", "timeout": "50ms"}})
    assert saga["state"] == "compensated" and saga["error"] == {**saga["error"], "code": "timeout", "step": "ask"}
    saga = story.run({"id": "ask", "signal": {"name": "approved", "timeout": "50ms", "on_timeout": "continue"}}, story.step("two"))
    assert saga["state"] == "succeeded" and story.api.step(saga["id"], "ask")["output"] is None


def test_a_probe_that_knows_gives_the_output(story):
    saga = story.run(asked(story, "pay", ok({"id": "p-7"})), story.step("two"), input={"n": 0.10})
    assert saga["state"] == "succeeded"
    probe = story.sent(saga, "probe pay")
    assert probe.h("ce_sagaop") == "probe" and probe.value.startswith(b'{"asks":{"n":0.1')
    assert probe.h("ce_idempotencykey") == f"{saga['id']}/pay"
    assert probe.h("ce_id") == f"{saga['id']}/pay/probe/1"
    step = story.api.step(saga["id"], "pay")
    assert (step["state"], step["op"], step["attempt"], step["output"]) == ("succeeded", "action", 1, {"id": "p-7"})


def test_a_probe_that_says_never_ran_leaves_nothing_to_undo(story):
    saga = story.run(story.step("one"), asked(story, "pay", no("unheard_of")))
    assert saga["state"] == "compensated" and saga["error"]["code"] == "timeout"
    assert story.calls(saga) == ["one", "pay", "probe pay", "undo one"]


def test_a_probe_in_vain_leaves_the_step_unknown(story):
    saga = story.run(asked(story, "pay", silence, timeout="120ms"))
    assert saga["state"] == "compensated"
    assert story.calls(saga) == ["pay", "probe pay", "undo pay"]
    types = [item["type"] for item in story.api.history(saga["id"])]
    assert "step.unknown" in types


def held(story):
    id_ = story.start(story.step("one"), story.step("pay", silence, on_unknown="hold", **LOST), story.step("two"))
    story.api.wait_step(id_, "pay", "unknown")
    return id_


def test_a_held_step_asks_for_an_operator(story):
    id_ = held(story)
    saga = story.api.saga(id_)
    assert (saga["state"], saga["attention"]) == ("running", ["held"])
    assert story.api.why(id_)["waiting_for"]["kind"] == "operator"
    story.api.command(id_, "complete", "pay", body={"reason": "seen at the bank", "output": {"id": 1}}).must(202)
    assert story.api.wait(id_)["state"] == "succeeded"


@pytest.mark.parametrize("verb,calls", [("fail", ["one", "pay", "undo one"]), ("skip", ["one", "pay", "undo one"]),
                                        ("complete", ["one", "pay", "undo pay", "undo one"])])
def test_a_held_step_is_decided_before_the_undo_goes_on(story, verb, calls):
    id_ = held(story)
    story.api.command(id_, "cancel").must(202)
    assert story.api.wait(id_, "stuck")["error"]["step"] == "pay"
    story.api.command(id_, verb, "pay").must(202)
    assert story.api.wait(id_)["state"] == "compensated"
    assert story.calls(id_) == calls


@pytest.mark.parametrize("step,pointer", [
    ({"on_unknown": "probe"}, "/steps/0/on_unknown"),
    ({"probe": {"topic": "t"}}, "/steps/0/probe"),
    ({"on_unknown": "ask"}, "/steps/0/on_unknown"),
])
def test_a_probe_and_its_rule_come_together(story, step, pointer):
    assert story.api.post("/v1/definitions", story.define({**story.step("pay"), **step})).pointers() == [pointer]


@pytest.mark.parametrize("step,pointer", [
    ({"delay": {}}, "/steps/0/delay"),
    ({"delay": {"for": "2h"}}, "/steps/0/delay"),
    ({"delay": {"for": "soon"}}, "/steps/0/delay/for"),
    ({"delay": {"until": "2030-01-01T00:00:00Z"}}, "/steps/0/delay/until"),
    ({"signal": {"name": "go", "timeout": "2h"}}, "/steps/0/signal"),
    ({"signal": {}}, "/steps/0/signal"),
    ({"signal": {"name": "go"}, "on_unknown": "hold"}, "/steps/0/on_unknown"),
])
def test_wrong_waits_are_refused_with_their_place(story, step, pointer):
    assert story.api.post("/v1/definitions", story.define({"id": "wait", **step}, timeout="1h")).pointers() == [pointer]
