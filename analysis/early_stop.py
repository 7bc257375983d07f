"""Early stop of a soak: is its drift above the fail limit for certain, so far?

The estimate is that of a whole soak, from the first hour to the last hour there is, with a
one-sided lower bound of 99 % in place of the interval, and an error that leaves a steady rise out:
that stops a soak whose p99 triples about an hour sooner, and one without drift no more often. A
soak is stopped only as a fail, when two looks in a row find the bound above the fail limit; never
as a pass.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from analysis.levels import (
    FULL_RUN_S,
    FULL_WINDOW_S,
    RUN_WINDOWS,
    Drift,
    Requirement,
    Spread,
    batch_levels,
    change_of,
    cut_levels,
    insufficiency,
)
from analysis.limits import Limits
from analysis.looks import LOOKS_IN_ROW
from analysis.students_t import t_quantile
from analysis.windows import WindowTable

ALPHA = 0.01
REQUIRED = Requirement(windows=30, batches=6)
DEGREES_A_CHANGE = 0.6
"""Neighbouring changes share a level, and the largest are held down: 15 are worth 9."""


def look(windows: WindowTable, *, at_s: float, planned_s: float) -> Drift:
    """The drift until `at_s` of a soak that is planned to last `planned_s`.

    `low_ratio` is the one-sided 99 % bound; there is no upper one.
    """
    full = planned_s >= FULL_RUN_S
    window_s = FULL_WINDOW_S if full else max(1, int(planned_s // RUN_WINDOWS))
    drift = cut_levels(windows, end_s=at_s, window_s=window_s, full=full)
    drift = replace(drift, stopped_s=at_s)
    insufficient = insufficiency(drift, REQUIRED)
    if insufficient:
        return replace(drift, insufficient=insufficient)
    changes = len(batch_levels(drift.window_p99_ms)) - 1
    spread = Spread(
        held=2 if changes >= 12 else 1,
        t=t_quantile(1 - ALPHA, int(DEGREES_A_CHANGE * changes)),
        centred=True,
    )
    return replace(change_of(drift, spread), high_ratio=None)


def stopped_s(looks: Iterable[tuple[float, bool]]) -> float | None:
    """When a soak is stopped: at the second look in a row that finds the drift beyond its limit.

    `looks` are pairs of a time and what was found; None where it runs to its end.
    """
    row = 0
    for at_s, beyond in looks:
        row = row + 1 if beyond else 0
        if row == LOOKS_IN_ROW:
            return at_s
    return None


def is_beyond(drift: Drift, limits: Limits) -> bool:
    """Whether a look finds the drift above the fail limit for certain."""
    return drift.low_ratio is not None and drift.low_ratio > limits.fail_above.value
