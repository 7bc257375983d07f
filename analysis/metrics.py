"""The time series that a report draws, as data frames; times count from the start."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.measured import Endpoint
from analysis.quantiles import bin_quantiles_ms
from analysis.runs import Run

WIDTHS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)
MOST_POINTS, FEWEST_POINTS = 150, 12
WANTED_IN_BIN = 100
"""Requests in a bin below which its p99 is but its maximum."""
PERCENTILES = {"p50_ms": 0.50, "p95_ms": 0.95, "p99_ms": 0.99}
OTHER_CAUSES = "all other causes"


def bin_width_s(duration_s: int, n: int | None = None) -> int:
    """A round width that gives at most 150 points, and about 100 requests a bin if that leaves 12.

    `n` is how many requests share the bins; without it only the number of points counts.
    """
    allowed = [width for width in WIDTHS_S if duration_s / width <= MOST_POINTS] or [WIDTHS_S[-1]]
    if n is None:
        return allowed[0]
    for width in allowed:
        if duration_s / width <= FEWEST_POINTS or n * width / duration_s >= WANTED_IN_BIN:
            return width
    return allowed[-1]


def latency_series(run: Run, endpoints: Sequence[Endpoint]) -> pd.DataFrame:
    """p50, p95 and p99 of successes over time: `t_s` (middles of bins), `p50_ms`, …, `n`."""
    table = run.windows.of(endpoints)
    width_s = bin_width_s(run.duration_s, int(table.successes.sum()))
    n_bins = -(-run.duration_s // width_s)
    matrix = table.matrix(table.t_s // width_s, n_bins)
    names = ("p50_ms", "p95_ms", "p99_ms")
    values = bin_quantiles_ms(matrix, [PERCENTILES[name] for name in names])
    frame = pd.DataFrame(values, columns=list(names))
    frame.insert(0, "t_s", (np.arange(n_bins) + 0.5) * width_s)
    return frame.assign(n=matrix.sum(axis=1))


def rate_series(run: Run) -> pd.DataFrame:
    """Completed requests and failures per second over time: `t_s`, `rps`, `failures_per_s`."""
    width_s = bin_width_s(run.duration_s)
    failures = _per_second(run, run.windows.t_s, run.windows.failures, width_s)
    successes = _per_second(run, run.windows.t_s, run.windows.successes, width_s)
    times = (np.arange(len(failures)) + 0.5) * width_s
    return pd.DataFrame({"t_s": times, "rps": successes + failures, "failures_per_s": failures})


def user_series(run: Run) -> pd.DataFrame:
    """Planned and actual users over time: `t_s`, `planned`, `users`; the highest of each bin."""
    width_s = bin_width_s(run.duration_s)
    bins = run.users["t_s"] // width_s
    grouped = run.users.groupby(bins)[["planned", "users"]].max()
    return grouped.rename_axis("t_s").reset_index().assign(t_s=lambda f: (f["t_s"] + 0.5) * width_s)


def cause_series(run: Run, *, most: int = 5) -> pd.DataFrame:
    """Failures per second by cause: `t_s` and a column for each of the most frequent causes."""
    width_s = bin_width_s(run.duration_s)
    totals = run.causes.groupby("cause")["n"].sum().sort_values(ascending=False, kind="stable")
    top = list(totals.index[:most])
    named = run.causes["cause"].where(run.causes["cause"].isin(top), OTHER_CAUSES)
    n_bins = -(-run.duration_s // width_s)
    series: dict[str, object] = {"t_s": (np.arange(n_bins) + 0.5) * width_s}
    for cause in [*top, *([OTHER_CAUSES] if len(totals) > most else [])]:
        rows = run.causes[named == cause]
        series[cause] = _per_second(run, rows["t_s"].to_numpy(), rows["n"].to_numpy(), width_s)
    return pd.DataFrame(series)


def health_series(run: Run) -> pd.DataFrame:
    """CPU (mean of a bin, in cores) and lag (worst, in ms) by process: `t_s`, `process`, …"""
    width_s = bin_width_s(run.duration_s)
    bins = (run.health["t_s"] // width_s).rename("t_s")
    grouped = run.health.groupby(["process", bins])
    frame = grouped.agg(cpu=("cpu", "mean"), lag_ms=("lag_ms", "max")).reset_index()
    return frame.assign(t_s=(frame["t_s"] + 0.5) * width_s)


def _per_second(run: Run, t_s: np.ndarray, counts: np.ndarray, width_s: int) -> np.ndarray:
    """Counts summed in bins and divided by the seconds that each bin really has."""
    n_bins = -(-run.duration_s // width_s)
    sums = np.bincount(t_s // width_s, weights=counts, minlength=n_bins)[:n_bins]
    seconds = np.full(n_bins, float(width_s))
    seconds[-1] = run.duration_s - (n_bins - 1) * width_s
    return np.asarray(sums / seconds)
