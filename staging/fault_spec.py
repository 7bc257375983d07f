"""Reading a fault spec; the language is described in `staging.faults`.

Every mistake is a `FaultSpecError` that names the column, the fault, the key and what would do.
"""

import difflib
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from staging import quantities
from staging.counters import DOWNLOAD, ENDPOINTS
from staging.errors import StagingError
from staging.faults import (
    Capacity,
    Corrupt,
    Error,
    Fault,
    Hang,
    Latency,
    Leak,
    Memory,
    RateLimit,
    Reset,
    SlowBody,
    Stall,
    Truncate,
)

Values = dict[str, Any]


class FaultSpecError(StagingError):
    """A fault spec that cannot be read; `column` counts from 1."""

    def __init__(self, column: int, problem: str) -> None:
        super().__init__(f"faults, column {column}: {problem}")
        self.column = column


@dataclass(frozen=True)
class _Kind:
    """One fault's keys, and how their values become the fault's fields."""

    keys: Mapping[str, Callable[[str], Any]]
    build: Callable[[Values], Fault]
    required: tuple[str, ...] = ()
    example: str = ""


def parse(spec: str) -> tuple[Fault, ...]:
    """The faults of a spec, in its order; none for an empty one."""
    faults = []
    start = 0
    for part in spec.split(";"):
        if part.strip():
            faults.append(_parse_fault(part, start + 1))
        start += len(part) + 1
    return tuple(faults)


def _parse_fault(part: str, column: int) -> Fault:
    column += len(part) - len(part.lstrip())
    head, colon, tail = part.strip().partition(":")
    name, at_sign, endpoint = (word.strip() for word in head.partition("@"))
    if name not in KINDS:
        raise FaultSpecError(column, f"no fault is called {name!r}; {_one_of(name, KINDS)}")
    kind = KINDS[name]
    scope = {}
    if at_sign:
        scope["endpoint"] = _endpoint(name, endpoint, column)
    values = _parse_values(name, kind, tail, column + len(head) + len(colon))
    missing = [key for key in kind.required if key not in values]
    if missing:
        raise FaultSpecError(
            column, f"{name}: {' and '.join(missing)} missing; for instance {kind.example}"
        )
    try:
        return kind.build(values | scope)
    except ValueError as error:
        raise FaultSpecError(column, f"{name}: {error}; for instance {kind.example}") from error


def _endpoint(name: str, endpoint: str, column: int) -> str:
    allowed: tuple[str, ...] = ENDPOINTS
    if name == "memory":
        raise FaultSpecError(column, "memory: belongs to the process; leave the @endpoint out")
    if name == "corrupt":
        allowed = (DOWNLOAD,)
    if endpoint not in allowed:
        raise FaultSpecError(
            column, f"{name}: no endpoint {endpoint!r} for it; {_one_of(endpoint, allowed)}"
        )
    return endpoint


def _parse_values(name: str, kind: _Kind, tail: str, column: int) -> Values:
    values: Values = {}
    allowed = {**kind.keys, **_WINDOW}
    for pair in tail.split(",") if tail.strip() else ():
        here = column + len(pair) - len(pair.lstrip())
        key, equals, text = (word.strip() for word in pair.partition("="))
        if not equals or not key or not text:
            raise FaultSpecError(
                here, f"{name}: {pair.strip()!r} is not key=value; keys: {', '.join(allowed)}"
            )
        if key not in allowed:
            raise FaultSpecError(here, f"{name}: no key {key!r}; {_one_of(key, allowed)}")
        if key in values:
            raise FaultSpecError(here, f"{name}: {key} is given twice; keep one")
        try:
            values[key] = allowed[key](text)
        except ValueError as error:
            raise FaultSpecError(here, f"{name}: {key}: {error}") from error
        column += len(pair) + 1
    return values


def _one_of(word: str, names: Iterable[str]) -> str:
    names = list(names)
    near = difflib.get_close_matches(word, names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}one of: {', '.join(names)}"


def _word(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"{text!r} is unknown; {_one_of(text, words)}")
        return text

    return read


def _status(text: str) -> int:
    if not re.fullmatch(r"[45][0-9]{2}", text):
        raise ValueError(f"{text!r} is not an error status from 400 to 599")
    return int(text)


def _sigma(text: str) -> float:
    if not re.fullmatch(r"[0-9](\.[0-9]{1,6})?", text):
        raise ValueError(f"{text!r} is not a plain number from 0 to 9.99")
    return float(text)


def _milliseconds(text: str) -> float:
    """The value of `ms=`, whose key already names the unit."""
    return quantities.duration_s(text if text[-1].isalpha() else f"{text}ms")


def _above_zero(text: str) -> float:
    value = quantities.duration_s(text)
    if value <= 0:
        raise ValueError(f"{text!r} must be above 0")
    return value


def _queue(text: str) -> int | None:
    if text == "unbounded":
        return None
    return 0 if text == "0" else quantities.whole(text)


def _part(text: str) -> float:
    value = quantities.ratio(text)
    if value >= 1:
        raise ValueError(f"{text!r} cuts nothing off; write a share below 100%")
    return value


_WINDOW: Mapping[str, Callable[[str], Any]] = {
    "at": quantities.duration_s,
    "for": _above_zero,
}
_CHOICE: Mapping[str, Callable[[str], Any]] = {
    "p": quantities.ratio,
    "seed": quantities.whole,
}
_FIELDS = {"at": "at_s", "for": "for_s"}


def _plain(kind: type[Fault], **renamed: str) -> Callable[[Values], Fault]:
    """A builder for a fault whose keys are its fields, some under another name."""
    names = {**_FIELDS, **renamed}

    def build(values: Values) -> Fault:
        return kind(**{names.get(key, key): value for key, value in values.items()})

    return build


_DIST_KEYS = {
    "constant": {"mean"},
    "exponential": {"mean"},
    "lognormal": {"median", "sigma", "p99"},
    "bimodal": {"fast", "slow", "share"},
}
_ALL_DIST_KEYS = frozenset().union(*_DIST_KEYS.values())


def _latency(values: Values) -> Fault:
    if "ms" in values:
        if "mean" in values:
            raise ValueError("ms and mean say the same; keep one")
        values = {**values, "mean": values["ms"]}
        del values["ms"]
    dist = values.get("dist", "constant")
    strange = (set(values) & _ALL_DIST_KEYS) - _DIST_KEYS[dist]
    if strange:
        raise ValueError(f"dist={dist} takes {_keys(dist)}, and not {_list(strange)}")
    needed = {"median"} if dist == "lognormal" else _DIST_KEYS[dist]
    if not needed <= set(values) or (
        dist == "lognormal" and len({"sigma", "p99"} & set(values)) != 1
    ):
        raise ValueError(f"dist={dist} needs {_keys(dist)}")
    if "p99" in values:
        p99_s, median_s = values["p99"], values["median"]
        if not 0 < median_s < p99_s:
            raise ValueError("p99 must be above the median, and the median above 0")
        values = {**values, "sigma": math.log(p99_s / median_s) / NormalDist().inv_cdf(0.99)}
        del values["p99"]
    spans = {"mean": "mean_s", "median": "median_s", "fast": "fast_s", "slow": "slow_s"}
    return _plain(Latency, **spans)(values)


def _keys(dist: str) -> str:
    if dist == "lognormal":
        return "median and either sigma or p99"
    return _list(_DIST_KEYS[dist])


def _list(words: Iterable[str]) -> str:
    return " and ".join(sorted(words))


def _leak(values: Values) -> Fault:
    values = dict(values)
    from_s = values.pop("from")
    if ("rate" in values) == ("to" in values) or ("to" in values) != ("over" in values):
        raise ValueError("how fast it grows is either rate, or to and over together")
    if "to" in values:
        to_s = values.pop("to")
        if to_s < from_s:
            raise ValueError("to must not be below from")
        values["growth_per_s"] = (to_s - from_s) / values.pop("over")
        values["limit_s"] = to_s
    return _plain(Leak, rate="growth_per_s")({**values, "from_s": from_s})


def _rate_limit(values: Values) -> Fault:
    values = dict(values)
    count, period_s = values.pop("rate")
    return _plain(RateLimit)({**values, "count": count, "period_s": period_s})


def _corrupt(values: Values) -> Fault:
    return _plain(Corrupt)({**values, "endpoint": DOWNLOAD})


_seconds = quantities.duration_s

KINDS: Mapping[str, _Kind] = {
    "latency": _Kind(
        {
            "ms": _milliseconds,
            "dist": _word(*_DIST_KEYS),
            "mean": _seconds,
            "median": _seconds,
            "sigma": _sigma,
            "p99": _seconds,
            "fast": _seconds,
            "slow": _seconds,
            "share": quantities.ratio,
            **_CHOICE,
        },
        _latency,
        example="latency:ms=50 or latency:dist=lognormal,median=40ms,p99=400ms",
    ),
    "leak": _Kind(
        {
            "from": _seconds,
            "to": _seconds,
            "over": _above_zero,
            "rate": quantities.growth_per_s,
        },
        _leak,
        required=("from",),
        example="leak:from=20ms,to=32ms,over=8h or leak:from=20ms,rate=1.5ms/h",
    ),
    "capacity": _Kind(
        {"c": quantities.whole, "s": _above_zero, "queue": _queue},
        _plain(Capacity, s="s_s"),
        required=("c", "s"),
        example="capacity:c=4,s=20ms,queue=100",
    ),
    "error": _Kind({"status": _status, **_CHOICE}, _plain(Error), example="error:p=1%,status=503"),
    "hang": _Kind({**_CHOICE}, _plain(Hang), example="hang:p=0.1%"),
    "stall": _Kind({}, _plain(Stall), required=("for",), example="stall:at=30s,for=10s"),
    "reset": _Kind(
        {"stage": _word("before", "mid-body"), **_CHOICE},
        _plain(Reset),
        example="reset:stage=mid-body,p=1%",
    ),
    "rate-limit": _Kind(
        {"rate": quantities.count_per_period},
        _rate_limit,
        required=("rate",),
        example="rate-limit:rate=60/min",
    ),
    "slow-body": _Kind(
        {"rate": quantities.bytes_per_s, **_CHOICE},
        _plain(SlowBody, rate="bytes_per_s"),
        required=("rate",),
        example="slow-body:rate=256KiB/s",
    ),
    "truncate": _Kind(
        {"keep": _part, **_CHOICE}, _plain(Truncate), example="truncate:keep=50%,p=1%"
    ),
    "corrupt": _Kind({**_CHOICE}, _corrupt, example="corrupt:p=1%"),
    "memory": _Kind(
        {"rate": quantities.bytes_per_s, "limit": quantities.size_bytes},
        _plain(Memory, rate="bytes_per_s", limit="limit_bytes"),
        required=("rate",),
        example="memory:rate=10MiB/min",
    ),
}
