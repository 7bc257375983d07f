"""What a stretch of the load is for: the words that profiles, runs and thresholds share."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from itertools import takewhile


class Phase(StrEnum):
    """The part that a stage plays in a run; thresholds judge the phases that they name."""

    RAMP_UP = "ramp-up"
    STEADY = "steady"
    BASELINE = "baseline"
    BURST = "burst"
    RECOVERY = "recovery"
    RAMP_DOWN = "ramp-down"


_HOLDS = (Phase.STEADY, Phase.BASELINE, Phase.BURST, Phase.RECOVERY)


def default_phase(name: str, users_from: float, users_to: float) -> Phase:
    """The phase of a stage that does not say it: by its direction, a hold also by its name.

    A hold that is called `baseline`, `burst` or `recovery` is that; any other is steady.
    """
    if users_to > users_from:
        return Phase.RAMP_UP
    if users_to < users_from:
        return Phase.RAMP_DOWN
    return Phase(name) if name in tuple(_HOLDS) else Phase.STEADY


def warm_up_length(phases: Sequence[str]) -> int:
    """How many stages at the begin are the warm-up: leading ramps, where anything follows them."""
    leading = len(list(takewhile(lambda phase: phase == Phase.RAMP_UP, phases)))
    return leading if leading < len(phases) else 0
