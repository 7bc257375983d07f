"""The workers that a master has forked with `--processes` end with it.

Locust tells them to quit and looks away; one that stands still would stay behind for ever.
"""

from __future__ import annotations

import atexit
import contextlib
import time

import psutil

GRACE_S = 5.0
"""For a worker that was told to quit; it has been drained, and has only its exit before it."""


def end_forked_workers_at_exit() -> None:
    """Call it on the master before it starts any other process."""
    atexit.register(_end, psutil.Process().children())


def _end(workers: list[psutil.Process]) -> None:
    deadline = time.monotonic() + GRACE_S
    while any(map(_alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    for worker in filter(_alive, workers):
        with contextlib.suppress(psutil.NoSuchProcess):
            worker.kill()


def _alive(process: psutil.Process) -> bool:
    """Whether it still does something; its status is left to Locust, which asks for it."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
