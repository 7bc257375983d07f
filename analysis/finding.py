"""What the checks come to, or in a breakpoint run the search for a limit: a tier and a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.limits import Tier
from analysis.quantities import format_count, plural
from analysis.trouble import BREAKPOINT
from analysis.verdict import Check

if TYPE_CHECKING:  # a run is read with pandas, which live judging does without
    from analysis.runs import Run

NO_REQUESTS = "not one request was recorded"
AT_LIMIT_S = 30
"""How long before the limit the requests per second are counted that it is stated in."""


def check_sentence(check: Check) -> str:
    """A check in a sentence: `p95 of /updates/check is 612 ms: above …`."""
    if check.value is None:
        return f"{check.metric.name} of {check.endpoint}: {check.reason}"
    return f"{check.metric.name} of {check.endpoint} is {check.value_text}: {check.reason}"


def badness(check: Check) -> tuple[int, float, int, str]:
    """Worst tier first, and within one the value that is nearest to its fail limit."""
    if check.value is None:
        return -check.tier.rank, float("-inf"), 0, check.endpoint
    return -check.tier.rank, -check.value / check.limits.fail_above.value, 0, check.endpoint


@dataclass(frozen=True)
class Finding:
    """What the checks, or the search for a limit, come to: a tier, a sentence, the reasons."""

    tier: Tier
    sentence: str
    reasons: tuple[str, ...] = ()


def find(run: Run, checks: Sequence[Check]) -> Finding:
    """What the checks that decide a run come to."""
    deciding = [check for check in checks if not check.informational]
    if not run.endpoints:
        reasons = tuple(check_sentence(check) for check in sorted(deciding, key=badness))
        return Finding(Tier.FAIL, NO_REQUESTS, (NO_REQUESTS, *reasons))
    if run.meta.scenario == BREAKPOINT and not deciding:
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
    found = run.meta.breakpoint
    if found is not None and found.limit_users is not None:
        at_s = found.at_s if found.at_s is not None else float(run.duration_s)
        why = f": {found.reason}" if found.reason else ""
        rate = _rate_before(run, at_s)
        return Finding(
            Tier.PASS,
            f"the limit is {found.limit_users:g} users at {rate:.4g} requests/s{why}",
        )
    reached = int(run.users["users"].max()) if len(run.users) else 0
    rate = _rate_before(run, float(run.duration_s))
    sentence = f"the ramp ended at {reached} users and {rate:.4g} requests/s without a limit found"
    if found is not None and found.reason:
        sentence += f": {found.reason}"
    return Finding(Tier.WARNING, sentence, (sentence,))


def _rate_before(run: Run, at_s: float) -> float:
    """Completed requests per second over the half minute before a time."""
    start_s = max(0.0, at_s - AT_LIMIT_S)
    table = run.between(start_s, at_s).windows
    n = int(table.successes.sum() + table.failures.sum())
    return n / (at_s - start_s) if at_s > start_s else 0.0
