"""Impact of another version on open sagas: who stands where, who maps, who breaks and why."""
import uuid

from participant import again, no, ok, silence
from story import SLOW


def impact(story, body, name=None):
    return story.api.post(f"/v1/definitions/{name or story.name}/impact", body)


def version(story, steps, **top):
    return {"definition": story.define(*steps, **top)}


def line(story, pay=silence):
    """one is done, pay stands."""
    return [story.step("one", ok({"n": 1})), story.step("pay", pay), story.step("last")]


def standing(story, count=1, **more):
    ids = [story.start(*line(story, **more)) for _ in range(count)]
    for id_ in ids:
        story.sent(id_, "pay")
    return ids


def test_what_only_changes_what_comes_later_maps(story):
    ids = standing(story, 3)
    steps = line(story)
    steps[2:] = [story.step("check"), story.step("final")]
    found = impact(story, version(story, steps)).must(200)
    assert {k: found[k] for k in found if k != "items"} == {
        "definition": story.name, "version": None, "total": 3, "maps": 3, "breaks": 0, "already": 0, "exact": True}
    [item] = found["items"]
    assert sorted(item.pop("sample")) == sorted(ids)
    assert item == {"version": 1, "state": "running", "steps": ["pay"], "maps": True, "reasons": [], "count": 3}
    assert len(story.api.get(f"/v1/definitions/{story.name}/versions").must()["items"]) == 1


def test_what_has_begun_and_changes_breaks_with_the_reason(story):
    standing(story)
    changed = line(story)
    changed[1]["action"]["type"] = "other"
    moved = line(story)
    moved.insert(1, story.step("before"))
    gone = line(story)[1:]
    undone = line(story)
    undone[0]["compensation"] = None
    for steps, step, piece in ((changed, "pay", "another action"), (moved, "pay", "depends on other steps"),
                               (gone, "one", "is not in that version"), (undone, "one", "undone otherwise")):
        found = impact(story, version(story, steps)).must(200)
        assert (found["total"], found["breaks"]) == (1, 1)
        reasons = {(r["step"], r["detail"]) for r in found["items"][0]["reasons"]}
        assert any(s == step and piece in d for s, d in reasons), reasons


def test_sagas_are_grouped_by_where_they_stand(story):
    standing(story, 2)
    stuck = story.start(story.step("one", undo=[no("cannot")]), story.step("pay", no()), story.step("last"))
    story.api.wait(stuck, "stuck")
    retrying = story.start(story.step("one", again(), retry=SLOW), story.step("pay"), story.step("last"))
    story.api.wait_step(retrying, "one", "retrying")
    found = impact(story, {"version": 1}).must(200)
    assert (found["total"], found["already"]) == (1, 3)
    found = impact(story, {"version": 2}).must(200)
    kinds = {(i["version"], i["state"], tuple(i["steps"])): i["count"] for i in found["items"]}
    assert kinds == {(1, "running", ("pay",)): 2, (1, "stuck", ("one",)): 1}
    assert (found["total"], found["maps"], found["breaks"]) == (3, 3, 0)


def test_a_step_map_renames_what_had_no_effect_only(story):
    id_ = story.start(story.step("one"), story.step("pay", no("closed"), on_failure="pause"), story.step("last"))
    story.api.wait_step(id_, "pay", "failed")
    steps = [story.step("one"), story.step("charge", on_failure="pause"), story.step("last")]
    assert impact(story, {**version(story, steps), "step_map": {"pay": "charge"}}).must(200)["maps"] == 1
    steps = [story.step("first"), story.step("pay", on_failure="pause"), story.step("last")]
    found = impact(story, {**version(story, steps), "step_map": {"one": "first"}}).must(200)
    assert "its key is made of its id" in found["items"][0]["reasons"][0]["detail"]


def test_what_is_over_does_not_count(story):
    story.run(story.step("one"))
    assert impact(story, {"version": 1}).must(200)["items"] == []


def test_bad_maps_and_versions_are_told_with_their_places(story):
    standing(story)
    good = version(story, line(story))
    for map_, pointer in (({"one": "pay", "pay": "one"}, "/step_map/one"), ({"one": "nobody"}, "/step_map/one"),
                          ({"nobody": "one"}, "/step_map/nobody"), ({"one": 7}, "/step_map/one"),
                          ({"one": "last", "pay": "last"}, "/step_map/pay"), ({"a/b": "nobody"}, "/step_map/a~1b")):
        assert impact(story, {**good, "step_map": map_}).pointers() == [pointer], map_
    assert impact(story, {**good, "step_map": []}).pointers() == ["/step_map"]
    assert impact(story, {"version": 9}).pointers() == ["/version"]
    assert impact(story, {"version": 0}).pointers() == ["/version"]
    assert impact(story, {}).pointers() == [""]
    assert impact(story, {**good, "version": 1}).pointers() == [""]
    assert impact(story, {**good, "more": 1}).pointers() == ["/more"]
    broken = version(story, [{"id": "one"}])
    assert any(p.startswith("/definition/steps/0") for p in impact(story, broken).pointers())
    other = {"definition": {**good["definition"], "name": "other"}}
    assert impact(story, other).pointers() == ["/definition/name"]
    impact(story, {"version": 1}, name="c" + uuid.uuid4().hex).problem(404, "definition-not-found")
    impact(story, b"[").problem(400)


def test_ten_thousand_steps_of_a_map_are_refused(story):
    standing(story)
    assert impact(story, {"version": 1, "step_map": {f"s{n}": f"t{n}" for n in range(10_000)}}).pointers() == ["/step_map"]
