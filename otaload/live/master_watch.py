"""Whether a worker's master is still there: one that is gone will never tell it to stop."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import gevent

MASTER_LOST_S = 15
"""Seconds without a word of the master after which a worker ends; Locust itself takes 60."""


class MasterWatch:
    """Looks once a second; calls `on_lost` with the reason, once.

    The seconds are counted one by one and not read off a clock: in those in which this process
    itself was stopped it could not have heard anybody. A worker that the master has forked notices
    its end at once.
    """

    def __init__(self, *, forked: bool, on_lost: Callable[[str], None]) -> None:
        self._forked = forked
        self._parent = os.getppid()
        self._on_lost = on_lost
        self._silent_s = 0
        self._greenlet = gevent.spawn(self._watch)

    def hear(self, **_: Any) -> None:
        """The master has answered a heartbeat."""
        self._silent_s = 0

    def _watch(self) -> None:
        while True:
            gevent.sleep(1)
            self._silent_s += 1
            if self._forked and os.getppid() != self._parent:
                self._on_lost("the process that started this one has ended")
                return
            if self._silent_s >= MASTER_LOST_S:
                self._on_lost(f"no word of the master for {MASTER_LOST_S} s")
                return
