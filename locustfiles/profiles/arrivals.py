"""Load in arrivals per second: the open model, in which a slow service does not slow its callers.

`ArrivalHold`, `ArrivalRamp`, `ArrivalSteps` and `ArrivalClimb` are to arrivals what `Hold`, `Ramp`,
`Steps` and `Climb` are to users. A profile has either the ones or the others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from locustfiles.profiles.curves import Stage, UserPart
from otaload.arrivals import Stretch
from otaload.phase import Phase, default_phase

READY_S = 4.0
"""Before the first arrival: workers report once a second, and are then told their shares."""
READY_S_PER_USER = 0.001
"""A user takes 0.05 to 0.1 ms to make; a busy machine may take ten times that."""
TAIL_S = 1.0
"""After the last arrival: processes may wake late, and their clocks differ a little."""


@dataclass(frozen=True)
class ArrivalHold:
    """A constant number of arrivals per second for some seconds."""

    per_s: float
    seconds: float
    name: str = "steady"
    phase: Phase | None = None


@dataclass(frozen=True)
class ArrivalRamp:
    """From the rate there is, in a straight line to another one."""

    to_per_s: float
    seconds: float
    name: str = "ramp"
    phase: Phase | None = None


@dataclass(frozen=True)
class ArrivalSteps:
    """A staircase of `step_per_s` more every `seconds`, from `step_per_s` up to `to_per_s`."""

    to_per_s: float
    step_per_s: float
    seconds: float
    name: str = "step"
    phase: Phase | None = None


@dataclass(frozen=True)
class ArrivalClimb:
    """A staircase whose steps grow: each has `factor` times the rate of the one before."""

    to_per_s: float
    start_per_s: float
    factor: float
    seconds: float
    name: str = "step"
    phase: Phase | None = None

    def rates(self) -> list[float]:
        """The rate of each step; the last one has `to_per_s`. None where they make no sense."""
        if not (0 < self.start_per_s <= self.to_per_s < math.inf and self.factor > 1):
            return []
        rates = [self.start_per_s]
        while rates[-1] < self.to_per_s:
            rates.append(min(self.to_per_s, rates[-1] * self.factor))
        return rates


ArrivalPart = ArrivalHold | ArrivalRamp | ArrivalSteps | ArrivalClimb
Part = UserPart | ArrivalPart


def has_arrivals(parts: Sequence[Part]) -> bool:
    """Whether any of the parts counts in arrivals."""
    return any(isinstance(part, ArrivalPart) for part in parts)


def lay_out_arrivals(
    parts: Sequence[Part],
    *,
    users: int,
    time_scale: float = 1.0,
    rate_scale: float = 1.0,
) -> tuple[Stage, ...]:
    """The parts end to end, after an unscaled stage in which the `users` get ready."""
    ready_s = READY_S + users * READY_S_PER_USER
    stages = [Stage("ready", 0.0, ready_s, users, users, Phase.RAMP_UP, 0.0, 0.0)]

    def add(part: ArrivalPart, name: str, from_per_s: float, to_per_s: float) -> None:
        start_s = stages[-1].end_s
        end_s = start_s + part.seconds * time_scale
        rates = from_per_s * rate_scale, to_per_s * rate_scale
        phase = part.phase or default_phase(part.name, from_per_s, to_per_s)
        stages.append(Stage(name, start_s, end_s, users, users, phase, *rates))

    per_s = 0.0
    for part in parts:
        match part:
            case ArrivalHold():
                add(part, part.name, part.per_s, part.per_s)
                per_s = part.per_s
            case ArrivalRamp():
                add(part, part.name, per_s, part.to_per_s)
                per_s = part.to_per_s
            case ArrivalSteps():
                for number in range(1, _steps(part) + 1):
                    per_s = number * part.step_per_s
                    add(part, f"{part.name} {per_s * rate_scale:g}/s", per_s, per_s)
            case ArrivalClimb():
                for per_s in part.rates():
                    add(part, f"{part.name} {per_s * rate_scale:.4g}/s", per_s, per_s)
    return tuple(stages)


def _steps(part: ArrivalSteps) -> int:
    """How many steps there are; none where they make no sense, of which `why_wrong` tells."""
    if not 0 < part.step_per_s <= part.to_per_s < math.inf:
        return 0
    # Counted, because a sum of fractions may fall just short of the last step.
    return math.floor(part.to_per_s / part.step_per_s + 1e-9)


def rate_at(stages: Sequence[Stage], elapsed_s: float) -> float | None:
    """The planned arrivals per second at a moment; None once over, or for stages of users."""
    for stage in stages:
        if elapsed_s < stage.end_s:
            if stage.rate_from is None or stage.rate_to is None:
                return None
            stretch = Stretch(stage.start_s, stage.end_s, stage.rate_from, stage.rate_to)
            return stretch.rate_at(elapsed_s)
    return None


def peak_per_s(stages: Sequence[Stage]) -> float:
    """The most arrivals per second that are ever planned; 0 for stages of users."""
    return max((max(stage.rate_from or 0.0, stage.rate_to or 0.0) for stage in stages), default=0.0)


def why_wrong(
    parts: Sequence[Part],
    *,
    max_users: int,
    needed: int,
) -> str | None:
    """What makes no sense of a profile's parts and users, and how to mend it; None if all does.

    `needed` is how many users it takes to have one of each class of the mix.
    """
    if not has_arrivals(parts):
        if max_users:
            return "max_users is for stages of arrivals; drop it, or use ArrivalHold and the like"
        return None
    for part in parts:
        problem = _why_wrong_part(part)
        if problem:
            return problem
    rates = [_top_per_s(part) for part in parts if isinstance(part, ArrivalPart)]
    if not all(0 <= rate < math.inf for rate in rates):
        return "a rate is negative or not a number; write arrivals per second, such as per_s=50"
    if not any(rates):
        return "no stage has an arrival; give one a rate above 0"
    if max_users < needed:
        return (
            f"max_users={max_users} leaves a class of the mix without a user; set max_users to at "
            f"least {needed}, and generously: an arrival that finds no free user is missed"
        )
    return None


def _top_per_s(part: ArrivalPart) -> float:
    return part.per_s if isinstance(part, ArrivalHold) else part.to_per_s


def _why_wrong_part(part: Part) -> str | None:
    match part:
        case ArrivalHold() | ArrivalRamp():
            return None
        case ArrivalSteps():
            if not 0 < part.step_per_s <= part.to_per_s:
                return f"step_per_s={part.step_per_s:g} is not above 0 and up to to_per_s"
            return None
        case ArrivalClimb():
            if not part.rates():
                return (
                    f"start_per_s={part.start_per_s:g} with factor={part.factor:g} does not climb "
                    "to to_per_s; start above 0 and not beyond it, with a factor above 1"
                )
            return None
    return (
        f"{type(part).__name__} counts in users and stands beside stages of arrivals; "
        "use the one kind or the other"
    )
