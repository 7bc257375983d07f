"""Listens to Locust's `request` and `user_error` events of one process."""

from __future__ import annotations

import time
import traceback
from types import TracebackType
from typing import Any

from locust.env import Environment

from otaload.record import Recorder

MAX_HOSTS = 100
MAX_TRACEBACK_LENGTH = 8000


class Counting:
    """What one process has seen of a run: windows, hosts that were contacted, crashed users."""

    def __init__(self, environment: Environment) -> None:
        self.recorder = Recorder()
        self.hosts: dict[str, int] = {}
        self.crashes = 0
        self.first_crash: str | None = None
        environment.events.request.add_listener(self.on_request)
        environment.events.user_error.add_listener(self.on_user_error)

    def reset(self) -> None:
        """Forget the last run."""
        self.recorder = Recorder()
        self.hosts = {}
        self.crashes = 0
        self.first_crash = None

    def on_request(
        self,
        request_type: str,
        name: str,
        response_time: float,
        response_length: int,
        exception: BaseException | None = None,
        context: Any = None,
        start_time: float | None = None,
        url: str | None = None,
        **_ignored: Any,
    ) -> None:
        """Count a finished request; clients that do not say when it started are reckoned back."""
        if start_time is None:
            start_time = time.time() - response_time / 1000.0
        cause = None if exception is None else (str(exception) or type(exception).__name__)
        retry = bool(context) and isinstance(context, dict) and "otaload_retry" in context
        self.recorder.record(
            request_type, name, start_time, response_time, response_length or 0, cause, retry=retry
        )
        if url:
            scheme_end = url.find("://") + 3
            path_at = url.find("/", scheme_end)
            host = url[scheme_end:path_at] if path_at > 0 else url[scheme_end:]
            if host in self.hosts or len(self.hosts) < MAX_HOSTS:
                self.hosts[host] = self.hosts.get(host, 0) + 1

    def on_user_error(
        self, exception: BaseException, tb: TracebackType | None, **_ignored: Any
    ) -> None:
        """Count an exception that the test code raised; the first one is kept whole."""
        self.crashes += 1
        if self.first_crash is None:
            lines = traceback.format_exception(type(exception), exception, tb)
            self.first_crash = "".join(lines)[-MAX_TRACEBACK_LENGTH:]
