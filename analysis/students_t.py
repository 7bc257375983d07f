"""Student's t distribution, from the incomplete beta function of `analysis.intervals`."""

from __future__ import annotations

import math

from analysis.intervals import beta_quantile, incomplete_beta


def two_sided_p(t: float, df: float) -> float:
    """The probability of a value at least as far from 0 as t, with `df` degrees of freedom."""
    return 1.0 if t == 0 else incomplete_beta(df / (df + t * t), df / 2, 0.5)


def t_quantile(q: float, df: float) -> float:
    """The value below which t lies with probability q, for 0 < q < 1."""
    if not 0 < q < 1 or df <= 0:
        raise ValueError(f"no quantile of Student's t for q={q:g} and df={df:g}")
    if q < 0.5:
        return -t_quantile(1 - q, df)
    if q == 0.5:
        return 0.0
    if q <= 0.75:
        # Near its middle t is read from the other end of the beta distribution, which is exact.
        y = beta_quantile(2 * q - 1, 0.5, df / 2)
        return math.sqrt(df * y / (1 - y))
    x = beta_quantile(2 * (1 - q), df / 2, 0.5)
    return math.sqrt(df * (1 - x) / x)
