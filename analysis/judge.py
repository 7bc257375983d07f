"""The judge: a run and the thresholds in, a verdict out.

A run is only as good as its worst check, and no verdict at all where the run itself cannot be
believed: it was refused, crashed, was interrupted, is incomplete or damaged, or its generator was
saturated. Such a run still shows its checks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from analysis.breakpoint import breakpoint_figures
from analysis.cautions import concluded, look_beside
from analysis.connections import connection_figures
from analysis.drift import drift_check, run_drift
from analysis.figures import endpoint_figures, failure_causes
from analysis.finding import Finding, badness, find
from analysis.limits import ALL_REQUESTS, DRIFT, Tier
from analysis.phases import judged_stages, phase_checks, unjudged_note
from analysis.quantities import format_duration
from analysis.thresholds import Thresholds
from analysis.trouble import Trouble, find_trouble
from analysis.verdict import (
    EXIT_CRASHED,
    EXIT_FAIL,
    EXIT_INCONCLUSIVE,
    EXIT_INTERRUPTED,
    EXIT_PASS,
    EXIT_REFUSED,
    EXIT_WARNING,
    Check,
    Outcome,
    Verdict,
)

if TYPE_CHECKING:  # a run is read with pandas, which live judging does without
    from analysis.runs import Run

SOAK = "soak"


def judge(
    run: Run, thresholds: Thresholds, *, fail_on_warning: bool = False, partial: bool = False
) -> Verdict:
    """The verdict on a run.

    With `partial`, a run that was cut short is judged on what there is of it.
    With `fail_on_warning`, a warning has the exit code 90 in place of 0.
    """
    trouble = find_trouble(run, thresholds.generator, partial=partial)
    checks, notes = _checks(run, thresholds)
    beside = look_beside(run, thresholds)
    checks += beside.checks
    is_judged = bool(checks) or run.meta.finds_limit
    if run.endpoints and not is_judged and not trouble.outcome:
        trouble = replace(trouble, inconclusive=("no threshold applies to this run",))
    finding = concluded(find(run, checks), beside)
    stages = judged_stages(run, thresholds)
    found = run.meta.breakpoint
    # Of what a search played after its first bad slice another note tells.
    until_s = math.inf if found is None or found.at_s is None else found.at_s
    unjudged = unjudged_note([stage for stage in stages if stage.start_s < until_s])
    searched = breakpoint_figures(run)
    tier = finding.tier if trouble.outcome is None else Tier.INCONCLUSIVE
    outcome = trouble.outcome or Outcome(tier.value)
    cut_short = not run.meta.complete or bool(run.meta.interrupted)
    requests, failures = run.totals
    return Verdict(
        outcome=outcome,
        tier=tier,
        exit_code=_exit_code(outcome, fail_on_warning=fail_on_warning),
        headline=_headline(run, outcome, trouble, finding, partial=partial and cut_short),
        checks=tuple(sorted(checks, key=badness)),
        reasons=(*trouble.sentences, *finding.reasons),
        notes=(
            *_notes(run, checks),
            *([unjudged] if unjudged else []),
            *notes,
            *beside.notes,
            *(searched.notes if searched else ()),
            *run.notes,
        ),
        run=run.name,
        scenario=run.meta.scenario,
        title=run.meta.title,
        target=run.meta.target,
        faults=run.meta.faults,
        rehearsal="" if run.meta.rehearsal is None else str(run.meta.rehearsal),
        partial=partial and cut_short,
        start_s=run.start_s,
        duration_s=max(1, round(run.load_s)),
        drain_s=round(run.drain_s),
        endpoints=endpoint_figures(run),
        causes=failure_causes(run),
        connections=connection_figures(run),
        stages=stages,
        aborted=run.meta.aborted,
        arrivals=beside.arrivals,
        breakpoint=searched,
        requests=requests,
        failures=failures,
        thresholds=thresholds.source,
        cautions=beside.cautions,
        recovery=beside.recovery,
        omission=beside.omission,
    )


def _checks(run: Run, thresholds: Thresholds) -> tuple[list[Check], list[str]]:
    judged, notes = run, []
    found = run.meta.breakpoint
    is_breakpoint = run.meta.finds_limit
    if is_breakpoint and found is not None and found.at_s is not None:
        judged = run.between(0, found.at_s)
        judged_s = format_duration(found.at_s)
        notes.append(f"the checks judge the {judged_s} before the first bad slice")
    checks, left_out = phase_checks(judged, thresholds, exercises=run.meta.exercises)
    limits = thresholds.limits_of(None, DRIFT)
    if run.meta.scenario == SOAK and limits is not None and run.endpoints:
        drift = run_drift(run)
        checks.append(drift_check(limits, drift, int(run.windows.successes.sum())))
        notes += [drift.disagreement] if drift.disagreement else []
    if is_breakpoint:
        checks = [check for check in checks if check.n or not _has_traffic(run, check)]
        checks = [replace(check, informational=check.n > 0) for check in checks]
        notes.append("the checks are informational: finding the limit is the purpose of this run")
    return checks, [*notes, *left_out]


def _has_traffic(run: Run, check: Check) -> bool:
    """Whether a run has requests that a check is about, be they after the first bad slice."""
    if check.endpoint == ALL_REQUESTS:
        return bool(run.endpoints)
    return any(endpoint.answers_to(check.endpoint) for endpoint in run.endpoints)


def _notes(run: Run, checks: Sequence[Check]) -> list[str]:
    notes = []
    if any(check.gap for check in checks):
        notes.append(
            "a value in the gap between the warning and the fail limit counts as a warning"
        )
    return [*notes, *run.meta.notes]


def _headline(
    run: Run, outcome: Outcome, trouble: Trouble, finding: Finding, *, partial: bool
) -> str:
    marks = [
        mark for mark, holds in (("rehearsal", run.meta.rehearsal), ("partial", partial)) if holds
    ]
    words = {
        Outcome.PASS: "Passed",
        Outcome.WARNING: "Warning",
        Outcome.FAIL: "Failed",
        Outcome.INCONCLUSIVE: "Inconclusive",
        Outcome.INTERRUPTED: "Interrupted",
        Outcome.CRASHED: "Crashed",
        Outcome.REFUSED: "Refused",
    }
    word = words[outcome] + (f" ({', '.join(marks)})" if marks else "")
    if trouble.outcome is None:
        return f"{word}: {finding.sentence}."
    sentences = list(trouble.sentences)
    if trouble.crashed and trouble.inconclusive:
        sentences[-len(trouble.inconclusive)] = f"inconclusive: {trouble.inconclusive[0]}"
    said = "; ".join(dict.fromkeys(sentences)).removeprefix("interrupted ")
    # What was refused has a colon of its own: "Refused after 3 s: …".
    said = said.removeprefix("refused") if trouble.refused else f": {said}"
    told = finding.sentence not in trouble.inconclusive
    return f"{word}{said}" + (f"; so far: {finding.sentence}." if told else ".")


def _exit_code(outcome: Outcome, *, fail_on_warning: bool) -> int:
    return {
        Outcome.PASS: EXIT_PASS,
        Outcome.WARNING: EXIT_WARNING if fail_on_warning else EXIT_PASS,
        Outcome.FAIL: EXIT_FAIL,
        Outcome.INCONCLUSIVE: EXIT_INCONCLUSIVE,
        Outcome.INTERRUPTED: EXIT_INTERRUPTED,
        Outcome.CRASHED: EXIT_CRASHED,
        Outcome.REFUSED: EXIT_REFUSED,
    }[outcome]
