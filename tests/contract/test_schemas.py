"""Schemas of a definition: what they refuse, when, and what that means for what was done."""
import pytest

from client import new_id
from participant import ok, silence

PERSON = {"type": "object", "required": ["name"], "additionalProperties": False,
          "properties": {"name": {"type": "string", "minLength": 1}, "age": {"type": "integer", "minimum": 0}, "tags": {"items": {"enum": ["a", "b"]}}}}
NUMBERED = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}


def pointers(problem):
    return [e["pointer"] for e in problem["errors"]]


def count(story):
    return len(list(story.api.pages("/v1/sagas", definition=story.name)))


# ---- input_schema -------------------------------------------------------------------------

@pytest.fixture
def typed(story):
    return story.register(story.step("only"), input_schema=PERSON)


@pytest.mark.parametrize("input, where", [
    ({}, ["/input/name"]),
    ({"name": ""}, ["/input/name"]),
    ({"name": "x", "age": -1, "tags": ["a", "c"]}, ["/input/age", "/input/tags/1"]),
    ({"name": "x", "a/b": 1}, ["/input/a~1b"]),
    ([], ["/input"]),
    (None, ["/input"]),
])
def test_an_input_that_breaks_its_schema_starts_nothing(story, typed, input, where):
    problem = story.api.post("/v1/sagas", {"definition": typed, "input": input}).problem(422, "invalid")
    assert pointers(problem) == where and problem["retryable"] is False
    assert count(story) == 0


def test_an_input_left_out_is_an_empty_object(story, typed):
    assert pointers(story.api.post("/v1/sagas", {"definition": typed}).problem(422)) == ["/input/name"]


def test_an_input_that_fits_starts(story, typed):
    assert story.api.wait(story.api.start(typed, {"name": "x", "age": 3.0}))["input"] == {"name": "x", "age": 3.0}


def test_hundred_faults_are_not_told_but_that_there_are_more(story, typed):
    problem = story.api.post("/v1/sagas", {"definition": typed, "input": {"name": "x", "tags": ["z"] * 100}}).problem(422)
    assert pointers(problem) == [f"/input/tags/{i}" for i in range(20)] + ["/input"]


def test_an_inline_definition_is_held_to_its_schema(story):
    inline = {"inline": story.define(story.step("only"), input_schema=PERSON)}
    assert pointers(story.api.post("/v1/sagas", {"definition": inline, "input": {}}).problem(422)) == ["/input/name"]


def test_items_of_a_bulk_are_looked_at_one_by_one(story, typed):
    items = [{"definition": typed, "input": i} for i in ({}, {"name": "x"}, {"name": 1}, {"name": "y"})]
    found = story.api.post("/v1/sagas/bulk", {"items": items}).must()["items"]
    assert [f["status"] for f in found] == [422, 201, 422, 201]
    assert pointers(found[2]["problem"]) == ["/input/name"]
    assert count(story) == 2


def test_the_key_of_a_bulk_whose_first_item_was_refused_is_used_all_the_same(story, typed):
    key = new_id()
    items = [{"definition": typed, "input": i} for i in ({}, {}, {"name": "x"}, {"name": "y"})]
    first = story.api.post("/v1/sagas/bulk", {"items": items}, key=key).must()["items"]
    assert [f["status"] for f in first] == [422, 422, 201, 201]
    story.api.post("/v1/sagas/bulk", {"items": items[2:]}, key=key).problem(422, "key-reused")
    story.api.post("/v1/sagas/bulk", {"items": [items[3], *items]}, key=key).problem(422, "key-reused")
    again = story.api.post("/v1/sagas/bulk", {"items": items}, key=key).must()["items"]
    assert [f.get("saga", {}).get("id") for f in again] == [f.get("saga", {}).get("id") for f in first]
    assert count(story) == 2


def test_what_was_accepted_once_is_found_under_a_stricter_version(story):
    key = new_id()
    body = {"definition": story.name, "input": {"a": 1}}
    story.register(story.step("only"))
    first = story.api.post("/v1/sagas", body, key=key).must(201)["id"]
    story.register(story.step("only"), input_schema=PERSON)
    again = story.api.post("/v1/sagas", body, key=key)
    assert again.must(201)["id"] == first and again.header("idempotent-replayed") == "true"
    assert pointers(story.api.post("/v1/sagas", body, key=new_id()).problem(422)) == ["/input/name", "/input/a"]


def test_a_value_that_takes_too_long_to_check_is_refused(story):
    many = {"$defs": {"d0": {"minimum": 0}}, "not": {"$ref": "#/$defs/d20"}}
    for i in range(1, 21):
        many["$defs"][f"d{i}"] = {"allOf": [{"$ref": f"#/$defs/d{i - 1}"}] * 2}
    made = story.register(story.step("only"), input_schema=many)
    problem = story.api.post("/v1/sagas", {"definition": made, "input": 1}).problem(422)
    assert pointers(problem) == ["/input"] and "operations" in problem["errors"][0]["detail"]


# ---- output_schema ------------------------------------------------------------------------

def test_a_bad_output_is_a_failure_whose_effect_is_undone(story):
    saga = story.run(story.step("first"), story.step("pay", ok({"n": "text"}), output_schema=NUMBERED, undo_with={"input": "${output.n}"}))
    assert saga["state"] == "compensated"
    assert (saga["error"]["code"], saga["error"]["step"]) == ("bad_output", "pay") and "/n" in saga["error"]["detail"]
    assert story.calls(saga) == ["first", "pay", "undo pay", "undo first"]
    assert story.sent(saga, "undo pay").json == "text"
    types = [(r["type"], r["step"]) for r in story.api.history(saga["id"])]
    assert ("step.unknown", "pay") in types


def test_a_good_output_succeeds(story):
    saga = story.run(story.step("pay", ok({"n": 1}), output_schema=NUMBERED))
    assert saga["state"] == "succeeded"


def test_ignored_a_bad_output_reads_as_null(story):
    saga = story.run(story.step("pay", ok({"n": "x"}), output_schema=NUMBERED, on_failure="ignore"),
                     output={"got": "${steps.pay.output}", "why": "${steps.pay.error.code}"})
    assert (saga["state"], saga["output"]) == ("succeeded", {"got": None, "why": "bad_output"})


def test_without_an_undo_an_operator_decides(story):
    id_ = story.start(story.step("pay", ok(None), undo=None, output_schema=NUMBERED))
    saga = story.api.wait(id_, "stuck")
    assert saga["error"]["code"] == "bad_output"
    story.api.post(f"/v1/sagas/{id_}/steps/pay/complete", {"reason": "by hand", "output": {"n": 2}}).must(202)
    assert story.api.wait(id_)["state"] == "succeeded" and story.api.step(id_, "pay")["output"] == {"n": 2}


def test_a_reply_by_rest_is_held_to_the_schema_too(story):
    id_ = story.start(story.step("pay", silence, output_schema=NUMBERED))
    token = story.sent(id_, "pay").token
    answer = story.api.post("/v1/replies", {"token": token, "outcome": "success", "output": {"n": 1.5}})
    assert answer.must()["verdict"] == "applied"
    saga = story.api.wait(id_)
    assert (saga["state"], saga["error"]["code"]) == ("compensated", "bad_output")


# ---- registration -------------------------------------------------------------------------

BAD = [
    ({"input_schema": {"minLength": "x"}}, "/input_schema/minLength"),
    ({"input_schema": {"properties": {"a": {"typ": "string"}}}}, "/input_schema/properties/a/typ"),
    ({"input_schema": {"$ref": "https://example.invalid/x"}}, "/input_schema/$ref"),
    ({"input_schema": {"$ref": "#"}}, "/input_schema/$ref"),
    ({"input_schema": {"unevaluatedProperties": False}}, "/input_schema/unevaluatedProperties"),
    ({"input_schema": {"pattern": "(?=a)"}}, "/input_schema/pattern"),
    ({"input_schema": {"$schema": "http://json-schema.org/draft-07/schema#"}}, "/input_schema/$schema"),
]


@pytest.mark.parametrize("top, where", BAD)
def test_a_schema_that_is_none_is_refused_at_its_place(story, top, where):
    definition = story.define(story.step("only"), **top)
    checked = story.api.post("/v1/definitions/validate", definition).must()
    assert checked["valid"] is False and [e["pointer"] for e in checked["errors"]] == [where]
    assert pointers(story.api.post("/v1/definitions", definition).problem(422, "invalid-definition")) == [where]


def test_a_schema_of_an_output_is_checked_as_well(story):
    definition = story.define(story.step("only", output_schema={"required": "n"}))
    checked = story.api.post("/v1/definitions/validate", definition).must()
    assert [e["pointer"] for e in checked["errors"]] == ["/steps/0/action/output_schema/required"]


def test_format_is_warned_of_and_nothing_else_is(story):
    definition = story.define(story.step("only", output_schema=NUMBERED), input_schema={"format": "email"})
    checked = story.api.post("/v1/definitions/validate", definition).must()
    assert checked["valid"] is True and [w["pointer"] for w in checked["warnings"]] == ["/input_schema/format"]
