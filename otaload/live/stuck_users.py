"""Users that do not end: a task that swallows every exception swallows its own end as well.

Locust waits for such a user for ever, and with it the run, its verdict and whoever started it.
"""

from __future__ import annotations

from collections.abc import Callable

import gevent
from locust.env import Environment

from otaload.live.crew import DRAIN_GRACE_S

LOOK_S = 1.0


class StuckUsers:
    """Calls `on_stuck` with their number where users are left long after they were to end.

    That is once nobody has ended for a second, the stop timeout and `grace_s` after the end.
    """

    def __init__(
        self,
        environment: Environment,
        on_stuck: Callable[[int], None],
        *,
        grace_s: float = DRAIN_GRACE_S,
    ) -> None:
        self._environment = environment
        self._on_stuck = on_stuck
        self._grace_s = grace_s
        self._greenlet: gevent.Greenlet[[], None] | None = None

    def watch(self) -> None:
        """Watch every end of the load in this process from now on."""
        events = self._environment.events
        events.test_stopping.add_listener(lambda **_: self._arm())
        # Before the listeners of the locustfile, which may take their time: the users have ended.
        events.test_stop._handlers.insert(0, lambda **_: self._disarm())

    def _arm(self) -> None:
        if self._greenlet is None or self._greenlet.dead:
            self._greenlet = gevent.spawn(self._wait)

    def _disarm(self) -> None:
        if self._greenlet is not None:
            self._greenlet.kill()
            self._greenlet = None

    def _wait(self) -> None:
        gevent.sleep(self._environment.stop_timeout + self._grace_s)
        before, left = -1, self._users()
        while left and left != before:
            gevent.sleep(LOOK_S)
            before, left = left, self._users()
        if left:
            self._on_stuck(left)

    def _users(self) -> int:
        runner = self._environment.runner
        return 0 if runner is None else runner.user_count
