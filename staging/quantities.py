"""Numbers with units, as people write them: `20ms`, `1%`, `2MiB`, `64KiB/s`, `1.5ms/h`.

A bare number is refused wherever a unit is needed, because 20 could be 20 ms or 20 s and a test
that waits a thousand times too long looks like one that hangs.  Every function raises
`ValueError` with a text that says what was expected.
"""

import re
from collections.abc import Mapping

DURATION_S = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}
SIZE_BYTES = {"B": 1, "kB": 1000, "KiB": 1 << 10, "MB": 10**6, "MiB": 1 << 20, "GiB": 1 << 30}

# Far above anything sensible, far below what a float or a timer chokes on.
_LONGEST_S = 1e7
_LARGEST_BYTES = 1e12

_NUMBER = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,12})?)\s*([A-Za-z%]*)")


def _split(text: str, expected: str) -> tuple[float, str]:
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not {expected}")
    return float(match[1]), match[2]


def _scaled(text: str, units: Mapping[str, float], largest: float, expected: str) -> float:
    number, unit = _split(text, expected)
    if not unit:
        raise ValueError(f"{text!r} has no unit; write {expected}")
    if unit not in units:
        raise ValueError(f"{text!r} has an unknown unit {unit!r}; units: {', '.join(units)}")
    value = number * units[unit]
    if value > largest:
        raise ValueError(f"{text!r} is too large; write {expected}")
    return value


def duration_s(text: str) -> float:
    """`20ms`, `1.5s`, `10min`, `8h` in seconds."""
    return _scaled(text, DURATION_S, _LONGEST_S, "a duration such as 20ms, 1.5s, 10min or 8h")


def size_bytes(text: str) -> int:
    """`64KiB`, `2MiB`, `500kB`, `12B` in bytes."""
    return int(
        _scaled(text, SIZE_BYTES, _LARGEST_BYTES, "a size such as 64KiB, 2MiB, 500kB or 12B")
    )


def ratio(text: str) -> float:
    """`0.01` or `1%` as a number from 0 to 1."""
    number, unit = _split(text, "a share such as 1% or 0.01")
    if unit not in ("", "%"):
        raise ValueError(f"{text!r} has an unknown unit {unit!r}; write 1% or 0.01")
    value = number / 100 if unit else number
    if value > 1:
        raise ValueError(
            f"{text!r} is more than the whole; write a share from 0 to 1 or 0% to 100%"
        )
    return value


def bytes_per_s(text: str) -> float:
    """`64KiB/s` or `10MiB/min` in bytes a second."""
    amount, period = _per(text, "a rate such as 64KiB/s or 10MiB/min")
    return _positive(size_bytes(amount) / period, text)


def growth_per_s(text: str) -> float:
    """`1.5ms/h` as seconds of latency gained in a second (a pure number)."""
    amount, period = _per(text, "a growth such as 1.5ms/h or 2ms/min")
    return duration_s(amount) / period


def count_per_period(text: str) -> tuple[int, float]:
    """`60/min` as (60, 60.0): so many in so many seconds."""
    amount, period = _per(text, "a count in a period such as 60/min or 5/s")
    return whole(amount), period


def whole(text: str) -> int:
    """A whole number from 1 on, without a unit."""
    if not re.fullmatch(r"[0-9]{1,9}", text.strip()) or int(text) < 1:
        raise ValueError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def _per(text: str, expected: str) -> tuple[str, float]:
    amount, slash, period = text.partition("/")
    if not slash or period.strip() not in DURATION_S:
        raise ValueError(f"{text!r} is not {expected}; periods: {', '.join(DURATION_S)}")
    return amount, DURATION_S[period.strip()]


def _positive(value: float, text: str) -> float:
    if value <= 0:
        raise ValueError(f"{text!r} must be above 0")
    return value
