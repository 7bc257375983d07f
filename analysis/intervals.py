"""How sure a number is: exact binomial bounds, for error rates and for percentiles.

All bounds are one-sided at 95 %, so that a lower and an upper one enclose 90 %.
Both rest on the regularised incomplete beta function, computed here by its continued fraction
(Lentz's method), so that no statistics package is needed at run time.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from analysis.measured import Counts

CONFIDENCE = 0.95
"""Of each one-sided bound."""

_SURE = 8.0
"""Standard deviations beyond which no binomial probability is in doubt."""

_Z = 1.6448536269514722  # the normal quantile at that confidence


def incomplete_beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b), for a and b above 0."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):  # the fraction converges fast only below its mean
        return 1.0 - incomplete_beta(1 - x, b, a)
    log_front = a * math.log(x) + b * math.log1p(-x) - math.log(a)
    log_front += math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    return min(1.0, math.exp(log_front) * _beta_fraction(x, a, b))


def _beta_fraction(x: float, a: float, b: float) -> float:
    tiny = 1e-300
    c, d = 1.0, 1 - (a + b) * x / (a + 1)
    d = 1 / (d if abs(d) > tiny else tiny)
    fraction = d
    for m in range(1, 20_000):
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 + numerator * d
            d = 1 / (d if abs(d) > tiny else tiny)
            c = 1 + numerator / c
            c = c if abs(c) > tiny else tiny
            fraction *= c * d
        if abs(c * d - 1) < 1e-14:
            break
    return fraction


def binomial_cdf(k: int, n: int, p: float) -> float:
    """The probability of at most k successes in n trials."""
    if k < 0 or k >= n:
        return 0.0 if k < 0 else 1.0
    return incomplete_beta(1 - p, n - k, k + 1)


def ratio_bounds(failures: int, n: int, *, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The Clopper–Pearson lower and upper bound of a failure ratio; exact, never too narrow."""
    alpha = 1 - confidence
    low = _solve(alpha, failures, n - failures + 1) if failures > 0 else 0.0
    high = _solve(confidence, failures + 1, n - failures) if failures < n else 1.0
    return low, high


def _solve(target: float, a: float, b: float) -> float:
    """The x where I_x(a, b) equals the target, by bisection."""
    low, high = 0.0, 1.0
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if incomplete_beta(middle, a, b) < target:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def n_needed(failures: int, limit_ratio: float, *, confidence: float = CONFIDENCE) -> int:
    """How many requests, with this many failures among them, prove a ratio below a limit.

    29,956 for no failure and 0.01 %; 47,437 for one.
    """
    if limit_ratio >= 1:
        return failures + 1
    return _first(failures + 1, lambda n: binomial_cdf(failures, n, limit_ratio) < 1 - confidence)


def n_for_percentile(q: float, *, confidence: float = CONFIDENCE) -> int:
    """The fewest values that bound a quantile from above: 59 for p95, 299 for p99."""
    return math.ceil(math.log(1 - confidence) / math.log(q) - 1e-9)


def quantile_levels(
    q: float, n: int, *, confidence: float = CONFIDENCE
) -> tuple[float | None, float | None]:
    """The sample quantiles that bound the true one from below and above, by order statistics.

    None where n values are too few for that bound.
    """
    alpha = 1 - confidence
    # Ranks count from 1; P(the true quantile lies below the r-th value) is P(Bin(n, q) <= r - 1).
    upper = _first(1, lambda rank: rank > n or binomial_cdf(rank - 1, n, q) >= confidence)
    above = _first(1, lambda rank: rank > n or binomial_cdf(rank - 1, n, q) > alpha)
    high = None if upper > n or n < n_for_percentile(q) else upper / n
    return ((above - 1) / n if above > 1 else None), high


def n_for_level(q: float, level: float) -> int | None:
    """About how many values separate a quantile from a limit that lies at a sample level.

    By the normal approximation; None where the limit does not lie above the quantile.
    """
    if level <= q:
        return None
    normal = _Z * _Z * q * (1 - q) / (level - q) ** 2
    return max(n_for_percentile(q), math.ceil(normal))


def design_effect(below: Counts, totals: Counts) -> float:
    """By how much dependence inflates the variance of a share, estimated from blocks of time.

    `below` counts the values under the quantile in each block, `totals` all of them.
    At least 1: requests in one second depend on each other, so a burst counts for less.
    """
    used = totals > 0
    below, totals = below[used], totals[used]
    blocks, n = len(totals), int(totals.sum())
    if blocks < 2 or not n:
        return 1.0
    share = float(below.sum()) / n
    if share <= 0 or share >= 1:
        return 1.0
    spread = float(np.sum((below - share * totals) ** 2)) * blocks / (blocks - 1)
    return max(1.0, spread / (n * share * (1 - share)))


def design_effects(blocks: Counts) -> NDArray[np.float64]:
    """The design effect of the share of values up to each column of a matrix of blocks.

    1 at columns that no value exceeds: how far blocks differ below does not matter there.
    """
    running = np.cumsum(blocks, axis=1)
    totals = running[:, -1]
    n, count = int(totals.sum()), int(np.count_nonzero(totals))
    if count < 2 or not n:
        return np.ones(blocks.shape[1])
    share = running.sum(axis=0) / n
    spread = np.sum((running - share * totals[:, None]) ** 2, axis=0) * count / (count - 1)
    binomial = n * share * (1 - share)
    inside = (share > 0) & (share < 1)
    return np.where(inside, np.maximum(1.0, spread / np.where(inside, binomial, 1.0)), 1.0)


def upper_bound_column(blocks: Counts, q: float, *, confidence: float = CONFIDENCE) -> int | None:
    """The first column at and above which the values prove to exceed a quantile, or None.

    Each column is tested with the design effect of the share that lies up to it, since a bound
    may be where no burst reaches though the quantile itself lies in one.
    """
    counts = blocks.sum(axis=0)
    n, effects = int(counts.sum()), design_effects(blocks)
    shares = np.cumsum(counts) / max(1, n)
    found = None
    for column in np.flatnonzero(counts)[::-1]:
        share, effective = float(shares[column]), int(n / effects[column])
        if effective < n_for_percentile(q, confidence=confidence) or share < q:
            break
        normal = (share - q) * math.sqrt(effective / (q * (1 - q)))
        rank = math.floor(share * effective + 1e-9)
        # Far from the quantile the exact probability, which takes its time, says nothing new.
        if normal < _SURE and binomial_cdf(rank - 1, effective, q) < confidence:
            break
        found = int(column)
    return found


def _first(start: int, holds: Callable[[int], bool]) -> int:
    """The smallest whole number from `start` for which a growing condition holds."""
    step = 1
    while not holds(start + step - 1):
        step *= 2
    low, high = start + step // 2 - 1, start + step - 1
    while high - low > 1:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle
    return high if high >= start else start
