"""The AsyncAPI documents, against the rules of AsyncAPI and what is really sent."""
from asyncapi import Document
from client import new_id
from participant import no, ok

PAID = {"type": "object", "required": ["paid"], "properties": {"paid": {"const": True}}}


def headers(command):
    return dict(command.headers)


def two_steps(story):
    return (story.step("one", ok({"paid": True}), output_schema=PAID, headers={"x-tenant": "${input.tenant}"}),
            story.step("two", no("declined"), topic="contract.commands"))


def own_document(story):
    return Document(story.api.get(f"/v1/definitions/{story.name}/asyncapi").must())


def test_the_document_follows_the_rules_of_asyncapi(api, stack):
    found = api.get("/asyncapi.json")
    assert found.header("content-type").split(";")[0] == "application/json"
    document = Document(found.must())
    document.must_be_whole()
    assert {"commands", "replies"} <= set(document.json["channels"])


def test_a_command_is_as_the_document_says(story):
    saga = story.run(*two_steps(story), input={"tenant": "t"})
    document = Document(story.api.get("/asyncapi.json").must())
    schema = document.json["components"]["messages"]["command"]["headers"]
    commands = story.participant.of(saga["id"])
    assert {command.op for command in commands} == {"action", "compensate"}
    for command in commands:
        document.check(schema, headers(command))
        known = set(document.resolve(schema)["properties"])
        assert set(headers(command)) - known <= {"x-tenant"}, "no header that the document does not name"


def test_a_definition_has_a_document_of_its_own(story):
    story.register(*two_steps(story))
    document = own_document(story)
    document.must_be_whole()
    assert document.json["info"] | {"description": ""} == {"title": story.name, "version": "1", "description": ""}
    assert set(document.json["channels"]) == {"contract.commands", "saga.replies"}
    assert set(document.json["operations"]) == {"one.action", "one.compensate", "two.action", "two.compensate"}


def test_what_a_definition_sends_is_as_its_document_says(story):
    saga = story.run(*two_steps(story), input={"tenant": "t"})
    document = own_document(story)
    commands = story.participant.of(saga["id"])
    assert len(commands) == 3
    for command in commands:
        step = command.h("ce_sagastep")
        message = document.json["channels"][command.topic]["messages"][f"{step}.{command.op}"]
        document.check(message["headers"], headers(command))
    assert document.json["channels"]["saga.replies"]["address"] == commands[0].h("ce_sagareplyto")


def test_the_reply_of_a_step_is_described_by_its_output_schema(story):
    pointing = {"$defs": {"paid": PAID}, "$ref": "#/$defs/paid"}
    story.register(story.step("one", output_schema=PAID), story.step("two", output_schema=pointing), story.step("three"))
    document = own_document(story)
    document.must_be_whole()
    payloads = {name: message["payload"] for name, message in document.json["channels"]["saga.replies"]["messages"].items()}
    assert payloads["one.action"]["anyOf"][0] == PAID
    assert not any("anyOf" in payloads[name] for name in ("two.action", "three.action", "one.compensate"))


def test_the_signals_of_a_definition_are_described_by_their_schemas(story):
    story.register({"id": "a", "signal": {"name": "approved", "schema": PAID}}, {"id": "b", "signal": {"name": "closed"}},
                   {"id": "c", "signal": {"name": "approved", "schema": {"minProperties": 1}}})
    document = own_document(story)
    document.must_be_whole()
    messages = document.json["channels"]["saga.signals"]["messages"]
    assert set(messages) == {"approved.signal", "closed.signal"} == set(document.json["operations"])
    assert set(document.json["channels"]) == {"saga.signals"}, "nothing is sent, so nothing is answered"
    assert messages["approved.signal"]["payload"]["allOf"] == [{}, PAID, {"minProperties": 1}]
    assert messages["closed.signal"]["payload"]["allOf"] == [{}]
    sent = {"ce_type": "approved", "ce_subject": new_id(), "ce_id": "1"}
    document.check(messages["approved.signal"]["headers"], sent)
    story.register({"id": "a", "signal": {"name": "approved"}}, story.step("one"))
    document = own_document(story)
    document.must_be_whole()
    assert set(document.json["channels"]) == {"saga.signals", "saga.replies", "contract.commands"}


def test_each_version_replaces_the_document(story):
    story.register(story.step("one"))
    story.register(story.step("one"), story.step("two"))
    assert own_document(story).json["info"]["version"] == "2"
    story.api.get(f"/v1/definitions/{new_id()}/asyncapi").problem(404, "definition-not-found")
