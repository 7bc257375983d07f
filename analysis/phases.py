"""The thresholds applied phase by phase: each to the stages that it judges, and what is left out.

The warm-up is the ramp-up that a run begins with, where anything follows it: a profile that only
climbs has no other load than its ramp.
A run without stages is steady from its first second to its last.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from analysis.checks import threshold_checks
from analysis.figures import StageFigures, stage_figures, stage_of_seconds, stages_reached
from analysis.limits import ALL_REQUESTS, DRIFT
from analysis.measured import Counts
from analysis.meta import Stage
from analysis.quantities import format_count, format_duration, plural
from analysis.thresholds import Threshold, Thresholds
from analysis.thresholds_phases import Scope
from analysis.verdict import Check
from otaload.phase import Phase, warm_up_length

if TYPE_CHECKING:  # a run is read with pandas, which live judging does without
    from analysis.runs import Run


def warm_up(stages: Sequence[Stage]) -> int:
    """How many stages at the begin are the warm-up."""
    return warm_up_length([stage.phase for stage in stages])


def phase_checks(
    run: Run, thresholds: Thresholds, *, exercises: Iterable[str] | None
) -> tuple[list[Check], list[str]]:
    """The checks of all thresholds but the drift, and notes on those that do not apply."""
    rows, idle = _applying(run, thresholds)
    by_scope: dict[Scope, list[Threshold]] = {}
    for row in rows:
        by_scope.setdefault(row.scope, []).append(row)
    checks: list[Check] = []
    notes: list[str] = []
    for scope, judged in by_scope.items():
        part = within(run, scope)
        found, left_out = threshold_checks(
            part, replace(thresholds, rows=tuple(judged)), exercises=exercises
        )
        phases = tuple(dict.fromkeys(stage.phase.value for stage in _reached(run, scope)))
        own = next((row.phase.value for row in judged if row.phase is not None), "")
        found = [replace(check, phases=phases, phase=own) for check in found]
        checks += [_told(check, run, scope) for check in found]
        notes += left_out
    notes += _other_phases(rows)
    notes += [
        f"the thresholds for {row.endpoint} do not apply: they judge "
        f"{_listed(row.scope.named or ())}, which this run does not have"
        for row in idle
    ]
    return checks, list(dict.fromkeys(notes))


def _other_phases(rows: Sequence[Threshold]) -> list[str]:
    """A note on each endpoint that is judged in other phases than all requests are."""
    general = next((row.scope.named for row in rows if row.endpoint is None), None)
    named = {row.endpoint: row.scope.named for row in rows if row.endpoint and not row.phase}
    return [
        f"the thresholds for {endpoint} judge {_listed(phases)} only"
        for endpoint, phases in named.items()
        if phases is not None and phases != general
    ]


def _applying(run: Run, thresholds: Thresholds) -> tuple[list[Threshold], list[Threshold]]:
    """The rows that are about a run of this plan, and those of endpoints whose phases it lacks.

    A row that has no phase left, because limits of their own judge all that it names, is neither.
    A global row whose phases the run lacks is about it all the same: it then has no data.
    """
    applying: list[Threshold] = []
    idle: list[Threshold] = []
    for row in (*thresholds.rows, *thresholds.phase_rows):
        if row.metric == DRIFT:
            continue  # it has a judge of its own
        if _planned(run, row.scope):
            applying.append(row)
        elif row.phase is None and not _planned(run, replace(row.scope, without=())):
            (applying if row.endpoint is None else idle).append(row)
    return applying, idle


def _planned(run: Run, scope: Scope) -> bool:
    """Whether a run was planned to have anything that a scope judges."""
    leading = warm_up(run.meta.stages)
    if not run.meta.stages:
        return scope.names(Phase.STEADY)
    return any(
        scope.judges(stage.phase, is_warm_up=number < leading)
        for number, stage in enumerate(run.meta.stages)
    )


def within(run: Run, scope: Scope) -> Run:
    """The run as far as a scope judges it; users and health keep their length."""
    stages = run.meta.stages
    if not stages:
        return run if scope.names(Phase.STEADY) else run.between(0, 0)
    leading = warm_up(stages)
    judged = np.array(
        [scope.judges(stage.phase, is_warm_up=i < leading) for i, stage in enumerate(stages)]
    )
    if judged.all():
        return run
    causes = run.causes[judged[_stage_of(run, run.causes["t_s"].to_numpy())]]
    rows = judged[_stage_of(run, run.windows.t_s)]
    return replace(run, windows=run.windows.where(rows), causes=causes)


def _stage_of(run: Run, t_s: Counts) -> Counts:
    return np.minimum(stage_of_seconds(run, t_s), stages_reached(run) - 1)


def _reached(run: Run, scope: Scope) -> list[Stage]:
    """The stages that a run reached and a scope judges."""
    leading = warm_up(run.meta.stages)
    reached = run.meta.stages[: stages_reached(run)]
    return [
        stage
        for number, stage in enumerate(reached)
        if scope.judges(stage.phase, is_warm_up=number < leading)
    ]


def judged_stages(run: Run, thresholds: Thresholds) -> tuple[StageFigures, ...]:
    """Each stage that the run reached, marked as judged where any threshold judges it.

    In a search for a limit none judges what came after the first bad slice.
    """
    found = run.meta.breakpoint
    until_s = math.inf if found is None or found.at_s is None else found.at_s
    scopes = {row.scope for row in _applying(run, thresholds)[0]}
    leading = warm_up(run.meta.stages)
    return tuple(
        replace(
            stage,
            judged=stage.start_s < until_s
            and any(scope.judges(stage.phase, is_warm_up=number < leading) for scope in scopes),
        )
        for number, stage in enumerate(stage_figures(run))
    )


def unjudged_note(stages: Sequence[StageFigures]) -> str:
    """The requests that no threshold judges, with their time and failures; nothing without any."""
    left_out: dict[str, list[StageFigures]] = {}
    for stage in stages:
        if not stage.judged and stage.figures.n:
            left_out.setdefault(stage.phase.value, []).append(stage)
    told = []
    for phase, parts in left_out.items():
        seconds = sum(part.end_s - part.start_s for part in parts)
        n = sum(part.figures.n for part in parts)
        failed = sum(part.figures.failures for part in parts)
        text = f"{format_duration(seconds)}, {format_count(n)} {plural(n, 'request')}"
        text += f", {format_count(failed)} of them failed" if failed else ""
        told.append(f"the {phase} ({text})")
    return f"not judged: {', '.join(told)}" if told else ""


def _told(check: Check, run: Run, scope: Scope) -> Check:
    """The check; one without a request in its phases says so where other phases have some."""
    if check.n or not any(
        check.endpoint == ALL_REQUESTS or endpoint.answers_to(check.endpoint)
        for endpoint in run.endpoints
    ):
        return check
    where = "after the warm-up" if scope.named is None else f"in {_listed(scope.named)}"
    has = dict.fromkeys(stage.phase for stage in run.meta.stages[: stages_reached(run)])
    had = f"; the run had {_listed(tuple(has))} only" if has else "; the run has no phases"
    return replace(check, reason=f"no data: no request {where}{had}")


def _listed(phases: Sequence[Phase]) -> str:
    return " and ".join(phases)
