"""From what to what the p99 level of a soak went, and since when it stayed beyond a limit."""

from __future__ import annotations

import numpy as np

from analysis.episodes import broken_limit
from analysis.levels import FULL_WINDOW_S, HOUR_WINDOWS, LEAST_IN_HOUR, Drift, hour_level_ms
from analysis.limits import Tier
from analysis.quantities import Unit, format_duration, format_limit, format_quantity
from analysis.verdict import Check

ROUND_WINDOWS = 3
"""Moments are told in steps of so many windows; the level belongs to an hour, and is no sharper."""


def levels_text(drift: Drift) -> str:
    """The levels that a drift compares: `from 628 ms in the first hour to 1080 ms in the last`."""
    hour = "hour" if drift.window_s == FULL_WINDOW_S else "eighth"
    first, last = (format_quantity(ms, Unit.MS) for ms in (drift.first_ms, drift.last_ms))
    return f"from {first} in the first {hour} to {last} in the last"


def since_s(drift: Drift, limit_ratio: float) -> float | None:
    """From when on the level stayed above a limit until the end; None where it ended below.

    The level of each moment is that of the hour around it.
    """
    bound_ms = drift.first_ms * (1 + limit_ratio)
    found = None
    for first in range(len(drift.window_p99_ms) - HOUR_WINDOWS, -1, -1):
        hour = slice(first, first + HOUR_WINDOWS)
        p99_ms = drift.window_p99_ms[hour]
        if np.isfinite(p99_ms).sum() < LEAST_IN_HOUR:
            continue
        if hour_level_ms(p99_ms) <= bound_ms:
            break
        found = float(drift.window_t_s[hour].mean())
    return found


def drift_told(check: Check, drift: Drift) -> str:
    """A broken drift limit in a sentence; nothing where it was met, or there is no estimate."""
    if drift.drift_ratio is None or check.tier not in (Tier.FAIL, Tier.WARNING):
        return ""
    limit = broken_limit(check)
    told = f"the p99 level of {check.endpoint} went {levels_text(drift)}"
    at_s = since_s(drift, limit)
    if at_s is None:
        return told
    step = ROUND_WINDOWS * drift.window_s
    about = format_duration(round(at_s / step) * step)
    return f"{told}; it stayed above +{format_limit(limit, check.unit)} from about {about} on"
