"""Locust's own statistics, fed once a second from ours.

Locust counts every request by a listener of its own, 3 µs each: more than the parsing of a small
response. What it would count is in the recorded windows already, to 0.4 %, and Locust itself rounds
to two digits. So that listener is taken out and whole windows are added in the way in which a
master adds its workers' reports: tables, CSV files, the web UI and `environment.stats` keep
working, a second or two late while a run is under way and complete at its end.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from locust.env import Environment
from locust.stats import RequestStats, StatsEntry, StatsError, bucket_response_time

from otaload.record import Window, WindowKey, bucket_value_us

KEPT_SECONDS = 60
"""Of requests per second; for its current rates Locust looks back 12 s."""


def silence_per_request_statistics(environment: Environment) -> bool:
    """Take Locust's listener out of the `request` event; whether it was found there."""
    hook = environment.events.request
    for listener in list(hook._handlers):
        if getattr(listener, "__qualname__", "") == "Runner.__init__.<locals>.on_request":
            hook.remove_listener(listener)
            return True
    return False


def add_windows(stats: RequestStats, windows: Iterable[tuple[WindowKey, Window]]) -> None:
    """Add windows to Locust's statistics: requests, failures, latencies, bytes, error texts."""
    for key, window in windows:
        entry = _entry_of(stats, key, window)
        stats.total.extend(entry)
        stats.get(key.endpoint, key.method).extend(entry)
        for cause, count in window.causes.items():
            _add_error(stats, key, cause, count)


def forget_old_seconds(stats: RequestStats) -> None:
    """Drop the requests of seconds long past, which Locust never looks at and keeps for ever.

    In a night of four endpoints that is a dozen megabytes, in a master as well.
    """
    oldest = (stats.last_request_timestamp or 0.0) - KEPT_SECONDS
    for entry in (stats.total, *stats.entries.values()):
        for table in (entry.num_reqs_per_sec, entry.num_fail_per_sec):
            if len(table) > 2 * KEPT_SECONDS:
                for second in [second for second in table if second < oldest]:
                    del table[second]


def _entry_of(stats: RequestStats, key: WindowKey, window: Window) -> StatsEntry:
    every = window.successes + window.failures
    entry = StatsEntry(stats, key.endpoint, key.method)
    # Never before the statistics began, or a reset would be undone; and the last second counts
    # whole, as far as it is over, or the rates of short runs would be too high.
    entry.start_time = max(float(key.second), stats.start_time)
    entry.last_request_timestamp = min(time.time(), key.second + 1.0)
    entry.num_requests = every.n
    entry.num_failures = window.failures.n
    # Annotated as whole numbers, they are whatever a request's latency was.
    entry.total_response_time = every.sum_us / 1000  # type: ignore[assignment]
    entry.min_response_time = every.min_us / 1000  # type: ignore[assignment]
    entry.max_response_time = every.max_us / 1000  # type: ignore[assignment]
    entry.total_content_length = window.bytes_in
    entry.num_reqs_per_sec[key.second] = every.n
    if window.failures.n:
        entry.num_fail_per_sec[key.second] = window.failures.n
    for index, count in every.counts.items():
        entry.response_times[bucket_response_time(bucket_value_us(index) / 1000)] += count
    return entry


def _add_error(stats: RequestStats, key: WindowKey, cause: str, count: int) -> None:
    error_key = StatsError.create_key(key.method, key.endpoint, cause)
    error = stats.errors.get(error_key)
    if error is None:
        error = stats.errors[error_key] = StatsError(key.method, key.endpoint, cause)
    error.occurrences += count
    error.first_seen = min(error.first_seen or key.second, key.second)
    error.last_seen = max(error.last_seen or key.second, key.second)
