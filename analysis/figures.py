"""The figures of a run: what every endpoint and stage did, and what the failures were.

The parts add up to the whole: each request belongs to exactly one endpoint and one stage.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analysis.limits import ALL_REQUESTS
from analysis.measured import Counts
from analysis.windows import WindowTable
from otaload.phase import Phase

if TYPE_CHECKING:  # a run is read with pandas, which live judging does without
    from analysis.runs import Run


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What some requests did; latencies are those of the successes, None where there are none.

    `rps` is None where no time belongs to the requests.
    """

    n: int
    failures: int
    p50_ms: float | None
    p90_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    max_ms: float | None
    bytes_in: int
    rps: float | None


@dataclass(frozen=True)
class EndpointFigures:
    """An endpoint, or all requests, and its figures over the whole run."""

    endpoint: str
    figures: Figures


@dataclass(frozen=True)
class StageFigures:
    """A stage that the run reached, from when to when, and its figures.

    `whole` is False for one that was cut off before its planned end, `judged` for one that no
    threshold judges.
    """

    name: str
    start_s: float
    end_s: float
    users_from: float
    users_to: float
    figures: Figures
    whole: bool = True
    phase: Phase = Phase.STEADY
    judged: bool = True
    rate_from: float | None = None
    rate_to: float | None = None


@dataclass(frozen=True)
class FailureCause:
    """How often an endpoint failed for one cause, and when first and last, in seconds."""

    endpoint: str
    cause: str
    count: int
    first_s: int
    last_s: int


def figures_of(table: WindowTable, seconds: float) -> Figures:
    """The figures of the requests in a table that started within so many seconds."""
    successes = table.histogram()
    failures = int(table.failures.sum())
    n = successes.n + failures

    def percentile_ms(q: float) -> float | None:
        value_us = successes.quantile_us(q)
        return None if value_us is None else value_us / 1000

    return Figures(
        n=n,
        failures=failures,
        p50_ms=percentile_ms(0.50),
        p90_ms=percentile_ms(0.90),
        p95_ms=percentile_ms(0.95),
        p99_ms=percentile_ms(0.99),
        max_ms=successes.max_us / 1000 if successes.n else None,
        bytes_in=int(table.bytes_in.sum()),
        rps=n / seconds if seconds > 0 else None,
    )


def endpoint_figures(run: Run) -> tuple[EndpointFigures, ...]:
    """Each endpoint, the busiest first, and last, where there are several, all requests."""
    groups = [(run.labels[endpoint], [endpoint]) for endpoint in run.endpoints]
    if len(groups) > 1:
        groups.append((ALL_REQUESTS, list(run.endpoints)))
    return tuple(
        EndpointFigures(label, figures_of(run.windows.of(endpoints), run.load_s))
        for label, endpoints in groups
    )


def failure_causes(run: Run) -> tuple[FailureCause, ...]:
    """Failures by endpoint and cause, the most frequent first."""
    labels = [run.labels.get(endpoint, endpoint.name) for endpoint in run.windows.endpoints]
    rows = zip(
        *(run.causes[name].tolist() for name in ("endpoint", "cause", "t_s", "n")), strict=True
    )
    found: dict[tuple[int, str], FailureCause] = {}
    for code, cause, t_s, n in rows:
        if not n:
            continue
        old = found.get((code, cause), FailureCause(labels[code], cause, 0, t_s, t_s))
        found[code, cause] = FailureCause(
            old.endpoint, cause, old.count + n, min(old.first_s, t_s), max(old.last_s, t_s)
        )
    return tuple(sorted(found.values(), key=lambda cause: -cause.count))


def stage_of_seconds(run: Run, t_s: Counts | None = None) -> Counts:
    """The stage of each second, or of each row of the run's windows, by its place in the profile.

    A request belongs to the stage in which its second lies by more than half, a request in flight
    at the end to the stage in which it started, and one after the last stage to that.
    """
    starts = np.array([stage.start_s for stage in run.meta.stages])
    middles = (run.windows.t_s if t_s is None else t_s) + 0.5 - run.offset_s
    found: Counts = np.searchsorted(starts, middles, side="right") - 1
    return np.maximum(found, 0)


def stages_reached(run: Run) -> int:
    """How many stages of the profile the run came to: all that began before the load ended."""
    stages, planned_s = run.meta.stages, run.meta.planned_s
    if not stages:
        return 0
    if planned_s is not None and run.load_s >= planned_s:
        # All of them, unless the run was planned to end before its profile does.
        return max(1, sum(stage.start_s < planned_s for stage in stages))
    # Of the last second only the half is sure: what began later in it may never have been.
    last_s = min(run.load_s, run.last_started_s - 0.5)
    return max(1, sum(stage.start_s <= last_s for stage in stages))


def stage_figures(run: Run) -> tuple[StageFigures, ...]:
    """Each stage that the run reached; their requests add up to the run's."""
    reached = stages_reached(run)
    of_row = np.minimum(stage_of_seconds(run), reached - 1)
    found = []
    for number, stage in enumerate(run.meta.stages[:reached]):
        is_last = number == reached - 1
        next_s = math.inf if is_last else run.meta.stages[number + 1].start_s
        seconds = _seconds(run, 0.0 if number == 0 else stage.start_s, next_s)
        figures = figures_of(run.windows.where(of_row == number), seconds)
        # The last one ends with the load, also where the load ended late.
        end_s = run.load_s if is_last else min(stage.end_s, run.load_s)
        found.append(
            StageFigures(
                stage.name,
                stage.start_s,
                max(stage.start_s, end_s),
                stage.users_from,
                stage.users_to,
                figures,
                whole=end_s >= stage.end_s,
                phase=stage.phase,
                rate_from=stage.rate_from,
                rate_to=stage.rate_to,
            )
        )
    return tuple(found)


def held_before(run: Run, at_s: float) -> StageFigures | None:
    """The last stage that ended before a time, or what lies before it of the first stage.

    None where the run has no stages, or nothing lies before.
    """
    stages, before = run.meta.stages, run.windows.t_s < at_s
    if not stages or at_s <= 0:
        return None
    ended = [number for number, stage in enumerate(stages) if stage.end_s <= at_s]
    number = ended[-1] if ended else 0
    stage = stages[number]
    end_s = min(stage.end_s, at_s, run.load_s)
    table = run.windows.where(before & (stage_of_seconds(run) == number))
    seconds = _seconds(run, 0.0 if number == 0 else stage.start_s, end_s)
    return StageFigures(
        stage.name,
        stage.start_s,
        end_s,
        stage.users_from,
        stage.users_to,
        figures_of(table, seconds),
        whole=end_s >= stage.end_s,
        phase=stage.phase,
    )


def _seconds(run: Run, start_s: float, end_s: float) -> float:
    """How much time the whole seconds cover whose middles lie in a stretch of the load."""
    last = math.ceil(run.load_s + run.offset_s)
    t_s = np.arange(last)
    middles = t_s + 0.5 - run.offset_s
    inside = t_s[(middles >= start_s) & (middles < end_s)]
    if not len(inside):
        return 0.0
    low, high = inside[0] - run.offset_s, inside[-1] + 1 - run.offset_s
    return float(min(high, run.load_s) - max(0.0, low))
