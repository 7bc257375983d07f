"""What was measured of one endpoint, or of several together: what a check is computed from.

The judge asks a `Measurements` for it, so that it judges a loaded run and a live one alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from otaload.record import Histogram, Window, WindowKey

Counts = NDArray[np.int64]
"""Whole numbers; of a matrix, the rows are blocks of time and the columns histogram buckets."""


class Endpoint(NamedTuple):
    """A method (or Locust request type) and the name that its requests were recorded under."""

    method: str
    name: str

    def answers_to(self, written: str) -> bool:
        """Whether a threshold's endpoint, `/name` or `METHOD /name`, means this one."""
        return written in (self.name, f"{self.method} {self.name}")


def endpoint_labels(endpoints: Iterable[Endpoint]) -> dict[Endpoint, str]:
    """What to call each endpoint: its name, with the method where several methods share it."""
    endpoints = list(endpoints)
    names = [endpoint.name for endpoint in endpoints]
    return {
        endpoint: endpoint.name
        if names.count(endpoint.name) == 1
        else f"{endpoint.method} {endpoint.name}"
        for endpoint in endpoints
    }


@dataclass(frozen=True)
class LeadingCause:
    """The most frequent cause among some failures, and the endpoint where it is."""

    endpoint: str
    cause: str
    count: int

    def told(self, failed: int) -> str:
        """It by its share of all failures: `mostly /bundles/download: status 401`."""
        share = "all" if self.count >= failed else "mostly"
        if 2 * self.count < failed:
            share = "most often"
        return f"{share} {self.endpoint}: {self.cause}"


@dataclass(frozen=True)
class Measured:
    """Successes and failures of some requests, merged over time.

    `successes` holds the latencies of successful requests, `failed` counts the others;
    `blocks` has the successes of each stretch of time, which show how far requests depend on
    each other; without it they are taken as independent.
    `leading_cause` is the most frequent cause of the failures, where that is known.
    """

    successes: Histogram
    failed: int
    blocks: Counts | None = None
    leading_cause: LeadingCause | None = None

    @property
    def n(self) -> int:
        """Completed requests, successes and failures together."""
        return self.successes.n + self.failed

    @property
    def error_ratio(self) -> float:
        """Failures among completed requests; 0 where there were none."""
        return self.failed / self.n if self.n else 0.0

    @property
    def failures_told(self) -> str:
        """What most failures were, to follow a comma; nothing where that is not known."""
        if not self.failed or self.leading_cause is None:
            return ""
        return self.leading_cause.told(self.failed)


class Measurements(Protocol):
    """Whatever can say what was measured: a loaded run, or the totals of a live one."""

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        """The endpoints that have at least one completed request."""

    def measured(self, endpoints: Sequence[Endpoint]) -> Measured:
        """The requests of these endpoints together."""


class Totals:
    """Measurements kept in windows merged over time, for live use; needs no run directory."""

    def __init__(self, windows: Iterable[tuple[WindowKey, Window]] = ()) -> None:
        self._windows: dict[Endpoint, Window] = {}
        self.add(windows)

    def add(self, windows: Iterable[tuple[WindowKey, Window]]) -> None:
        """Count some windows in."""
        for key, window in windows:
            endpoint = Endpoint(key.method, key.endpoint)
            total = self._windows.setdefault(endpoint, Window())
            total += window

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        """The endpoints that have at least one completed request, in their order of appearance."""
        return [endpoint for endpoint, window in self._windows.items() if window.n]

    def measured(self, endpoints: Sequence[Endpoint]) -> Measured:
        """The requests of these endpoints together."""
        total = Window()
        labels = endpoint_labels(self.endpoints)
        causes: list[LeadingCause] = []
        for endpoint in endpoints:
            window = self._windows[endpoint]
            total += window
            label = labels.get(endpoint, endpoint.name)
            causes += [LeadingCause(label, cause, n) for cause, n in window.causes.items()]
        leading = max(causes, key=lambda cause: cause.count, default=None)
        return Measured(total.successes, total.failures.n, leading_cause=leading)
