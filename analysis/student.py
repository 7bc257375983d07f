"""Quantiles of Student's t distribution, for intervals from few values."""

from __future__ import annotations

from analysis.intervals import incomplete_beta


def t_quantile(p: float, df: float) -> float:
    """The t below which Student's distribution with `df` degrees of freedom has probability `p`.

    By bisection of the incomplete beta function; `p` lies between 0 and 1.
    """
    if not 0 < p < 1 or df <= 0:
        raise ValueError(f"no quantile of Student's t for p={p:g} and df={df:g}")
    if p < 0.5:
        return -t_quantile(1 - p, df)
    low, high = 0.0, 1.0
    while _cdf(high, df) < p:
        low, high = high, 2 * high
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if _cdf(middle, df) < p else (low, middle)
    return (low + high) / 2


def _cdf(t: float, df: float) -> float:
    """The distribution's share below a t that is not negative."""
    return 1 - 0.5 * incomplete_beta(df / (df + t * t), df / 2, 0.5)
