"""Locks between sagas: so many open for a key, the others in line; where they stand, who leaves it, two nodes, kills."""
import json
import subprocess
from collections import defaultdict

import pytest

from client import Api
from conftest import Stack
from participant import no, ok, silence
from servers import program, sql, until
from story import Story

BY_CUSTOMER = {"limit": 1, "key": "${input.customer}"}


@pytest.fixture(scope="module")
def stack():
    """One of our own: its node is killed here."""
    made = Stack()
    yield made
    made.close()


@pytest.fixture
def story(stack):
    yield Story(stack.api, stack.participant)
    stack.daemon.must_live()


def held_open(story, **concurrency):
    """A definition whose sagas stay open until their step is answered."""
    return story.register(story.step("work", silence, timeout="1h"), concurrency={**BY_CUSTOMER, **concurrency})


def start(story, definition, customer="ann", **members):
    return story.api.start(definition, {"customer": customer}, **members)


def end(story, id_):
    story.answer(story.sent(id_, "work"), ok())
    return story.api.wait(id_, "succeeded")


def rows_left(stack, name):
    return sql(stack.postgres.url, f"select count(*) from sagad.saga_lock where definition = '{name}'") == [["0"]]


def in_line(story, id_):
    saga = story.api.saga(id_)
    return saga["state"] == "pending" and saga["lock"]["state"] == "waiting"


def test_one_saga_for_a_key_is_open_and_the_others_start_in_their_order(stack, story):
    definition = held_open(story)
    ids = [start(story, definition) for _ in range(4)]
    other = start(story, definition, "bob")
    story.sent(other, "work")

    for n, id_ in enumerate(ids):
        story.sent(id_, "work")
        assert story.api.saga(id_)["lock"] == {"state": "held", "key": "ann"}
        assert all(in_line(story, later) for later in ids[n + 1:])
        end(story, id_)
        assert "lock" not in story.api.saga(id_)

    assert [e["type"] for e in story.api.history(ids[1])][:4] == [
        "saga.created", "saga.lock_queued", "saga.lock_granted", "saga.started"]
    assert story.api.history(ids[1], "saga.lock_queued")[0]["detail"] == {"key": "ann"}
    end(story, other)
    until(lambda: rows_left(stack, story.name), 60, "no row is left")


def test_a_limit_of_three_is_three_and_a_lock_without_key_is_one_for_all(story):
    definition = story.register(story.step("work", silence, timeout="1h"), concurrency={"limit": 3})
    ids = [start(story, definition, f"c{n}") for n in range(5)]
    for id_ in ids[:3]:
        story.sent(id_, "work")

    assert story.api.saga(ids[0])["lock"] == {"state": "held", "key": None}
    assert in_line(story, ids[3]) and in_line(story, ids[4])
    end(story, ids[1])
    story.sent(ids[3], "work")
    assert in_line(story, ids[4])


def test_why_names_the_key_the_place_and_who_is_open(story):
    definition = held_open(story)
    first, second, third = [start(story, definition) for _ in range(3)]
    story.sent(first, "work")

    why = story.api.why(third)

    waits = why["waiting_for"]
    assert why["state"] == "pending" and waits["kind"] == "lock" and waits["key"] == "ann"
    assert (waits["place"], waits["limit"], waits["held"], waits["holders"]) == (2, 1, 1, [first])
    assert f"one saga of {story.name} with the key ann" in why["sentence"] and "2nd in line" in why["sentence"]
    assert first in why["sentence"] and why["since"] is not None
    assert story.api.why(second)["waiting_for"]["place"] == 1
    assert story.api.why(first)["waiting_for"]["kind"] == "reply"


def test_lists_show_who_waits_and_locks_who_holds(story):
    definition = held_open(story)
    first, second, third = [start(story, definition) for _ in range(3)]
    alone = start(story, definition, "bob")
    story.sent(first, "work")
    story.sent(alone, "work")

    listed = {s["id"]: s for s in story.api.pages("/v1/sagas", definition=story.name)}
    locks = list(story.api.pages("/v1/locks", definition=story.name))

    assert listed[second]["lock"] == {"state": "waiting", "key": "ann"} and listed[alone]["lock"]["state"] == "held"
    waiting_since = locks[0].pop("waiting_since")
    assert waiting_since and locks[0] == {"definition": story.name, "key": "ann", "limit": 1, "held": 1, "holders": [first],
                                          "waiting": 2, "next": [second, third]}
    assert locks[1]["key"] == "bob" and locks[1]["waiting"] == 0 and locks[1]["waiting_since"] is None
    keys = lambda **query: [lock["key"] for lock in story.api.pages("/v1/locks", definition=story.name, **query)]
    assert keys(limit=1) == ["ann", "bob"] and keys(waiting="true") == ["ann"] and keys(key="bob") == ["bob"] and keys(key="b") == []
    assert [lock["definition"] for lock in story.api.pages("/v1/locks", definition=[story.name, "a", story.name], limit=1)] == 2 * [story.name]


@pytest.mark.parametrize("query", ({"limit": 0}, {"cursor": "x"}, {"key": "k"}, {"definition": ["a", "b"], "key": "k"}, {"waiting": "1"},
                                   {"state": "held"}))
def test_bad_queries_are_refused(story, query):
    story.api.get("/v1/locks", **query).problem(400)


@pytest.mark.parametrize("verb, state", (("cancel", "compensated"), ("terminate", "terminated")))
def test_who_is_cancelled_in_line_leaves_it(stack, story, verb, state):
    definition = held_open(story)
    first, second, third = [start(story, definition) for _ in range(3)]
    story.sent(first, "work")

    story.api.command(second, verb).must(202)
    assert story.api.wait(second, state)["started_at"] is None
    assert story.api.why(third)["waiting_for"]["place"] == 1
    end(story, first)

    end(story, third)
    assert story.calls(second) == []
    until(lambda: rows_left(stack, story.name), 60, "no row is left")


def test_who_is_paused_in_line_gets_its_turn_and_keeps_it(story):
    definition = held_open(story)
    first, second, third = [start(story, definition) for _ in range(3)]
    story.sent(first, "work")
    story.api.command(second, "pause").must(202)
    assert story.api.why(second)["waiting_for"]["kind"] == "operator"
    end(story, first)

    until(lambda: story.api.saga(second)["lock"]["state"] == "held", 60, "its turn")
    assert story.api.saga(second)["state"] == "pending" and in_line(story, third)
    story.api.command(second, "resume").must(202)

    end(story, second)
    end(story, third)


def test_a_stuck_saga_is_open_and_a_terminated_one_is_not(story):
    steps = (story.step("one", undo=(no("locked"),)), story.step("work", no("declined"), ok()))
    definition = story.register(*steps, concurrency=BY_CUSTOMER)
    first, second = start(story, definition), start(story, definition)
    story.api.wait(first, "stuck")
    assert in_line(story, second)

    story.api.command(first, "terminate").must(202)

    story.api.wait(second)


def test_the_place_in_line_is_taken_when_its_time_has_come(story):
    definition = held_open(story)
    later = start(story, definition, start_at="2099-01-01T00:00:00Z")
    first = start(story, definition)
    story.sent(first, "work")

    assert story.api.why(later)["waiting_for"]["kind"] == "timer" and "lock" not in story.api.saga(later)


def test_a_paused_definition_takes_no_place_until_it_is_resumed(story):
    definition = held_open(story)
    story.api.post(f"/v1/definitions/{story.name}/pause").must()
    held = start(story, definition)
    assert "lock" not in story.api.saga(held)

    story.api.post(f"/v1/definitions/{story.name}/resume").must()

    end(story, held)


@pytest.mark.parametrize("customer, told", ((None, "null"), ("", "empty"), ([1], "text, a number"), ("x" * 1025, "1025 bytes"),
                                            ("\0", "U+0000")))
def test_a_key_that_is_none_refuses_the_start_and_names_the_place(story, customer, told):
    definition = held_open(story)

    problem = story.api.post("/v1/sagas", {"definition": definition, "input": {"customer": customer}}).problem(422)

    assert problem["errors"][0]["pointer"] == "/input" and told in problem["errors"][0]["detail"], problem


def test_a_key_of_a_megabyte_is_refused_and_one_of_a_kilobyte_is_not(story):
    big = "${'%s'}" % ("x" * 1_000_000)
    refused = story.api.post("/v1/definitions", story.define(story.step("work"), concurrency={"limit": 1, "key": big}))
    assert refused.pointers() == ["/concurrency/key"]
    definition = held_open(story)
    problem = story.api.post("/v1/sagas", {"definition": definition, "input": {"customer": "x" * 250_000}}).problem(422)
    assert problem["errors"][0]["pointer"] == "/input" and "at most 1024" in problem["errors"][0]["detail"], problem
    first, second = start(story, definition, "ü" * 512), start(story, definition, "ü" * 512)
    story.sent(first, "work")
    assert story.api.why(second)["waiting_for"]["key"] == "ü" * 512
    assert [lock["waiting"] for lock in story.api.pages("/v1/locks", definition=story.name, limit=1)] == [1]


@pytest.mark.parametrize("concurrency, pointer", (
    ({}, "/concurrency"), ({"limit": 0}, "/concurrency/limit"), ({"limit": -1}, "/concurrency/limit"), ({"limit": 1.5}, "/concurrency/limit"),
    ({"limit": 1, "key": "ann"}, "/concurrency/key"), ({"limit": 1, "key": "${steps.work.output}"}, "/concurrency/key"),
    ({"limit": 1, "scope": "all"}, "/concurrency/scope"), (1, "/concurrency")))
def test_a_concurrency_that_says_nothing_is_refused_at_registration(story, concurrency, pointer):
    definition = story.define(story.step("work"), concurrency=concurrency)

    assert story.api.post("/v1/definitions", definition).pointers() == [pointer]


def test_versions_share_the_line_and_each_saga_counts_by_its_own(story):
    definition = held_open(story)
    first, second = start(story, definition), start(story, definition)
    story.sent(first, "work")
    wider = held_open(story, limit=3)
    third = start(story, wider)
    assert wider["version"] == 2 and in_line(story, third), "nobody passes the one before"

    end(story, first)

    story.sent(second, "work")
    story.sent(third, "work")


def test_the_export_of_a_saga_in_line_folds_to_what_it_is(story, tmp_path):
    definition = held_open(story)
    first, second = start(story, definition), start(story, definition)
    story.sent(first, "work")
    for id_ in (first, second):
        file = tmp_path / f"{id_}.json"
        file.write_bytes(story.api.get(f"/v1/sagas/{id_}/export").raw)
        done = subprocess.run([program("sagactl"), "replay", file], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    damaged = json.loads(file.read_text())
    damaged["saga"]["lock"]["state"] = "held"
    file.write_text(json.dumps(damaged))
    done = subprocess.run([program("sagactl"), "replay", file], capture_output=True, text=True)
    assert done.returncode == 1 and "lock.state" in done.stdout


def times_open(story, ids):
    """Of each key the spans in which its sagas were open, by their own histories."""
    spans = defaultdict(list)
    for id_ in ids:
        granted, ended = story.api.history(id_, "saga.lock_granted", "saga.succeeded")
        spans[story.api.saga(id_)["input"]["customer"]].append((granted["at"], ended["at"], id_))
    return spans


def never_two_at_once(story, ids):
    for spans in times_open(story, ids).values():
        spans.sort()
        for (_, ended, _), (granted, _, _) in zip(spans, spans[1:]):
            assert ended <= granted, spans


def test_two_nodes_keep_the_limit_and_the_order(stack, story):
    definition = story.register(story.step("work"), concurrency=BY_CUSTOMER)
    other = stack.another_node()
    try:
        apis = (stack.api, Api(other.url))
        ids = [apis[n % 2].start(definition, {"customer": f"c{n % 3}"}) for n in range(60)]
        for id_ in ids:
            story.api.wait(id_, "succeeded")
        never_two_at_once(story, ids)
        order = [[id_ for _, _, id_ in sorted(spans)] for spans in times_open(story, ids).values()]
        assert order == [ids[n::3] for n in range(3)], "who asked first was first"
        until(lambda: rows_left(stack, story.name), 60, "no row is left")
    finally:
        other.close()


def test_kills_let_nobody_wait_for_ever_and_no_two_in(stack, story):
    definition = story.register(story.step("work"), concurrency=BY_CUSTOMER)
    ids = []
    for _ in range(2):
        ids += [start(story, definition, f"c{n % 4}") for n in range(24)]
        stack.daemon.kill()
        stack.daemon.start()

    for id_ in ids:
        story.api.wait(id_, "succeeded")

    never_two_at_once(story, ids)
    until(lambda: rows_left(stack, story.name), 60, "no row is left")


def test_a_place_that_nobody_gave_is_found(stack, story):
    definition = held_open(story)
    first, second = start(story, definition), start(story, definition)
    story.sent(first, "work")
    third = start(story, definition)
    sql(stack.postgres.url, f"update sagad.saga_lock set waits = false, granted = 1 where saga_id = '{second}'")
    story.sent(second, "work")
    sql(stack.postgres.url, f"delete from sagad.saga_lock where saga_id in ('{first}', '{second}')")

    story.sent(third, "work")


def test_sagas_without_a_limit_write_nothing_here(stack, story):
    story.run(story.step("work"))

    assert "lock" not in story.api.saga(story.start(story.step("work")))
    assert rows_left(stack, story.name)
