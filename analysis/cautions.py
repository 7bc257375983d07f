"""What is looked at beside latency and errors, and lifts a pass to a warning with a reason."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from analysis.arrivals import ArrivalFigures, arrival_figures
from analysis.finding import Finding
from analysis.limits import RECOVERY, Tier
from analysis.omission import MOST_CORRECTION, MOST_LOST_RATIO, Omission, run_omission
from analysis.quantities import (
    Unit,
    format_count,
    format_duration,
    format_limit,
    format_quantity,
    plural,
)
from analysis.recovery import HOLD_S, Recovery, run_recovery
from analysis.recovery_check import recovery_check
from analysis.thresholds import Thresholds
from analysis.verdict import Caution, Check

if TYPE_CHECKING:  # a run is read with pandas, which live judging does without
    from analysis.runs import Run


@dataclass(frozen=True, kw_only=True)
class Beside:
    """What speaks for or against a run beside latency and errors."""

    checks: tuple[Check, ...] = ()
    cautions: tuple[Caution, ...] = ()
    notes: tuple[str, ...] = ()
    recovery: Recovery | None = None
    omission: Omission | None = None
    arrivals: ArrivalFigures | None = None


def look_beside(run: Run, thresholds: Thresholds) -> Beside:
    """How a run recovered from its burst, what its users did not measure, what never arrived."""
    recovery, omission, arrivals = run_recovery(run), run_omission(run), arrival_figures(run)
    limits = thresholds.limits_of(None, RECOVERY)
    checks: list[Check] = []
    cautions: list[Caution] = []
    notes: list[str] = []
    if recovery is not None:
        # A rehearsal may well be too short to tell.
        unsure = run.meta.rehearsal is not None and (recovery.thin or bool(recovery.insufficient))
        if limits is not None:
            checks.append(recovery_check(limits, recovery, run.totals[0]))
        elif recovery.recovery_s is None and unsure:
            notes.append(recovery.sentence)
        elif recovery.recovery_s is None:
            cautions.append(Caution("recovery", recovery.sentence))
        notes += recovery_notes(recovery)
    if not run.meta.finds_limit:  # which goes on until users have to wait, or are missing
        cautions += omission_cautions(omission)
        if arrivals is not None and arrivals.warning:
            cautions.append(Caution("missed arrivals", arrivals.warning))
    notes += [arrivals.sentence] if arrivals else []
    return Beside(
        checks=tuple(checks),
        cautions=tuple(cautions),
        notes=tuple(notes),
        recovery=recovery,
        omission=omission,
        arrivals=arrivals,
    )


def omission_cautions(omission: Omission | None) -> list[Caution]:
    """That the latencies as measured flatter, since users waited while requests were due."""
    if omission is None or (omission.pacing_s is None and not omission.iterations):
        return []
    if not omission.iterations:
        unknown = "no iteration was started on the schedule: what was lost is not known"
        return [Caution("schedule", unknown)]
    found = []
    if omission.lost_ratio > MOST_LOST_RATIO:
        planned = omission.iterations + omission.lost
        lost = (
            f"{format_quantity(omission.lost_ratio, Unit.RATIO)} of the planned iterations were "
            f"lost ({format_count(omission.lost)} of {format_count(planned)}), more than "
            f"{format_limit(MOST_LOST_RATIO, Unit.RATIO)}"
        )
        found.append(Caution("lost iterations", lost))
    worst = omission.worst
    if worst is not None:
        flattered = (
            f"p99 of {worst.endpoint}, corrected for what was not sent, is "
            f"{format_quantity(worst.p99_corrected_ms, Unit.MS)}: more than {MOST_CORRECTION:g} × "
            f"the {format_quantity(worst.p99_ms, Unit.MS)} measured"
        )
        found.append(Caution("corrected p99", flattered))
    return found


def recovery_notes(recovery: Recovery) -> list[str]:
    """What else to know of a recovery, in sentences."""
    notes = []
    if recovery.left_band and recovery.peak_ms is not None and recovery.peak_ratio is not None:
        failures = f"{format_count(recovery.failures)} {plural(recovery.failures, 'failure')}"
        until = "the end" if recovery.recovery_s is None else "the recovery"
        notes.append(
            "the burst took p95 of the requests in flight to "
            f"{format_quantity(recovery.peak_ms, Unit.MS)}, {recovery.peak_ratio:.3g} × the "
            f"baseline's; {failures} until {until}"
        )
    if recovery.after_load_s:
        back = format_duration(round(recovery.after_load_s))
        notes.append(f"the recovery came {back} after the load was back at the baseline's level")
    if recovery.hysteresis:
        notes.append(
            "hysteresis suspected: after the burst the service was back in the baseline's band "
            f"for less than {HOLD_S} s and out again"
        )
    if recovery.out_again_s >= HOLD_S:
        notes.append(
            f"after its recovery the service was clearly outside of the band for "
            f"{format_duration(recovery.out_again_s)} more"
        )
    return notes


def concluded(finding: Finding, beside: Beside) -> Finding:
    """The finding with its cautions, and in one sentence how a burst was recovered from.

    With a caution a pass becomes a warning; any other tier stays.
    """
    recovery, cautions = beside.recovery, beside.cautions
    if recovery is not None and recovery.recovery_s is not None:
        finding = replace(finding, sentence=f"{finding.sentence}; {recovery.sentence}")
    if not cautions:
        return finding
    reasons = tuple(caution.reason for caution in cautions)
    if finding.tier is not Tier.PASS:
        return replace(finding, reasons=(*finding.reasons, *reasons))
    more = len(reasons) - 1
    also = f", and {more} more {plural(more, 'caution')}" if more else ""
    told = f"{reasons[0]}{also}; {finding.sentence}"
    return Finding(Tier.WARNING, told, (*finding.reasons, *reasons))
