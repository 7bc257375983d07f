"""Hands the arrivals of one process to its free users, and counts what becomes of them.

An arrival goes to the user of its class who became free last: a user who is not needed then costs
nothing but memory, and there are as many connections as requests were under way at once. Where no
user of the class is free the arrival is missed: counted, and neither queued nor sent later.
Arrivals that are due together, because the process woke up late, are handed out at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import gevent
from gevent.hub import Waiter
from locust.user.task import LOCUST_STATE_RUNNING, LOCUST_STATE_WAITING

from otaload.arrivals.counts import Counts
from otaload.arrivals.course import Course
from otaload.arrivals.curve import Curve
from otaload.arrivals.turns import Turns

LOOK_S = 0.25
"""How often an idle desk looks whether its share has changed."""


class Desk:
    """One process's arrivals; `weights` are the shares of the user classes, by their name.

    `start_s` is the start of the run on this machine's clock, in Unix seconds. `clock` is monotonic
    and `wall` in Unix seconds; the first keeps the schedule, the second only starts it.
    """

    def __init__(
        self,
        curve: Curve,
        weights: Mapping[str, float],
        *,
        start_s: float,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._course = Course(curve)
        self._turns = Turns(weights)
        self._clock = clock
        self._wall = wall
        self.start_at(start_s)
        self._free: dict[str, dict[Any, Waiter[float]]] = {name: {} for name in weights}
        self._tasks: dict[type, list[Callable[[Any], None]]] = {}
        self._counts: dict[int, Counts] = {}
        self._busy = 0
        self._loop: Any = None
        self._timer: Any = None

    def start_at(self, start_s: float) -> None:
        """Set the start of the run on this machine's clock."""
        self._start_s = start_s
        self._epoch = self._clock() - (self._wall() - start_s)

    def open(self) -> None:
        """Begin to hand out arrivals."""
        self._loop = gevent.get_hub().loop
        self._set_timer()

    def close(self) -> None:
        """Hand out no more; those that were handed out have been started."""
        if self._timer is not None:
            self._timer.close()
        self._loop = self._timer = None

    def share(self, from_s: float, *, index: int, count: int) -> None:
        """From a moment of the run on, take every `count`-th arrival."""
        self._course.share(from_s, index=index, count=count)

    def replan(self, curve: Curve) -> None:
        """Go on by another curve, which must be the same up to now."""
        self._course.replan(curve)

    def employ(self, user: Any) -> None:
        """Have a user do its task once for each arrival that it gets, in place of thinking."""
        kind = type(user)
        if kind not in self._tasks:
            self._tasks[kind] = [self._on_arrival(task) for task in user.tasks]
        user.tasks = self._tasks[kind]

    def take(self, *, before_second: int | None = None) -> Counts | None:
        """What was counted since the last time (of seconds before one), or None for nothing."""
        taken = [s for s in self._counts if before_second is None or s < before_second]
        if not taken:
            return None
        total = Counts()
        for second in taken:
            total += self._counts.pop(second)
        return total

    def _on_arrival(self, task: Callable[[Any], None]) -> Callable[[Any], None]:
        def iteration(user: Any) -> None:
            self._await(user)
            self._busy += 1
            try:
                task(user)
            finally:
                self._busy -= 1

        return iteration

    def _await(self, user: Any) -> None:
        """Stand by until an arrival comes; a user that is stopped meanwhile ends here."""
        # The wait is here and not between tasks, where a user that is being stopped would drop the
        # arrival that it was just given.
        user._taskset_instance.wait = _no_wait
        waiting: Waiter[float] = Waiter()
        free = self._free[type(user).__name__]
        free[user] = waiting
        user._state = LOCUST_STATE_WAITING
        try:
            due_s = waiting.get()
        finally:
            free.pop(user, None)
        lag_s = max(0.0, self._clock() - self._epoch - due_s)
        counts = self._counts_of(due_s)
        counts.started += 1
        counts.lag_sum_s += lag_s
        counts.lag_max_s = max(counts.lag_max_s, lag_s)
        counts.busy = max(counts.busy, self._busy + 1)

    def _set_timer(self) -> None:
        due_s = self._course.due_s
        left_s = LOOK_S if due_s is None else self._epoch + due_s - self._clock()
        # The event loop's own, so that users begin in the very wake-up in which they are due.
        self._timer = self._loop.timer(min(max(left_s, 0.0), LOOK_S))
        self._timer.start(self._on_timer)

    def _on_timer(self) -> None:
        self._timer.close()
        # Only what was due by now: a desk that cannot keep up must let answers in between.
        now_s = self._clock() - self._epoch
        course = self._course
        while self._loop is not None and (due_s := course.due_s) is not None and due_s <= now_s:
            course.advance()
            self._hand_out(due_s)
        if self._loop is not None:
            self._set_timer()

    def _hand_out(self, due_s: float) -> None:
        counts = self._counts_of(due_s)
        counts.planned += 1
        name = self._turns.next()
        free = self._free[name]
        while free:
            user, waiting = free.popitem()
            if user._state == LOCUST_STATE_WAITING:
                # From now on a stop lets it finish its task, as that of any user at work.
                user._state = LOCUST_STATE_RUNNING
                waiting.switch(due_s)  # comes back when the user waits for its first answer
                return
        counts.miss(name)

    def _counts_of(self, due_s: float) -> Counts:
        second = int(self._start_s + due_s)
        counts = self._counts.get(second)
        if counts is None:
            counts = self._counts[second] = Counts()
        return counts


def _no_wait() -> None:
    """In place of Locust's pause between two tasks of a user."""
