"""Export of one saga, and its history folded again by `sagactl replay`."""
import copy
import json
import subprocess

import pytest

from client import new_id
from participant import again, no, ok, reply, silence
from servers import program
from story import ONCE, SLOW

SAGACTL = program("sagactl")


def replay(export, tmp_path):
    file = tmp_path / "saga.json"
    file.write_text(json.dumps(export) if isinstance(export, dict) else export.decode())
    ran = subprocess.run([SAGACTL, "replay", str(file)], capture_output=True, text=True, timeout=30)
    return ran.returncode, ran.stdout + ran.stderr


def export(story, id_):
    return story.api.get(f"/v1/sagas/{id_}/export").must()


def ends_well(story):
    return story.run(story.step("one", ok({"n": 0.10})), story.step("two", ok()), output={"n": "${steps.one.output.n}"})


def is_undone(story):
    return story.run(story.step("one"), story.step("none", undo="null"), story.step("two", no("declined")))


def is_tried_again(story):
    return story.run(story.step("one", again("busy"), ok({"at": "last"})), story.step("odd", no("whatever"), on_failure="ignore"))


def goes_over_items(story):
    return story.run(story.step("each", foreach={"in": "${input}", "concurrency": 2}), story.step("nothing", foreach={"in": "${[]}"}),
                     story.step("never", when="${size(input) > 5}"), input=[1, 2, 3])


def is_worth_something(story):
    effect = {"kind": "money", "amount": "${input.total}", "currency": "${input.currency}"}
    return story.run(story.step("one", effect=effect), story.step("two", effect={"kind": "stock"}), story.step("three", no("declined")),
                     input={"total": "12.50", "currency": "EUR"})


def waits_for_a_retry(story):
    id_ = story.start(story.step("one"), story.step("two", again("busy"), retry=SLOW))
    story.api.wait_step(id_, "two", "retrying")
    return story.api.saga(id_)


def times_out(story):
    return story.run(story.step("one"), story.step("two", silence, timeout="100ms", retry=ONCE))


def is_stuck(story):
    return story.run(story.step("one", undo=[no("cannot")]), story.step("two", no("declined")))


def was_stuck(story):
    id_ = is_stuck(story)["id"]
    story.api.command(id_, "skip", "one").must(202)
    return story.api.wait(id_, "compensated")


def is_steered(story):
    id_ = story.start(story.step("one", no("declined"), on_failure="pause"), story.step("two", silence), timeout="1h")
    story.api.wait_step(id_, "one", "failed")
    story.api.command(id_, "complete", "one", {"output": {"by": "hand"}}).must(202)
    story.sent(id_, "two")
    story.api.command(id_, "pause").must(202)
    story.api.command(id_, "resume").must(202)
    story.api.command(id_, "cancel").must(202)
    story.api.command(id_, "fail", "two").must(202)
    return story.api.wait(id_)


def is_retried_with_another_input(story):
    id_ = story.start(story.step("one", no("declined"), ok({"paid": True}), on_failure="pause"))
    story.api.wait_step(id_, "one", "failed")
    story.api.command(id_, "retry", "one", {"input": {"other": "card"}}).must(202)
    return story.api.wait(id_)


def is_terminated(story):
    id_ = story.start(story.step("one", silence), story.step("two"))
    story.sent(id_, "one")
    story.api.command(id_, "terminate").must(202)
    return story.api.wait(id_)


def is_forked(story):
    first = story.run(story.step("one", ok({"n": 1})), story.step("each", foreach={"in": "${[1,2]}"}), story.step("two"))
    forked = story.api.command(first["id"], "fork", None, {"from": "two"}).must(202)
    return story.api.wait(forked["id"])


SCENES = [ends_well, is_undone, is_tried_again, goes_over_items, is_worth_something, waits_for_a_retry, times_out, is_stuck, was_stuck, is_steered,
          is_retried_with_another_input, is_terminated, is_forked]


@pytest.mark.parametrize("scene", SCENES, ids=lambda s: s.__name__)
def test_the_history_of_an_export_gives_its_state(story, tmp_path, scene):
    saga = scene(story)
    raw = story.api.get(f"/v1/sagas/{saga['id']}/export").raw
    status, said = replay(raw, tmp_path)
    assert status == 0, said
    assert saga["state"] in said


def test_an_export_is_what_the_parts_show(story):
    saga = ends_well(story)
    answer = story.api.get(f"/v1/sagas/{saga['id']}/export")
    whole = answer.must()
    assert answer.header("etag") == f'"{saga["revision"]}"' and whole["format"] == "sagad.export/1"
    assert whole["saga"] == story.api.saga(saga["id"]) and whole["steps"] == story.api.steps(saga["id"])
    history = [{k: v for k, v in item.items() if k not in ("payload", "output")} for item in whole["history"]]
    assert history == story.api.history(saga["id"])
    assert whole["definition"] == story.api.get(f"/v1/definitions/{story.name}/versions/1").must()
    assert whole["start"] == {"definition": saga["definition"], "input": {}, "labels": {}}
    assert b'"payload":{"n":0.1}' in answer.raw or b'"payload":{"n":0.10}' in answer.raw
    assert story.api.start(whole["start"]["definition"], whole["start"]["input"]) != saga["id"]


def test_an_inline_definition_travels_with_its_export(story, tmp_path):
    inline = story.define(story.step("one"))
    saga = story.api.wait(story.api.start({"inline": inline}))
    whole = export(story, saga["id"])
    assert whole["start"]["definition"] == {"inline": inline} and whole["definition"]["version"] == 0
    assert replay(whole, tmp_path)[0] == 0


def test_what_is_masked_is_masked_in_the_export_too(story, tmp_path):
    steps = [story.step("charge", ok({"pan": "4111", "id": "c-1"})),
             story.step("each", ok({"pan": "4111"}), foreach={"in": "${[1, 2]}"}),
             story.step("bad", reply("failure", {"detail": "no", "debug": "4111"}, "declined"), ok({}), on_failure="pause")]
    id_ = story.start(*steps, input={"card": {"no": "4242"}, "name": "Zoë"}, output={"pan": "${steps.charge.output.pan}"},
                      redact=["/input/card", "/steps/charge/output/pan", "/steps/each/output/pan", "/output/pan"])
    story.api.wait_step(id_, "bad", "failed")
    story.api.command(id_, "retry", "bad", {"input": {"no": "4242"}}).must(202)
    story.api.wait(id_, "succeeded")
    raw = story.api.get(f"/v1/sagas/{id_}/export").raw
    assert b"4242" not in raw and b"4111" not in raw and "Zoë".encode() in raw and b"c-1" in raw
    status, said = replay(raw, tmp_path)
    assert status == 0, said


def entry_of(whole, type_, n=0):
    return [item for item in whole["history"] if item["type"] == type_][n]


def tamper_state(whole):
    whole["saga"]["state"] = "compensated"
    return "state of the saga"


def tamper_output(whole):
    whole["steps"][0]["output"] = {"n": 7}
    return "output of step one"


def tamper_payload(whole):
    entry = entry_of(whole, "step.succeeded")
    entry["payload"] = {"n": 7}
    return f"entry {entry['seq']}: output of step one"


def tamper_time(whole):
    entry = entry_of(whole, "step.succeeded")
    entry["at"] = "2020-01-01T00:00:00.000Z"
    return f"entry {entry['seq']}: finished_at of step one"


def tamper_attempt(whole):
    entry = entry_of(whole, "step.dispatched", 1)
    entry["attempt"] = 3
    return f"entry {entry['seq']}: step.dispatched of step two tells of attempt 3"


def tamper_type(whole):
    entry = entry_of(whole, "step.succeeded", 1)
    entry["type"] = "step.ready"
    return f"entry {entry['seq']}: step.ready of step two cannot happen"


def tamper_step(whole):
    entry = entry_of(whole, "step.succeeded", 1)
    entry["step"] = "three"
    return f"entry {entry['seq']}: step.succeeded of step three"


def tamper_gap(whole):
    del whole["history"][3]
    return "entry 5: entry 5 comes after entry 3"


def tamper_order(whole):
    first, second = whole["history"][2:4]
    first["type"], second["type"] = second["type"], first["type"]
    return "entry 3"


def tamper_end(whole):
    whole["history"].pop()
    return "entry"


def tamper_revision(whole):
    whole["history"][-1]["revision"] += 1
    return "revision"


def tamper_error(whole):
    whole["saga"]["error"] = {"code": "made_up", "detail": "x", "step": None, "op": "action"}
    return "error.code of the saga"


def tamper_definition(whole):
    whole["definition"]["definition"]["steps"].pop()
    return "steps are not those"


def tamper_format(whole):
    whole["format"] = "sagad.export/9"
    return "no export"


TAMPERS = [tamper_state, tamper_output, tamper_payload, tamper_time, tamper_attempt, tamper_type, tamper_step, tamper_gap, tamper_order,
           tamper_end, tamper_revision, tamper_error, tamper_definition, tamper_format]


def test_a_tampered_export_is_found_and_named(story, tmp_path):
    whole = export(story, ends_well(story)["id"])
    for tamper in TAMPERS:
        changed = copy.deepcopy(whole)
        wanted = tamper(changed)
        status, said = replay(changed, tmp_path)
        assert status == 1 and wanted in said, (tamper.__name__, said)


def test_rubbish_is_refused_and_breaks_nothing(story, tmp_path):
    whole = export(story, goes_over_items(story)["id"])
    for bad in (b"", b"[]", b"{", b'{"format":"sagad.export/1"}', b"\xff\xfe"):
        (tmp_path / "saga.json").write_bytes(bad)
        ran = subprocess.run([SAGACTL, "replay", str(tmp_path / "saga.json")], capture_output=True, timeout=30)
        assert ran.returncode == 1 and ran.stderr, bad
    for member in ("seq", "revision", "at", "type", "step", "index", "op", "attempt", "detail"):
        for value in (None, -1, 10**12, "x", [], {"a": 1}, True):
            changed = copy.deepcopy(whole)
            for item in changed["history"][2:]:
                item[member] = value
            assert replay(changed, tmp_path)[0] in (0, 1), (member, value)
    for member in whole:
        for value in (None, 1, "x", [], [1], {}):
            assert replay({**whole, member: value}, tmp_path)[0] in (0, 1), (member, value)


def test_there_is_no_export_of_what_is_not_there(story):
    story.api.get(f"/v1/sagas/{new_id()}/export").problem(404, "saga-not-found")
    story.api.get(f"/v1/sagas/{ends_well(story)['id']}/export", colour="red").problem(400, "invalid-query")


def test_sagactl_exports_what_replay_reads(story, stack):
    id_ = ends_well(story)["id"]
    made = subprocess.run([SAGACTL, "--url", stack.daemon.url, "export", id_], capture_output=True, timeout=30)
    assert made.returncode == 0, made.stderr
    ran = subprocess.run([SAGACTL, "replay", "-"], input=made.stdout, capture_output=True, timeout=30)
    assert ran.returncode == 0, ran.stderr
