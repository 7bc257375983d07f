"""Welch's interval for the difference of two means: groups may differ in size and in spread."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.students_t import t_quantile, two_sided_p


@dataclass(frozen=True)
class MeanDifference:
    """The mean of the second group less that of the first, with its standard error.

    `df` are the degrees of freedom of Welch and Satterthwaite.
    """

    estimate: float
    standard_error: float
    df: float

    def bounds(self, confidence: float) -> tuple[float, float]:
        """The two-sided interval."""
        margin = self.margin(confidence)
        return self.estimate - margin, self.estimate + margin

    def margin(self, confidence: float) -> float:
        """Half the width of the two-sided interval."""
        if self.standard_error == 0:
            return 0.0
        return t_quantile((1 + confidence) / 2, self.df) * self.standard_error

    @property
    def p(self) -> float:
        """The probability of a difference at least as large between equal groups."""
        if self.standard_error == 0:
            return 0.0 if self.estimate else 1.0
        return two_sided_p(self.estimate / self.standard_error, self.df)

    def smallest_shown(self, confidence: float, *, least: float, power: float) -> float:
        """About the true difference that such an interval shows with a chance of `power`.

        Shown is an estimate of at least `least` whose interval leaves out 0.
        """
        spread = t_quantile(power, self.df) * self.standard_error
        return max(self.margin(confidence), least) + spread


def mean_difference(
    first: Sequence[float], second: Sequence[float], *, least_error: float = 0.0
) -> MeanDifference:
    """The difference of two groups of at least two values each.

    `least_error` is a standard error known from elsewhere, below which that of the groups is not
    to be believed: equal values of a rounded figure do not prove that there is no spread.
    """
    parts = [_variance(values) / len(values) for values in (first, second)]
    error = math.sqrt(sum(parts))
    sizes = (len(first), len(second))
    df = float(min(sizes) - 1)
    if error > 0:
        shares = [part / error**2 for part in parts]
        weights = (share**2 / (size - 1) for share, size in zip(shares, sizes, strict=True))
        df = 1 / math.fsum(weights)
    estimate = math.fsum(second) / len(second) - math.fsum(first) / len(first)
    return MeanDifference(estimate, max(error, least_error), df)


def _variance(values: Sequence[float]) -> float:
    mean = math.fsum(values) / len(values)
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
