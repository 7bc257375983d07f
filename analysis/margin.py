"""Where a check's value and its bounds lie among the tiers, in hundredths of a bar.

In every bar the pass limit stands at 40, the warning limit at 60 and the fail limit at 80, so that
milliseconds and ratios compare; between them the scale is even. Where limits are equal the zone
below them reaches on.
"""

from __future__ import annotations

from dataclasses import dataclass

from analysis.limits import Limits, Tier
from analysis.verdict import Check

PASS_END, WARNING_END, FAIL_AT, END = 40.0, 60.0, 80.0, 100.0
BEYOND = 2.0
"""The bar ends at so many times the fail limit."""


@dataclass(frozen=True)
class Zone:
    """A stretch of the bar, in hundredths of it; the gap is a warning that is marked."""

    tier: Tier
    begin: float
    end: float
    gap: bool = False


@dataclass(frozen=True)
class Margin:
    """A check's bar in hundredths: its zones, the value, and the interval as far as it is known.

    `beyond` says that the value lies past the bar's end, `low_beyond` and `high_beyond` that a
    bound lies past the end that it is drawn at.
    """

    zones: tuple[Zone, ...]
    value: float
    low: float | None
    high: float | None
    beyond: bool
    low_beyond: bool
    high_beyond: bool


def zones_of(limits: Limits) -> tuple[tuple[float, float, Zone], ...]:
    """For each tier there is: from which value to which, and its stretch of the bar."""
    passing, failing = limits.pass_below.value, limits.fail_above.value
    warning = None if limits.warning_below is None else limits.warning_below.value
    if passing >= failing:
        found = [(0.0, failing, Zone(Tier.PASS, 0.0, FAIL_AT))]
    elif warning is None or not passing < warning < failing:
        # Without a warning limit of its own all between pass and fail is one zone.
        found = [
            (0.0, passing, Zone(Tier.PASS, 0.0, PASS_END)),
            (passing, failing, Zone(Tier.WARNING, PASS_END, FAIL_AT, gap=warning == passing)),
        ]
    else:
        found = [
            (0.0, passing, Zone(Tier.PASS, 0.0, PASS_END)),
            (passing, warning, Zone(Tier.WARNING, PASS_END, WARNING_END)),
            (warning, failing, Zone(Tier.WARNING, WARNING_END, FAIL_AT, gap=True)),
        ]
    return (*found, (failing, BEYOND * failing, Zone(Tier.FAIL, FAIL_AT, END)))


def margin_of(check: Check) -> Margin | None:
    """The bar of a check; None for one without a value."""
    if check.value is None:
        return None
    parts = zones_of(check.limits)

    def place(value: float) -> float:
        for first, until, zone in parts:
            if value <= until:
                share = max(0.0, value - first) / (until - first)
                return zone.begin + share * (zone.end - zone.begin)
        return END

    last = parts[-1][1]

    def outside(value: float | None) -> bool:
        return value is not None and not 0.0 <= value <= last

    return Margin(
        zones=tuple(zone for _, _, zone in parts),
        value=place(check.value),
        low=None if check.low is None else place(check.low),
        high=None if check.high is None else place(check.high),
        beyond=check.value > last,
        low_beyond=outside(check.low),
        high_beyond=outside(check.high),
    )
