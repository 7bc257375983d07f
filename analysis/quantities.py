"""Numbers with units, as people write them in `thresholds.yaml` and read them in a report."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from enum import StrEnum


class Unit(StrEnum):
    """What a metric is measured in: milliseconds, seconds, or a ratio, shown as a percentage."""

    MS = "ms"
    S = "s"
    RATIO = "ratio"


_WRITTEN = {
    Unit.MS: {"ms": 1.0, "s": 1000.0},
    Unit.S: {"s": 1.0, "min": 60.0},
    Unit.RATIO: {"%": 0.01},
}
_EXAMPLES = {Unit.MS: "`800 ms` or `2 s`", Unit.S: "`30 s` or `2 min`", Unit.RATIO: "`0.5 %`"}
_NUMBER = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,12})?)\s*(\S*)")


def parse_quantity(text: str, unit: Unit) -> float:
    """The value of a written quantity, in its unit or as a ratio; it must be above 0.

    Raises `ValueError` with a sentence that says what to write.
    """
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        raise ValueError(
            f"`{shorten(text)}` is not a quantity; write for example {_EXAMPLES[unit]}"
        )
    number, suffix = float(match[1]), match[2]
    if not suffix:
        own = "%" if unit is Unit.RATIO else unit.value
        raise ValueError(f"`{text}` has no unit; write `{text} {own}`")
    factor = _WRITTEN[unit].get(suffix)
    if factor is None:
        raise ValueError(
            f"`{shorten(text)}` has the wrong unit; write for example {_EXAMPLES[unit]}"
        )
    if number == 0:
        raise ValueError(f"`{text}` can never be met; write a limit above 0")
    # Divided, since 0.29 * 0.01 is not the number that 0.29 % names.
    return number / 100 if unit is Unit.RATIO else number * factor


def format_quantity(value: float, unit: Unit, *, apart_from: Iterable[float] = ()) -> str:
    """A value with its unit, with as many digits as set it apart from some other values.

    Without that, 2000.4 ms would be shown as failing a limit of 2000 ms at "2000 ms".
    """
    others = [other for other in apart_from if other != value]
    text = ""
    for digits in range(3, 9):
        text = _format(value, unit, digits)
        if all(_format(other, unit, digits) != text for other in others):
            break
    return text


def format_limit(value: float, unit: Unit) -> str:
    """A limit as it would be written in `thresholds.yaml`."""
    return _format(value, unit, 9)


def format_count(n: int) -> str:
    """A count with thousands separated."""
    return f"{n:,}"


def format_rate(per_second: float) -> str:
    """A rate with one decimal, or with more where it is small: one request a minute is 0.0167."""
    return f"{per_second:,.1f}" if per_second >= 1 or per_second == 0 else f"{per_second:.3g}"


def format_bytes(n: float) -> str:
    """Bytes in the largest unit that leaves at least one of it."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if n < 1000 or unit == "TB":
            return f"{n:.3g} {unit}" if n < 1000 else f"{n:,.0f} {unit}"
        n /= 1000
    raise AssertionError("unreachable")


def format_duration(seconds: float) -> str:
    """A duration in the largest units that fit: `45 s`, `10 min`, `8 h 2 min`."""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    if minutes:
        return f"{minutes} min {left} s" if left else f"{minutes} min"
    return f"{whole} s" if seconds >= 1 or seconds == 0 else f"{seconds:.1f} s"


def plural(n: int, noun: str) -> str:
    """A noun in the form that a count asks for."""
    return noun if n == 1 else f"{noun}s"


def printable(text: str) -> str:
    """A text on one line without control characters, which names from a run may hold."""
    return "".join(c if c.isprintable() else "�" for c in " ".join(text.split()))


def shorten(text: str, length: int = 60) -> str:
    """A text cut to a length, for messages that quote what was written."""
    return text if len(text) <= length else text[: length - 1] + "…"


def _format(value: float, unit: Unit, digits: int) -> str:
    shown = value * 100 if unit is Unit.RATIO else value
    if shown == 0 or not math.isfinite(shown):
        number = f"{shown:g}"
    else:
        decimals = max(0, digits - 1 - math.floor(math.log10(abs(shown))))
        number = f"{shown:.{decimals}f}"
        if "." in number:
            number = number.rstrip("0").rstrip(".")
    return f"{number} %" if unit is Unit.RATIO else f"{number} {unit.value}"
