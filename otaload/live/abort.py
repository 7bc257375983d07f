"""When a run is so bad that it is stopped: the abort rules of the thresholds, while it goes on.

A rule fires if its condition holds over a whole stretch of seconds, and in each third of it: so a
blip ends no run, however bad it is, that is shorter than a third of the stretch.

Requests belong to the second in which they started, so a stretch fills up for as long as its
slowest request takes. Each is therefore judged again whenever anything was added to it, as long as
it is in memory. A stretch of which nothing was answered at all, though users were there, counts as
one in which every request failed; for a limit on latency, once all have taken longer than that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

from analysis.abort_rules import AbortRule
from otaload.live.limit import ENOUGH_TO_BE_MISSED, SETTLE_S
from otaload.live.tail import Tail, merge
from otaload.record import Window, bucket_value_us

PARTS = 3
LATE_S = 120.0
"""How long after a stretch its slowest answers may still come in and change its judgement."""


@dataclass(frozen=True, kw_only=True)
class Aborted:
    """The rule that ended a run, and what it saw.

    `value` is in milliseconds or a ratio, None where nothing was answered; `at_s` is when the rule
    fired and `from_s` where its stretch began, in seconds after the start of the run.
    """

    rule: AbortRule
    value: float | None
    n: int
    at_s: float
    from_s: float

    @property
    def reason(self) -> str:
        """Why, in a sentence."""
        return self.rule.told(self.value, self.n)

    def as_json(self) -> dict[str, Any]:
        """As `run.json` has it."""
        return {
            "rule": self.rule.text,
            "metric": self.rule.metric.name,
            "endpoint": self.rule.endpoint,
            "above": self.rule.above,
            "over_s": self.rule.over_s,
            "value": self.value,
            "n": self.n,
            "at_s": round(self.at_s, 3),
            "from_s": round(self.from_s, 3),
            "reason": self.reason,
        }


class _Sums(NamedTuple):
    """What a rule needs to know of some seconds; sums of them are sums of their parts."""

    n: int = 0
    successes: int = 0
    above: int = 0
    sum_us: int = 0

    def plus(self, other: _Sums) -> _Sums:
        return _Sums(*(a + b for a, b in zip(self, other, strict=True)))

    def minus(self, other: _Sums) -> _Sums:
        return _Sums(*(a - b for a, b in zip(self, other, strict=True)))


class AbortWatch:
    """Watches a run by some rules, whose durations shrink with `time_scale`.

    `think_s` is a user's mean time between two iterations, by which the requests are reckoned that
    are missed where nothing is answered; None where it is not known, and nothing is missed.
    `late_s` is how long a request may take.
    """

    def __init__(
        self,
        rules: Sequence[AbortRule],
        *,
        time_scale: float = 1.0,
        think_s: float | None = None,
        late_s: float = LATE_S,
    ) -> None:
        self._think_s = think_s
        self._late_s = late_s
        self._users: dict[int, float] = {}
        self.settle_s = max(1.0, SETTLE_S * time_scale)
        self._watchers = [
            _Watcher(
                replace(
                    rule,
                    over_s=float(max(1, round(rule.over_s * time_scale))),
                    after_s=rule.after_s * time_scale,
                )
            )
            for rule in rules
        ]

    @property
    def keep_s(self) -> int:
        """How many of the last seconds the rules need to have in memory; none without a rule."""
        if not self._watchers:
            return 0
        longest_s = max(one.rule.over_s for one in self._watchers)
        return math.ceil(longest_s + self.settle_s + self._late_s)

    def idle(self, tail: Tail) -> list[AbortRule]:
        """The rules whose endpoint has had no request in the whole run."""
        rules = [one.rule for one in self._watchers]
        return [rule for rule in rules if rule.endpoint and rule.endpoint not in tail.endpoints]

    def watch(self, tail: Tail, *, start_s: float, now_s: float, users: float) -> Aborted | None:
        """Judge the run at this moment, with so many users; answers once a rule fires.

        Where the load is planned in arrivals, those of a second are as users that ask each second.
        """
        if not self._watchers:
            return None
        self._count_users(start_s, now_s, users)
        end = int(now_s - self.settle_s)
        for watcher in self._watchers:
            rule = watcher.rule
            kept = max(tail.oldest_kept, end - self.keep_s)
            begin = max(_ceil(start_s + rule.after_s), kept)
            found = watcher.judge(tail, begin, end) or self._silence(
                rule, tail, begin=begin, end=end, now_s=now_s
            )
            if found is not None:
                from_s, value, n = found
                return Aborted(
                    rule=rule, value=value, n=n, at_s=now_s - start_s, from_s=from_s - start_s
                )
        return None

    def _silence(
        self, rule: AbortRule, tail: Tail, *, begin: int, end: int, now_s: float
    ) -> tuple[int, None, int] | None:
        """The last stretch, if nothing that started in it was answered and much was expected."""
        if rule.metric.name != "error_rate":
            # What has not been answered yet has taken at least this long.
            end = min(end, int(now_s - rule.above / 1000))
        first = end - int(rule.over_s)
        if first < begin or any(tail.count(second) for second in range(first, end)):
            return None
        there = sum(self._users.get(second, 0) for second in range(first, end))
        expected = there / self._think_s if self._think_s else 0.0
        return (first, None, 0) if expected >= ENOUGH_TO_BE_MISSED else None

    def _count_users(self, start_s: float, now_s: float, users: float) -> None:
        """Note the users of each second since the last look."""
        now = int(now_s)
        for second in range(max(self._users, default=int(start_s) - 1) + 1, now + 1):
            self._users[second] = users
        for old in [second for second in self._users if second < now - self.keep_s]:
            del self._users[old]


class _Watcher:
    """One rule, and what it remembers of each second that it has looked at."""

    def __init__(self, rule: AbortRule) -> None:
        self.rule = rule
        self._known: dict[int, tuple[int, _Sums]] = {}

    def judge(self, tail: Tail, begin: int, end: int) -> tuple[int, float, int] | None:
        """The first stretch within [begin, end) that fires, with its value and requests."""
        over = int(self.rule.over_s)
        if end - begin < over:
            return None
        self._known = {s: known for s, known in self._known.items() if s >= begin}
        each = [self._second(tail, second) for second in range(begin, end)]
        upto = list(accumulate(each, _Sums.plus, initial=_Sums()))
        parts = min(PARTS, over)
        for at in range(end - begin - over + 1):
            whole = upto[at + over].minus(upto[at])
            if self._count(whole) < self.rule.at_least or not self._holds(whole):
                continue
            bounds = [at + over * i // parts for i in range(parts + 1)]
            thirds = [upto[b].minus(upto[a]) for a, b in pairwise(bounds)]
            if all(self._holds(third) for third in thirds):
                value = self._value(tail, begin + at, over)
                if value is not None and value > self.rule.above:
                    return begin + at, value, self._count(whole)
        return None

    def _second(self, tail: Tail, second: int) -> _Sums:
        """What is known of a second, counted anew only if anything was added to it."""
        count = tail.count(second)
        known = self._known.get(second)
        if known is None or known[0] != count:
            known = count, _sums(self._window(tail, second, second + 1), self.rule.above * 1000)
            self._known[second] = known
        return known[1]

    def _window(self, tail: Tail, first: int, end: int) -> Window:
        windows = tail.between(first, end)
        if self.rule.endpoint is None:
            return merge(windows.values())
        return windows.get(self.rule.endpoint, Window())

    def _count(self, sums: _Sums) -> int:
        return sums.n if self.rule.metric.name == "error_rate" else sums.successes

    def _holds(self, sums: _Sums) -> bool:
        """Whether the value over some seconds is above the rule's bound."""
        metric, successes = self.rule.metric, sums.successes
        if metric.name == "error_rate":
            return sums.n - successes > self.rule.above * sums.n
        if metric.name == "max":
            return sums.above > 0
        if metric.quantile is None:
            return successes > 0 and sums.sum_us > self.rule.above * 1000 * successes
        # The value at rank ceil(q·n) is above the bound if fewer than that many are not.
        return successes > 0 and successes - sums.above < _ceil(metric.quantile * successes)

    def _value(self, tail: Tail, first: int, over: int) -> float | None:
        """The exact value over a stretch."""
        window, metric = self._window(tail, first, first + over), self.rule.metric
        successes = window.successes
        if metric.name == "error_rate":
            return window.failures.n / window.n if window.n else None
        if not successes.n:
            return None
        if metric.name == "max":
            return successes.max_us / 1000
        if metric.quantile is None:
            return successes.sum_us / successes.n / 1000
        value_us = successes.quantile_us(metric.quantile)
        return None if value_us is None else value_us / 1000


def _sums(window: Window, bound_us: float) -> _Sums:
    successes = window.successes
    above = 0
    if successes.n and successes.max_us > bound_us:
        above = sum(n for i, n in successes.counts.items() if bucket_value_us(i) > bound_us)
        above = max(1, above)  # the slowest one is known exactly
    return _Sums(window.n, successes.n, above, successes.sum_us)


def _ceil(value: float) -> int:
    return math.ceil(value - 1e-9)
