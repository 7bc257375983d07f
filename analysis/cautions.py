"""What lifts a pass to a warning though every threshold is met, each with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from analysis.finding import Finding
from analysis.limits import Tier
from analysis.omission import MOST_CORRECTION, MOST_LOST_RATIO, Omission
from analysis.quantities import (
    Unit,
    format_count,
    format_duration,
    format_limit,
    format_quantity,
    plural,
)
from analysis.recovery import HOLD_S, Recovery
from analysis.verdict import Caution


def recovery_cautions(recovery: Recovery | None, *, judged: bool, rehearsal: bool) -> list[Caution]:
    """That a service did not come back from a burst, or that a run cannot tell it.

    With `judged`, a threshold says what that means; a `rehearsal` may be too short to tell.
    """
    if recovery is None or judged or recovery.recovery_s is not None:
        return []
    if recovery.insufficient and rehearsal:
        return []
    return [Caution("recovery", recovery.sentence)]


def omission_cautions(omission: Omission | None) -> list[Caution]:
    """That the latencies as measured flatter, since users waited while requests were due."""
    if omission is None or omission.pacing_s is None:
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


def recovery_notes(recovery: Recovery | None, *, told: bool) -> list[str]:
    """What else to know of a recovery; `told` is whether a check or a caution says it is unknown."""
    if recovery is None:
        return []
    notes = [recovery.sentence] if recovery.insufficient and not told else []
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


def concluded(finding: Finding, cautions: Sequence[Caution], recovery: Recovery | None) -> Finding:
    """The finding with its cautions, and in one sentence how a burst was recovered from.

    With a caution a pass becomes a warning; any other tier stays.
    """
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
