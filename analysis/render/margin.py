"""The margin of a check as a small bar: where value and interval lie among the tiers.

Each tier has the same width in every bar, so that bars of milliseconds and of ratios compare;
within a tier the scale is even. The zones grow taller with what they mean, so that colour is not
needed.
"""

from __future__ import annotations

from dataclasses import dataclass

from analysis.limits import Limits, Tier
from analysis.quantities import format_limit
from analysis.render.markup import Markup, element, joined
from analysis.verdict import Check

PASS_END, WARNING_END, FAIL_AT, END = 40.0, 60.0, 80.0, 100.0
BEYOND = 2.0
"""The bar ends at so many times the fail limit."""
HEIGHTS = {Tier.PASS: 5.0, Tier.WARNING: 10.0, Tier.FAIL: 16.0}
MIDDLE, UNITS = 11.0, 2.0
"""The middle of the drawing, and how many of its units a hundredth of the bar is wide."""


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

    `beyond` says that the value lies past the bar's end.
    """

    zones: tuple[Zone, ...]
    value: float
    low: float | None
    high: float | None
    beyond: bool


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
        for first, last, zone in parts:
            if value <= last:
                share = max(0.0, value - first) / (last - first)
                return zone.begin + share * (zone.end - zone.begin)
        return END

    return Margin(
        zones=tuple(zone for _, _, zone in parts),
        value=place(check.value),
        low=None if check.low is None else place(check.low),
        high=None if check.high is None else place(check.high),
        beyond=check.value > parts[-1][1],
    )


def margin_bar(check: Check) -> Markup:
    """The bar as inline SVG, its meaning in words for those who do not see it."""
    margin = margin_of(check)
    if margin is None:
        return Markup("")
    zones = (_zone(zone) for zone in margin.zones)
    return element(
        "svg",
        *zones,
        _whisker(margin),
        _value(margin),
        class_="margin",
        viewBox=f"-4 0 {END * UNITS + 8:g} {2 * MIDDLE:g}",
        preserveAspectRatio="xMinYMid",
        role="img",
        aria_label=_words(check),
    )


def _words(check: Check) -> str:
    limits = check.limits
    told = [f"pass below {format_limit(limits.pass_below.value, check.unit)}"]
    if limits.warning_below is not None:
        told.append(f"warning below {format_limit(limits.warning_below.value, check.unit)}")
    told.append(f"fail above {format_limit(limits.fail_above.value, check.unit)}")
    interval = f", between its bounds {check.interval_text}" if check.interval_text else ""
    return f"{check.value_text}{interval}; {', '.join(told)}"


def _zone(zone: Zone) -> Markup:
    height = HEIGHTS[zone.tier]
    kind = f"zone {zone.tier.value}" + (" gap" if zone.gap else "")
    return element(
        "rect",
        class_=kind,
        x=f"{zone.begin * UNITS:g}",
        y=f"{MIDDLE - height / 2:g}",
        width=f"{(zone.end - zone.begin) * UNITS:g}",
        height=f"{height:g}",
    )


def _whisker(margin: Margin) -> Markup:
    """The interval as a line; an end that is not known has no stroke across it."""
    if margin.low is None and margin.high is None:
        return Markup("")
    low = UNITS * (0.0 if margin.low is None else margin.low)
    high = UNITS * (END if margin.high is None else margin.high)
    strokes = [f"M{low:.1f} {MIDDLE:g}H{high:.1f}"]
    for bound, at in ((margin.low, low), (margin.high, high)):
        if bound is not None:
            strokes.append(f"M{at:.1f} {MIDDLE - 4:g}v8")
    return joined((element("path", class_="whisker", d="".join(strokes)),))


def _value(margin: Margin) -> Markup:
    at = UNITS * margin.value
    if margin.beyond:
        return element("path", class_="value", d=f"M{at - 5:.1f} {MIDDLE - 6:g}l8 6l-8 6z")
    return element("path", class_="value", d=f"M{at:.1f} {MIDDLE - 6:g}l4.5 6l-4.5 6l-4.5 -6z")
