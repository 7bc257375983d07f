"""Absolute schedules: iteration n of a user starts at start + n × period, whatever came before.

`locust.constant_pacing` measures each wait from the one before, so that users pushed together by
one slow moment stay together (1,000 users at 1/s reported a p50 of 160 ms where the truth was 0.1
ms), and it forgets what it fell behind. Here starts are spread evenly over a period, lost
iterations are counted, and how late each one started is measured: lateness is slowness that hides
from the latency figures. Timers of the event loop have steps of 1 ms, so that a mean lag of about
0.6 ms is normal.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import floor
from time import perf_counter
from types import MethodType
from typing import Any, Final
from weakref import WeakKeyDictionary, WeakSet

import gevent
from locust.user.task import LOCUST_STATE_STOPPING

# n × φ mod 1 (φ the golden ratio) fills an interval evenly for any number of n.
_GOLDEN: Final = 0.6180339887498949


@dataclass(frozen=True, slots=True)
class Lag:
    """How well a schedule was kept: a sum over iterations, so that lags add up with `+`."""

    iterations: int = 0
    lost: int = 0
    """Due and never started, since their whole period had passed."""
    lag_sum_s: float = 0.0
    lag_max_s: float = 0.0

    @property
    def lag_mean_s(self) -> float:
        """How late an iteration started on average; 0 before the first."""
        return self.lag_sum_s / self.iterations if self.iterations else 0.0

    def __add__(self, other: "Lag") -> "Lag":
        return Lag(
            self.iterations + other.iterations,
            self.lost + other.lost,
            self.lag_sum_s + other.lag_sum_s,
            max(self.lag_max_s, other.lag_max_s),
        )


class _Course:
    """One user's place in its schedule."""

    __slots__ = ("first_due", "lag", "next_index")

    def __init__(self, first_due: float) -> None:
        self.first_due = first_due
        self.next_index = 0
        self.lag = Lag()


class AbsolutePacing:
    """A `wait_time` for a Locust user; made by `absolute_pacing`.

    It sleeps within the call and returns 0, since only so it sees when the sleep really ended.
    """

    def __init__(
        self,
        period_s: float,
        *,
        stagger: bool = True,
        clock: Callable[[], float] = perf_counter,
        sleep: Callable[[float], object] = gevent.sleep,
    ) -> None:
        if not period_s > 0:
            raise ValueError(f"period_s {period_s!r}: must be above 0")
        self.period_s = period_s
        self._stagger = stagger
        self._clock = clock
        self._sleep = sleep
        self._epoch: float | None = None
        self._users = 0
        self._courses: WeakKeyDictionary[Any, _Course] = WeakKeyDictionary()
        self._total = Lag()
        self._taken = Lag()
        _schedules.add(self)

    def __get__(self, user: Any, owner: type | None = None) -> Any:
        """Bound to a user, as a function in its place would be."""
        return self if user is None else MethodType(self, user)

    def __call__(self, user: Any) -> float:
        """Sleep until the user's next iteration is due; 0 is left to wait."""
        course = self._courses.get(user)
        if course is None:
            course = self._courses[user] = _Course(self._first_due())
        due, lost = self._next(course)
        while (left_s := due - self._clock()) > 0:  # a timer may end early by the loop's old clock
            self._sleep(left_s)
        if getattr(user, "_state", None) == LOCUST_STATE_STOPPING:
            return 0.0  # it ends here and starts nothing
        lag = Lag(1, lost, -left_s, -left_s)
        course.lag += lag
        self._total += lag
        self._taken += lag
        return 0.0

    def lag_of(self, user: Any) -> Lag:
        """How well one user's schedule was kept."""
        course = self._courses.get(user)
        return Lag() if course is None else course.lag

    @property
    def total(self) -> Lag:
        """The sum over all users of this process, those that have ended included."""
        return self._total

    def take(self) -> Lag:
        """The sum since the last `take`."""
        taken, self._taken = self._taken, Lag()
        return taken

    def _first_due(self) -> float:
        now = self._clock()
        if self._epoch is None:
            self._epoch = now
        phase = self._users * _GOLDEN % 1.0 if self._stagger else 0.0
        self._users += 1
        if not self._stagger:
            return now
        # The user's points lie on one grid for all: the first that has not passed.
        elapsed = (now - self._epoch) / self.period_s - phase
        return self._epoch + (phase + max(0, -floor(-elapsed))) * self.period_s

    def _next(self, course: _Course) -> tuple[float, int]:
        """When the next iteration is due, and how many were lost before it."""
        passed = floor((self._clock() - course.first_due) / self.period_s)
        lost = max(0, passed - course.next_index)
        index = course.next_index + lost
        course.next_index = index + 1
        return course.first_due + index * self.period_s, lost


_schedules: WeakSet[AbsolutePacing] = WeakSet()


def absolute_pacing(period_s: float, *, stagger: bool = True) -> AbsolutePacing:
    """A `wait_time` that starts an iteration every `period_s` seconds, on an absolute grid.

    An iteration that is late starts at once; one whose whole period has passed is lost, and
    counted. With `stagger` the users of a process are spread evenly over a period.
    """
    return AbsolutePacing(period_s, stagger=stagger)


def process_lag() -> Lag:
    """The sum over all schedules of this process."""
    return sum((schedule.total for schedule in _schedules), Lag())


def take_process_lag() -> Lag:
    """The sum over all schedules of this process since the last take."""
    return sum((schedule.take() for schedule in _schedules), Lag())
