"""The search for a service's limit: climb until a step is bad, then bisect with longer holds.

A pure state machine: it is told what the slices of the present stretch of load were like, and
answers with the next stretch. It knows neither a clock nor what a level is: users, or iterations a
second.

- A *step* of the climb whose last slice is bad is held on until four bad slices in a row (or one
  with more than half of its requests failed) make it bad, or one is good again: a blip of 15 s
  touches three. The next step is played only where the present one is decided, so the load never
  climbs on while the service gives way.
- The highest good level and the lowest bad one are the bracket. A *hold* at its geometric middle is
  bad if three of its slices are, and only if that happens twice; it is left as soon as that is
  clear.
- After anything bad comes a *rest* at a low level until the service answers normally.
- Where all holds agree on one end of the bracket, that end itself is held, and so is at once a step
  that a single hopeless slice made bad: a climb that a blip had stopped goes on, and a service that
  was bent by the overload is searched further down.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum

from otaload.live.stretch import Kind, Step, Stretch

STEP_DROP_RATIO = 1 / 3
"""The first part of a step, in which the service takes the new load in."""
HOLD_DROP_S, HOLD_SLICES = 20.0, 4
"""With slices of ten seconds, a hold of 60 s of which the first 20 do not count."""
SHORTEST_DROP_S = 2.0
"""A shape is asked for its users once a second, and those users then have to start."""
BAD_SLICES = 4
"""So many bad slices in a row make a step of the climb bad."""
MAJORITY = HOLD_SLICES // 2 + 1
REST_SLICES = 6
REST_RATIO = 0.25
"""Of the highest good level: the load under which the service may recover."""
PRECISION_RATIO = 0.05
"""The bracket is narrow enough when it is this share of its lower end."""


class Outcome(StrEnum):
    """How a search ended; `run.json` has these words."""

    FOUND = "found"
    NONE = "none"
    BELOW = "below"
    CUT_SHORT = "cut short"
    NOT_RECOVERED = "not recovered"


class Search:
    """Decides what is played next; `current` is the stretch under way, `outcome` the end.

    `quantum` is the smallest difference between two levels, `begin_s` the time at which the first
    step begins, and `longest_s` that at which the search ends in any case.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        *,
        slice_s: float,
        longest_s: float,
        time_scale: float = 1.0,
        quantum: float = 1.0,
        begin_s: float = 0.0,
    ) -> None:
        self._steps = sorted(steps, key=lambda step: step.level)
        self._slice_s = slice_s
        self._longest_s = longest_s
        self._hold_drop_s = max(SHORTEST_DROP_S, HOLD_DROP_S * time_scale)
        self._quantum = quantum
        self._pending: float | None = None
        self.outcome: Outcome | None = None
        self.played: list[Stretch] = []
        self._play_step(self._steps[0], begin_s)

    @property
    def current(self) -> Stretch:
        """The stretch under way, or the last one."""
        return self.played[-1]

    @property
    def bracket(self) -> tuple[float | None, float | None]:
        """The highest level that was good and the lowest one above it that was bad."""
        bad = [level for level in self._levels() if self._is_bad(level)]
        high = min(bad, default=None)
        good = [
            level
            for level in self._levels()
            if self._is_good(level) and (high is None or level < high)
        ]
        return max(good, default=None), high

    def advance(self, now_s: float) -> Stretch | None:
        """The next stretch if the present one is decided by its slices; None while it is not.

        At the end there is none either, and `outcome` says why.
        """
        if self.outcome is not None or not self._decide(self.current):
            return None
        current = self.current
        current.end_s = now_s
        if current.kind is Kind.STEP and current.good is not False:
            self._climb(now_s)
        elif current.kind is Kind.REST:
            self._after_rest(now_s)
        elif current.good:
            self._choose(now_s)
        else:
            self._rest(now_s)
        return None if self.outcome else self.current

    def close(self, now_s: float) -> None:
        """The run has ended, by the search or from outside."""
        if self.current.end_s is None:
            self._decide(self.current)
            self.current.end_s = now_s
        if self.outcome is None:
            self.outcome = Outcome.CUT_SHORT

    def _decide(self, one: Stretch) -> bool:
        slices, bad = one.slices, one.bad
        hopeless = any(each.hopeless for each in slices)
        if not slices:
            return False
        if one.kind is Kind.REST:
            one.good = slices[-1].n > 0 and not slices[-1].reason
            return one.good or len(slices) >= REST_SLICES
        if one.kind is Kind.STEP:
            if hopeless or (len(slices) >= BAD_SLICES and all(s.reason for s in slices[-4:])):
                one.good = False
                return True
            if len(slices) < self._step_slices(one) or slices[-1].reason:
                return False
            one.good = True if one.has_data and not bad else None
            return True
        if hopeless or len(bad) >= MAJORITY:
            one.good = False
            return True
        if len(slices) < HOLD_SLICES or len(slices) - len(bad) < MAJORITY:
            return False
        one.good = one.has_data
        return True

    def _step_slices(self, one: Stretch) -> int:
        seconds = next(step.seconds for step in self._steps if step.level == one.level)
        return max(1, math.floor((seconds - seconds * STEP_DROP_RATIO) / self._slice_s + 1e-9))

    def _levels(self) -> list[float]:
        return sorted({one.level for one in self.played if one.kind is not Kind.REST})

    def _at(self, level: float, *kinds: Kind) -> list[Stretch]:
        return [one for one in self.played if one.level == level and one.kind in kinds]

    def _is_good(self, level: float) -> bool:
        if self._is_held(level):
            return True
        # Late answers may have spoilt a step after it was left.
        steps = self._at(level, Kind.STEP)
        return any(one.fully_good for one in steps) and self._times_bad(level) < 2

    def _is_held(self, level: float) -> bool:
        return any(one.good for one in self._at(level, Kind.HOLD))

    def _times_bad(self, level: float) -> int:
        return sum(one.good is False for one in self._at(level, Kind.STEP, Kind.HOLD))

    def _is_bad(self, level: float) -> bool:
        if self._is_held(level):
            return False
        was_step = any(one.good is False for one in self._at(level, Kind.STEP))
        return was_step or self._times_bad(level) >= 2

    def _climb(self, now_s: float) -> None:
        above = [step for step in self._steps if step.level > self.current.level]
        if not above:
            self.outcome = Outcome.NONE
        elif now_s + above[0].seconds > self._longest_s:
            self.outcome = Outcome.CUT_SHORT
        else:
            self._play_step(above[0], now_s)

    def _play_step(self, step: Step, now_s: float) -> None:
        drop_s = max(SHORTEST_DROP_S, step.seconds * STEP_DROP_RATIO)
        self.played.append(Stretch(Kind.STEP, step.level, now_s, drop_s))

    def _rest(self, now_s: float) -> None:
        one, level = self.current, self.current.level
        again = one.kind is Kind.HOLD and self._times_bad(level) < 2
        self._pending = level if again else None
        if not again and self._settle_if_done():
            return
        low, _ = self.bracket
        easy = low * REST_RATIO if low is not None else self._steps[0].level / 2
        self.played.append(Stretch(Kind.REST, self._rounded(easy), now_s, 0.0))

    def _after_rest(self, now_s: float) -> None:
        if not self.current.good:
            self.outcome = Outcome.NOT_RECOVERED
        elif self._pending is not None:
            self._hold(self._pending, now_s)
        else:
            self._choose(now_s)

    def _settle_if_done(self) -> bool:
        """Whether both ends of a narrow bracket have been held."""
        low, high = self.bracket
        if high is None:
            return False
        held = self._times_bad(high) >= 2
        if low is None and held:
            self.outcome = Outcome.BELOW
        elif low is not None and held and self._is_narrow(low, high) and self._is_held(low):
            self.outcome = Outcome.FOUND
        return self.outcome is not None

    def _choose(self, now_s: float) -> None:
        if self._settle_if_done():
            return
        low, high = self.bracket
        if high is None:
            self._climb(now_s)
        elif low is None or self._is_doubtful(high):
            self._hold(high, now_s)
        elif self._is_narrow(low, high):
            self._hold(high if self._is_held(low) else low, now_s)
        else:
            middle = self._rounded(math.sqrt(low * high))
            self._hold(min(max(middle, low + self._quantum), high - self._quantum), now_s)

    def _is_doubtful(self, high: float) -> bool:
        """Whether the climb was stopped by fewer slices than a blip can spoil."""
        steps = self._at(high, Kind.STEP)
        return self._times_bad(high) < 2 and any(len(one.bad) < BAD_SLICES for one in steps)

    def _hold(self, level: float, now_s: float) -> None:
        seconds = self._hold_drop_s + HOLD_SLICES * self._slice_s
        if now_s + seconds > self._longest_s:
            low, high = self.bracket
            sure = low is not None and high is not None and self._is_narrow(low, high)
            self.outcome = Outcome.FOUND if sure else Outcome.CUT_SHORT
            return
        self.played.append(Stretch(Kind.HOLD, level, now_s, self._hold_drop_s))

    def _is_narrow(self, low: float, high: float) -> bool:
        return high - low <= max(self._quantum, PRECISION_RATIO * low) + 1e-9

    def _rounded(self, level: float) -> float:
        return max(self._quantum, round(level / self._quantum) * self._quantum)
