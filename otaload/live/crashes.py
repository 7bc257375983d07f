"""Sees what the test code raises, wherever it does: Locust logs most of that and goes on.

An exception may end a task, a user, a greenlet or thread that a user started, a profile's `tick` or
a listener; a `sys.exit` in any of them would even end the process with a code of its own and
without a verdict. All of it is noted here, once, and the run ends with 107.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import gevent
import locust
from locust.exception import (
    InterruptTaskSet,
    RescheduleTask,
    RescheduleTaskImmediately,
    StopTest,
    StopUser,
)
from locust.user.task import TaskSet

from otaload.live.console import say
from otaload.live.options import ROOT
from otaload.redaction import Secrets
from otaload.standard_output import write_error

CRASHED = 107

_MEANT = (StopUser, StopTest, InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately)
"""How test code steers Locust; nothing has gone wrong where one of these is raised."""
_SWALLOWED = "Uncaught exception in "
"""How the lines begin that Locust logs in place of letting an exception through."""
_LOCUST = f"{Path(str(locust.__file__)).parent}{os.sep}"
_FRAMEWORK = (
    _LOCUST,
    f"{Path(gevent.__file__).parent}{os.sep}",
    "src/gevent/",  # as its compiled half calls itself
    f"{ROOT / 'otaload'}{os.sep}",
)

Note = Callable[[BaseException], None]


def watch_test_code(note: Note, secrets: Secrets) -> None:
    """Call `note` with everything that the test code of this process raises; set up once."""
    _watch_greenlets(note, secrets)
    _watch_threads(note, secrets)
    _watch_log(note)
    _watch_users(note)


def is_meant(error: BaseException) -> bool:
    """Whether an exception is a word to Locust and no mistake."""
    return isinstance(error, _MEANT)


def is_of_test_code(trace: TracebackType | None) -> bool:
    """Whether an exception was raised by neither Locust nor gevent nor otaload."""
    frames = traceback.extract_tb(trace)
    return bool(frames) and not frames[-1].filename.startswith(_FRAMEWORK)


def is_of_locust(trace: TracebackType | None) -> bool:
    """Whether Locust raised an exception, and nobody had asked it to do what it did."""
    names = [frame.filename for frame in traceback.extract_tb(trace)]
    return (
        bool(names)
        and names[-1].startswith(_LOCUST)
        and all(name.startswith(_FRAMEWORK) for name in names)
    )


def _watch_greenlets(note: Note, secrets: Secrets) -> None:
    """See greenlets that die; a `sys.exit` of the test code ends the greenlet and not the run."""
    hub: Any = gevent.get_hub()
    handle_error = hub.handle_error

    def see(context: Any, kind: Any, value: Any, trace: Any) -> None:
        if not isinstance(value, BaseException) or isinstance(context, dict):
            handle_error(context, kind, value, trace)  # a page of the web UI, say
            return
        ends_process = isinstance(value, SystemExit | KeyboardInterrupt)
        # Stopping a user twice, say, is a mistake of Locust's that costs nothing.
        of_others = not is_of_test_code(trace) if ends_process else is_of_locust(trace)
        if is_meant(value) or of_others:
            handle_error(context, kind, value, trace)
            return
        note(value.with_traceback(trace))
        # As gevent tells it, less what must not be told.
        lines = traceback.format_exception(kind, value, trace)
        write_error(secrets.redact(f"{''.join(lines)}{context!r} failed\n"))

    hub.handle_error = see


def _watch_threads(note: Note, secrets: Secrets) -> None:
    def see(given: Any) -> None:
        if given.exc_value is None or isinstance(given.exc_value, SystemExit):
            return  # a thread that ends itself ends nothing else
        note(given.exc_value)
        name = given.thread.name if given.thread else "a thread"
        lines = traceback.format_exception(given.exc_value)
        write_error(secrets.redact(f"Exception in {name}:\n{''.join(lines)}"))

    threading.excepthook = see


class _Swallowed(logging.Handler):
    """Sees exceptions that Locust logs and swallows: those of listeners and of `on_stop`."""

    def __init__(self, note: Note) -> None:
        super().__init__(logging.ERROR)
        self._note = note

    def emit(self, record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        if error is not None and str(record.msg).startswith(_SWALLOWED):
            self._note(error)


def _watch_log(note: Note) -> None:
    root = logging.getLogger()
    if root.level > logging.ERROR:
        # What the reader does not want to see must be seen here all the same.
        for handler in root.handlers:
            handler.setLevel(max(handler.level, root.level))
        root.setLevel(logging.ERROR)
    root.addHandler(_Swallowed(note))


def _watch_users(note: Note) -> None:
    """See a user that ends itself as if Locust had killed it, which nobody else would notice."""
    run: Callable[[TaskSet], None] = TaskSet.run

    def see(self: TaskSet) -> None:
        try:
            run(self)
        except gevent.GreenletExit as error:
            if is_of_test_code(error.__traceback__):
                note(error)
            raise

    TaskSet.run = see  # type: ignore[method-assign,misc]  # it is final to heirs


def tell_uncaught(secrets: Secrets) -> None:
    """Have what ends the process told without secrets; where it is a locustfile that cannot be
    loaded, as what it is: a mistake of the test code."""

    def see(kind: type[BaseException], value: BaseException, trace: TracebackType | None) -> None:
        lines = traceback.format_exception(kind, value, trace)
        write_error(secrets.redact("".join(lines)))
        if is_import_of_test_code(trace):
            write_error("otaload: error: the locustfile cannot be loaded; nothing was run\n")
            sys.exit(CRASHED)

    sys.excepthook = see


def is_import_of_test_code(trace: TracebackType | None) -> bool:
    """Whether Locust was loading a locustfile when an exception was raised."""
    return any(frame.name == "load_locustfile" for frame in traceback.extract_tb(trace))


def refuse_to_start(error: BaseException) -> None:
    """End the process because what prepares the test has failed."""
    say(f"otaload: error: the test code raised before the run began ({type(error).__name__})")
    sys.exit(CRASHED)
