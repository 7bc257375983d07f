"""The history of a search for a limit, as `run.json` has it: every stretch of constant load."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

REST = "rest"


@dataclass(frozen=True, kw_only=True)
class Hold:
    """A step of the climb, a hold of the bisection, or a rest; seconds after the start.

    `level` is in users, or what else the search counts in. What came before `judged_from_s` did not
    count. `good` is None where it was not decided.
    """

    kind: str
    level: float
    start_s: float
    judged_from_s: float
    end_s: float
    good: bool | None
    reason: str = ""
    endpoint: str = ""


def read_holds(found: Any) -> tuple[Hold, ...]:
    """The stretches that make sense; one that never ended is left out."""
    items = found if isinstance(found, list) else []
    return tuple(hold for item in items if (hold := _hold(item)) is not None)


def _hold(item: Any) -> Hold | None:
    if not isinstance(item, Mapping):
        return None
    numbers = [_float(item.get(key)) for key in ("level", "start_s", "judged_from_s", "end_s")]
    level, start_s, from_s, end_s = numbers
    if level is None or start_s is None or from_s is None or end_s is None or end_s < start_s:
        return None
    good = item.get("good")
    return Hold(
        kind=str(item.get("kind") or "step"),
        level=level,
        start_s=start_s,
        judged_from_s=min(max(from_s, start_s), end_s),
        end_s=end_s,
        good=good if isinstance(good, bool) else None,
        reason=str(item.get("reason") or ""),
        endpoint=str(item.get("endpoint") or ""),
    )


def _float(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < 2**53 else None
