"""Topics: paused, they hold their commands back, and no time of a command runs meanwhile."""
import pytest

from client import Api
from conftest import Stack
from participant import Participant, again, no, ok, silence
from servers import until
from story import AMPLE, QUICK, Story

OWN, OTHER, SHY = "calm.commands", "other.commands", "shy.commands"
ILL, GONE, EMPTY = "ill.commands", "gone.commands", "empty.commands"


@pytest.fixture(scope="module")
def stack():
    """One of our own: its topics are stopped here."""
    made = Stack(topics=(OWN, OTHER, SHY, ILL, GONE), unread=(EMPTY,))
    yield made
    made.close()


@pytest.fixture
def story(stack):
    yield Story(stack.api, stack.participant)
    stack.daemon.must_live()
    for topic in (OWN, OTHER, SHY):
        stack.api.post(f"/v1/topics/{topic}/resume")


def pause(story, topic, reason="maintenance", **more):
    return story.api.post(f"/v1/topics/{topic}/pause", {"reason": reason}, **more).must(200)


def resume(story, topic):
    return story.api.post(f"/v1/topics/{topic}/resume", {"reason": "done"}).must(200)


def topic_of(story, name):
    return story.api.get(f"/v1/topics/{name}").must()


def a_second_passes(story):
    """By the clock of sagad: what would have been due in less than that has been."""
    name = story.name + "clock"
    made = story.api.post("/v1/definitions", {"name": name, "steps": [{"id": "rest", "delay": {"for": "1200ms"}}]}).must(200, 201)
    story.api.wait(story.api.start({"name": made["name"], "version": made["version"]}), "succeeded")


def test_a_paused_topic_holds_its_commands_until_it_is_resumed(story):
    shown = pause(story, OWN)
    id_ = story.start(story.step("pay", topic=OWN, timeout="300ms"))

    assert shown["paused"] and shown["paused_by"] == "anonymous" and shown["reason"] == "maintenance"
    a_second_passes(story)
    assert story.calls(id_) == []
    step = story.api.step(id_, "pay")
    assert (step["state"], step["attempt"]) == ("dispatched", 1)
    assert story.api.history(id_, "step.retry_scheduled") == []
    assert topic_of(story, OWN)["waiting"] == 1

    assert not resume(story, OWN)["paused"]
    story.api.wait(id_, "succeeded")
    assert story.participant.of(id_)[0].attempt == 1


def test_why_tells_who_paused_the_topic_and_that_nothing_was_sent(story):
    pause(story, OWN, "the ledger is moved")
    id_ = story.start(story.step("pay", topic=OWN))
    story.api.wait_step(id_, "pay", "dispatched")

    why = until(lambda: (found := story.api.why(id_))["waiting_for"]["kind"] == "operator" and found, 30, "the pause is told")
    assert "waits to be sent to calm.commands: the topic was paused by anonymous" in why["sentence"] and "the ledger is moved" in why["sentence"]
    waiting = why["waiting_for"]
    assert (waiting["by"], waiting["command_sent_at"], waiting["topic"], waiting["attempt"]) == ("anonymous", None, OWN, 1)


def test_what_was_sent_before_the_pause_uses_no_attempt_up_either(story):
    id_ = story.start(story.step("pay", silence, ok({}), topic=OWN, timeout="400ms", retry={"max_attempts": 1}))
    story.sent(id_, "pay")
    pause(story, OWN)

    a_second_passes(story)
    step = story.api.step(id_, "pay")
    if step["state"] == "dispatched":  # else the machine was so slow that its time was over before the pause
        assert "until it is resumed nothing is sent there and no time runs out" in story.api.why(id_)["sentence"]
        resume(story, OWN)
        assert [story.sent(id_, "pay", n).attempt for n in (1, 2)] == [1, 1]


def test_a_reply_is_taken_while_the_topic_is_paused(story):
    id_ = story.start(story.step("pay", silence, topic=OWN))
    command = story.sent(id_, "pay")
    pause(story, OWN)

    story.answer(command, ok({}))
    story.api.wait(id_, "succeeded")


def test_the_other_branch_and_the_sagas_own_deadline_are_not_held(story):
    pause(story, OWN)
    both = [story.step("pay", topic=OWN, depends_on=[]), story.step("pack", silence, topic=OTHER, depends_on=[], timeout="200ms", retry=QUICK)]
    both[0]["action"] |= {"timeout": "1s", "retry": {"max_attempts": 1}}
    id_ = story.start(*both, timeout="3s")

    story.sent(id_, "pack", 3)
    story.api.wait(id_, "compensating")
    assert story.participant.of(id_, "pay") == []
    resume(story, OWN)
    story.api.wait(id_, "compensated")


def test_a_retry_that_is_due_waits_for_its_topic(story):
    retry = {"max_attempts": 2, "initial": "50ms", "multiplier": 1, "max": "50ms", "jitter": "none"}
    id_ = story.start(story.step("pay", silence, ok({}), topic=OWN, retry=retry, timeout="30s"))
    command = story.sent(id_, "pay")
    pause(story, OWN)
    story.answer(command, again("busy"))

    story.api.wait_step(id_, "pay", "dispatched")
    until(lambda: story.api.step(id_, "pay")["attempt"] == 2, 30, "the second attempt")
    assert len(story.participant.of(id_)) == 1
    resume(story, OWN)
    story.api.wait(id_, "succeeded")
    assert [command.attempt for command in story.participant.of(id_)] == [1, 2]


def test_an_undo_is_held_as_well(story):
    pause(story, OWN)
    id_ = story.start(story.step("pay", topic=OTHER, undo_with={"topic": OWN}), story.step("pack", no("sold_out"), topic=OTHER))
    story.api.wait(id_, "compensating")

    assert story.calls(id_) == ["pay", "pack"]
    resume(story, OWN)
    story.api.wait(id_, "compensated")


def test_a_pause_outlives_the_daemon_and_binds_every_node(stack, story):
    pause(story, OWN)
    id_ = story.start(story.step("pay", topic=OWN))
    story.api.wait_step(id_, "pay", "dispatched")
    stack.daemon.kill()
    stack.daemon.start()

    until(lambda: topic_of(story, OWN)["waiting"] == 1, 60, "the saga is taken over and waits")
    assert story.calls(id_) == []
    other = stack.another_node()
    try:
        there = Api(other.url)
        assert there.get(f"/v1/topics/{OWN}").must()["paused"]
        there.post(f"/v1/topics/{OWN}/resume").must(200)
        story.api.wait(id_, "succeeded")
        until(lambda: not topic_of(story, OWN)["paused"], 30, "both nodes know")
    finally:
        other.close()


def test_it_is_written_down_who_did_what_and_why(story):
    name = "kept-" + story.name
    pause(story, name, "first")
    pause(story, name, "second")
    resume(story, name)

    shown = topic_of(story, name)
    assert [(act["verb"], act["actor"], act["reason"]) for act in shown["acts"]] == [("resume", "anonymous", "done"), ("pause", "anonymous", "first")]
    assert shown["paused_by"] is None and shown["paused_at"] is None and shown["circuit"] == "closed"


def test_a_key_makes_a_pause_once(story):
    first = pause(story, OWN, key=story.name)
    resume(story, OWN)
    replayed = story.api.post(f"/v1/topics/{OWN}/pause", {"reason": "maintenance"}, key=story.name)

    assert replayed.must(200) == first and replayed.header("Idempotent-Replayed") == "true"
    assert not topic_of(story, OWN)["paused"]
    story.api.post(f"/v1/topics/{OWN}/pause", {"reason": "other"}, key=story.name).problem(422)


def test_topics_are_listed_by_name_page_by_page_with_the_promised_members(story):
    story.api.wait(story.start(story.step("pay", topic=OWN), story.step("pack", topic=OTHER)), "succeeded")
    pause(story, SHY)

    names = [topic["name"] for topic in story.api.pages("/v1/topics", limit=1)]
    assert names == sorted(names) and {OWN, OTHER, SHY} <= set(names)
    [own] = [topic for topic in story.api.pages("/v1/topics") if topic["name"] == OWN]
    assert {"name", "paused", "circuit", "lag", "participants", "last_reply_at", "error_rate", "window"} <= set(own)
    until(lambda: topic_of(story, OWN)["last_reply_at"], 30, "the reply is seen")
    assert [topic["paused"] for topic in story.api.pages("/v1/topics") if topic["name"] == SHY] == [True]
    metrics = story.api.get("/metrics").raw.decode()
    assert f'saga_topic_paused{{topic="{SHY}"}} 1' in metrics


def test_what_is_wrong_is_refused(story):
    story.api.get("/v1/topics/never-heard-of").problem(404, "topic-not-found")
    story.api.post("/v1/topics/never-heard-of-it/resume").problem(404, "topic-not-found")
    story.api.post("/v1/topics/no%20name/pause").problem(404, "topic-not-found")
    story.api.post(f"/v1/topics/{'x' * 250}/pause").problem(404, "topic-not-found")
    assert story.api.post(f"/v1/topics/{OWN}/pause", {"reasons": "x"}).pointers() == ["/reasons"]
    assert story.api.post(f"/v1/topics/{OWN}/pause", {"reason": 7}).pointers() == ["/reason"]
    story.api.post(f"/v1/topics/{OWN}/pause", [1]).problem(422)
    story.api.get("/v1/topics", limit=501).problem(400)
    story.api.get("/v1/topics", cursor="!").problem(400)
    story.api.get("/v1/topics", state="paused").problem(400)
    assert not topic_of(story, OWN)["paused"] if any(t["name"] == OWN for t in story.api.pages("/v1/topics")) else True


# ---- a participant that goes down and comes back ------------------------------------------------

class Moody:
    """Answers as it is told to, until it is told otherwise."""

    def __init__(self, mood):
        self.mood = mood

    def __call__(self, participant, command):
        self.mood(participant, command)


def outage(story, topic, mood, **step):
    """Forty sagas whose participant is down, until the circuit has opened."""
    moody = Moody(mood)
    retry = {"initial": "100ms", "multiplier": 1, "max": "100ms", "jitter": "none", **step.pop("retry")}
    definition = story.register(story.step("pay", topic=topic, retry=retry, **step), timeout="1h")
    story.participant.on(f"{story.name}.pay", "action", moody)
    body = {"items": [{"definition": definition} for _ in range(40)]}
    ids = [one["saga"]["id"] for one in story.api.post("/v1/sagas/bulk", body).must(200)["items"]]
    until(lambda: topic_of(story, topic)["circuit"] != "closed", 60, "the circuit opens")
    return ids, moody


def test_the_circuit_opens_when_all_is_answered_retry_and_closes_by_itself(story):
    ids, moody = outage(story, ILL, again("down"), retry={"max_attempts": 0, "max_elapsed": "30m"})

    held = next(id_ for id_ in ids if story.api.step(id_, "pay")["state"] != "succeeded")
    until(lambda: "circuit of the topic is" in story.api.why(held)["sentence"] or topic_of(story, ILL)["circuit"] == "half_open",
          30, "why tells of the circuit")
    moody.mood = ok({})
    for id_ in ids:
        story.api.wait(id_, "succeeded", seconds=120)
    until(lambda: topic_of(story, ILL)["circuit"] == "closed", 60, "the circuit closes")
    # Without circuit and budget: one a saga each 100 ms. The budget has 100 saved up, the circuit tries three at a time.
    assert sum(len(story.participant.of(id_)) for id_ in ids) < 400


def test_an_outage_uses_no_attempts_up_once_it_is_noticed(story):
    ids, moody = outage(story, GONE, silence, retry={"max_attempts": 3}, timeout=AMPLE)

    a_second_passes(story)
    assert {story.api.saga(id_)["state"] for id_ in ids} == {"running"}
    moody.mood = ok({})
    for id_ in ids:
        story.api.wait(id_, "succeeded", seconds=120)


def test_a_lone_saga_is_retried_whatever_the_budget_says(story):
    id_ = story.start(story.step("pay", again("busy"), again("busy"), ok({}), topic=SHY))

    story.api.wait(id_, "succeeded")
    assert topic_of(story, SHY)["circuit"] == "closed"


def test_after_an_outage_retry_now_empties_the_backoffs_at_its_rate(story):
    definition = story.register(story.step("pay", again("down"), ok({}), topic=OTHER, retry={**QUICK, "initial": "10m", "max": "10m"}), timeout="2h")
    ids = [story.api.start(definition) for _ in range(5)]
    for id_ in ids:
        story.api.wait_step(id_, "pay", "retrying")
    [group] = story.api.get("/v1/failures", definition=story.name).must()["items"]

    body = {"verb": "retry_now", "filter": {"failure": group["id"]}, "rate_per_s": 100, "reason": "it is back"}
    assert story.api.post("/v1/batches", body).must(202)["total"] == 5
    for id_ in ids:
        story.api.wait(id_, "succeeded")


# ---- nobody there -----------------------------------------------------------------------------

def test_a_topic_that_nobody_reads_is_told_as_attention_until_somebody_does(stack, story):
    name = f"{story.name}.pay"
    retry = {"max_attempts": 0, "max_elapsed": "30m", "initial": "50ms", "multiplier": 1, "max": "50ms", "jitter": "none"}
    id_ = story.start(story.step("pay", topic=EMPTY, timeout="200ms", retry=retry), story.step("last", silence, topic=OWN), timeout="1h")

    until(lambda: "no_handler" in story.api.saga(id_)["attention"], 60, "attention")
    found = [saga["id"] for saga in story.api.pages("/v1/sagas", attention="no_handler", definition=story.name)]
    assert found == [id_]
    late = Participant(stack.broker.brokers, [EMPTY], group="late")
    late.on(name, "action", ok({}))
    try:
        story.sent(id_, "last")
        assert "no_handler" not in story.api.saga(id_)["attention"]
        assert list(story.api.pages("/v1/sagas", attention="no_handler", definition=story.name)) == []
    finally:
        late.close()
