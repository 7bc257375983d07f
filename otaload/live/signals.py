"""Ctrl-C, SIGTERM, a closed terminal: the first lets what is in flight finish, the second ends.

Locust itself dies on SIGTERM during a profile without a word, so the handlers are ours.
"""

from __future__ import annotations

import os
import signal
import sys

import gevent
import psutil

from otaload.live.console import say
from otaload.live.session import Session
from otaload.live.worker import WorkerSession

INTERRUPTED = 105


class Interrupts:
    """Answers SIGINT, SIGTERM and SIGHUP on the process that owns the run."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._seen = False

    def install(self) -> None:
        """Take the signals over, and the end of the terminal where it is not to be ignored."""
        numbers = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as `nohup` has it
            numbers.append(signal.SIGHUP)
        for number in numbers:
            gevent.signal_handler(number, self._on_signal, signal.Signals(number).name)

    def _on_signal(self, name: str) -> None:
        session = self._session
        if self._seen:
            say(f"otaload: {name} again: ending at once")
            session.abandon(name, code=INTERRUPTED)
            for child in psutil.Process().children():
                child.kill()
            os._exit(INTERRUPTED)
        self._seen = True
        if not session.running:
            if session.headless and session.last is None:
                # Still waiting for workers, say.
                session.discard()
                sys.exit(INTERRUPTED)
        else:
            session.interrupt(name)
            say(f"otaload: {name}: requests in flight may finish (once more to end at once)")
            session.stop()
        if session.environment.web_ui is not None:
            session.environment.web_ui.stop()


class WorkerInterrupts:
    """Answers SIGINT and SIGTERM on a worker: send the last report, then go.

    A Ctrl-C in the terminal reaches master and workers alike; the master then waits for exactly
    this report.
    """

    def __init__(self, session: WorkerSession) -> None:
        self._session = session
        self._seen = False

    def install(self) -> None:
        """Take both signals over."""
        for number in (signal.SIGINT, signal.SIGTERM):
            gevent.signal_handler(number, self._on_signal)

    def _on_signal(self) -> None:
        if self._seen:
            os._exit(INTERRUPTED)
        self._seen = True
        self._session.leave()
