"""What is to be reached: each goal beside what was measured, met or not.

A goal is kept by the module whose function measures it. `floor` is what bench-quick insists on; only
ratios to a bare limit of the same run have one, as they alone do not depend on the machine.
"""
from dataclasses import dataclass
from typing import Optional


@dataclass(frozen=True)
class Goal:
    member: str  # of the result
    text: str
    at_least: Optional[float] = None
    below: Optional[float] = None
    broker: str = ""  # only with this one
    unit: str = ""
    floor: Optional[float] = None

    def met(self, measured):
        return measured >= self.at_least if self.at_least is not None else measured < self.below

    def asked(self):
        return f">= {shown(self.at_least)}" if self.at_least is not None else f"< {shown(self.below)}"


def shown(number):
    if isinstance(number, float) and number < 100:
        return f"{number:.3g}"
    return f"{number:,.0f}"


def verdicts(goals, results):
    """One row for each goal that was measured, by broker: (goal, broker, measured, met)."""
    return [(goal, broker, found[goal.member], goal.met(found[goal.member]))
            for goal in goals for broker, found in results.items()
            if goal.broker in ("", broker) and found.get(goal.member) is not None]


def table(goals, results):
    """The text of the table of goals."""
    lines = [f"{'figure':<58} {'broker':<9} {'goal':>10} {'measured':>10}  met"]
    for goal, broker, measured, met in verdicts(goals, results):
        lines.append(f"{goal.text + (', ' + goal.unit if goal.unit else ''):<58} {broker:<9} {goal.asked():>10} "
                     f"{shown(measured):>10}  {'yes' if met else 'NO'}")
    return "\n".join(lines)


def below_floor(goals, broker, found):
    """The goals whose measured ratio is below its floor, each with that ratio."""
    return {goal: measured for goal, _, measured, _ in verdicts(goals, {broker: found})
            if goal.floor is not None and measured < goal.floor}


def failures(broker, first, again):
    """What a quick run fails for, as sentences: below its floor, and again when it was measured once more."""
    return [f"{goal.text} ({broker}): {first[goal]:.3g}, and {again[goal]:.3g} when measured again, of the bare limit; "
            f"the floor is {goal.floor}" for goal in first if goal in again]
