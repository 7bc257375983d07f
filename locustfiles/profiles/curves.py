"""Load as a pure function of time.

A profile is a row of holds, ramps and steps. `lay_out` puts them end to end as `Stage`s, and
`users_at` answers how many users there should be at a moment: no clock, no state.
Where a part does not say its phase, `otaload.phase.default_phase` does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from otaload.phase import Phase, default_phase

FOREVER = math.inf


@dataclass(frozen=True)
class Hold:
    """A constant number of users for some seconds (`FOREVER` for a run that is ended by hand)."""

    users: int
    seconds: float
    name: str = "steady"
    phase: Phase | None = None


@dataclass(frozen=True)
class Ramp:
    """From the users there are, in a straight line to another number."""

    to: int
    seconds: float
    name: str = "ramp"
    phase: Phase | None = None


@dataclass(frozen=True)
class Steps:
    """A staircase of `step` more users every `seconds`, from `step` up to `to`."""

    to: int
    step: int
    seconds: float
    name: str = "step"
    phase: Phase | None = None


@dataclass(frozen=True)
class Climb:
    """A staircase whose steps grow: each has `factor` times the users of the one before."""

    to: int
    start: int
    factor: float
    seconds: float
    name: str = "step"
    phase: Phase | None = None

    def levels(self) -> list[int]:
        """The users of each step; the last one has `to`."""
        levels = [self.start]
        while levels[-1] < self.to:
            levels.append(min(self.to, max(levels[-1] + 1, round(levels[-1] * self.factor))))
        return levels


@dataclass(frozen=True)
class Stage:
    """A hold, ramp or step laid on the time axis; seconds since the start of the run.

    The rates are arrivals per second, None where users are planned instead.
    """

    name: str
    start_s: float
    end_s: float
    users_from: int
    users_to: int
    phase: Phase = Phase.STEADY
    rate_from: float | None = None
    rate_to: float | None = None


UserPart = Hold | Ramp | Steps | Climb
"""What a profile of users is made of."""


def lay_out(
    parts: Sequence[UserPart], *, time_scale: float = 1.0, user_scale: float = 1.0
) -> tuple[Stage, ...]:
    """The parts end to end, each duration and each number of users scaled.

    A number of users above zero never scales to zero: a rehearsal keeps every stage.
    """

    def scaled(users: int) -> int:
        return max(1, round(users * user_scale)) if users else 0

    stages: list[Stage] = []

    def add(part: UserPart, name: str, users_from: int, users_to: int) -> None:
        start_s = stages[-1].end_s if stages else 0.0
        end_s = start_s + part.seconds * time_scale
        # By the users that are written: a ramp stays one where a rehearsal makes it flat.
        phase = part.phase or default_phase(part.name, users_from, users_to)
        stages.append(Stage(name, start_s, end_s, scaled(users_from), scaled(users_to), phase))

    users = 0
    for part in parts:
        match part:
            case Hold():
                add(part, part.name, part.users, part.users)
                users = part.users
            case Ramp():
                add(part, part.name, users, part.to)
                users = part.to
            case Steps():
                for level in range(part.step, part.to + 1, part.step):
                    add(part, f"{part.name} {scaled(level)}", level, level)
                    users = level
            case Climb():
                for level in part.levels():
                    add(part, f"{part.name} {scaled(level)}", level, level)
                    users = level
    return tuple(stages)


def users_at(stages: Sequence[Stage], elapsed_s: float) -> int | None:
    """The planned users at a moment; None once the last stage is over."""
    for stage in stages:
        if elapsed_s < stage.end_s:
            if stage.users_from == stage.users_to or math.isinf(stage.end_s):
                return stage.users_to
            share = (elapsed_s - stage.start_s) / (stage.end_s - stage.start_s)
            return round(stage.users_from + share * (stage.users_to - stage.users_from))
    return None


def peak_users(stages: Sequence[Stage]) -> int:
    """The most users that are ever planned."""
    return max((max(stage.users_from, stage.users_to) for stage in stages), default=0)
