"""Soaks of eight hours with a known drift, simulated down to the noise of their percentiles.

The latency of every request is lognormal around the median of its endpoint, times a level that all
endpoints share and that changes from minute to minute. The level is made of

- warm-up: up to four times as slow at first, gone after some minutes,
- waves of one to three hours, ±2 to ±10 % (batch jobs), and one of half a day, ±2 to ±3 %,
- a garbage collector's sawtooth: up to 12 % in 10 to 40 minutes, and back at once,
- a level that wanders by 3 % (neighbours on the machine),
- incidents: 2.7 in 8 hours on average, of 1 to 20 minutes, 1.2 to 5.5 times as slow,
- one restart in two runs of three: seconds without an answer, then cold caches,
- and the drift that is to be found.

How often and how bad incidents are was set so that the obvious figure, the p99 of the last hour's
requests against the first's, calls a drift of 15 % in about 19 % and of 50 % in about 8 % of runs
without any: a background that is too kind would make every estimator look good.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.measured import Endpoint
from analysis.windows import WindowTable
from otaload.record import bucket_bounds_us, bucket_index

Values = NDArray[np.float64]

HOURS = 8
SLICE_S, WINDOW_S = 60, 300
N_SLICES = HOURS * 3600 // SLICE_S
N_WINDOWS = HOURS * 3600 // WINDOW_S
MINUTES: Values = np.arange(N_SLICES, dtype=np.float64) + 0.5
FIRST_MIDDLE_MIN, LAST_MIDDLE_MIN = 45.0, HOURS * 60 - 30.0
"""The middles of the first hour (after a quarter of warm-up) and of the last."""

MIX = ((0.70, 25.0, 0.50), (0.20, 180.0, 0.45), (0.10, 40.0, 0.50))
"""Share, median in ms and sigma of each endpoint: checks, downloads, registrations."""
LOWEST_MS, HIGHEST_MS = 100.0, 60_000.0
"""What is faster than the lowest cannot be the p99 and counts as one bucket."""
REQUESTS_PER_S = (28.0, 486.0)
"""From a hundred calm users, as the soak scenario has them, to 14 million requests a night."""

_STEP = 1e-3
_Z: Values = np.arange(-9.0, 9.0, _STEP, dtype=np.float64)
_NORMAL_CDF: Values = np.array([0.5 * math.erfc(-z / math.sqrt(2)) for z in _Z])
_FIRST, _LAST = bucket_index(int(LOWEST_MS * 1000)), bucket_index(int(HIGHEST_MS * 1000))
_LOG_EDGES_MS: Values = np.log(
    [(bucket_bounds_us(index)[1]) / 1000 for index in range(_FIRST, _LAST)]
)
INCIDENTS = 2.7
SLOWER = (1.2, 5.5)
"""How many there are on average, and the least and the most by which one slows requests down."""


@dataclass(frozen=True)
class Truth:
    """The drift that is put in: the rise from the middle of the first to that of the last hour.

    With `knee_h` the level rises only after that many hours.
    """

    name: str
    rise: float
    knee_h: float | None = None

    def factor(self, minutes: Values) -> Values:
        """The level over time; 1 in the middle of the first hour."""
        start = FIRST_MIDDLE_MIN if self.knee_h is None else self.knee_h * 60
        share = (minutes - start) / (LAST_MIDDLE_MIN - start)
        if self.knee_h is not None:
            share = np.maximum(share, 0.0)
        return np.maximum(1.0 + self.rise * share, 0.5)


def soak(truth: Truth, rng: np.random.Generator) -> WindowTable:
    """One simulated soak: a row for each window of five minutes."""
    log_level = _background(rng) + np.log(truth.factor(MINUTES))
    rate = math.exp(rng.uniform(*np.log(REQUESTS_PER_S)))
    answered = _restart(log_level, rng)
    per_slice = rate * SLICE_S * answered
    shares = _bucket_shares(log_level)
    weights = per_slice.reshape(N_WINDOWS, -1)
    parts = shares.reshape(N_WINDOWS, weights.shape[1], -1)
    expected = weights.sum(axis=1)
    mixed = np.einsum("ws,wsb->wb", weights, parts) / expected[:, None]
    counts = rng.multinomial(rng.poisson(expected), mixed / mixed.sum(axis=1, keepdims=True))
    return _table(counts)


def _background(rng: np.random.Generator) -> Values:
    """The logarithm of the level in each minute, without drift."""
    level = np.log1p(rng.uniform(0.5, 3.0) * np.exp(-MINUTES / rng.uniform(2.0, 5.0)))
    for period_min, most in ((rng.uniform(60, 180), 0.10), (720.0, 0.03)):
        angle = 2 * math.pi * MINUTES / period_min + rng.uniform(0, 2 * math.pi)
        level += rng.uniform(0.02, most) * np.sin(angle)
    period_min, height = rng.uniform(10, 40), rng.uniform(0.02, 0.12)
    level += height * ((MINUTES + rng.uniform(0, period_min)) % period_min) / period_min
    level += _wander(rng, sd=0.03, memory_min=rng.uniform(10, 40))
    for _ in range(rng.poisson(INCIDENTS)):
        start, length = rng.uniform(0, N_SLICES), math.exp(rng.uniform(0, math.log(20)))
        slower = math.exp(rng.uniform(*np.log(SLOWER)))
        overlap = np.clip(
            np.minimum(MINUTES + 0.5, start + length) - np.maximum(MINUTES - 0.5, start), 0, 1
        )
        level += math.log(slower) * overlap
    return level


def _wander(rng: np.random.Generator, *, sd: float, memory_min: float) -> Values:
    """A first-order autoregressive level with a standard deviation and a memory in minutes."""
    keep = math.exp(-1 / memory_min)
    shocks = rng.standard_normal(N_SLICES) * sd * math.sqrt(1 - keep * keep)
    level, values = sd * rng.standard_normal(), np.empty(N_SLICES)
    for i, shock in enumerate(shocks):
        level = keep * level + shock
        values[i] = level
    return values


def _restart(log_level: Values, rng: np.random.Generator) -> Values:
    """Restart the service in two runs of three; the share of each minute that was answered."""
    answered = np.ones(N_SLICES)
    if rng.random() < 2 / 3:
        at = int(rng.integers(20, N_SLICES - 5))
        answered[at] = rng.uniform(0.2, 0.7)
        after = MINUTES[at:] - MINUTES[at]
        log_level[at:] += np.log1p(rng.uniform(0.5, 2.0) * np.exp(-after / rng.uniform(1.0, 4.0)))
    return answered


def _bucket_shares(log_level: Values) -> Values:
    """For each minute, the share of requests in each bucket; the first has all faster ones."""
    cdf = np.zeros((len(log_level), len(_LOG_EDGES_MS)))
    for share, median_ms, sigma in MIX:
        z = (_LOG_EDGES_MS - math.log(median_ms) - log_level[:, None]) / sigma
        at = np.clip((z + 9.0) / _STEP, 0, len(_Z) - 1).astype(np.int32)
        cdf += share * _NORMAL_CDF[at]
    cdf[:, -1] = 1.0
    return np.diff(cdf, axis=1, prepend=0.0)


def _table(counts: NDArray[np.int64]) -> WindowTable:
    rows, columns = np.nonzero(counts)
    zeros = np.zeros(N_WINDOWS, np.int64)
    return WindowTable(
        endpoints=(Endpoint("GET", "/simulated"),),
        t_s=np.arange(N_WINDOWS, dtype=np.int64) * WINDOW_S,
        endpoint=zeros,
        successes=counts.sum(axis=1),
        failures=zeros,
        bytes_in=zeros,
        retries=zeros,
        sum_us=zeros,
        min_us=zeros,
        max_us=zeros,
        offsets=np.concatenate(([0], np.cumsum(np.bincount(rows, minlength=N_WINDOWS)))),
        index=columns + _FIRST,
        count=counts[rows, columns],
    )
