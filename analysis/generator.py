"""The load generator's own health: whether its measurements are to be believed.

A process that is late to its own timer also reads the clock late, and then it is the generator's
latency that is measured.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from analysis.quantities import Unit, format_count, format_limit, format_quantity
from analysis.thresholds import GeneratorLimits

MASTER = "master"
"""The process that only gathers what others measured; its health is noted, not judged."""

HealthRow = tuple[int, float, float]
"""A second, the cores used in it, and the worst lateness of a 50-ms timer in ms."""


def bad_seconds(rows: Iterable[HealthRow], limits: GeneratorLimits) -> tuple[set[int], set[int]]:
    """The seconds in which a process was too busy, and all seconds known of it.

    A timer that woke 5 s late says that the four seconds before were bad as well, though a blocked
    process could not write a row for them.
    """
    bad: set[int] = set()
    known: set[int] = set()
    for second, cpu, lag_ms in rows:
        known.add(second)
        # Written so that a lag or share that is not a number counts as bad.
        if not lag_ms <= limits.lag_ms:
            stalled_s = int(lag_ms // 1000) if math.isfinite(lag_ms) else 0
            bad.update(range(second - min(stalled_s, 3600), second + 1))
        if not cpu <= limits.cpu_ratio:
            bad.add(second)
    return bad, known | bad


def saturation(process: str, rows: Iterable[HealthRow], limits: GeneratorLimits) -> str | None:
    """Why a process was too busy to be believed, or None where it was not."""
    rows = list(rows)
    bad, known = bad_seconds(rows, limits)
    streak = longest_streak(bad)
    worst = max((row[2] for row in rows), default=0.0)
    busiest = max((row[1] for row in rows), default=0.0)
    detail = (
        f"timer up to {format_quantity(worst, Unit.MS)} late, "
        f"up to {format_quantity(busiest, Unit.RATIO)} of a core"
    )
    who = "the generator was" if process == "local" else f"{process} was"
    if streak >= limits.in_a_row:
        return f"{who} saturated for {streak} seconds in a row ({detail})"
    if len(bad) >= limits.at_least and len(bad) > limits.seconds_ratio * len(known):
        return (
            f"{who} saturated in {format_count(len(bad))} of {format_count(len(known))} seconds, "
            f"more than {format_limit(limits.seconds_ratio, Unit.RATIO)} ({detail})"
        )
    return None


def longest_streak(seconds: set[int]) -> int:
    """How many of these seconds follow one another without a gap, at most."""
    longest = 0
    for second in seconds:
        if second - 1 not in seconds:
            end = second
            while end + 1 in seconds:
                end += 1
            longest = max(longest, end - second + 1)
    return longest
