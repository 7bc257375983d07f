"""How each threshold stands while a run goes on: its value over all that was judged so far.

The same requests are counted as by the verdict at the end: warm-up and phases that a threshold does
not judge are left out, and so is what the scenario does not exercise. What takes the whole run to
tell, the drift of a soak and the recovery of a spike, has no standing before its end.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from analysis.limits import ALL_REQUESTS, DRIFT, RECOVERY, Tier
from analysis.metric_values import latency_ms
from analysis.quantities import format_quantity
from analysis.thresholds import Threshold, Thresholds
from otaload.live.scenario import PlannedStage, Scenario
from otaload.phase import Phase, warm_up_length
from otaload.record import Histogram, Window, WindowKey

SYMBOLS = {
    Tier.PASS: "✓",
    Tier.WARNING: "!",
    Tier.FAIL: "✗",
    Tier.INCONCLUSIVE: "?",
    None: "·",
}


@dataclass(frozen=True)
class Standing:
    """One threshold and what it comes to so far.

    `tier` is None where not one request was judged yet; `value` is None there, and where all that
    were judged failed, so that there is no latency.
    """

    threshold: Threshold
    value: float | None
    n: int
    tier: Tier | None

    @property
    def endpoint(self) -> str:
        """The endpoint, or that it is all requests."""
        return self.threshold.endpoint or ALL_REQUESTS

    @property
    def metric_text(self) -> str:
        """The metric, with the phase that its limits are for: `p95 in burst`."""
        phase = self.threshold.phase
        return self.threshold.metric.name + (f" in {phase}" if phase else "")

    @property
    def value_text(self) -> str:
        """The value with its unit, told apart from the limits, or why there is none."""
        if self.value is None:
            return "no success" if self.n else "no data"
        limits = self.threshold.limits.values
        return format_quantity(self.value, self.threshold.metric.unit, apart_from=limits)

    @property
    def text(self) -> str:
        """It in a few words: `p95 of /updates/check 612 ms`."""
        return f"{self.metric_text} of {self.endpoint} {self.value_text}"


def worst_first(standings: Iterable[Standing]) -> list[Standing]:
    """Fails, warnings, what has no data, passes; within each, nearest to its fail limit first."""

    def badness(one: Standing) -> tuple[float, float]:
        if one.value is None:
            return (-0.5 if one.tier is None else -one.tier.rank), float("-inf")
        assert one.tier is not None
        return -one.tier.rank, -one.value / one.threshold.limits.fail_above.value

    return sorted(standings, key=badness)


def worst_tier(standings: Iterable[Standing]) -> Tier | None:
    """The worst tier so far; None while nothing was judged."""
    tiers = [one.tier for one in standings if one.tier is not None]
    return max(tiers, key=lambda tier: tier.rank, default=None)


@dataclass
class _Sum:
    """Successes and failures that some thresholds judge, over all time."""

    successes: Histogram = field(default_factory=Histogram)
    failed: int = 0

    @property
    def n(self) -> int:
        return self.successes.n + self.failed

    def add(self, window: Window) -> None:
        self.successes += window.successes
        self.failed += window.failures.n


class Standings:
    """Counts the windows of a run for the thresholds that are about it.

    `stages` are those of its profile, none without one; a run without is steady throughout.
    """

    def __init__(
        self,
        thresholds: Thresholds,
        *,
        start_s: float,
        stages: Sequence[PlannedStage] = (),
        exercises: Iterable[str] | None = None,
    ) -> None:
        self._start_s = start_s
        self._begins = [stage.start_s for stage in stages]
        # A run without stages is one that is steady.
        self._phases = [str(stage.phase) for stage in stages] or [Phase.STEADY.value]
        self._warm_up = warm_up_length(self._phases)
        exercised = None if exercises is None else {_bare(name) for name in exercises}
        self._rows = [
            row
            for row in (*thresholds.rows, *thresholds.phase_rows)
            if row.metric not in (DRIFT, RECOVERY)
            and (row.endpoint is None or exercised is None or _bare(row.endpoint) in exercised)
            and self._is_about_the_run(row)
        ]
        self._sums = {(row.endpoint, row.scope): _Sum() for row in self._rows}
        self._takers: dict[tuple[int, str, str], list[_Sum]] = {}

    def add(self, windows: Iterable[tuple[WindowKey, Window]]) -> None:
        """Count windows as they are flushed or reported."""
        for key, window in windows:
            place = self._stage_of(key.second), key.method, key.endpoint
            takers = self._takers.get(place)
            if takers is None:
                takers = self._takers[place] = self._find_takers(*place)
            for total in takers:
                total.add(window)

    def now(self) -> tuple[Standing, ...]:
        """How each threshold stands, in the order of the file."""
        return tuple(_standing(row, self._sums[row.endpoint, row.scope]) for row in self._rows)

    def _is_about_the_run(self, row: Threshold) -> bool:
        if self._judged_stages(row):
            return True
        # A global limit whose phases the run lacks fails at its end for want of data.
        whole = replace(row, scope=replace(row.scope, without=()))
        return row.endpoint is None and row.phase is None and not self._judged_stages(whole)

    def _judged_stages(self, row: Threshold) -> list[int]:
        return [
            number
            for number, phase in enumerate(self._phases)
            if row.scope.judges(Phase(phase), is_warm_up=number < self._warm_up)
        ]

    def _stage_of(self, second: int) -> int:
        """A second belongs to the stage in which it lies by more than half."""
        middle_s = second + 0.5 - self._start_s
        return max(0, sum(begin_s <= middle_s for begin_s in self._begins) - 1)

    def _find_takers(self, stage: int, method: str, endpoint: str) -> list[_Sum]:
        phase, is_warm_up = Phase(self._phases[stage]), stage < self._warm_up
        return [
            total
            for (written, scope), total in self._sums.items()
            if written in (None, endpoint, f"{method} {endpoint}")
            and scope.judges(phase, is_warm_up=is_warm_up)
        ]


def standings_of(thresholds: Thresholds, scenario: Scenario, *, start_s: float) -> Standings:
    """The standings of a run that begins now."""
    shape = scenario.shape
    if shape is not None and shape.finds_limit:
        # Past its limit every run is bad: a search is told by what it has found.
        thresholds = replace(thresholds, rows=(), phase_rows=())
    return Standings(
        thresholds,
        start_s=start_s,
        stages=shape.timeline if shape else (),
        exercises=scenario.exercises,
    )


def _standing(row: Threshold, total: _Sum) -> Standing:
    if not total.n:
        return Standing(row, None, 0, None)
    if row.metric.name == "error_rate":
        value, n = total.failed / total.n, total.n
    elif not total.successes.n:
        return Standing(row, None, total.n, Tier.FAIL)
    else:
        value, n = latency_ms(row.metric, total.successes), total.successes.n
    return Standing(row, value, n, row.limits.tier_of(value))


def _bare(written: str) -> str:
    """An endpoint without its method: `GET /name` and `/name` mean the same traffic."""
    return re.sub(r"^[A-Z]+ +", "", written)
