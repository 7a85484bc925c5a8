"""A node that is killed, stopped, started wrongly, or left without its database."""
import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException

import pytest

from client import Api, new_id
from conftest import Stack
from participant import again, no, ok, reply, silence
from servers import Daemon, free_port, http, program, sql, until
from story import AMPLE, ONCE, QUICK, SLOW, Story


@pytest.fixture(scope="module")
def stack():
    """One of our own: it is broken here."""
    made = Stack()
    yield made
    made.close()


@pytest.fixture
def story(stack):
    yield Story(stack.api, stack.participant)
    if not stack.daemon.alive():
        stack.daemon.start()


def kill_and_start(stack):
    stack.daemon.kill()
    stack.daemon.start()


# ---- kill -9 in every state ---------------------------------------------------------------

class Scene:
    """What stood when the node died: (how to make it, what it is, how it goes on, the calls at the end)."""

    def __init__(self, stack, name, make, state, go_on, end, calls):
        self.story, self.name = Story(stack.api, stack.participant), name
        self.go_on, self.end, self.wanted = go_on, end, calls
        self.id = make(self.story)
        self.before = self.story.api.saga(self.id)
        self.steps = self.story.api.states(self.id)
        assert self.before["state"] == state, (name, self.before)


def dispatched(s):
    id_ = s.start(s.step("one"), s.step("pay", silence), s.step("last"))
    s.sent(id_, "pay")
    return id_


def progressed(s):
    id_ = s.start(s.step("pay", reply("progress", {"progress": 0.5}), silence))
    until(lambda: s.api.history(id_, "step.progress"), 60, "progress")
    return id_


def retrying(s):
    id_ = s.start(s.step("pay", again("busy"), ok({}), retry=SLOW))
    s.api.wait_step(id_, "pay", "retrying")
    return id_


def compensating(s):
    id_ = s.start(s.step("one"), s.step("pay", undo=[silence]), s.step("bad", no("declined")))
    s.sent(id_, "undo pay")
    return id_


def undo_waits(s):
    id_ = s.start(s.step("pay", undo=[again(), ok()], undo_with={"retry": {**SLOW, "max_elapsed": "1h"}}), s.step("bad", no("declined")))
    until(lambda: s.api.step(id_, "pay")["next_attempt_at"], 60, "the undo waits")
    return id_


def stuck(s):
    id_ = s.start(s.step("one"), s.step("pay", undo=[no("cannot"), ok()]), s.step("bad", no("declined")))
    s.api.wait(id_, "stuck")
    return id_


def paused(s):
    id_ = dispatched(s)
    s.api.command(id_, "pause").must(202)
    s.answer(s.sent(id_, "pay"), ok({}))
    s.api.wait_step(id_, "pay", "succeeded")
    return id_


def failed_and_paused(s):
    id_ = s.start(s.step("pay", no("declined"), ok({}), on_failure="pause"))
    s.api.wait_step(id_, "pay", "failed")
    return id_


def other_input(s):
    id_ = s.start(s.step("pay", no("declined"), again(), ok({}), on_failure="pause", retry=SLOW))
    s.api.wait_step(id_, "pay", "failed")
    s.api.command(id_, "retry", "pay", {"input": {"other": 0.5}}).must(202)
    s.api.wait_step(id_, "pay", "retrying")
    return id_


def pending(s):
    return s.start(s.step("pay"), saga={"start_at": "2099-01-01T00:00:00Z"})


def half_a_foreach(s):
    some = lambda p, c: (silence if c.idem.endswith("/1") else ok({"i": c.json["i"]}))(p, c)
    id_ = s.start(s.step("each", some, foreach={"in": "${input.l}", "concurrency": 2}, input={"i": "${index}"}),
                  s.step("last", input="${steps.each.output}"), input={"l": [0.10, 1, 2]})
    s.api.wait_step(id_, "each", "succeeded", index=2)
    return id_


def past_the_pivot(s):
    id_ = s.start(s.step("pivot", ok({"n": 0.10}), pivot=True, undo=None), s.step("last", silence, undo=None, input="${steps.pivot.output}"))
    s.sent(id_, "last")
    return id_


def cancelled(s):
    id_ = dispatched(s)
    s.api.command(id_, "cancel").must(202)
    return id_


def answer(name, how):
    return lambda s, id_: s.answer(s.sent(id_, name), how)


def verb(verb_, step=None):
    return lambda s, id_: s.api.command(id_, verb_, step).must(202)


SCENES = [
    ("before the reply", dispatched, "running", answer("pay", ok({})), "succeeded", ["one", "pay", "last"]),
    ("after progress", progressed, "running", answer("pay", ok({})), "succeeded", ["pay"]),
    ("while a retry waits", retrying, "running", verb("retry", "pay"), "succeeded", ["pay", "pay"]),
    ("while an undo is out", compensating, "compensating", answer("undo pay", ok()), "compensated", ["one", "pay", "bad", "undo pay", "undo one"]),
    ("while an undo waits", undo_waits, "compensating", verb("retry", "pay"), "compensated", ["pay", "bad", "undo pay", "undo pay"]),
    ("stuck", stuck, "stuck", verb("retry"), "compensated", ["one", "pay", "bad", "undo pay", "undo pay", "undo one"]),
    ("paused", paused, "running", verb("resume"), "succeeded", ["one", "pay", "last"]),
    ("failed and paused", failed_and_paused, "running", verb("resume"), "succeeded", ["pay", "pay"]),
    ("with another input", other_input, "running", verb("retry", "pay"), "succeeded", ["pay", "pay", "pay"]),
    ("pending", pending, "pending", verb("cancel"), "compensated", []),
    ("half a foreach", half_a_foreach, "running", answer("each[1]", ok({"i": 1})), "succeeded", ["each[0]", "each[1]", "each[2]", "last"]),
    ("past the pivot", past_the_pivot, "running", answer("last", ok({})), "succeeded", ["pivot", "last"]),
    ("cancelled", cancelled, "compensating", answer("pay", ok({})), "compensated", ["one", "pay", "undo pay", "undo one"]),
]


@pytest.fixture(scope="module")
def killed(stack):
    """All scenes together; the node is killed with all of them standing."""
    scenes = {row[0]: Scene(stack, *row) for row in SCENES}
    kill_and_start(stack)
    return scenes


def attempts(commands):
    """Names of the commands, an attempt that was sent again after the crash once."""
    seen, names = set(), []
    for command in commands:
        if command.h("ce_id") not in seen:
            seen.add(command.h("ce_id"))
            names.append(command.name)
    return names


@pytest.mark.parametrize("name", [row[0] for row in SCENES])
def test_a_saga_goes_on_where_it_stood_when_the_node_was_killed(killed, name):
    scene = killed[name]
    story, id_ = scene.story, scene.id
    saga = story.api.saga(id_)
    assert (saga["state"], saga["paused"]) == (scene.before["state"], scene.before["paused"])
    assert story.api.states(id_) == scene.steps
    assert saga["input"] == scene.before["input"] and saga["created_at"] == scene.before["created_at"]
    scene.go_on(story, id_)
    end = story.api.wait(id_, scene.end)
    commands = story.participant.of(id_)
    assert sorted(attempts(commands)) == sorted(scene.wanted)
    keys = {}
    for command in commands:
        assert keys.setdefault(command.h("ce_id"), (command.idem, command.value, command.op)) == (command.idem, command.value, command.op)
        assert command.idem.startswith(id_)
    rows = story.api.history(id_)
    assert [r["seq"] for r in rows] == list(range(1, len(rows) + 1))
    assert sorted({r["revision"] for r in rows}) == list(range(1, end["revision"] + 1))


def test_outstanding_commands_are_sent_again_under_the_same_key_and_token(killed):
    story = killed["before the reply"].story
    id_ = killed["before the reply"].id
    sent = [c for c in story.participant.of(id_) if c.name == "pay"]
    assert len(sent) >= 2 and len({(c.h("ce_id"), c.idem, c.value, c.attempt) for c in sent}) == 1


def test_the_outputs_before_the_kill_are_read_after_it(killed):
    assert killed["past the pivot"].story.participant.of(killed["past the pivot"].id, "last")[-1].json == {"n": 0.10}
    assert killed["half a foreach"].story.participant.of(killed["half a foreach"].id, "last")[-1].json == [{"i": 0}, {"i": 1}, {"i": 2}]
    assert {c.value for c in killed["with another input"].story.participant.of(killed["with another input"].id)[1:]} == {b'{"other":0.5}'}


def test_every_start_that_was_answered_survives_a_kill_at_once(stack, story):
    made = story.register(story.step("one"), story.step("two", lambda p, c: (no() if c.json["n"] % 2 else ok({}))(p, c)))
    accepted = []

    def start(n):
        try:
            accepted.append((n, stack.api.start(made, {"n": n, "exact": 0.10})))
        except (OSError, AssertionError, ValueError, HTTPException):
            pass
    with ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(start, n) for n in range(400)]
        until(lambda: len(accepted) > 60, 60, "some are accepted", pause=0.001)
        stack.daemon.kill()
        for job in jobs:
            job.result()
    stack.daemon.start()
    assert accepted
    for n, id_ in accepted:
        saga = story.api.wait(id_, seconds=60)
        assert saga["state"] == ("compensated" if n % 2 else "succeeded") and saga["input"] == {"n": n, "exact": 0.10}
    every = list(story.api.pages("/v1/sagas", definition=story.name, limit=500))
    assert {s["id"] for s in every} >= {id_ for _, id_ in accepted}


def test_timers_fire_although_the_node_was_down_when_they_were_due(stack, story):
    retry = story.start(story.step("pay", again(), ok({}), retry={**QUICK, "initial": "1s", "max": "1s"}))
    story.api.wait_step(retry, "pay", "retrying")
    timeout = story.start(story.step("pay", silence, timeout=AMPLE, retry=ONCE))
    story.sent(timeout, "pay")
    at = time.time() + 2.5
    later = story.start(story.step("pay"), saga={"start_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at + 1))})
    stack.daemon.kill()
    until(lambda: time.time() > at + 1.2, 60, "all are due")
    stack.daemon.start()
    ends = [story.api.wait(i)["state"] for i in (retry, later)]
    assert ends == ["succeeded", "succeeded"]
    assert story.api.wait(timeout, seconds=40)["state"] in ("compensated", "succeeded")


def test_the_same_key_after_a_kill_is_the_same_saga(stack, story):
    body, key = {"definition": story.register(story.step("one")), "input": 1}, new_id()
    first = story.api.post("/v1/sagas", body, key=key).must(201)
    kill_and_start(stack)
    again_ = story.api.post("/v1/sagas", body, key=key)
    assert again_.must(201)["id"] == first["id"] and again_.header("idempotent-replayed") == "true"


# ---- PostgreSQL ---------------------------------------------------------------------------

def test_sagas_survive_a_crash_of_postgresql(stack, story):
    made = story.register(story.step("one", ok({}, delay=0.2)), story.step("two", ok({}, delay=0.2)), story.step("three"))
    ids = [story.api.start(made, n) for n in range(40)]
    stack.postgres.crash()
    for id_ in ids:
        until(lambda: story.api.get(f"/v1/sagas/{id_}").status == 200, 60, "reads are back", pause=0.1)
        assert story.api.wait(id_, seconds=60)["state"] == "succeeded"
        assert set(story.calls(id_)) == {"one", "two", "three"}
    until(stack.daemon.ready, 60, "ready again")


def test_without_postgresql_starts_are_503_and_nothing_is_lost(stack, story):
    made = story.register(story.step("one"), story.step("two"))
    stack.postgres.stop()
    try:
        problem = until(lambda: (a := story.api.post("/v1/sagas", {"definition": made})).status == 503 and a, 60, "503").problem(503)
        assert problem["retryable"] is True
        assert story.api.get(f"/v1/sagas/{new_id()}").problem(503)
        until(lambda: http("GET", stack.daemon.admin + "/readyz")[0] == 503, 60, "not ready")
        assert http("GET", stack.daemon.admin + "/livez")[0] == 200 and story.api.get("/livez").status == 200
        assert http("GET", stack.daemon.admin + "/metrics")[0] == 200
    finally:
        stack.postgres.start()
    until(stack.daemon.ready, 60, "ready again")
    assert story.api.wait(until(lambda: (a := story.api.post("/v1/sagas", {"definition": made})).status == 201 and a, 60, "201").json["id"])["state"] == "succeeded"


# ---- stopping -----------------------------------------------------------------------------

def test_a_stop_is_graceful_within_25_seconds_while_sagas_are_open(stack, story):
    ids = [story.start(story.step("pay", silence), story.step("last")) for _ in range(5)]
    for id_ in ids:
        story.sent(id_, "pay")
    etag = story.api.get(f"/v1/sagas/{ids[0]}").header("etag")
    with ThreadPoolExecutor(2) as pool:
        poll = pool.submit(Api(stack.daemon.url).get, f"/v1/sagas/{ids[0]}", {"If-None-Match": etag}, wait=30)
        until(lambda: not poll.done(), 1, "the poll is out")
        began = time.monotonic()
        code = stack.daemon.stop(signal.SIGTERM, 25)
        took = time.monotonic() - began
        try:
            assert poll.result(5).status in (200, 304, 503)
        except OSError:
            pass
    assert code == 0 and took < 25
    for id_ in ids[:3]:
        story.answer(story.sent(id_, "pay"), ok({}))   # while nobody is there
    stack.daemon.start()
    for id_ in ids[3:]:
        story.answer(story.sent(id_, "pay"), ok({}))
    for id_ in ids:
        assert story.api.wait(id_)["state"] == "succeeded"


# ---- starting wrongly ---------------------------------------------------------------------

def serve(*words, **environment):
    done = subprocess.run([program("sagad"), *words], capture_output=True, text=True, timeout=60, env={**os.environ, **environment})
    return done.returncode, done.stdout + done.stderr


def flags(stack, **changed):
    words = {"--database-url": stack.postgres.url, "--kafka-brokers": stack.broker.brokers, "--listen": f"127.0.0.1:{free_port()}",
             "--admin-listen": f"127.0.0.1:{free_port()}", **changed}
    return [word for pair in words.items() for word in pair]


def test_a_port_in_use_is_named(stack):
    busy = stack.daemon.url.removeprefix("http://")
    code, text = serve("serve", "--insecure", *flags(stack, **{"--listen": busy}))
    assert code != 0 and busy in text and "another port" in text, text
    assert stack.daemon.ready()


def test_a_database_that_is_not_there_is_named(stack):
    nobody = f"postgresql://postgres@127.0.0.1:{free_port()}/nothing"
    code, text = serve("serve", "--insecure", *flags(stack, **{"--database-url": nobody}))
    assert code != 0 and "database" in text.lower() and "127.0.0.1" in text, text
    missing = stack.postgres.url.replace("/postgres", "/no_such_database") if stack.postgres.url.endswith("/postgres") else None
    code, text = serve("serve", "--insecure", *flags(stack, **{"--database-url": missing}))
    assert code != 0 and "no_such_database" in text, text


def test_a_database_without_tables_says_how_to_make_them(stack):
    stack.postgres.sql("create database fresh")
    url = stack.postgres.url.removesuffix("/postgres") + "/fresh"
    code, text = serve("serve", "--insecure", *flags(stack, **{"--database-url": url}))
    assert code != 0 and "migrate" in text, text
    daemon = Daemon(url, stack.broker.brokers, extra=["--migrate", "--group", "fresh"])
    with daemon:
        daemon.start()
        assert http("GET", daemon.url + "/v1/sagas")[0] == 200


def test_a_newer_database_is_refused(stack):
    stack.postgres.sql("create database newer")
    url = stack.postgres.url.removesuffix("/postgres") + "/newer"
    assert serve("migrate", "--database-url", url)[0] == 0
    names = [row[0] for row in sql(url, "select table_name from information_schema.tables where table_schema = 'sagad' and table_name like '%version%' "
                                        "or table_schema = 'sagad' and table_name like '%migration%'")]
    assert names, "where is the version kept?"
    columns = [row[0] for row in sql(url, f"select column_name from information_schema.columns where table_schema='sagad' and table_name='{names[0]}' "
                                          "and data_type in ('integer', 'bigint', 'smallint')")]
    sql(url, f"update sagad.{names[0]} set {columns[0]} = {columns[0]} + 1000 where {columns[0]} = (select max({columns[0]}) from sagad.{names[0]})")
    for words in (["serve", "--insecure", *flags(stack, **{"--database-url": url})], ["migrate", "--database-url", url]):
        code, text = serve(*words)
        assert code != 0 and "newer" in text, text


@pytest.mark.parametrize("words,nearest", [(["serve", "--listn", "x"], "--listen"), (["serve", "--database", "x"], "--database-url"), (["serv"], "serve"),
                                           (["topics", "aply"], "apply"), (["serve", "--insecur"], "--insecure"), (["migrate", "--wokers", "1"], "--help")])
def test_a_wrong_word_is_answered_with_the_nearest(words, nearest):
    code, text = serve(*words)
    assert code == 2 and nearest in text, (code, text)


def test_a_wrong_value_is_named(stack):
    for name, value in (("--workers", "many"), ("--grace-s", "-1"), ("--log-level", "loud")):
        code, text = serve("config", "check", *flags(stack), name, value)
        assert code != 0 and name in text, (name, code, text)


def test_it_does_not_serve_without_keys_nor_insecurely_in_public(stack):
    code, text = serve("serve", *flags(stack))
    assert code != 0 and "--keys-file" in text and "--insecure" in text, text
    code, text = serve("serve", "--insecure", *flags(stack, **{"--listen": f"0.0.0.0:{free_port()}"}))
    assert code != 0 and "loopback" in text, text


def test_a_broker_that_is_not_there_stops_nothing(stack):
    stack.postgres.sql("create database lonely")
    url = stack.postgres.url.removesuffix("/postgres") + "/lonely"
    with Daemon(url, f"127.0.0.1:{free_port()}", extra=["--migrate"]) as daemon:
        daemon.start()
        lonely = Story(Api(daemon.url), stack.participant)
        id_ = lonely.start(lonely.step("one"))
        assert lonely.api.saga(id_)["state"] == "running"
        assert http("GET", daemon.admin + "/readyz")[0] == 200
        why = lonely.api.why(id_)
        assert why["waiting_for"]["kind"] == "reply"
        until(lambda: b"broker" in http("GET", daemon.admin + "/readyz?verbose")[2].lower(), 60, "the broker is named")
        assert daemon.stop(signal.SIGTERM, 25) == 0


def test_prefixed_topics_and_a_cluster_of_another_name(stack):
    stack.postgres.sql("create database prefixed")
    url = stack.postgres.url.removesuffix("/postgres") + "/prefixed"
    with Daemon(url, stack.broker.brokers, extra=["--migrate", "--topic-prefix", "blue.", "--cluster", "blue", "--namespace", "shop",
                                                  "--group", "blue", "--topics-allow", "contract.*"]) as daemon:
        daemon.start()
        blue = Story(Api(daemon.url), stack.participant)
        saga = blue.run(blue.step("one"))
        command = blue.sent(saga, "one")
        assert (saga["state"], saga["namespace"]) == ("succeeded", "shop")
        assert command.h("ce_sagareplyto") == "blue.saga.replies" and command.h("ce_source") == "/sagad/blue"
        body = blue.define(blue.step("one", topic="contract-nobody.commands"))
        assert "/steps/0/action/topic" in blue.api.post("/v1/definitions", body).pointers()


def test_no_payload_is_ever_in_the_log(stack, story):
    secret = "canary-" + new_id()
    story.run(story.step("one", ok({"s": secret})), story.step("bad", no("declined", secret)), input={"s": secret})
    story.api.post("/v1/sagas", b'{"definition":"x","input":"%s"' % secret.encode())
    story.api.command(story.run(story.step("p"))["id"], "cancel", body={"reason": secret})
    assert secret not in stack.daemon.tail(50_000_000)
    for line in stack.daemon.tail(200_000).splitlines()[1:]:
        assert line.startswith("{") and '"event"' in line, line
