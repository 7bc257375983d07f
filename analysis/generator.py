"""The load generator's own health: whether its measurements are to be believed.

A process that is late to its own timer also reads the clock late, and then it is the generator's
latency that is measured.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from analysis.quantities import Unit, format_count, format_limit, format_quantity
from analysis.thresholds import GeneratorLimits

MASTER = "master"
"""The process that gathers what others measured, and plays the profile."""
STEP_MS = 1000.0
"""From one step of a profile to the next."""

HealthRow = tuple[int, float, float]
"""A second, the cores used in it, and the worst lateness of a 50-ms timer in ms."""


def bad_seconds(
    rows: Iterable[HealthRow], limits: GeneratorLimits, *, until_s: int | None = None
) -> tuple[set[int], set[int], set[int]]:
    """The seconds in which a process was too busy, those nothing is known of, and those known.

    A timer that woke 5 s late says that the four seconds after were bad as well, though a blocked
    process could not write a row for them. A second that no row accounts for counts as bad too:
    between the rows, and after the last one for a process that should have had some `until_s`.
    """
    bad: set[int] = set()
    known: set[int] = set()
    for second, cpu, lag_ms in rows:
        stalled_s = min(int(lag_ms // 1000), 3600) if math.isfinite(lag_ms) else 0
        # Written so that a lag or share that is not a number counts as bad.
        if not lag_ms <= limits.lag_ms:
            bad.update(range(second, second + stalled_s + 1))
        elif not cpu <= limits.cpu_ratio:
            bad.add(second)
        # A timer that was late within its limit accounts for the seconds that it slept through.
        known.update(range(second, second + stalled_s + 2) if stalled_s else (second,))
    if not known:
        return bad, set(), known
    end = max(*known, until_s or 0) + 1
    silent = set(range(min(known), end)) - known if end - min(known) > len(known) else set()
    return bad | silent, silent, known | silent


def saturation(
    process: str, rows: Iterable[HealthRow], limits: GeneratorLimits, *, until_s: int | None = None
) -> str | None:
    """Why a process was too busy to be believed, or None where it was not."""
    rows = list(rows)
    bad, silent, known = bad_seconds(rows, limits, until_s=until_s)
    streak = longest_streak(bad)
    worst = max((row[2] for row in rows), default=0.0)
    busiest = max((row[1] for row in rows), default=0.0)
    detail = (
        f"timer up to {format_quantity(worst, Unit.MS)} late, "
        f"up to {format_quantity(busiest, Unit.RATIO)} of a core"
    )
    if silent:
        detail += f", no word of it in {format_count(len(silent))} of them"
    who = {"local": "the generator", MASTER: "the master"}.get(process, process) + " was"
    if streak >= limits.in_a_row:
        return f"{who} saturated for {streak} seconds in a row ({detail})"
    if len(bad) >= limits.at_least and len(bad) > limits.seconds_ratio * len(known):
        return (
            f"{who} saturated in {format_count(len(bad))} of {format_count(len(known))} seconds, "
            f"more than {format_limit(limits.seconds_ratio, Unit.RATIO)} ({detail})"
        )
    return None


def steering_limits(limits: GeneratorLimits) -> GeneratorLimits:
    """What a master is held to, whose latency nobody measures: that it plays its profile.

    It does so once a second; while it stands still for longer the load is not as planned.
    """
    return replace(limits, lag_ms=max(limits.lag_ms, STEP_MS), cpu_ratio=math.inf)


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
