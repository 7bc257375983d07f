"""Student's t distribution, from the incomplete beta function of `analysis.intervals`."""

from __future__ import annotations

import math
from statistics import NormalDist

from analysis.intervals import incomplete_beta

_MOST_STEPS = 200


def two_sided_p(t: float, df: float) -> float:
    """The probability of a value at least as far from 0 as t, with `df` degrees of freedom."""
    return 1.0 if t == 0 else incomplete_beta(df / (df + t * t), df / 2, 0.5)


def t_quantile(q: float, df: float) -> float:
    """The value below which t lies with probability q, for 0 < q < 1."""
    if not 0 < q < 1 or df <= 0:
        raise ValueError(f"no quantile of Student's t for q={q:g} and df={df:g}")
    if q < 0.5:
        return -t_quantile(1 - q, df)
    # The tail is convex and that of the normal distribution is lighter, so Newton's steps rise
    # from its quantile to the wanted one and never beyond.
    t = NormalDist().inv_cdf(q)
    for _ in range(_MOST_STEPS):
        step = (two_sided_p(t, df) - 2 * (1 - q)) / (2 * _density(t, df))
        t += step
        if step <= 1e-13 * t:
            break
    return t


def _density(t: float, df: float) -> float:
    log_front = math.lgamma((df + 1) / 2) - math.lgamma(df / 2) - math.log(df * math.pi) / 2
    return math.exp(log_front - (df + 1) / 2 * math.log1p(t * t / df))
