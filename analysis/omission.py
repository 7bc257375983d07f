"""Coordinated omission: what users that wait for slow answers do not measure.

A user that waits sends nothing, so that a stall of 10 s is measured once by each user in place of
once by each request that was due in it. With a pacing P it is known what was due: the correction
adds, for a latency v above P, also v − P, v − 2P, … down to P. Tiers judge the latencies as they
were measured; where the correction or the lost iterations say that they flatter, the run warns.

With think times there is no schedule to hold a run against. What there is then is the lost load:
the share of the users' time that went into waiting for answers beyond what they take when the
service is at its fastest, and so the load that the same users would have made and did not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from analysis.arrivals import has_arrivals
from analysis.figures import stage_of_seconds
from analysis.limits import ALL_REQUESTS
from analysis.measured import Counts
from otaload.record import Histogram, bucket_bounds_us

if TYPE_CHECKING:  # a run is read with pandas, which live judging does without
    from analysis.runs import Run

MOST_LOST_RATIO = 0.01
MOST_CORRECTION = 1.1
"""A run warns above this share of lost iterations, or this ratio of corrected to raw p99."""
LEAST_IN_STAGE = 20
"""Successes of an endpoint below which a stage does not show how fast it can be."""
QUANTILES = (0.50, 0.95, 0.99)


@dataclass(frozen=True, kw_only=True)
class Corrected:
    """An endpoint's latencies as measured, and corrected for the requests that were not sent."""

    endpoint: str
    n: int
    n_corrected: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    p50_corrected_ms: float
    p95_corrected_ms: float
    p99_corrected_ms: float

    @property
    def correction(self) -> float:
        """The corrected p99 divided by the raw one."""
        return self.p99_corrected_ms / self.p99_ms if self.p99_ms else 1.0


@dataclass(frozen=True, kw_only=True)
class Omission:
    """What a run's users did not measure while they waited.

    `iterations` that were started on a schedule and `lost` ones, and how late those started were.
    With a pacing: `rows` for the endpoints and all requests. Without one, or where users bring a
    schedule of their own: `lost_load_ratio`, None where the run does not tell (it needs two stages
    with enough requests, and its users).
    """

    pacing_s: float | None = None
    iterations: int = 0
    lost: int = 0
    late_mean_ms: float = 0.0
    late_max_ms: float = 0.0
    rows: tuple[Corrected, ...] = ()
    lost_load_ratio: float | None = None

    @property
    def lost_ratio(self) -> float:
        """Lost iterations among the planned ones; 0 where none was planned."""
        planned = self.iterations + self.lost
        return self.lost / planned if planned else 0.0

    @property
    def worst(self) -> Corrected | None:
        """The endpoint that the correction changes most, if it changes any by more than 10 %."""
        worst = max(self.rows, key=lambda row: row.correction, default=None)
        return worst if worst is not None and worst.correction > MOST_CORRECTION else None


def run_omission(run: Run) -> Omission | None:
    """What the users of a run did not measure; None of a run without a request."""
    if not run.endpoints:
        return None
    if run.meta.pacing_s is None and has_arrivals(run):
        return None  # what was not sent was missed, and is counted as that
    kept = run.health
    iterations = int(kept["iterations"].sum())
    found = Omission(
        pacing_s=run.meta.pacing_s,
        iterations=iterations,
        lost=int(kept["lost"].sum()),
        late_mean_ms=float(kept["late_sum_ms"].sum()) / iterations if iterations else 0.0,
        late_max_ms=float(kept["late_max_ms"].max()) if iterations else 0.0,
    )
    if found.pacing_s is None:
        return replace(found, lost_load_ratio=_lost_load_ratio(run))
    groups = [(run.labels[endpoint], [endpoint]) for endpoint in run.endpoints]
    if len(groups) > 1:
        groups.append((ALL_REQUESTS, list(run.endpoints)))
    raw = ((label, run.windows.of(endpoints).histogram()) for label, endpoints in groups)
    rows = tuple(_row(label, one, found.pacing_s) for label, one in raw if one.n)
    return replace(found, rows=rows)


def corrected(raw: Histogram, period_us: int) -> Histogram:
    """The latencies, and those that would have been measured in between every `period_us`.

    A latency stands for its whole bucket, so that the correction is as exact as the histogram.
    """
    total = Histogram()
    total += raw
    for index, count in raw.counts.items():
        low, high = bucket_bounds_us(index)
        value_us = (low + high) // 2
        missing = value_us // period_us - 1
        if missing < 1:
            continue
        values = value_us - period_us * np.arange(1, missing + 1, dtype=np.int64)
        indices, counts = np.unique(_bucket_indices(values), return_counts=True)
        for at, n in zip(indices.tolist(), counts.tolist(), strict=True):
            total.counts[at] = total.counts.get(at, 0) + n * count
        total.n += missing * count
        total.sum_us += int(values.sum()) * count
        total.min_us = min(total.min_us, int(values[-1]))
    return total


def _bucket_indices(values_us: NDArray[np.int64]) -> Counts:
    """`otaload.record.bucket_index` of many values."""
    bit_lengths = np.frexp(values_us.astype(np.float64))[1].astype(np.int64)
    exponents = np.maximum(0, bit_lengths - 8)
    found: Counts = (exponents << 7) + (values_us >> exponents)
    return found


def _row(label: str, raw: Histogram, pacing_s: float) -> Corrected:
    whole = corrected(raw, max(1, round(pacing_s * 1e6)))
    measured = [(raw.quantile_us(q) or 0.0) / 1000 for q in QUANTILES]
    better = [(whole.quantile_us(q) or 0.0) / 1000 for q in QUANTILES]
    return Corrected(
        endpoint=label,
        n=raw.n,
        n_corrected=whole.n,
        p50_ms=measured[0],
        p95_ms=measured[1],
        p99_ms=measured[2],
        p50_corrected_ms=better[0],
        p95_corrected_ms=better[1],
        p99_corrected_ms=better[2],
    )


def _lost_load_ratio(run: Run) -> float | None:
    """The share of the users' time that they waited for longer than at the fastest stage."""
    inside = run.users[run.users["t_s"] <= run.load_s]
    user_s = float(inside["users"].mean()) * run.load_s if len(inside) else 0.0
    if not run.meta.stages or user_s <= 0:
        return None
    table, stage = run.windows, stage_of_seconds(run)
    shape = len(table.endpoints), len(run.meta.stages)
    cells = table.endpoint * shape[1] + stage
    size = shape[0] * shape[1]
    n = np.bincount(cells, table.successes, minlength=size).reshape(shape)
    waited_us = np.bincount(cells, table.sum_us, minlength=size).reshape(shape)
    shows = n >= LEAST_IN_STAGE
    if shows.sum(axis=1).max() < 2:
        return None  # nothing to hold the only stage against
    means_us = np.where(shows, waited_us / np.maximum(n, 1), np.inf)
    fastest_us = means_us.min(axis=1)
    known = np.isfinite(fastest_us)
    beyond_us = waited_us[known].sum() - (fastest_us[known] * n[known].sum(axis=1)).sum()
    return float(np.clip(beyond_us / 1e6 / user_s, 0.0, 1.0))
