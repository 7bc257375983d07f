"""Plays the search for a limit on a running shape: judges its slices, and tells what comes next."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from otaload.live.limit import Slice, SliceRule
from otaload.live.search import Outcome, Search
from otaload.live.stretch import Kind, Step, Stretch
from otaload.live.tail import Tail

Play = Callable[[str, float, float], None]
"""Plays a level from a time on, in seconds after the start: (name, level, at_s)."""

MissedRatio = Callable[[int, int], float]
"""The share of the arrivals of the seconds in [first, end) that found no free user."""

RATE_QUANTUM_PER_S = 0.1
ARRIVALS_SETTLE_S = 2.5
"""How long after a slice its missed arrivals are known: two reports of a second, and a margin."""

REASONS = {
    Outcome.NONE: "the last step was within limits",
    Outcome.CUT_SHORT: "the run ended before the limit was narrowed down",
    Outcome.NOT_RECOVERED: "the service did not recover under a low load",
}


class PlannedStep(Protocol):
    """A stage of constant load."""

    @property
    def start_s(self) -> float: ...
    @property
    def end_s(self) -> float: ...
    @property
    def users_to(self) -> int: ...
    @property
    def rate_to(self) -> float | None: ...


class Climbing(Protocol):
    """What a shape must know for its limit to be sought."""

    @property
    def timeline(self) -> Sequence[PlannedStep]: ...
    @property
    def think_s(self) -> tuple[float, float]: ...
    @property
    def duration_s(self) -> float: ...
    @property
    def pacing_s(self) -> float | None: ...
    @property
    def has_arrivals(self) -> bool: ...
    def play(self, name: str, level: float, at_s: float) -> None: ...


class Seeker:
    """Feeds a search with what came back, and has its next stretches played.

    `starts_per_s` says how many requests a level must send at least, from which it follows that
    none came back; `unit` is what levels count; `missed_ratio` tells of arrivals.
    """

    def __init__(
        self,
        search: Search,
        rule: SliceRule,
        tail: Tail,
        *,
        start_s: float,
        play: Play,
        starts_per_s: Callable[[float], float],
        unit: str = "users",
        missed_ratio: MissedRatio = lambda _first, _end: 0.0,
        settle_s: float = 0.0,
    ) -> None:
        self.search = search
        self.unit = unit
        self._rule = rule
        self._tail = tail
        self._start_s = start_s
        self._play = play
        self._starts_per_s = starts_per_s
        self._missed_ratio = missed_ratio
        self._settle_s = max(rule.settle_s, settle_s)
        self._start(search.current)

    def look(self, now_s: float) -> str | None:
        """Judge what is in by now; a sentence about what is played next, None while nothing is.

        `now_s` is Unix time. Once `search.outcome` is set, the search is over.
        """
        if not self._due(now_s, self._settle_s):
            return None
        self._judge_all(now_s)
        if self.search.advance(now_s - self._start_s) is None:
            return None
        self._start(self.search.current)
        return self.told

    @property
    def ending(self) -> str:
        """How the search ended, in a sentence for the console."""
        low, high = self.search.bracket
        cause = self._cause(high)
        why = f": {cause.reason}" if cause else ""
        if not self.found:
            return "no limit was found"
        if low is None:
            return f"the limit lies below {high:g} {self.unit}{why}"
        return f"the limit is {low:g} {self.unit}, and {high:g} are too many{why}"

    def close(self, now_s: float) -> None:
        """The run has ended, and nothing can come back any more."""
        if self.search.current.end_s is None:
            self._due(now_s, 0.0)
        self._judge_all(now_s)
        self.search.close(now_s - self._start_s)

    @property
    def found(self) -> bool:
        """Whether the search came to the service's limit, be it narrowed down or not."""
        return self.search.bracket[1] is not None

    @property
    def told(self) -> str:
        """What is going on, for the progress line."""
        one = self.search.current
        level = f"{one.level:g} {self.unit}"
        low, high = self.search.bracket
        ends = f"{'?' if low is None else f'{low:g}'}–{'?' if high is None else f'{high:g}'}"
        if one.kind is Kind.STEP:
            return f"climbing: {level}"
        if one.kind is Kind.REST:
            return f"recovering: {level}, bracket {ends}"
        return f"bisecting: {level}, bracket {ends}"

    def as_json(self) -> dict[str, Any]:
        """As `run.json` has it."""
        search = self.search
        low, high = search.bracket
        cause = self._cause(high)
        outcome = search.outcome
        reason = cause.reason if cause else REASONS.get(outcome) if outcome else None
        in_users = self.unit == "users"
        return {
            "outcome": outcome.value if outcome else None,
            "unit": self.unit,
            "limit": low if self.found else None,
            "limit_users": int(low) if self.found and in_users and low is not None else None,
            "bracket": [low, high],
            "reason": reason,
            "endpoint": cause.endpoint if cause else None,
            "short_of_users": cause is not None and cause.short_of_users,
            "at_s": self._bad_from_s() if self.found else None,
            "holds": [one.as_json() for one in search.played],
        }

    def _start(self, one: Stretch) -> None:
        self._play(f"{one.kind.value} {one.level:g}", one.level, one.begin_s)

    def _first_second(self, one: Stretch) -> int:
        return math.ceil(self._start_s + one.begin_s + one.drop_s)

    def _due(self, now_s: float, settle_s: float) -> bool:
        """Make room for the slices of the current stretch that are over; whether there are any."""
        one, width = self.search.current, self._rule.slice_s
        first = self._first_second(one)
        before = len(one.slices)
        for number in range(before, int((now_s - settle_s - first) // width)):
            one.slices.append(Slice(first + number * width - self._start_s, 0))
        return len(one.slices) > before

    def _judge_all(self, now_s: float) -> None:
        """Judge the slices that are in memory, once more those that late answers have changed.

        Of a stretch that is over only steps change: holds have already had their consequences.
        """
        for one in self.search.played:
            if one.end_s is None or one.kind is Kind.STEP:
                self._judge(one, now_s)

    def _judge(self, one: Stretch, now_s: float) -> None:
        first, width = self._first_second(one), self._rule.slice_s
        expected = self._starts_per_s(one.level) * width
        for number in range(len(one.slices)):
            second = first + number * width
            if second >= now_s - self._tail.keep_s:
                windows = self._tail.between(second, second + width)
                begin_s = second - self._start_s
                one.slices[number] = self._rule.judge(
                    begin_s,
                    windows,
                    expected=expected,
                    missed_ratio=self._missed_ratio(second, second + width),
                )

    def _cause(self, high: float | None) -> Slice | None:
        """The first bad slice at the lowest bad level: what gave way first as the load grew."""
        bad = [s for one in self.search.played if one.level == high for s in one.bad]
        return bad[0] if bad else None

    def _bad_from_s(self) -> float | None:
        """When the row of bad slices began that ended the climb."""
        steps = [one for one in self.search.played if one.kind is Kind.STEP]
        ends = [number for number, one in enumerate(steps) if one.good is False]
        if not ends:
            return None
        row: list[Slice] = []
        for one in (s for step in steps[: ends[-1] + 1] for s in step.slices):
            row = [*row, one] if one.reason else []
        return row[0].begin_s if row else steps[ends[-1]].begin_s


def seek(
    shape: Climbing,
    rule: SliceRule,
    tail: Tail,
    *,
    start_s: float,
    time_scale: float,
    missed_ratio: MissedRatio = lambda _first, _end: 0.0,
) -> Seeker:
    """The search for the limit, in users or in arrivals a second, along a shape's steps."""
    if shape.has_arrivals:
        # Before the first arrival users get ready.
        planned = [stage for stage in shape.timeline if stage.rate_to]
        # 134.456 arrivals/s would be told of and written down with digits that mean nothing.
        steps = [
            Step(float(f"{stage.rate_to:.4g}"), stage.end_s - stage.start_s) for stage in planned
        ]
    else:
        planned = list(shape.timeline)
        steps = [Step(stage.users_to, stage.end_s - stage.start_s) for stage in planned]
    search = Search(
        steps,
        slice_s=rule.slice_s,
        longest_s=shape.duration_s,
        time_scale=time_scale,
        quantum=RATE_QUANTUM_PER_S if shape.has_arrivals else 1.0,
        begin_s=planned[0].start_s,
    )
    between_s = 1.0 if shape.has_arrivals else shape.pacing_s or sum(shape.think_s) / 2
    return Seeker(
        search,
        rule,
        tail,
        start_s=start_s,
        play=shape.play,
        starts_per_s=lambda level: level / between_s if between_s else level,
        unit="arrivals/s" if shape.has_arrivals else "users",
        missed_ratio=missed_ratio,
        settle_s=ARRIVALS_SETTLE_S if shape.has_arrivals else 0.0,
    )
