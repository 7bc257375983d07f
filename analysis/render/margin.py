"""The margin of a check as a small bar: where value and interval lie among the tiers.

The zones grow taller with what they mean, so that colour is not needed.
"""

from __future__ import annotations

from analysis.limits import Tier
from analysis.margin import END, Margin, Zone, margin_of
from analysis.quantities import format_limit
from analysis.render.markup import Markup, element, joined
from analysis.verdict import Check

HEIGHTS = {Tier.PASS: 5.0, Tier.WARNING: 10.0, Tier.FAIL: 16.0}
MIDDLE, UNITS = 11.0, 2.0
"""The middle of the drawing, and how many of its units a hundredth of the bar is wide."""


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
    """The interval as a line with a stroke across an end, or an arrowhead where it lies farther.

    An end that is not known has neither.
    """
    if margin.low is None and margin.high is None:
        return Markup("")
    low = UNITS * (0.0 if margin.low is None else margin.low)
    high = UNITS * (END if margin.high is None else margin.high)
    strokes = [f"M{low:.1f} {MIDDLE:g}H{high:.1f}"]
    for bound, at, beyond, back in (
        (margin.low, low, margin.low_beyond, 4),
        (margin.high, high, margin.high_beyond, -4),
    ):
        if bound is not None and beyond:
            strokes.append(f"M{at + back:.1f} {MIDDLE - 4:g}l{-back:g} 4l{back:g} 4")
        elif bound is not None:
            strokes.append(f"M{at:.1f} {MIDDLE - 4:g}v8")
    return joined((element("path", class_="whisker", d="".join(strokes)),))


def _value(margin: Margin) -> Markup:
    at = UNITS * margin.value
    if margin.beyond:
        return element("path", class_="value", d=f"M{at - 5:.1f} {MIDDLE - 6:g}l8 6l-8 6z")
    return element("path", class_="value", d=f"M{at:.1f} {MIDDLE - 6:g}l4.5 6l-4.5 6l-4.5 -6z")
