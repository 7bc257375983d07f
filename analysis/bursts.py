"""Where a profile has a burst, what comes before it, and when its load is over."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.meta import Stage

BASELINE, BURST = "baseline", "burst"


@dataclass(frozen=True, kw_only=True)
class Burst:
    """A burst of load, in seconds after the start of the run.

    The baseline lasts from `baseline_from_s` to `begins_s`, where the surge begins; the burst is
    held until `ends_s`, and at `back_s` the load is at the baseline's level again. `held_from_s`
    is where the burst itself begins, and `next_s` where the load next rises (inf: never).
    """

    baseline_from_s: float
    begins_s: float
    held_from_s: float
    ends_s: float
    back_s: float
    next_s: float = math.inf

    @property
    def lasts_s(self) -> float:
        """How long the burst is held."""
        return self.ends_s - self.held_from_s


def find_burst(stages: Sequence[Stage]) -> Burst | None:
    """The first burst of a profile with a baseline before it; None where there is none.

    A stage is what its phase says, and without that what its name says.
    """
    first = next((i for i, stage in enumerate(stages) if _is(stage, BURST)), None)
    if first is None:
        return None
    before = [stage for stage in stages[:first] if _is(stage, BASELINE)]
    if not before:
        return None
    last = first
    while last + 1 < len(stages) and _is(stages[last + 1], BURST):
        last += 1
    level = before[-1].users_to
    ends_s = stages[last].end_s
    later = stages[last + 1 :]
    back_s = next((stage.start_s for stage in later if stage.users_from <= level), None)
    if back_s is None:
        back_s = next((stage.end_s for stage in later if stage.users_to <= level), ends_s)
    rises = (s.start_s for s in later if max(s.users_from, s.users_to) > level >= s.users_from)
    return Burst(
        baseline_from_s=before[0].start_s,
        begins_s=before[-1].end_s,
        held_from_s=stages[first].start_s,
        ends_s=ends_s,
        back_s=back_s,
        next_s=next(rises, math.inf),
    )


def _is(stage: Stage, what: str) -> bool:
    return what in (stage.name, getattr(stage, "phase", None))
