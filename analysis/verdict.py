"""The verdict on a run, and the checks that it is made of: data that every renderer shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from analysis.arrivals import ArrivalFigures
from analysis.breakpoint import Breakpoint
from analysis.connections import ConnectionFigures
from analysis.figures import EndpointFigures, FailureCause, StageFigures
from analysis.limits import Limits, Metric, Tier
from analysis.meta import Aborted
from analysis.omission import Omission
from analysis.quantities import Unit, format_quantity
from analysis.recovery import Recovery

VERDICT_FORMAT = 1
"""Of `verdict.json`; raised when a reader of an older one would misread it."""

EXIT_PASS = 0
EXIT_WARNING = 90
EXIT_INCONCLUSIVE = 91
EXIT_REFUSED = 92
EXIT_FAIL = 99
EXIT_INTERRUPTED = 105
EXIT_CRASHED = 107


class Outcome(StrEnum):
    """What became of a run: its tier, or why it has none."""

    PASS = "pass"  # noqa: S105 - a tier, not a password
    WARNING = "warning"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    INTERRUPTED = "interrupted"
    CRASHED = "crashed"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True)
class Check:
    """One threshold applied to what was measured.

    `value`, `low` and `high` are in the metric's unit (milliseconds, seconds or a ratio); the last
    two each bound the true value with 95 % confidence.
    `reason` says why the tier is what it is, `proof` whether the bounds agree.
    An informational check never decides the run; an indicative one stems from too short a run.
    `phases` are those of the run that were judged, where it has any; `phase` is set where the
    limits are those of one phase only.
    """

    endpoint: str
    metric: Metric
    tier: Tier
    limits: Limits
    value: float | None
    n: int
    reason: str
    gap: bool = False
    proven: bool = False
    proof: str = ""
    low: float | None = None
    high: float | None = None
    n_needed: int | None = None
    indicative: bool = False
    informational: bool = False
    phases: tuple[str, ...] = ()
    phase: str = ""

    @property
    def metric_text(self) -> str:
        """The metric, with the phase that its limits are for: `p95 in burst`."""
        return f"{self.metric.name} in {self.phase}" if self.phase else self.metric.name

    @property
    def unit(self) -> Unit:
        """The unit of `value` and of the limits."""
        return self.metric.unit

    @property
    def value_text(self) -> str:
        """The value with its unit, told apart from the limits; "no data" without one."""
        if self.value is None:
            return "no data"
        return format_quantity(self.value, self.unit, apart_from=self.limits.values)

    @property
    def interval_text(self) -> str:
        """The bounds with their unit, or nothing where there are none."""
        low = "" if self.low is None else format_quantity(self.low, self.unit)
        high = "" if self.high is None else format_quantity(self.high, self.unit)
        if low and high:
            return f"{low} to {high}"
        return f"at least {low}" if low else f"at most {high}" if high else ""


@dataclass(frozen=True)
class Caution:
    """What makes a pass a warning though every threshold is met: a short name, and the reason."""

    name: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The worst tier of a run's checks, or why there is none.

    `headline` is one sentence, `reasons` are all that speak against the run, and `notes` what a
    reader should know besides the `caveats`; `checks` are sorted with the worst first.
    `duration_s` are the seconds in which requests started, `drain_s` those in which the run then
    waited for its last answers; `endpoints` and `causes` hold the figures of all requests.
    `cautions` warn beside the checks; `recovery` is None without a burst, `omission` without a
    request.
    """

    outcome: Outcome
    tier: Tier
    exit_code: int
    headline: str
    checks: tuple[Check, ...]
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    run: str
    scenario: str
    title: str
    target: Mapping[str, str]
    faults: tuple[str, ...]
    rehearsal: str
    partial: bool
    start_s: int
    duration_s: int
    requests: int
    failures: int
    thresholds: str
    drain_s: int = 0
    endpoints: tuple[EndpointFigures, ...] = ()
    causes: tuple[FailureCause, ...] = ()
    connections: tuple[ConnectionFigures, ...] = ()
    stages: tuple[StageFigures, ...] = ()
    aborted: Aborted | None = None
    arrivals: ArrivalFigures | None = None
    cautions: tuple[Caution, ...] = ()
    recovery: Recovery | None = None
    omission: Omission | None = None
    breakpoint: Breakpoint | None = None

    @property
    def caveats(self) -> tuple[str, ...]:
        """What limits the verdict to less than the real load on a sound service."""
        told = (
            [f"a rehearsal ({self.rehearsal}): its figures are not those of the real run"]
            if self.rehearsal
            else []
        )
        return (*told, *(f"fault active in the service: {fault}" for fault in self.faults))

    @property
    def further_reasons(self) -> tuple[str, ...]:
        """The reasons that the headline does not give already."""
        return tuple(reason for reason in self.reasons if reason not in self.headline)

    def count(self, tier: Tier) -> int:
        """How many checks that decide the run are of a tier."""
        return sum(check.tier is tier and not check.informational for check in self.checks)
