"""A stretch of constant load in the search for a limit, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from otaload.live.limit import Slice


class Kind(StrEnum):
    """What a stretch of load is for."""

    STEP = "step"
    HOLD = "hold"
    REST = "rest"


@dataclass(frozen=True)
class Step:
    """A planned step of the climb."""

    level: float
    seconds: float


@dataclass
class Stretch:
    """A stretch of constant load: planned while it is played, then with what became of it.

    `good` is None while it is undecided, and for a step of which only some slices were bad. Times
    are seconds after the start of the run; the slices begin `drop_s` after `begin_s`.
    """

    kind: Kind
    level: float
    begin_s: float
    drop_s: float
    end_s: float | None = None
    good: bool | None = None
    slices: list[Slice] = field(default_factory=list)

    @property
    def bad(self) -> list[Slice]:
        """Its bad slices."""
        return [one for one in self.slices if one.reason]

    @property
    def fully_good(self) -> bool | None:
        """`good`, but not of a step that late answers have spoilt since it was left."""
        return None if self.kind is Kind.STEP and self.good and self.bad else self.good

    @property
    def has_data(self) -> bool:
        """Whether there was anything to judge it by."""
        return any(one.n for one in self.slices)

    def as_json(self) -> dict[str, Any]:
        """As `run.json` has it."""
        first = self.bad[0] if self.bad else None
        return {
            "kind": self.kind.value,
            "level": self.level,
            "start_s": self.begin_s,
            "judged_from_s": self.slices[0].begin_s if self.slices else self.begin_s + self.drop_s,
            "end_s": self.end_s,
            "good": self.fully_good,
            "slices": len(self.slices),
            "bad_slices": len(self.bad),
            "reason": first.reason if first else None,
            "endpoint": first.endpoint if first else None,
        }
