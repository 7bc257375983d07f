"""The end of the workers' processes: what their test code raises there is heard by the master.

Locust's workers take their leave before the `quitting` listeners of a locustfile are called, and
its master listens for half a second more.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import gevent
from locust import events
from locust.runners import MasterRunner

from otaload.live.console import say

LAST_WORDS_S = 5.0
"""How long a master waits for the processes of its workers to end."""


def speak_last(speak: Callable[[], None]) -> None:
    """On a worker: speak after all listeners of `quitting`, and before Locust takes its leave."""
    handlers = events.quitting._handlers  # which are called backwards
    locusts = [handler for handler in handlers if str(handler.__module__).startswith("locust.")]
    others = [handler for handler in handlers if handler not in locusts]
    handlers[:] = [*locusts, lambda **_: speak(), *others]


def hear_workers_out(master: MasterRunner) -> None:
    """Have a master that quits wait until its workers have taken their leave."""
    quit_at_once = master.quit

    def quit_when_heard() -> None:
        master.stop(send_stop_to_client=False)
        leaving = _there(master)
        master.send_message("quit")
        deadline = time.monotonic() + LAST_WORDS_S
        while leaving and time.monotonic() < deadline:
            gevent.sleep(0.02)
            leaving &= _there(master)
        if leaving:
            say(
                f"otaload: {len(leaving)} of the workers have not ended {LAST_WORDS_S:g} s after "
                "the run; what their test code raises from here on is not seen"
            )
        quit_at_once()

    master.quit = quit_when_heard  # type: ignore[method-assign]


def _there(master: MasterRunner) -> set[str]:
    """The workers that Locust counts; where the last of them leaves by itself, there is none."""
    clients = master.clients
    return {client.id for client in (*clients.ready, *clients.spawning, *clients.running)}
