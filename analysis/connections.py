"""How long connections took to be set up, apart from the latencies that include it.

A latency is what the user lived through, so the first request on a connection carries name lookup,
TCP and TLS. Where many do, a percentile speaks of the network as much as of the service.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.limits import ALL_REQUESTS
from analysis.window_reader import Setup
from otaload.record import Histogram

if TYPE_CHECKING:  # a run is read with pandas, which live judging does without
    from analysis.runs import Run


@dataclass(frozen=True, kw_only=True)
class SetupTimes:
    """Percentiles of one part of the set-up, in milliseconds."""

    p50_ms: float
    p95_ms: float
    max_ms: float


@dataclass(frozen=True, kw_only=True)
class ConnectionFigures:
    """What the requests of an endpoint spent on new connections.

    `opened` connections carried a request; `opened_ratio` is their share of all requests.
    `connect` is name lookup and TCP, `tls` the handshake (None without TLS). `resent` counts the
    requests that were sent again because the kept connection had been closed.
    """

    endpoint: str
    opened: int
    opened_ratio: float
    connect: SetupTimes
    tls: SetupTimes | None
    resent: int


def connection_figures(run: Run) -> tuple[ConnectionFigures, ...]:
    """Each endpoint whose requests opened connections, and last, of several, all requests.

    Empty where no client said so: only the lean one tells its set-up apart.
    """
    found = []
    total = Setup()
    for endpoint in run.endpoints:
        setup = run.setups.get(endpoint)
        if setup is None or not setup.connects.n:
            continue
        total += setup
        table = run.windows.of([endpoint])
        requests = int(table.successes.sum()) + int(table.failures.sum())
        found.append(_figures(run.labels[endpoint], setup, requests))
    if len(found) > 1:
        found.append(_figures(ALL_REQUESTS, total, run.totals[0]))
    return tuple(found)


def _figures(label: str, setup: Setup, requests: int) -> ConnectionFigures:
    return ConnectionFigures(
        endpoint=label,
        opened=setup.connects.n,
        opened_ratio=setup.connects.n / requests,
        connect=_times(setup.connects),
        tls=_times(setup.handshakes) if setup.handshakes.n else None,
        resent=setup.resent,
    )


def _times(histogram: Histogram) -> SetupTimes:
    return SetupTimes(
        p50_ms=(histogram.quantile_us(0.50) or 0.0) / 1000,
        p95_ms=(histogram.quantile_us(0.95) or 0.0) / 1000,
        max_ms=histogram.max_us / 1000,
    )
