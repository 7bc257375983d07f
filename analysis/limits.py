"""Tiers, and the limits that sort a value into one of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from analysis.quantities import Unit

ALL_REQUESTS = "all requests"
"""What the global rows judge: every endpoint together."""


class Tier(StrEnum):
    """How good a check or a run is; `INCONCLUSIVE` is only ever a run's."""

    PASS = "pass"  # noqa: S105 - a tier, not a password
    WARNING = "warning"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"

    @property
    def rank(self) -> int:
        """A number that grows as things get worse."""
        return list(Tier).index(self)


@dataclass(frozen=True)
class Metric:
    """What a threshold limits: a percentile, the maximum, the mean, the error rate, the drift of a
    soak or the recovery of a spike."""

    name: str

    @property
    def unit(self) -> Unit:
        """Milliseconds for latencies, seconds for the recovery, else a ratio."""
        if self == RECOVERY:
            return Unit.S
        return Unit.RATIO if self.name in RATIO_METRICS else Unit.MS

    @property
    def quantile(self) -> float | None:
        """The quantile of a percentile, 0.95 for p95; None for other metrics."""
        match = _PERCENTILE.fullmatch(self.name)
        return float(match[1]) / 100 if match else None


RATIO_METRICS = ("error_rate", "p99_drift")
NAMED_METRICS = ("max", "mean", *RATIO_METRICS, "recovery")
DRIFT = Metric("p99_drift")
RECOVERY = Metric("recovery")
_PERCENTILE = re.compile(r"p([0-9]{2}(?:\.[0-9]{1,3})?)")


def metric_named(name: str) -> Metric | None:
    """The metric of that name, with `p95.0` read as `p95`; None where there is none."""
    if name in NAMED_METRICS:
        return Metric(name)
    match = _PERCENTILE.fullmatch(name)
    if match and 50 <= float(match[1]) <= 99.9:
        return Metric(f"p{float(match[1]):g}")
    return None


@dataclass(frozen=True)
class Bound:
    """One limit and where it comes from: "endpoint", "global", or "global, lifted to pass"."""

    value: float
    origin: str


@dataclass(frozen=True)
class Limits:
    """The bounds of one metric, in milliseconds or as ratios.

    A value below `pass_below` passes, one below `warning_below` is a warning, and one above
    `fail_above` fails; what lies between the last two is in the gap.
    """

    pass_below: Bound
    warning_below: Bound | None
    fail_above: Bound

    @property
    def values(self) -> tuple[float, ...]:
        """The bounds that there are, from the lowest to the highest."""
        bounds = (self.pass_below, self.warning_below, self.fail_above)
        return tuple(bound.value for bound in bounds if bound is not None)

    @property
    def has_gap(self) -> bool:
        """Whether some values are neither below the warning limit nor above the fail limit."""
        return self.warning_below is not None and self.warning_below.value < self.fail_above.value

    def tier_of(self, value: float) -> Tier:
        """The tier of a value; one in the gap is a warning, never a pass and never a fail."""
        if value < self.pass_below.value:
            return Tier.PASS
        return Tier.FAIL if value > self.fail_above.value else Tier.WARNING

    def in_gap(self, value: float) -> bool:
        """Whether a value lies at or above the warning limit and not above the fail limit."""
        return (
            self.warning_below is not None
            and value >= self.warning_below.value
            and self.tier_of(value) is Tier.WARNING
        )
