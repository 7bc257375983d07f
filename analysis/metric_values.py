"""What a latency metric comes to over some requests: the one figure that is held against limits."""

from __future__ import annotations

from analysis.limits import Metric
from otaload.record import Histogram


def latency_ms(metric: Metric, successes: Histogram) -> float:
    """A percentile, the maximum or the mean of successes, of which there is at least one."""
    if metric.quantile is not None:
        return (successes.quantile_us(metric.quantile) or 0.0) / 1000
    if metric.name == "max":
        return successes.max_us / 1000
    return successes.sum_us / successes.n / 1000
