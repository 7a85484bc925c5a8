"""A fork: a new saga out of one that is over or stuck, with keys of its own."""
import uuid

from client import new_id
from participant import no, ok


def fork(story, id_, body=None, **more):
    return story.api.command(id_, "fork", None, body, **more)


def finished(story, *steps, **more):
    """one, two, last: all succeeded."""
    return story.run(*(steps or (story.step("one", ok({"n": 1})), story.step("two", ok([2])), story.step("last"))), **more)


def test_a_fork_does_everything_anew_with_keys_of_its_own(story):
    first = finished(story, input={"exact": 0.10}, saga={"labels": {"team": "shop"}})
    made = fork(story, first["id"])
    forked = made.must(202)
    assert forked["id"] != first["id"] and made.header("location") == f"/v1/sagas/{forked['id']}"
    assert forked["forked_from"] == {"id": first["id"], "step": None}
    assert (forked["definition"], forked["labels"], forked["input"]) == (first["definition"], first["labels"], first["input"])
    assert story.api.wait(forked["id"])["state"] == "succeeded"
    assert story.calls(forked) == ["one", "two", "last"]
    assert [c.idem for c in story.participant.of(forked["id"])] == [f"{forked['id']}/{step}" for step in ("one", "two", "last")]
    assert story.sent(forked, "one").value == story.sent(first, "one").value
    assert "forked_from" not in story.api.saga(first["id"])


def test_from_a_step_what_comes_before_is_taken_over_and_never_undone(story):
    # the last one: done in the first saga, refused in the fork
    keys = []

    def last(participant, command):
        keys.append(command.saga)
        (ok({}) if command.saga == keys[0] else no("closed"))(participant, command)
    first = finished(story, story.step("one", ok({"n": 1})), story.step("two", input="${steps.one.output}"),
                     story.step("last", last, input="${steps.one.output.n}"))
    forked = fork(story, first["id"], {"from": "two"}).must(202)
    assert forked["forked_from"] == {"id": first["id"], "step": "two"}
    assert story.api.wait(forked["id"])["state"] == "compensated"
    assert story.calls(forked) == ["two", "last", "undo two"]
    assert story.sent(forked, "two").json == {"n": 1}
    one = story.api.step(forked["id"], "one")
    assert (one["state"], one["output"]) == ("skipped", {"n": 1})
    assert story.calls(first) == ["one", "two", "last"]


def test_a_fork_may_have_another_input(story):
    first = finished(story, input={"n": 1}, input_schema={"type": "object", "required": ["n"]})
    assert fork(story, first["id"], {"input": {"x": 1}}).pointers() == ["/input/n"]
    assert fork(story, first["id"], {"input": {"x": 1}}, dry=True).pointers() == ["/input/n"]
    forked = fork(story, first["id"], {"input": {"n": 2}}).must(202)
    assert story.sent(forked, "one").json == {"n": 2}
    story.api.wait(forked["id"])


def test_a_stuck_saga_is_forked_from_the_beginning_only(story):
    id_ = story.start(story.step("one", undo=[no("cannot")]), story.step("bad", no(), ok({})))
    story.api.wait(id_, "stuck")
    assert "may still be undone" in fork(story, id_, {"from": "bad"}).problem(409, "not-allowed")["detail"]
    forked = fork(story, id_).must(202)
    story.api.wait(forked["id"], "stuck")
    story.api.command(id_, "terminate").must(202)
    assert "was undone" in fork(story, id_, {"from": "bad"}).problem(409, "not-allowed")["detail"]


def test_what_still_runs_is_not_forked(story):
    id_ = story.start(story.step("one", lambda *_: None))
    story.sent(id_, "one")
    for dry in (False, True):
        assert "running" in fork(story, id_, dry=dry).problem(409, "not-allowed")["detail"]
    story.api.command(id_, "terminate").must(202)
    fork(story, id_).must(202)


def test_a_dry_run_says_what_is_sent_and_what_is_taken_over(story):
    first = finished(story)
    would = fork(story, first["id"], {"from": "two"}, dry=True).must(200)["would"]
    assert [(w["do"], w["step"]) for w in would] == [("send", "two"), ("skip", "one")]
    assert story.calls(first) == ["one", "two", "last"]
    assert len(list(story.api.pages("/v1/sagas", definition=story.name))) == 1


def test_one_key_makes_one_fork(story):
    first, key = finished(story), str(uuid.uuid4())
    one = fork(story, first["id"], {"from": "last"}, key=key)
    story.api.wait(one.must(202)["id"])
    again = fork(story, first["id"], {"from": "last"}, key=key)
    assert again.must(202)["id"] == one.json["id"] and again.header("idempotent-replayed") == "true"
    fork(story, first["id"], {"from": "two"}, key=key).problem(422, "key-reused")
    assert len(list(story.api.pages("/v1/sagas", definition=story.name))) == 2


def test_who_forked_it_and_why_is_in_its_history(story):
    first = finished(story)
    forked = fork(story, first["id"], {"from": "last", "reason": "lost parcel"}).must(202)
    created, command = story.api.history(forked["id"])[:2]
    assert (created["type"], created["detail"]) == ("saga.created", {"forked_from": first["id"], "from_step": "last"})
    assert (command["type"], command["detail"]) == ("operator.command", {"verb": "fork", "reason": "lost parcel"})
    assert command["actor"]
    story.api.wait(forked["id"])


def test_if_match_is_of_the_first_saga(story):
    first = finished(story)
    fork(story, first["id"], headers={"If-Match": '"1"'}).problem(412)
    fork(story, first["id"], headers={"If-Match": f'"{first["revision"]}"'}).must(202)


def test_definitions_that_are_deprecated_or_paused_hold_forks_like_starts(story):
    first = finished(story)
    name, version = first["definition"]["name"], first["definition"]["version"]
    story.api.post(f"/v1/definitions/{name}/pause").must(200)
    forked = fork(story, first["id"], {"from": "last"}).must(202)
    assert (forked["state"], forked["paused"]) == ("pending", True)
    story.api.post(f"/v1/definitions/{name}/resume").must(200)
    story.api.wait(forked["id"], "succeeded")
    assert story.calls(forked) == ["last"]
    story.api.post(f"/v1/definitions/{name}/versions/{version}/deprecate").must(200)
    fork(story, first["id"]).problem(409)


def test_an_inline_definition_is_forked_too(story):
    id_ = story.api.start({"inline": story.define(story.step("one"), story.step("two"))})
    story.api.wait(id_)
    forked = fork(story, id_, {"from": "two"}).must(202)
    assert story.api.wait(forked["id"])["state"] == "succeeded" and story.calls(forked) == ["two"]


def test_what_makes_no_sense_is_told_with_its_place(story):
    first = finished(story)
    assert fork(story, first["id"], {"from": "nobody"}).pointers() == ["/from"]
    assert fork(story, first["id"], {"from": 7}).pointers() == ["/from"]
    assert fork(story, first["id"], {"id": new_id()}).pointers() == ["/id"]
    assert fork(story, first["id"], {"reason": ""}).pointers() == ["/reason"]
    fork(story, new_id()).problem(404, "saga-not-found")
    story.api.post(f"/v1/sagas/{first['id']}/fork", b"{", None).problem(400)
