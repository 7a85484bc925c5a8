"""One test's definition, script and sagas under one name that nobody else has."""
import uuid

from participant import ok

SEND = {"timeout", "retry", "input", "key", "headers", "heartbeat", "output_schema"}
QUICK = {"max_attempts": 3, "initial": "60ms", "multiplier": 1, "max": "60ms", "jitter": "none"}
SLOW = {"max_attempts": 3, "initial": "5m", "multiplier": 1, "max": "5m", "jitter": "none"}
ONCE = {"max_attempts": 1}
UNDO = {"max_attempts": 3, "initial": "60ms", "multiplier": 1, "max": "60ms", "jitter": "none", "max_elapsed": "1m"}
DEFAULTS = {"timeout": "30s", "retry": QUICK, "compensation_retry": UNDO}
TOPIC = "contract.commands"
NOBODY = "contract-nobody.commands"  # no consumer

# The timeout of a step that is left unanswered at first and must be answered in time afterwards: a busy
# machine may stand still for half a second. One that nobody answers may be as short as it likes.
AMPLE = "2500ms"


class Story:
    def __init__(self, api, participant):
        self.api, self.participant = api, participant
        self.name = "c" + uuid.uuid4().hex[:12]

    def step(self, id_, *answers, undo=(), undo_with=None, topic=TOPIC, **members):
        """An action step. `undo`: its answers; None: no compensation; "null": declared that there is none."""
        type_ = f"{self.name}.{id_}"
        given = {name: value for name, value in members.items() if name in SEND}
        rest = {name: value for name, value in members.items() if name not in SEND}
        step = {"id": id_, "action": {"topic": topic, "type": type_, "input": "${input}", **given}, **rest}
        self.participant.on(type_, "action", *(answers or (ok({}),)))
        if undo == "null":
            step["compensation"] = None
        elif undo is not None:
            step["compensation"] = {"topic": topic, "type": f"{type_}.undo", "input": "${input}", **(undo_with or {})}
            self.participant.on(f"{type_}.undo", "compensate", *(undo or (ok(),)))
        return step

    def define(self, *steps, **top):
        return {"name": self.name, "defaults": DEFAULTS, "steps": list(steps), **top}

    def register(self, *steps, **top):
        made = self.api.post("/v1/definitions", self.define(*steps, **top)).must(200, 201)
        return {"name": made["name"], "version": made["version"]}

    def start(self, *steps, input=None, saga=None, **top):
        """Register and start; `saga`: further members of the start."""
        return self.api.start(self.register(*steps, **top), input, **(saga or {}))

    def run(self, *steps, **more):
        return self.api.wait(self.start(*steps, **more))

    def calls(self, saga):
        return self.participant.calls(saga["id"] if isinstance(saga, dict) else saga)

    def sent(self, saga, name, n=1):
        return self.participant.wait(saga["id"] if isinstance(saga, dict) else saga, name, n)

    def answer(self, command, answer):
        answer(self.participant, command)
