"""What the checks come to, or in a breakpoint run the search for a limit: a tier and a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.breakpoint import breakpoint_figures, search_finding
from analysis.figures import held_before, stage_figures
from analysis.limits import Tier
from analysis.margin import margin_of
from analysis.meta import Aborted, BreakpointResult
from analysis.quantities import (
    Unit,
    format_count,
    format_duration,
    format_quantity,
    format_rate,
    plural,
)
from analysis.verdict import Check

if TYPE_CHECKING:  # a run is read with pandas, which live judging does without
    from analysis.runs import Run

NO_REQUESTS = "not one request was recorded"


def check_sentence(check: Check) -> str:
    """A check in a sentence: `p95 of /updates/check is 612 ms: above …`."""
    if check.value is None:
        return f"{check.metric_text} of {check.endpoint}: {check.reason}"
    return f"{check.metric_text} of {check.endpoint} is {check.value_text}: {check.reason}"


def badness(check: Check) -> tuple[int, float, float, str]:
    """Worst tier first, and within one the value that lies farthest in the bar of its margin.

    Those beyond the bar's end follow each other by how many times the fail limit they are.
    """
    margin = margin_of(check)
    if check.value is None or margin is None:
        return -check.tier.rank, float("-inf"), float("-inf"), check.endpoint
    times = check.value / check.limits.fail_above.value
    return -check.tier.rank, -margin.value, -times, check.endpoint


@dataclass(frozen=True)
class Finding:
    """What the checks, or the search for a limit, come to: a tier, a sentence, the reasons."""

    tier: Tier
    sentence: str
    reasons: tuple[str, ...] = ()


def find(run: Run, checks: Sequence[Check]) -> Finding:
    """What the checks that decide a run come to; an abort is a fail whatever they say."""
    finding = _by_checks(run, checks)
    if run.meta.aborted is None:
        return finding
    sentence = _abort_sentence(run.meta.aborted)
    return Finding(Tier.FAIL, sentence, (sentence, *finding.reasons))


def _abort_sentence(aborted: Aborted) -> str:
    when = "" if aborted.at_s is None else f" after {format_duration(aborted.at_s)}"
    return f"aborted{when}: {aborted.reason or 'by a rule that it does not name'}"


def _by_checks(run: Run, checks: Sequence[Check]) -> Finding:
    deciding = [check for check in checks if not check.informational]
    if not run.endpoints:
        return Finding(Tier.FAIL, NO_REQUESTS, (NO_REQUESTS,))
    if run.meta.finds_limit and not deciding:
        return _limit_finding(run)
    if not deciding:
        return Finding(Tier.INCONCLUSIVE, "no threshold applies to this run")
    tier = max((check.tier for check in deciding), key=lambda tier: tier.rank)
    worst = [check for check in deciding if check.tier is tier]
    bad = [check for check in sorted(deciding, key=badness) if check.tier is not Tier.PASS]
    reasons = tuple(check_sentence(check) for check in bad)
    if tier is Tier.PASS:
        return Finding(tier, _passed(run, deciding))
    worst.sort(key=badness)
    sentence = check_sentence(worst[0])
    if len(worst) > 1:
        verb = "fail" if tier is Tier.FAIL else "warn"
        more = len(worst) - 1
        sentence += f"; {more} more {plural(more, 'check')} {verb if more > 1 else verb + 's'}"
    return Finding(tier, sentence, reasons)


def _passed(run: Run, deciding: Sequence[Check]) -> str:
    requests, failures = run.totals
    unproven = sum(not check.proven for check in deciding)
    count = len(deciding)
    sentence = (
        f"{'all ' if count > 1 else ''}{count} {plural(count, 'check')} "
        f"{'pass' if count > 1 else 'passes'} over {format_count(requests)} "
        f"{plural(requests, 'request')} with {format_count(failures) if failures else 'no'} "
        f"{plural(failures, 'failure')}"
    )
    if unproven:
        sentence += f"; {unproven} of them {'are' if unproven > 1 else 'is'} unproven"
    return sentence


def _limit_finding(run: Run) -> Finding:
    found, searched = run.meta.breakpoint, breakpoint_figures(run)
    told = search_finding(searched) if searched else None
    if told is not None:
        tier, sentence = told
        return Finding(tier, sentence, () if tier is Tier.PASS else (sentence,))
    if found is not None and found.limit_users is not None:
        return Finding(Tier.PASS, _limit_sentence(run, found, found.limit_users))
    why = f": {found.reason}" if found is not None and found.reason else ""
    if found is not None and found.at_s is not None:
        sentence = f"the limit lies below the load that the run began with{why}"
        return Finding(Tier.WARNING, sentence, (sentence,))
    rate = _last_rate(run)
    at = f" and {format_rate(rate)} requests/s" if rate is not None else ""
    sentence = f"the ramp ended at {_highest_load(run)}{at} without a limit found"
    sentence += why
    return Finding(Tier.WARNING, sentence, (sentence,))


def _highest_load(run: Run) -> str:
    """The highest load that was played, in what the search counts in."""
    found = run.meta.breakpoint
    if found is not None and found.holds and found.unit != "users":
        return f"{max(hold.level for hold in found.holds):g} {found.unit}"
    reached = int(run.users["users"].max()) if len(run.users) else 0
    return f"{reached} {plural(reached, 'user')}"


def _limit_sentence(run: Run, found: BreakpointResult, users: float) -> str:
    at_s = run.duration_s + 1.0 if found.at_s is None else found.at_s
    limit = f"the limit is {users:g} {plural(int(users), 'user')}"
    why = f"; then {found.reason}" if found.reason else ""
    step = held_before(run, at_s)
    if step is None or not step.figures.n or step.figures.rps is None:
        return limit + why
    which = f"the step before, at {step.users_to:g} users,"
    if not step.whole:
        which = "the load before it"
    elif step.users_to == users:
        which = "that step"
    held = f"{which} held at {format_rate(step.figures.rps)} requests/s"
    if step.figures.p95_ms is not None:
        held += f" with p95 {format_quantity(step.figures.p95_ms, Unit.MS)}"
    return f"{limit}: {held}{why}"


def _last_rate(run: Run) -> float | None:
    """Requests per second of the last stage that a run reached."""
    stages = stage_figures(run)
    return stages[-1].figures.rps if stages else None
