"""Sagas under way get another version of their definition, in a batch, item by item."""
import json
import subprocess
import uuid

from client import new_id
from participant import again, no, ok, silence
from servers import program, until
from story import SLOW

SAGACTL = program("sagactl")


def migrate(story, body, **more):
    return story.api.post("/v1/batches", {"verb": "migrate", "reason": "version two", **body}, **more)


def done(story, answer):
    id_ = answer.must(202)["id"]

    def there():
        found = story.api.get(f"/v1/batches/{id_}").must()
        return found["state"] == "done" and found
    return until(there, 30, f"batch {id_} is done")


def failures(story, batch):
    return [i["problem"]["detail"] for i in story.api.pages(f"/v1/batches/{batch['id']}/items", failed="true")]


def line(story, pay=silence):
    return [story.step("one", ok({"n": 1})), story.step("pay", pay), story.step("last")]


def standing(story, *steps, at="pay", **more):
    id_ = story.start(*(steps or line(story)), **more)
    story.sent(id_, at)
    return id_


def longer(story):
    """The same with a step more, and another input of what has begun."""
    steps = line(story)
    steps[2:] = [story.step("check", undo="null"), story.step("final", input="${steps.one.output}")]
    return story.register(*steps)["version"]


def test_a_saga_goes_on_under_the_version_it_was_given(story):
    id_ = standing(story)
    version = longer(story)
    batch = done(story, migrate(story, {"version": version, "ids": [id_]}))
    assert (batch["done"], batch["failed"]) == (1, 0)
    assert (batch["definition"], batch["version"], batch["step_map"]) == (story.name, version, {})
    assert story.api.saga(id_)["definition"] == {"name": story.name, "version": version}
    story.answer(story.sent(id_, "pay"), ok({}))
    assert story.api.wait(id_)["state"] == "succeeded"
    assert story.calls(id_) == ["one", "pay", "check", "final"]
    assert story.sent(id_, "final").json == {"n": 1}
    assert story.sent(id_, "final").h("ce_sagadef") == f"{story.name}/{version}"


def test_who_did_it_and_why_is_in_the_history(story):
    id_ = standing(story)
    version = longer(story)
    done(story, migrate(story, {"version": version, "filter": {"definition": story.name}}))
    [entry] = story.api.history(id_, "saga.migrated")
    assert entry["detail"] == {"version_before": 1, "version": version, "step_map": {}} and entry["actor"]
    [command] = story.api.history(id_, "operator.command")
    assert command["detail"] == {"verb": "migrate", "reason": "version two"}


def test_what_was_done_before_is_undone_with_the_same_keys(story):
    id_ = standing(story)
    done(story, migrate(story, {"version": longer(story), "ids": [id_]}))
    story.answer(story.sent(id_, "pay"), no("declined"))
    assert story.api.wait(id_)["state"] == "compensated"
    assert story.sent(id_, "undo one").idem == story.sent(id_, "one").idem == f"{id_}/one"


def test_the_list_of_a_version_follows(story):
    id_ = standing(story)
    other = standing(story)
    version = longer(story)
    done(story, migrate(story, {"version": version, "ids": [id_]}))
    for number, ids in ((1, [other]), (version, [id_])):
        assert [s["id"] for s in story.api.pages("/v1/sagas", definition=story.name, version=number)] == ids


def test_each_item_says_for_itself_whether_it_could(story):
    moved = standing(story)
    early = story.start(story.step("one", again(), retry=SLOW), story.step("pay"), story.step("last"))
    story.api.wait_step(early, "one", "retrying")
    over = story.run(story.step("one"), story.step("other"))
    steps = [story.step("one", retry=SLOW), story.step("before"), story.step("pay"), story.step("last")]
    version = story.register(*steps)["version"]
    batch = done(story, migrate(story, {"version": version, "ids": [moved, early, over["id"], new_id()]}))
    assert (batch["done"], batch["failed"]) == (1, 3)
    told = failures(story, batch)
    assert any("step pay has begun, and depends on other steps" in t for t in told)
    assert any("it is over" in t for t in told)
    assert story.api.saga(moved)["definition"]["version"] == 1
    story.api.command(early, "retry", "one").must(202)


def test_a_failed_step_may_be_mended_under_another_name(story):
    id_ = story.start(story.step("one"), story.step("pay", no("closed"), on_failure="pause"))
    story.api.wait_step(id_, "pay", "failed")
    version = story.register(story.step("one"), story.step("charge", on_failure="pause"))["version"]
    done(story, migrate(story, {"version": version, "ids": [id_], "step_map": {"pay": "charge"}}))
    assert story.api.states(id_) == {"one": "succeeded", "charge": "failed"}
    story.api.command(id_, "retry", "charge").must(202)
    assert story.api.wait(id_)["state"] == "succeeded"
    assert story.sent(id_, "charge").idem == f"{id_}/charge"


def test_a_stuck_saga_and_its_failure_group_move_along(story):
    id_ = story.start(story.step("one", undo=[no("cannot"), ok()]), story.step("bad", no()))
    story.api.wait(id_, "stuck")
    version = story.register(story.step("one", undo=[no("cannot"), ok()], undo_with={"input": {"mended": True}}), story.step("bad", no()))["version"]
    done(story, migrate(story, {"version": version, "ids": [id_]}))
    groups = [g for g in story.api.pages("/v1/failures", definition=story.name)]
    assert [(g["version"], g["count"]) for g in groups] == [(version, 1)]
    story.api.command(id_, "retry").must(202)
    assert story.api.wait(id_, "compensated") and story.sent(id_, "undo one", 2).json == {"mended": True}


def test_what_a_saga_is_worth_moves_along(story):
    worth = {"kind": "charge", "amount": "${input.amount}", "currency": "EUR"}
    steps = [story.step("one", effect=worth), story.step("pay", silence)]
    id_ = standing(story, *steps, input={"amount": 30})
    version = story.register(*steps, description="two")["version"]
    before = story.api.get("/v1/exposure", definition=story.name).must()
    done(story, migrate(story, {"version": version, "ids": [id_]}))
    after = story.api.get("/v1/exposure", definition=story.name).must()
    assert json.dumps(before).count("30") == json.dumps(after).count("30") > 0
    story.answer(story.sent(id_, "pay"), no("declined"))
    story.api.wait(id_, "compensated")
    assert "30" not in json.dumps(story.api.get("/v1/exposure", definition=story.name).must()["items"])


def test_another_node_goes_on_under_the_same_version(story, stack):
    id_ = standing(story)
    version = longer(story)
    done(story, migrate(story, {"version": version, "ids": [id_]}))
    node = stack.another_node()
    try:
        story.answer(story.sent(id_, "pay"), ok({}))
        assert story.api.wait(id_)["definition"]["version"] == version
    finally:
        node.close()


def test_an_export_of_a_migrated_saga_folds_to_the_same(story, tmp_path):
    id_ = story.start(story.step("one"), story.step("each", foreach={"in": "${[1,2]}"}), story.step("pay", no("closed"), on_failure="pause"))
    story.api.wait_step(id_, "pay", "failed")
    steps = [story.step("one"), story.step("each", foreach={"in": "${[1,2]}"}), story.step("charge", on_failure="pause")]
    done(story, migrate(story, {"version": story.register(*steps)["version"], "ids": [id_], "step_map": {"pay": "charge"}}))
    for _ in range(2):
        export = story.api.get(f"/v1/sagas/{id_}/export").must()
        assert [d["version"] for d in export["earlier_definitions"]] == [1] and export["definition"]["version"] == 2
        file = tmp_path / "saga.json"
        file.write_text(json.dumps(export))
        ran = subprocess.run([SAGACTL, "replay", str(file)], capture_output=True, text=True, timeout=30)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        story.api.command(id_, "retry", "charge")
        story.api.wait(id_)
    del export["earlier_definitions"]
    file.write_text(json.dumps(export))
    ran = subprocess.run([SAGACTL, "replay", str(file)], capture_output=True, text=True, timeout=30)
    assert ran.returncode == 1


def test_a_preview_makes_nothing(story):
    id_ = standing(story)
    version = longer(story)
    preview = migrate(story, {"version": version, "ids": [id_]}, dry_run="true").must(200)
    assert (preview["state"], preview["total"], preview["version"]) == ("previewed", 1, version)
    assert story.api.saga(id_)["definition"]["version"] == 1


def test_one_key_makes_one_batch(story):
    id_, key = standing(story), str(uuid.uuid4())
    body = {"version": longer(story), "ids": [id_]}
    one = migrate(story, body, key=key).must(202)
    assert migrate(story, body, key=key).must(202)["id"] == one["id"]
    done(story, migrate(story, body, key=key))
    assert len(story.api.history(id_, "saga.migrated")) == 1


def test_what_makes_no_sense_is_told_with_its_place(story):
    id_ = standing(story)
    version = longer(story)
    for members, pointer in (({}, "/version"), ({"version": 99}, "/version"), ({"version": 0}, "/version"), ({"version": "2"}, "/version"),
                             ({"version": version, "step_map": {"one": "pay", "pay": "one"}}, "/step_map/one"),
                             ({"version": version, "step_map": {"one": "nobody"}}, "/step_map/one"),
                             ({"version": version, "step_map": {"nobody": "one"}}, "/step_map/nobody"),
                             ({"version": version, "step_map": 7}, "/step_map"),
                             ({"version": version, "step": "one"}, "/step"), ({"version": version, "output": 1}, "/output")):
        for dry in ({}, {"dry_run": "true"}):
            assert migrate(story, {"ids": [id_], **members}, **dry).pointers() == [pointer], members
    assert migrate(story, {"version": version, "ids": [new_id()]}).pointers() == ["/ids"]
    for members in ({"version": 1}, {"step_map": {}}):
        batch = story.api.post("/v1/batches", {"verb": "pause", "reason": "x", "ids": [id_], **members})
        assert batch.pointers() == ["/" + next(iter(members))]
