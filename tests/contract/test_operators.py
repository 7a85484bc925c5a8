"""Operators at random, against the table of the rules: what is allowed, what a dry run says, and that a refusal does no harm."""
import random
from collections import Counter

import pytest

from participant import again, no, ok, silence
from servers import until
from story import ONCE, SLOW

SEEDS, ACTIONS = range(20), 20
FINISHED = {"succeeded", "compensated", "terminated"}
SAGA_VERBS, STEP_VERBS = ("cancel", "pause", "resume", "retry", "terminate"), ("retry", "skip", "complete", "fail")
TELLING = {"retrying", "unknown", "failed", "compensating", "compensation_failed"}  # not as dull as the others
NEVER = {"retry": {**SLOW, "max_elapsed": "1h"}, "timeout": "1h"}


class Model:
    """The table of rules.md, over what the API shows."""

    def __init__(self, saga, steps, definition):
        self.saga, self.steps = saga, {step["id"]: step for step in steps}
        self.rules = {step["id"]: step for step in definition["steps"]}
        self.state, self.open = saga["state"], saga["state"] not in FINISHED

    def allows_saga(self, verb):
        past_pivot = any(rule.get("pivot") and self.steps[id_]["state"] == "succeeded" for id_, rule in self.rules.items())
        return {"cancel": self.state in ("pending", "running") and not past_pivot,
                "pause": self.state in ("pending", "running", "compensating") and not self.saga["paused"],
                "resume": self.open and self.saga["paused"],
                "retry": self.state == "stuck",
                "terminate": self.open}[verb]

    def allows_step(self, verb, id_):
        step, rule = self.steps[id_], self.rules[id_]
        state, undo = step["state"], step["op"] == "compensate"
        held = state == "unknown" and rule.get("on_unknown") == "hold"
        failed = state == "failed" and rule.get("on_failure") == "pause" and self.state == "running" and self.saga["paused"]
        between = state == "retrying" or (state == "compensating" and step["next_attempt_at"] is not None)
        return self.open and {
            "retry": between or held or failed or state == "compensation_failed",
            "skip": (state in ("waiting", "ready", "retrying") and not undo) or held or failed or state == "compensation_failed",
            "complete": (state in ("dispatched", "retrying") and not undo) or held or failed,
            "fail": (state in ("dispatched", "retrying") and not undo) or held}[verb]


class Play:
    def __init__(self, story, seed):
        self.story, self.dice = story, random.Random(seed)
        pivot = self.dice.random() < 0.3
        steps = [story.step("a", silence, undo=(silence,), undo_with=NEVER, depends_on=[], **NEVER),
                 story.step("b", silence, undo=(silence,), undo_with=NEVER, depends_on=[], **NEVER,
                            on_failure=self.dice.choice(("compensate", "ignore", "pause"))),
                 story.step("c", silence, undo=(silence,), undo_with=NEVER, depends_on=["a"], timeout="120ms", retry=ONCE, on_unknown="hold"),
                 {"id": "s", "signal": {"name": "go"}, "depends_on": ["b"]}]
        if pivot:
            steps.append(story.step("p", silence, undo=None, pivot=True, depends_on=["s"], **NEVER))
        self.definition = story.define(*steps)
        self.id = story.api.start(story.register(*steps))
        self.answered, self.log = set(), []

    def look(self):
        """How it stands when nothing is under way: what is sent has come, and step c timed out and waits for an operator."""
        def still():
            steps = self.story.api.steps(self.id)
            calls = Counter(self.story.participant.calls(self.id))
            came = all(calls[("undo " if step["op"] == "compensate" else "") + step["id"]] == step["attempt"]
                       for step in steps if step["kind"] == "action")
            return steps if came and not any(step["id"] == "c" and step["state"] == "dispatched" for step in steps) else None
        steps = until(still, 60, f"all is still: {self.log}")
        saga = self.story.api.saga(self.id)
        # Read again where it moved between the two reads.
        return Model(saga, steps, self.definition) if self.story.api.steps(self.id) == steps else self.look()

    def answer_one(self):
        """One command that is out gets an answer; True when there was one."""
        model = self.look()
        open_ = [command for command in self.story.participant.of(self.id) if command.name not in self.answered
                 and model.steps[command.name.split()[-1]]["state"] in ("dispatched", "compensating")
                 and (command.op == "compensate") == (model.steps[command.name.split()[-1]]["op"] == "compensate")
                 and command.attempt == model.steps[command.name.split()[-1]]["attempt"]
                 and model.steps[command.name.split()[-1]]["next_attempt_at"] is None and command.name.split()[-1] != "c"]
        if not open_ or not model.open:
            return False
        command = self.dice.choice(open_)
        answer = self.dice.choice((ok({}), no("refused"), again("busy"), no("refused") if command.op == "compensate" else ok({})))
        self.log.append(f"answer {command.name}")
        self.story.answer(command, answer)
        until(lambda: self.story.api.saga(self.id)["revision"] > model.saga["revision"], 60, f"the answer to {command.name} is taken: {self.log}")
        return True

    def sent_by(self, would):
        """What a dry run says is sent, as the participant names it."""
        prefix = {"compensate": "undo ", "probe": "probe ", "action": ""}
        return Counter(prefix[item["op"]] + item["step"] for item in would if item["do"] in ("send", "undo"))

    def command(self):
        model = self.look()
        if self.dice.random() < 0.4:
            verb, step = self.dice.choice(SAGA_VERBS), None
            if verb == "terminate" and self.dice.random() < 0.9:
                verb = "pause"
            allowed = model.allows_saga(verb)
        else:
            telling = sorted(id_ for id_, each in model.steps.items() if each["state"] in TELLING)
            verb, step = self.dice.choice(STEP_VERBS), self.dice.choice(telling * 3 + sorted(model.steps))
            allowed = model.allows_step(verb, step)
        self.log.append(f"{verb} {step or 'saga'} ({model.state}{', paused' if model.saga['paused'] else ''}"
                        f"{', ' + model.steps[step]['state'] if step else ''})")
        before = Counter(self.story.participant.calls(self.id))
        dry, real = (self.story.api.command(self.id, verb, step, dry=dry) for dry in (True, False))
        if not allowed:
            for answer in (dry, real):
                assert answer.status == 409, (self.log, answer.raw)
                assert answer.problem(409)["detail"], self.log
            assert self.story.api.saga(self.id)["revision"] == model.saga["revision"], self.log
            return
        assert (dry.status, real.status) == (200, 202), (self.log, dry.raw, real.raw)
        assert real.json["state"] == dry.json["state"], (self.log, dry.raw)
        assert real.json["revision"] == model.saga["revision"] + 1, self.log
        wanted = before + self.sent_by(dry.json["would"])
        until(lambda: Counter(self.story.participant.calls(self.id)) == wanted, 60, f"{wanted} {self.log}")


@pytest.mark.parametrize("seed", SEEDS)
def test_operators_at_random_do_what_the_table_says(story, seed):
    play = Play(story, seed)
    for _ in range(ACTIONS):
        if play.dice.random() < 0.5:
            play.answer_one()
        play.command()
        if not play.look().open:
            break

    model = play.look()
    if model.open:
        story.api.command(play.id, "terminate").must(202)
    for verb in SAGA_VERBS:
        story.api.command(play.id, verb).problem(409)
    for verb in STEP_VERBS:
        story.api.command(play.id, verb, "a").problem(409)
    assert story.api.saga(play.id)["state"] in FINISHED
