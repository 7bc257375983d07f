"""Changes of figures in words: `+24 %` for latencies, `−0.3 points` for error rates."""

from __future__ import annotations

from analysis.compare import Difference, Finding
from analysis.limits import Metric
from analysis.quantities import Unit, format_quantity


def finding_text(difference: Difference) -> str:
    """What became of a figure, in a few words."""
    if difference.finding is Finding.INDICATIVE:
        return "too few runs"
    if difference.finding is Finding.NO_DIFFERENCE:
        return "small" if difference.is_small else "none shown"
    return difference.finding.value


def value_text(value: float | None, metric: Metric) -> str:
    """A group's mean with its unit."""
    return "–" if value is None else format_quantity(value, metric.unit)


def name_of(metric: Metric) -> str:
    """A metric in words: `p95`, `error rate`."""
    return metric.name.replace("_", " ")


def change_text(difference: Difference) -> str:
    """By how much a figure changed: `+24 %`, `−0.3 points`."""
    return signed(difference.change, difference.metric.unit)


def smallest_text(difference: Difference) -> str:
    """The smallest change that would have been shown, without its sign."""
    return signed(difference.smallest, difference.metric.unit).removeprefix("+")


def interval_text(difference: Difference) -> str:
    """The interval of the change, or nothing where there is none."""
    if difference.low is None or difference.high is None:
        return ""
    unit = difference.metric.unit
    low, high = (signed(value, unit) for value in (difference.low, difference.high))
    return f"{low.removesuffix(' points').removesuffix(' %')} to {high}"


def first_sentence(difference: Difference) -> str:
    """What happened to a figure: `p95 of all requests is 24 % higher (+15 % to +34 %)`."""
    change = difference.change or 0.0
    size = signed(abs(change), difference.metric.unit).removeprefix("+")
    word = "higher" if change > 0 else "lower"
    what = f"{name_of(difference.metric)} of {difference.endpoint} is {size} {word}"
    return f"{what} ({level_text(difference)} interval {interval_text(difference)})"


def level_text(difference: Difference) -> str:
    """The confidence of a figure's interval: `98 %`, `99.83 %`."""
    return f"{100 * difference.confidence:.4g} %"


def signed(change: float | None, unit: Unit) -> str:
    """A change with its sign: relative in percent for latencies, in points for error rates."""
    if change is None:
        return "–"
    shown = 100 * change
    decimals = 0 if abs(shown) >= 9.95 else 1
    if unit is Unit.RATIO:
        decimals = 1 if abs(shown) >= 9.95 else 2 if abs(shown) >= 0.0995 else 3
    number = f"{shown:+,.{decimals}f}".replace("-", "−")
    if not number.strip("+−0."):
        number = "0"
    return f"{number} points" if unit is Unit.RATIO else f"{number} %"
