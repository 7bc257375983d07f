"""The verdict as workflow commands, which GitHub shows as annotations of a job: `::error …`.

GitHub keeps ten errors, ten warnings and ten notices of a step, so that the verdict comes first and
the last of a kind says how many more there are.
"""

from __future__ import annotations

from collections.abc import Sequence

from analysis.finding import badness, check_sentence
from analysis.limits import Tier
from analysis.quantities import format_count, plural, printable, shorten
from analysis.verdict import Outcome, Verdict

MOST_OF_A_KIND = 10
LONGEST = 1000
_LEVELS = {Outcome.PASS: "notice", Outcome.WARNING: "warning"}


def github(verdict: Verdict) -> str:
    """One line an annotation: the verdict, the checks that fail or warn, and what limits it."""
    level = _LEVELS.get(verdict.outcome, "error")
    told: dict[str, list[str]] = {"error": [], "warning": [], "notice": []}
    told[level].append(verdict.headline)
    if verdict.requests:
        for check in sorted(verdict.checks, key=badness):
            if check.informational or check.tier is Tier.PASS:
                continue
            kind = "error" if check.tier is Tier.FAIL else "warning"
            told[kind].append(check_sentence(check))
    told["warning"] += [caution.reason for caution in verdict.cautions]
    told["notice"] += verdict.caveats
    title = f"otaload {verdict.scenario}"
    lines = [
        _command(kind, title, message)
        for kind, messages in told.items()
        for message in _bounded(messages, said_by=verdict.headline)
    ]
    return "".join(f"{line}\n" for line in lines)


def unjudged(run: str, told: str, reason: str) -> str:
    """The annotation that a run has no verdict: what became of it, and why."""
    return _command("error", "otaload", f"{run} {told}: {reason}") + "\n"


def _bounded(messages: Sequence[str], *, said_by: str) -> list[str]:
    """At most ten messages, without those that the headline says already."""
    kept = [m for m in dict.fromkeys(messages) if m == said_by or m not in said_by]
    if len(kept) <= MOST_OF_A_KIND:
        return kept
    rest = len(kept) - (MOST_OF_A_KIND - 1)
    more = f"and {format_count(rest)} more {plural(rest, 'finding')}; summary.md has them all"
    return [*kept[: MOST_OF_A_KIND - 1], more]


def _command(kind: str, title: str, message: str) -> str:
    return f"::{kind} title={_property(shorten(title))}::{_data(shorten(message, LONGEST))}"


def _data(text: str) -> str:
    """A message, escaped as GitHub's toolkit does it, on one line."""
    return printable(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
