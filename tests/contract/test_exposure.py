"""Exposure: what open sagas have done that is neither confirmed nor undone, to the last digit."""
import subprocess
from decimal import Decimal

import pytest

from conftest import Stack
from participant import again, no, ok, silence
from servers import program, sql, until
from story import ONCE, SLOW, TOPIC, Story


@pytest.fixture(scope="module")
def stack():
    """One of our own: it is killed here."""
    made = Stack()
    yield made
    made.close()


@pytest.fixture
def story(stack):
    yield Story(stack.api, stack.participant)
    stack.daemon.must_live()


def worth(amount="${input.total}", currency="EUR", kind="money"):
    return {"kind": kind, "amount": amount, **({"currency": currency} if currency else {})}


def exposure(story, **query):
    return story.api.get("/v1/exposure", definition=story.name, **query).must()


def sums(found):
    return {(group["state"], group["topic"], group["kind"], group["currency"]): (group["amount"], group["count"])
            for group in found["items"]}


def flow(story, last=silence, undo=(ok(),), **members):
    """One step that is worth something, then one that decides."""
    return story.register(story.step("charge", undo=undo, effect=worth(), **members), story.step("ship", last, timeout="5m"))


def test_what_is_done_counts_until_the_saga_succeeds(story):
    id_ = story.api.start(flow(story), {"total": 120.10})
    story.sent(id_, "ship")

    found = exposure(story)

    [group] = found["items"]
    assert (group["definition"], group["version"], group["topic"], group["state"]) == (story.name, 1, TOPIC, "running"), group
    assert (group["amount"], group["currency"], group["kind"]) == ("120.1", "EUR", "money"), group
    assert (group["count"], group["unknown_count"], group["unvalued_count"], group["sagas"]) == (1, 0, 0, 1), group
    [total] = found["totals"]
    assert (total["currency"], total["amount"], total["sagas"]) == ("EUR", "120.1", 1), total
    story.answer(story.sent(id_, "ship"), ok({}))
    story.api.wait(id_, "succeeded")
    assert exposure(story) == {"totals": [], "items": [], "next_cursor": None}


def test_sums_are_exact_where_doubles_are_not(story):
    flow(story)
    for total in ("0.1", "0.2", "9007199254740993.01", "1e3"):
        body = '{"definition":{"name":"%s"},"input":{"total":%s}}' % (story.name, total)
        story.sent(story.api.post("/v1/sagas", body.encode()).must(201)["id"], "ship")

    assert exposure(story)["totals"][0]["amount"] == "9007199254741993.31"


def test_what_the_stuck_sagas_are_worth_is_one_call(story):
    definition = flow(story, last=no("closed"), undo=(no("locked"),))
    ids = [story.api.start(definition, {"total": total}) for total in (10, 20.5)]
    for id_ in ids:
        story.api.wait(id_, "stuck")

    found = exposure(story, state="stuck")

    assert sums(found) == {("stuck", TOPIC, "money", "EUR"): ("30.5", 2)}
    assert [total["amount"] for total in found["totals"]] == ["30.5"]
    assert exposure(story, state=["running", "compensating"])["items"] == []

    story.api.command(ids[0], "skip", "charge").must(202)  # waives the undo
    assert [total["amount"] for total in exposure(story)["totals"]] == ["20.5"]
    story.api.command(ids[1], "terminate").must(202)
    assert exposure(story)["items"] == []


def test_it_is_of_the_state_that_its_saga_is_in_and_gone_when_undone(story):
    definition = flow(story, last=no("closed"), undo=(again("busy"), ok()), undo_with={"retry": {**SLOW, "max_elapsed": "1h"}})
    id_ = story.api.start(definition, {"total": 7})
    story.sent(id_, "undo charge")
    assert sums(exposure(story)) == {("compensating", TOPIC, "money", "EUR"): ("7", 1)}
    until(lambda: story.api.step(id_, "charge")["next_attempt_at"], 30, "the undo waits for its next attempt")

    story.api.command(id_, "retry", "charge").must(202)
    story.api.wait(id_, "compensated")

    assert exposure(story)["items"] == []


def test_what_nobody_answered_is_told_apart(story):
    id_ = story.start(story.step("charge", silence, undo="null", effect=worth(), timeout="100ms", retry=ONCE,
                                 on_unknown="hold"), input={"total": 5})
    story.api.wait_step(id_, "charge", "unknown")

    [group] = exposure(story)["items"]

    assert (group["amount"], group["unknown_amount"], group["unknown_count"]) == ("5", "5", 1)
    story.api.command(id_, "complete", "charge", {"output": {}}).must(202)
    story.api.wait(id_, "succeeded")
    assert exposure(story)["items"] == []


def test_each_item_counts_and_the_saga_once(story):
    definition = story.register(
        story.step("reserve", undo=(ok(),), effect=worth("${item.price * item.qty}", "${input.currency}", "stock"),
                   foreach={"in": "${input.items}"}),
        story.step("ship", silence, timeout="5m"))
    id_ = story.api.start(definition, {"currency": "USD", "items": [{"price": 2, "qty": 3}, {"price": 0.25, "qty": 2}, {"price": "x", "qty": 1}]})
    story.sent(id_, "ship")

    [group] = exposure(story)["items"]

    assert (group["amount"], group["currency"], group["count"], group["unvalued_count"], group["sagas"]) == ("6.5", "USD", 3, 1, 1)


def test_a_step_shows_what_it_is_worth_and_why_it_is_not_known(story):
    id_ = story.api.start(flow(story), {"total": "12.50"})
    other = story.api.start(flow(story), {"total": "much"})
    story.sent(id_, "ship"), story.sent(other, "ship")

    assert story.api.step(id_, "charge")["effect"] == {"kind": "money", "amount": "12.50", "currency": "EUR"}
    assert story.api.step(other, "charge")["effect"] == {"kind": "money", "amount": None, "currency": "EUR"}
    assert "effect" not in story.api.step(id_, "ship")
    told = [item["detail"] for item in story.api.pages(f"/v1/sagas/{other}/history") if item["step"] == "charge"]
    assert any("effect.amount" in detail.get("message", "") for detail in told), told


def test_groups_come_by_the_page_and_filters_narrow_them(story):
    definition = story.register(
        story.step("a", undo=(ok(),), effect=worth("${1}", "EUR")), story.step("b", undo=(ok(),), effect=worth("${2}", "USD")),
        story.step("c", undo=(ok(),), effect=worth("${3}", None, "stock")), story.step("ship", silence, timeout="5m"))
    id_ = story.api.start(definition)
    story.sent(id_, "ship")
    whole = exposure(story)
    assert [(g["kind"], g["currency"], g["amount"]) for g in whole["items"]] == [
        ("money", "EUR", "1"), ("money", "USD", "2"), ("stock", None, "3")]
    assert [(t["currency"], t["amount"]) for t in whole["totals"]] == [(None, "3"), ("EUR", "1"), ("USD", "2")]

    page = exposure(story, limit=2)
    rest = exposure(story, limit=2, cursor=page["next_cursor"])

    assert page["items"] + rest["items"] == whole["items"] and rest["next_cursor"] is None
    assert page["totals"] == rest["totals"] == whole["totals"]
    assert [g["amount"] for g in exposure(story, currency=["USD", ""])["items"]] == ["2", "3"]
    assert [g["amount"] for g in exposure(story, kind="stock")["items"]] == ["3"]
    assert exposure(story, topic="nobody")["items"] == [] and len(exposure(story, topic=TOPIC)["items"]) == 3
    story.api.get("/v1/exposure", cursor=page["next_cursor"]).problem(400, "invalid-cursor")


@pytest.mark.parametrize("query", ({"state": "succeeded"}, {"state": "pending"}, {"limit": 0}, {"limit": 501}, {"cursor": "x"},
                                   {"cursor": "AAAAAAAAAAAAAAAA"}, {"step": "charge"}))
def test_bad_queries_are_refused(story, query):
    story.api.get("/v1/exposure", **query).problem(400)


def stored(stack):
    """Effects that are kept of sagas that are over, or in another state."""
    rows = sql(stack.postgres.url, "select count(*) from sagad.effect e left join sagad.saga s on s.id = e.saga_id"
               " where s.id is null or s.finished_at is not null or s.state <> e.state")
    return int(rows[0][0])


def test_a_kill_leaves_no_effect_out_and_none_in(stack, story):
    definition = flow(story, last=no("closed"), undo=(no("locked"),))
    ids = []
    for _ in range(3):
        ids += [story.api.start(definition, {"total": "0.01"}) for _ in range(20)]
        stack.daemon.kill()
        assert stored(stack) == 0
        stack.daemon.start()
    for id_ in ids:
        story.api.wait(id_, "stuck")

    assert stored(stack) == 0
    [total] = exposure(story)["totals"]
    assert (Decimal(total["amount"]), total["count"], total["sagas"]) == (Decimal("0.60"), 60, 60)


def test_sagactl_tells_the_sums(stack, story):
    id_ = story.api.start(flow(story), {"total": 120.5})
    story.sent(id_, "ship")

    out = subprocess.run([program("sagactl"), "--url", stack.daemon.url, "exposure", "-d", story.name], capture_output=True, text=True, timeout=60, check=True).stdout

    assert "120.5" in out and "EUR" in out and f"{story.name}/1" in out, out
