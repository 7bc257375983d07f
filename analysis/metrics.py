"""The time series that a report draws, as data frames; times count from the start."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.latency_bins import LatencyBins, bin_width_s, latency_bins
from analysis.measured import Endpoint
from analysis.quantiles import bin_quantiles_ms
from analysis.runs import Run

PERCENTILES = {"p50_ms": 0.50, "p95_ms": 0.95, "p99_ms": 0.99}
OTHER_CAUSES = "all other causes"


def latency_series(run: Run, endpoints: Sequence[Endpoint]) -> pd.DataFrame:
    """p50, p95, p99 and max of successes over time: `t_s` (middles of bins), `p50_ms`, …, `n`."""
    return series_of(latency_bins(run, endpoints))


def series_of(bins: LatencyBins) -> pd.DataFrame:
    """The same of latencies that are in bins already."""
    values = bin_quantiles_ms(bins.matrix, list(PERCENTILES.values()))
    frame = pd.DataFrame(values, columns=list(PERCENTILES))
    frame.insert(0, "t_s", bins.t_s)
    return frame.assign(max_ms=bins.max_ms, n=bins.n)


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
