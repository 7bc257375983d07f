"""Listens to Locust's `request` and `user_error` events of one process."""

from __future__ import annotations

import re
import time
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Any

from locust.env import Environment

from otaload.http import Response
from otaload.live.crashes import is_meant
from otaload.live.locust_statistics import (
    add_windows,
    forget_old_seconds,
    silence_per_request_statistics,
)
from otaload.record import OTHER, Recorder, Window, WindowKey
from otaload.record.text import as_text
from otaload.redaction import Secrets

MAX_HOSTS = 100
MAX_HOST_LENGTH = 300
"""Beyond the 253 characters of a name and its port, it is none."""
MAX_URLS = 1000
MAX_URL_LENGTH = 500
"""Longer ones are taken apart each time, rather than remembered."""
MAX_TRACEBACK_LENGTH = 8000

_AUTHORITY_END = re.compile(r"[/?#]")


class Counting:
    """What one process has seen of a run: windows, hosts that were contacted, crashes."""

    def __init__(self, environment: Environment, secrets: Secrets | None = None) -> None:
        self.secrets = secrets or Secrets()
        self.recorder = Recorder(clean=self.secrets.redact)
        self.hosts: dict[str, int] = {}
        self.production_hosts: set[str] = set()
        self.on_new_host: Callable[[str], None] | None = None
        self.crashes = 0
        self.first_crash: str | None = None
        self._last_crash: BaseException | None = None
        self._host_of: dict[str, str] = {}
        self._environment = environment
        self._feeds_locust = silence_per_request_statistics(environment)
        self._held: list[tuple[WindowKey, Window]] = []
        if self._feeds_locust:
            # The first of all listeners, so that a locustfile's own finds the statistics complete.
            environment.events.test_stop._handlers.insert(0, self._on_test_stop)
            environment.events.spawning_complete.add_listener(self._on_spawning_complete)
            environment.events.reset_stats.add_listener(self._on_reset_stats)
        self.listener = environment.events.request.add_listener(self.on_request)
        # The lean client then need not spell each response out as an event for us to put together.
        environment.response_counter = self  # type: ignore[attr-defined]
        environment.events.user_error.add_listener(self.on_user_error)

    def reset(self) -> None:
        """Forget the last run; what was raised since its crashes were taken is of the next."""
        self.recorder = Recorder(clean=self.secrets.redact)
        self._held = []
        self._host_of = {}
        self.hosts = {}
        self.production_hosts = set()

    def take_crashes(self) -> tuple[int, str | None]:
        """How often the test code raised, and the first traceback; both are forgotten here."""
        crashes, first = self.crashes, self.first_crash
        self.crashes, self.first_crash, self._last_crash = 0, None, None
        return crashes, first

    def take(self, *, before_second: int | None = None) -> list[tuple[WindowKey, Window]]:
        """What was recorded so far (before a second, if given); Locust's statistics get it, too."""
        windows = self.recorder.take(before_second=before_second)
        if self._feeds_locust:
            add_windows(self._environment.stats, windows)
            forget_old_seconds(self._environment.stats)
        held, self._held = self._held, []
        return [*held, *windows]

    def _on_test_stop(self, **_: Any) -> None:
        """Locust's statistics get all there is; the run's books get it when they ask."""
        self._held = self.take()

    def _on_spawning_complete(self, **_: Any) -> None:
        if self._environment.reset_stats:
            self._on_reset_stats()

    def _on_reset_stats(self, **_: Any) -> None:
        """What came before a reset of Locust's statistics is in the run and not in those."""
        self._held += self.recorder.take()

    def on_request(
        self,
        request_type: str,
        name: str,
        response_time: float | None,
        response_length: float | None,
        exception: BaseException | None = None,
        context: Any = None,
        start_time: float | None = None,
        url: str | None = None,
        response: Any = None,
        **_ignored: Any,
    ) -> None:
        """Count a finished request; clients that do not say when it started are reckoned back."""
        latency_ms = response_time or 0.0
        if start_time is None:
            start_time = time.time() - latency_ms / 1000.0
        cause = None if exception is None else (str(exception) or type(exception).__name__)
        retry = bool(context) and isinstance(context, dict) and "otaload_retry" in context
        # Locust takes whatever has a hash for a name.
        request_type, name = str(request_type), str(name)
        length = int(response_length or 0)
        if isinstance(response, Response):
            self._record(
                response, request_type, name, start_time, latency_ms, length, cause, retry=retry
            )
            if url:
                self._count_host(url)
            return
        record = self.recorder.record
        record(request_type, name, start_time, latency_ms, length, cause, retry=retry)
        if url:
            self._count_host(url)
        if response is not None:
            # Locust's own clients follow redirects within one request; ours tells each hop.
            for hop_url in urls_behind(response) - {url}:
                self._count_host(hop_url)

    def count(self, response: Response, name: str) -> None:
        """Count what the lean client has to report; the same as `on_request` with its event."""
        message = response.message
        exception = response.exception
        if exception is None and response.reused and not response.context:
            self.recorder.record_success(
                message.method, name, response.start_time, response.total_s, response.body_bytes
            )
        else:
            context = response.context
            self._record(
                response,
                message.method,
                name,
                response.start_time,
                response.total_s * 1000.0,
                response.body_bytes,
                None if exception is None else (str(exception) or type(exception).__name__),
                retry=bool(context) and "otaload_retry" in context,
            )
        self._count_host(message.target.url)

    def _record(
        self,
        response: Response,
        method: str,
        name: str,
        start_s: float,
        latency_ms: float,
        bytes_in: int,
        cause: str | None,
        *,
        retry: bool,
    ) -> None:
        record = self.recorder.record
        if response.reused:
            record(method, name, start_s, latency_ms, bytes_in, cause, retry=retry)
        elif not response.first_byte_at:
            record(
                *(method, name, start_s, latency_ms, bytes_in, cause),
                retry=retry,
                resent=response.retried,
            )
        else:
            # A connection that was opened and then of use: what its set-up took is known.
            record(
                *(method, name, start_s, latency_ms, bytes_in, cause),
                retry=retry,
                connect_s=response.connect_s,
                tls_s=response.tls_s,
                resent=response.retried,
            )

    def _count_host(self, url: str) -> None:
        host = self._host_of.get(url)
        if host is None:
            host = as_text(host_in(url))
            if len(self._host_of) < MAX_URLS and len(url) <= MAX_URL_LENGTH:
                self._host_of[url] = host
        if not host:
            return  # a path, whose host is not told
        if host in self.hosts:
            self.hosts[host] += 1
            return
        self.add_host(host, 1)
        if self.on_new_host is not None:
            self.on_new_host(host)

    def add_host(self, host: str, count: int) -> None:
        """Count requests to a host; those beyond the bound are counted together."""
        name = host if host in self.hosts or len(self.hosts) < MAX_HOSTS else OTHER
        name = name if len(name) <= MAX_HOST_LENGTH else OTHER
        self.hosts[name] = self.hosts.get(name, 0) + count

    def add_production_host(self, host: str) -> None:
        """Keep that a host which was contacted is production, up to the same bound."""
        if len(self.production_hosts) < MAX_HOSTS and len(host) <= MAX_HOST_LENGTH:
            self.production_hosts.add(host)
        else:
            self.production_hosts.add(OTHER)

    def on_user_error(
        self, exception: BaseException, tb: TracebackType | None, **_ignored: Any
    ) -> None:
        """Count an exception that a user raised."""
        self.note_crash(exception.with_traceback(tb))

    def note_crash(self, error: BaseException) -> None:
        """Count an exception that the test code raised, once; the first is kept as it stands."""
        if error is self._last_crash or is_meant(error):
            return
        self._last_crash = error
        self.crashes += 1
        if self.first_crash is None:
            lines = as_text("".join(traceback.format_exception(error)))
            self.first_crash = without_middle(self.secrets.redact(lines))


def without_middle(text: str) -> str:
    """A traceback of bounded length: a long message or a deep recursion is cut in the middle.

    What was raised stands between the last frame and the message, both of which may be long.
    """
    if len(text) <= MAX_TRACEBACK_LENGTH:
        return text
    half = MAX_TRACEBACK_LENGTH // 2
    head, tail = text[:half], text[-half:]
    return f"{head.rpartition(chr(10))[0] or head}\n…\n{tail.partition(chr(10))[2] or tail}"


def host_in(url: str) -> str:
    """Host and port as an absolute URL names them; empty for a path."""
    _, found, rest = url.partition("://")
    if not found:
        return ""
    # A user and a password, which Locust's own clients take, are nobody's business.
    return _AUTHORITY_END.split(rest, 1)[0].rpartition("@")[2].lower()


def urls_behind(response: Any) -> set[str]:
    """The URLs that a response of requests or of geventhttpclient came by."""
    urls = set()
    for hop in (*(getattr(response, "history", None) or ()), response):
        # While its event is fired, Locust has the name of the statistics in place of the URL.
        for owner in (hop, getattr(hop, "request", None)):
            url = getattr(owner, "url", None)
            if isinstance(url, str):
                urls.add(url)
    return urls
