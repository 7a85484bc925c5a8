"""What becomes of a reply: applied, duplicate, late, illegal, unknown, forged, malformed. By Kafka and by REST."""
import base64
import json

import pytest

from client import new_id
from participant import again, made, no, ok, reply, silence
from servers import until
from story import AMPLE, ONCE, SLOW


def damaged(token, at):
    """One character changed, the length kept."""
    i = min(int(len(token) * at), len(token) - 1)
    return token[:i] + ("A" if token[i] != "A" else "B") + token[i + 1:]


def open_step(story):
    id_ = story.start(story.step("pay", silence), story.step("last"))
    return id_, story.sent(id_, "pay")


def letters(story, token=None, reason=None):
    """Dead letters with this reason whose headers hold this token."""
    return [letter for letter in story.api.pages("/v1/dead-letters", limit=500)
            if reason in (None, letter["reason"]) and (token is None or token in json.dumps(letter["headers"]))]


def mark():
    return {"mark": new_id()}


def dead(story, marked, seconds=60):
    """The dead letter that holds this value."""
    wanted = marked["mark"].encode() if isinstance(marked, dict) else marked
    return until(lambda: next((letter for letter in story.api.pages("/v1/dead-letters", limit=500)
                               if wanted in base64.b64decode(letter["value_base64"] or "")), None), seconds, "the dead letter")


def still_open(story, id_):
    assert story.api.step(id_, "pay")["state"] == "dispatched"


def finish(story, id_, command):
    story.answer(command, ok({}))
    end = story.api.wait(id_)
    assert end["state"] == "succeeded" and end["attention"] == []


# ---- forged -------------------------------------------------------------------------------

BAD_TOKENS = {
    **{f"one character at {at}": (lambda at: lambda t: damaged(t, at))(at) for at in (0, 0.1, 0.25, 0.5, 0.75, 0.9, 1)},
    "cut": lambda t: t[:-1], "half": lambda t: t[: len(t) // 2], "longer": lambda t: t + "A", "twice": lambda t: t + t,
    "empty": lambda t: "", "one": lambda t: "x", "rubbish": lambda t: "not a token", "long": lambda t: "A" * 5000,
    "lower": lambda t: t.lower() if t.lower() != t else t.upper(), "padded": lambda t: t + "=", "blank before": lambda t: " " + t,
}


@pytest.mark.parametrize("how", BAD_TOKENS)
def test_a_damaged_token_is_forged_and_changes_nothing(story, how):
    id_, command = open_step(story)
    revision = story.api.saga(id_)["revision"]
    value = mark()
    story.answer(command, made(value, ce_sagatoken=BAD_TOKENS[how](command.token), ce_sagaoutcome="success"))
    letter = dead(story, value)
    assert letter["reason"] == "forged" and set(letter) >= {"id", "at", "topic", "partition", "offset", "reason", "headers", "value_base64"}
    saga = story.api.saga(id_)
    assert (saga["revision"], saga["attention"]) == (revision, [])
    still_open(story, id_)
    answer = story.api.post("/v1/replies", {"token": BAD_TOKENS[how](command.token), "outcome": "success", "output": {}})
    if how == "empty":
        assert answer.status in (403, 422)
    else:
        answer.problem(403, "forged-token")
    finish(story, id_, command)


def test_a_reply_without_a_token_is_a_dead_letter(story):
    id_, command = open_step(story)
    value = mark()
    story.answer(command, made(value, ce_sagaoutcome="success"))
    assert dead(story, value)["reason"] in ("forged", "malformed")
    still_open(story, id_)
    finish(story, id_, command)


def test_the_token_of_one_step_cannot_answer_for_another(story):
    id_, one = open_step(story)
    other, two = open_step(story)
    story.answer(one, made(b"{}", key=two.key, ce_sagatoken=True, ce_sagaoutcome="success"))
    assert story.api.wait(id_)["state"] == "succeeded"
    still_open(story, other)
    finish(story, other, two)


# ---- malformed ----------------------------------------------------------------------------

DEEP = b"[" * 129 + b"]" * 129
MALFORMED = {
    "no outcome": {}, "unknown outcome": {"ce_sagaoutcome": "maybe"}, "empty outcome": {"ce_sagaoutcome": ""},
    "wrong case": {"ce_sagaoutcome": "Success"}, "blank": {"ce_sagaoutcome": " success"},
    "no duration": {"ce_sagaoutcome": "retry", "ce_sagaretryafter": "soon"},
    "a bare number": {"ce_sagaoutcome": "retry", "ce_sagaretryafter": "5"},
    "no JSON": {"ce_sagaoutcome": "success", "value": b"{nope"}, "two values": {"ce_sagaoutcome": "success", "value": b"1 2"},
    "bad UTF-8": {"ce_sagaoutcome": "success", "value": b'"\xff"'}, "a member twice": {"ce_sagaoutcome": "success", "value": b'{"a":1,"a":2}'},
    "a lone surrogate": {"ce_sagaoutcome": "success", "value": b'"\\ud800"'}, "too deep": {"ce_sagaoutcome": "success", "value": DEEP},
    "too large": {"ce_sagaoutcome": "success", "value": b'"' + b"x" * 262_143 + b'"'},
    "NUL": {"ce_sagaoutcome": "success", "value": b'"a\x00b"'}, "a leading zero": {"ce_sagaoutcome": "success", "value": b"01"},
    "a comment": {"ce_sagaoutcome": "success", "value": b"{} // x"}, "NaN": {"ce_sagaoutcome": "success", "value": b"NaN"},
    "bad JSON of a failure": {"ce_sagaoutcome": "failure", "ce_sagaerror": "x", "value": b"{"},
}


@pytest.mark.parametrize("what", MALFORMED)
def test_a_malformed_reply_is_a_dead_letter_and_raises_attention_and_the_step_stays_open(story, what):
    id_, command = open_step(story)
    story.answer(command, made(ce_sagatoken=True, **MALFORMED[what]))
    until(lambda: story.api.saga(id_)["attention"] == ["bad_reply"], 60, "bad_reply")
    still_open(story, id_)
    letter = until(lambda: letters(story, command.token, "malformed"), 60, "the dead letter")[0]
    assert letter["topic"] == "saga.replies" and isinstance(letter["offset"], int)
    assert [s["id"] for s in story.api.get("/v1/sagas", attention="bad_reply", definition=story.name).must()["items"]] == [id_]
    finish(story, id_, command)


@pytest.mark.parametrize("value", [b"", b"null", b" {} ", b"[" * 128 + b"]" * 128, b'"' + b"x" * 262_142 + b'"', b"1E400", b'"\\u0000"'])
def test_what_is_right_is_taken_up_to_the_limits(story, value):
    id_, command = open_step(story)
    story.answer(command, made(value, ce_sagatoken=True, ce_sagaoutcome="success"))
    assert story.api.wait(id_)["state"] == "succeeded"


@pytest.mark.parametrize("code,seen", [(None, "failed"), ("", "failed"), ("Bad Code", "failed"), ("x" * 65, "failed"), ("ü", "failed"),
                                       ("x" * 64, "x" * 64), ("a_1", "a_1")])
def test_a_missing_or_ill_formed_code_counts_as_failed(story, code, seen):
    id_, command = open_step(story)
    story.answer(command, made(ce_sagatoken=True, ce_sagaoutcome="failure", ce_sagaerror=code))
    assert story.api.wait(id_)["error"]["code"] == seen


def test_the_detail_of_a_problem_reaches_the_error(story):
    saga = story.run(story.step("pay", no("declined", "the card ends in 4242")))
    assert saga["error"]["detail"] == "the card ends in 4242"
    assert story.api.step(saga["id"], "pay")["error"]["code"] == "declined"


# ---- unknown, duplicate, late, illegal ----------------------------------------------------

def test_a_reply_to_a_saga_that_is_gone_is_unknown(story, stack):
    id_, command = open_step(story)
    story.api.command(id_, "terminate").must(202)
    for table in ("history", "saga"):
        rows = stack.postgres.sql(f"select count(*) from information_schema.tables where table_schema='sagad' and table_name='{table}'")
        if rows != [["1"]]:
            pytest.skip("the tables have other names")
    try:
        stack.postgres.sql("delete from sagad.saga where id = :'id'", id=id_)
    except RuntimeError as error:
        pytest.skip(f"a saga cannot be deleted by hand: {error}")
    value = mark()
    story.answer(command, made(value, ce_sagatoken=True, ce_sagaoutcome="success"))
    assert dead(story, value)["reason"] == "unknown"


def test_five_equal_replies_are_one_success_and_four_ignored(story):
    id_, command = open_step(story)
    for _ in range(5):
        story.answer(command, ok({"n": 1}))
    assert story.api.wait(id_)["state"] == "succeeded"
    rows = until(lambda: len(r := story.api.history(id_, "reply.ignored")) == 4 and r, 60, "four ignored")
    assert {row["detail"]["reason"] for row in rows} == {"duplicate"}
    assert len(story.api.history(id_, "step.succeeded")) == 2


def test_a_contradiction_changes_nothing_and_is_seen(story):
    id_ = story.start(story.step("pay", no("declined")), story.step("last"))
    saga = story.api.wait(id_)
    story.answer(story.sent(id_, "pay"), ok({"n": 1}))
    row = until(lambda: story.api.history(id_, "reply.ignored"), 60, "ignored")[0]
    assert row["detail"]["reason"] in ("late", "illegal") and (row["step"], row["op"], row["attempt"]) == ("pay", "action", 1)
    assert story.api.saga(id_)["revision"] == saga["revision"] and story.calls(id_) == ["pay"]


def test_a_success_while_the_retry_waits_ends_the_step(story):
    id_ = story.start(story.step("pay", silence, timeout="150ms", retry=SLOW))
    story.api.wait_step(id_, "pay", "retrying")
    story.answer(story.sent(id_, "pay"), ok({"late": True}))
    assert story.api.wait(id_)["state"] == "succeeded" and story.calls(id_) == ["pay"]


def test_a_success_after_the_attempts_ran_out_is_late_and_the_undo_goes_on(story):
    id_ = story.start(story.step("pay", silence, undo=[silence], timeout="150ms", retry=ONCE))
    undo = story.sent(id_, "undo pay")
    story.answer(story.sent(id_, "pay"), ok({"late": True}))
    row = until(lambda: story.api.history(id_, "reply.ignored"), 60, "ignored")[0]
    assert row["detail"]["reason"] == "late"
    story.answer(undo, ok())
    assert story.api.wait(id_)["state"] == "compensated"


def test_the_answer_of_the_action_is_no_answer_of_the_undo(story):
    id_ = story.start(story.step("pay", undo=[silence]), story.step("bad", no()))
    story.sent(id_, "undo pay")
    story.answer(story.sent(id_, "pay"), ok({}))
    until(lambda: story.api.history(id_, "reply.ignored"), 60, "ignored")
    assert story.api.saga(id_)["state"] == "compensating"
    story.answer(story.sent(id_, "undo pay"), ok())
    assert story.api.wait(id_)["state"] == "compensated"


def test_a_reply_needs_no_key_and_no_order(story):
    id_, command = open_step(story)
    story.answer(command, made(b"{}", key=None, ce_sagatoken=True, ce_sagaoutcome="success"))
    assert story.api.wait(id_)["state"] == "succeeded"
    id_, command = open_step(story)
    story.answer(command, made(b"{}", key=b"\xff\x00other", ce_sagatoken=True, ce_sagaoutcome="success", x_more="ignored"))
    assert story.api.wait(id_)["state"] == "succeeded"


# ---- POST /v1/replies ---------------------------------------------------------------------

def by_rest(story, command, outcome, **members):
    return story.api.post("/v1/replies", {"token": command.token, "outcome": outcome, **members})


def test_replies_by_rest_have_their_verdicts(story):
    id_, command = open_step(story)
    assert by_rest(story, command, "pending").must()["verdict"] == "applied"
    assert by_rest(story, command, "progress").must()["verdict"] == "applied"
    assert by_rest(story, command, "success", output={"n": 0.10}).must() == {"verdict": "applied"}
    assert by_rest(story, command, "success", output={"n": 0.10}).must() == {"verdict": "duplicate"}
    assert by_rest(story, command, "failure", error={"code": "no", "detail": "x"}).must()["verdict"] in ("late", "illegal")
    story.api.wait(id_)
    assert story.api.step(id_, "pay")["output"] == {"n": 0.10}


def test_a_failure_by_rest_has_its_code_and_detail(story):
    id_, command = open_step(story)
    assert by_rest(story, command, "failure", error={"code": "declined", "detail": "no money"}).must()["verdict"] == "applied"
    error = story.api.wait(id_)["error"]
    assert (error["code"], error["detail"]) == ("declined", "no money")
    id_, command = open_step(story)
    assert by_rest(story, command, "failure").must()["verdict"] == "applied"
    assert story.api.wait(id_)["error"]["code"] == "failed"


def test_a_retry_by_rest_is_scheduled(story):
    id_ = story.start(story.step("pay", silence, retry=SLOW))
    by_rest(story, story.sent(id_, "pay"), "retry", error={"code": "busy"}).must()
    assert story.api.step(id_, "pay")["state"] == "retrying"


def test_a_late_reply_by_rest(story):
    id_ = story.start(story.step("pay", silence, again(), timeout=AMPLE, retry={**SLOW, "initial": "60ms", "max": "5m", "multiplier": 9999}))
    first = story.sent(id_, "pay")
    story.sent(id_, "pay", 2)
    assert by_rest(story, first, "failure").must()["verdict"] == "late"


@pytest.mark.parametrize("change,pointer", [({"outcome": "maybe"}, "/outcome"), ({"outcome": None}, "/outcome"), ({"token": 7}, "/token"),
                                            ({"more": 1}, "/more"), ({"error": "x"}, "/error"), ({"error": {"kode": "x"}}, "/error/kode")])
def test_a_wrong_member_of_a_reply_by_rest_is_refused_with_its_place(story, change, pointer):
    id_, command = open_step(story)
    body = {"token": command.token, "outcome": "failure", **change}
    assert pointer in story.api.post("/v1/replies", body).pointers()
    still_open(story, id_)


def test_an_output_by_rest_is_at_most_256_kib(story):
    id_, command = open_step(story)
    by_rest(story, command, "success", output="x" * 262_143).problem(413)
    still_open(story, id_)
    by_rest(story, command, "success", output="x" * 262_142).must()
    assert story.api.wait(id_)["state"] == "succeeded"


# ---- the dead letters' office -------------------------------------------------------------

def test_dead_letters_are_listed_shown_replayed_and_discarded_once(story):
    id_, command = open_step(story)
    value = mark()
    story.answer(command, made(value, ce_sagatoken=damaged(command.token, 0.5), ce_sagaoutcome="success"))
    letter = dead(story, value)
    assert letter["headers"] and json.loads(base64.b64decode(letter["value_base64"])) == value
    assert story.api.get(f"/v1/dead-letters/{letter['id']}").must()["id"] == letter["id"]
    story.api.post(f"/v1/dead-letters/{letter['id']}/discard", {"reason": "rubbish"}).must(200)
    for verb in ("discard", "replay"):
        story.api.post(f"/v1/dead-letters/{letter['id']}/{verb}", {"reason": "again"}).problem(409)
    still_open(story, id_)
    finish(story, id_, command)


def test_a_replayed_letter_takes_the_reply_once_more(story):
    """Replayed after it was mended elsewhere, or to see it fail again: a forged one stays forged."""
    id_, command = open_step(story)
    value = mark()
    story.answer(command, made(value, ce_sagatoken=damaged(command.token, 0.5), ce_sagaoutcome="success"))
    letter = dead(story, value)
    story.api.post(f"/v1/dead-letters/{letter['id']}/replay").must(200)
    story.api.post(f"/v1/dead-letters/{letter['id']}/replay").problem(409)
    until(lambda: [x for x in letters(story) if value["mark"].encode() in base64.b64decode(x["value_base64"] or "") and x["id"] != letter["id"]],
          60, "it is a dead letter again")
    still_open(story, id_)
    finish(story, id_, command)


def test_an_unknown_dead_letter_is_not_found(story):
    for id_ in ("999999999", new_id(), "x"):
        for verb in ("replay", "discard"):
            story.api.post(f"/v1/dead-letters/{id_}/{verb}").problem(404, "dead-letter-not-found")


def test_dead_letters_are_paged(story):
    id_, command = open_step(story)
    for _ in range(5):
        story.answer(command, made(mark(), ce_sagatoken="rubbish", ce_sagaoutcome="success"))
    until(lambda: len(letters(story)) >= 5, 60, "five")
    page = story.api.get("/v1/dead-letters", limit=2).must()
    assert len(page["items"]) == 2 and page["next_cursor"]
    ids = [letter["id"] for letter in story.api.pages("/v1/dead-letters", limit=2)]
    assert len(ids) == len(set(ids)) >= 5
    finish(story, id_, command)


def test_every_result_is_counted(story):
    def counts():
        lines = story.api.get("/metrics", headers={"Accept": "*/*"}).raw.decode().splitlines()
        return {line.split('result="')[1].split('"')[0]: float(line.split()[-1]) for line in lines if line.startswith("saga_replies_total{")}
    before = counts()
    id_, command = open_step(story)
    story.answer(command, made(b"{", ce_sagatoken=True, ce_sagaoutcome="success"))
    story.answer(command, made(b"", ce_sagatoken="rubbish", ce_sagaoutcome="success"))
    story.answer(command, reply("success", {}))
    story.answer(command, reply("success", {}))
    story.api.wait(id_)
    until(lambda: all(counts().get(r, 0) > before.get(r, 0) for r in ("applied", "duplicate", "forged", "malformed")), 60, str(before))
