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
_HANGUP = signal.SIGHUP.name
"""Never a second signal: shell and kernel each send one when the terminal closes."""


class Interrupts:
    """Answers SIGINT, SIGTERM and SIGHUP on the process that owns the run."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._seen = False

    def install(self) -> None:
        """Take the signals over."""
        for number in _signals():
            gevent.signal_handler(number, self._on_signal, signal.Signals(number).name)

    def _on_signal(self, name: str) -> None:
        session = self._session
        if self._seen:
            if name == _HANGUP:
                return
            try:
                session.abandon(name, code=INTERRUPTED)
                say(f"otaload: {name} again: ended at once")
            finally:
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
            stopping = gevent.spawn(session.stop)
            say(f"otaload: {name}: requests in flight may finish (once more to end at once)")
            stopping.join()
        if session.environment.web_ui is not None:
            session.environment.web_ui.stop()


class WorkerInterrupts:
    """Answers SIGINT, SIGTERM and SIGHUP on a worker: send the last report, then go.

    A Ctrl-C in the terminal reaches master and workers alike; the master then waits for exactly
    this report.
    """

    def __init__(self, session: WorkerSession) -> None:
        self._session = session
        self._seen = False

    def install(self) -> None:
        """Take the signals over."""
        for number in _signals():
            gevent.signal_handler(number, self._on_signal, signal.Signals(number).name)

    def _on_signal(self, name: str) -> None:
        if self._seen:
            if name == _HANGUP:
                return
            os._exit(INTERRUPTED)
        self._seen = True
        self._session.leave()


def _signals() -> list[signal.Signals]:
    """Those that end a run; the end of the terminal is among them where it is not ignored."""
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as `nohup` has it
        numbers.append(signal.SIGHUP)
    return numbers
