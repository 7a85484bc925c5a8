"""Payload bytes are the caller's: what goes in comes out, in commands, outputs, the API; and the command on the wire."""
import json
import re
import time

import pytest

from client import encode
from participant import again, made, no, ok
from story import ONCE

VALUES = [
    b"0.10", b"1E400", b"-0", b"-0.0", b"1e2", b"1E+2", b"0.1e-7", b"12345678901234567890", b"123456789012345678901234567890.12345678901234567890",
    b"9223372036854775807", b"9223372036854775808", b"-9223372036854775809", b'"\\u00e9"', '"é"'.encode(), b'"\\/"', b'"/"', b'"\\n"', b'"\\ud83d\\ude00"',
    '"😀"'.encode(), b'"\\u0000"', b'"a\\"b"', b'""', b"{}", b"[]", b"null", b"true", b'{"z":1,"a":2,"m":3}', b'{"b":{"z":0.10,"a":[1.0,2.00]}}',
    b'{"":1}', b'{"a b":1,"\\u00e9":2}', b'{"__proto__":{}}', b'[[[[[]]]]]', b'"${input.a}"', b'"$${x}"', b'{ "a" : 1 }', b"[ 1 , 2 ]", b'{"a":\n1}',
    b'"' + b"x" * 100_000 + b'"', b'[' + b",".join(b"%d.50" % n for n in range(5000)) + b"]",
]


def sent_with(story, value, members=b'{"definition":"%s","input":%s}'):
    answer = story.api.post("/v1/sagas", members % (story.name.encode(), value))
    return answer.must(201)["id"]


@pytest.mark.parametrize("value", VALUES, ids=lambda v: v[:40].decode("utf-8", "replace"))
def test_the_bytes_of_an_input_reach_the_command_and_the_reader(story, value):
    story.register(story.step("one", input="${input}"), story.step("wrap", input={"in": "${input}", "n": 1}))
    id_ = sent_with(story, value)
    story.api.wait(id_, "succeeded")
    assert story.sent(id_, "one").value == value
    assert story.sent(id_, "wrap").value == b'{"in":' + value + b',"n":1}'
    assert b'"input":' + value in story.api.get(f"/v1/sagas/{id_}").raw


@pytest.mark.parametrize("value", VALUES, ids=lambda v: v[:40].decode("utf-8", "replace"))
def test_the_bytes_of_an_output_reach_the_next_step_its_undo_and_the_reader(story, value):
    # white space around a value is not of the value
    story.register(story.step("one", made(b" " + value + b"\n", ce_sagatoken=True, ce_sagaoutcome="success"), undo_with={"input": "${output}"}),
                   story.step("two", input="${steps.one.output}"), story.step("bad", no()), output="${steps.one.output}")
    id_ = story.api.start(story.name)
    story.api.wait(id_, "compensated")
    assert story.sent(id_, "two").value == value and story.sent(id_, "undo one").value == value
    assert b'"output":' + value in story.api.get(f"/v1/sagas/{id_}/steps").raw


def test_the_output_of_a_saga_keeps_its_bytes(story):
    value = b'{"z":0.10,"a":1E400,"n":12345678901234567890}'
    story.register(story.step("one", made(value, ce_sagatoken=True, ce_sagaoutcome="success")), output={"all": "${steps.one.output}", "n": "${steps.one.output.z}"})
    id_ = story.api.start(story.name)
    story.api.wait(id_, "succeeded")
    assert b'"output":{"all":' + value + b',"n":0.10}' in story.api.get(f"/v1/sagas/{id_}").raw


def test_literals_of_a_definition_keep_their_bytes(story):
    body = encode(story.define(story.step("one", input="HERE")))
    value = b'{"z":0.10,"big":12345678901234567890,"e":1E400,"t":"$${x} \\u00e9"}'
    story.api.post("/v1/definitions", body.replace(b'"HERE"', value)).must(201)
    saga = story.api.wait(story.api.start(story.name))
    assert story.sent(saga, "one").value.startswith(b'{"z":0.10,"big":12345678901234567890,"e":1E400,"t":"${x} ')
    assert story.sent(saga, "one").json["t"] == "${x} é"
    assert value in story.api.get(f"/v1/definitions/{story.name}").raw


def test_expressions_keep_type_and_bytes_alone_and_interpolate_in_a_text(story):
    story.register(story.step("one", input={"n": "${input.n}", "s": "n=${input.n} z=${input.z} o=${input.o} t=${input.t}", "e": "$${input.n}",
                                            "m": "${input.nothing}", "mm": "a${input.nothing}b", "sum": "${input.i + 1}"}))
    id_ = sent_with(story, b'{"n":0.10,"z":null,"o":{"a": [1, 0.50]},"t":"x","i":41}')
    story.api.wait(id_, "succeeded")
    value = story.sent(id_, "one").value
    assert value.startswith(b'{"n":0.10,"s":"n=0.10 z= o={') and b'"e":"${input.n}","m":null,"mm":"ab","sum":42}' in value
    assert json.loads(value)["s"] == 'n=0.10 z= o={"a":[1,0.50]} t=x'


def test_empty_replies_are_null(story):
    saga = story.run(story.step("one", made(b"", ce_sagatoken=True, ce_sagaoutcome="success")), story.step("two", input={"o": "${steps.one.output}"}))
    assert story.sent(saga, "two").value == b'{"o":null}' and story.api.step(saga["id"], "one")["output"] is None


def test_no_input_is_an_empty_object_and_no_type_is_the_step(story):
    step = story.step("plain")
    del step["action"]["input"], step["action"]["type"]
    saga = story.run(step, input={"a": 1})
    command = story.sent(saga, "plain")
    assert (command.value, command.type) == (b"{}", "plain")


@pytest.mark.parametrize("key,sent", [("${input.t}", b"c-7"), ("${input.n}", b"7"), ("${input.d}", b"0.10"), ("${input.b}", b"true"), ("${input.none}", None),
                                      ("${input.u}", "é".encode()), ("${input.e}", b"")])
def test_what_a_key_may_be(story, key, sent):
    story.register(story.step("one", key=key))
    id_ = sent_with(story, b'{"t":"c-7","n":7,"d":0.10,"b":true,"u":"\\u00e9","e":""}')
    assert story.api.wait(id_)["state"] == "succeeded"
    assert (story.sent(id_, "one").key or b"") == (id_.encode() if sent is None else sent)


def test_headers_of_a_definition_may_hold_expressions_and_reserved_ones_are_refused(story):
    saga = story.run(story.step("one", headers={"x-plain": "a", "x-tenant": "${input.tenant}", "x-mixed": "t-${input.tenant}"}), input={"tenant": "é"})
    command = story.sent(saga, "one")
    assert (command.h("x-plain"), command.h("x-tenant"), command.h("x-mixed")) == ("a", "é", "t-é")
    for name in ("ce_sagatoken", "ce_x", "CE_id", "content-type", "Content-Type", "traceparent", "tracestate"):
        body = story.define(story.step("one", headers={name: "x"}))
        assert any(p.startswith("/steps/0/action/headers") for p in story.api.post("/v1/definitions", body).pointers()), name


# ---- the record ---------------------------------------------------------------------------

def test_every_header_of_a_command(story):
    saga = story.run(story.step("pay", again(), ok({}), timeout="7s", retry={"max_attempts": 2, "initial": "50ms", "jitter": "none"}), story.step("bad", no()))
    for command in story.participant.of(saga["id"]):
        names = [name for name, _ in command.headers]
        assert len(set(names)) == len(names)
        assert command.h("content-type") == "application/json" and command.h("ce_specversion") == "1.0"
        assert re.fullmatch(r"/sagad/[^/\s]+", command.h("ce_source")) and command.h("ce_subject") == saga["id"]
        assert command.h("ce_sagastep") in ("pay", "bad") and story.name in command.h("ce_sagadef")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", command.h("ce_time"))
        assert 0 < len(command.token.encode()) <= 200 and command.h("ce_sagareplyto") == "saga.replies"
        assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]", command.h("traceparent"))
        assert command.topic == "contract.commands" and command.key == saga["id"].encode()
    ids = [c.h("ce_id") for c in story.participant.of(saga["id"])]
    tokens = [c.token for c in story.participant.of(saga["id"])]
    assert len(set(ids)) == len(ids) == 4 and len(set(tokens)) == 4
    traces = {c.h("traceparent").split("-")[1] for c in story.participant.of(saga["id"])}
    spans = [c.h("traceparent").split("-")[2] for c in story.participant.of(saga["id"])]
    assert len(traces) == 1 and len(set(spans)) == len(spans)


def test_a_command_expires_with_its_attempt(story):
    saga = story.run(story.step("pay", timeout="9s", retry=ONCE))
    text = story.sent(saga, "pay").h("ce_expirytime")
    at = time.mktime(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone
    assert 6 < at - story.sent(saga, "pay").wall < 11


def test_the_callers_trace_goes_on_and_a_bad_one_is_left_alone(story):
    story.register(story.step("one"), story.step("two"))
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    answer = story.api.post("/v1/sagas", {"definition": story.name}, headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01", "tracestate": "a=b,c=d"})
    saga = story.api.wait(answer.must(201)["id"])
    for command in story.participant.of(saga["id"]):
        assert command.h("traceparent").split("-")[1] == trace and command.h("traceparent").endswith("-01") and command.h("tracestate") == "a=b,c=d"
    for bad in ("rubbish", f"00-{'0' * 32}-00f067aa0ba902b7-01", f"ff-{trace}-00f067aa0ba902b7-01", f"00-{trace}-{'0' * 16}-01", f"00-{trace.upper()}-00f067aa0ba902b7-01"):
        saga = story.api.wait(story.api.post("/v1/sagas", {"definition": story.name}, headers={"traceparent": bad}).must(201)["id"])
        assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]", story.sent(saga, "one").h("traceparent")), bad


def test_a_value_beyond_256_kib_is_an_error_of_the_step_and_not_sent(story):
    saga = story.run(story.step("one", input=["${input}", "${input}"]), input="x" * 140_000)
    assert (saga["state"], saga["error"]["code"], story.calls(saga)) == ("compensated", "expression_error", [])
