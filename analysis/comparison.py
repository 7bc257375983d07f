"""A comparison of two groups of runs as a user sees it: figures, finding, and what to know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.comparability import obstacles, refuse, remarks
from analysis.compare import LEAST_RUNS, Differences, Finding, compare
from analysis.comparison_words import change_text, first_sentence, name_of, smallest_text
from analysis.quantities import plural
from analysis.run_groups import Group, read_group
from analysis.verdict import EXIT_FAIL, EXIT_INCONCLUSIVE, EXIT_PASS

COMPARISON_FORMAT = 1
"""Of the JSON; raised when a reader of an older one would misread it."""


@dataclass(frozen=True)
class Comparison:
    """Two groups of runs, `before` being the baseline, and how their figures differ."""

    before: Group
    after: Group
    differences: Differences
    notes: tuple[str, ...]

    @property
    def finding(self) -> Finding:
        """What it comes to."""
        return self.differences.finding

    @property
    def exit_code(self) -> int:
        """99 for a regression, 91 where there is no verdict, else 0."""
        return {
            Finding.REGRESSION: EXIT_FAIL,
            Finding.INDICATIVE: EXIT_INCONCLUSIVE,
            Finding.NO_DIFFERENCE: EXIT_PASS,
            Finding.IMPROVEMENT: EXIT_PASS,
        }[self.finding]

    @property
    def headline(self) -> str:
        """The finding in one sentence."""
        overall = self.differences.overall
        if self.finding is Finding.INDICATIVE:
            told = ", ".join(f"{name_of(d.metric)} {change_text(d)}" for d in overall)
            return f"Indicative only: {told}; no verdict, as {self._too_few()}."
        if self.finding is Finding.NO_DIFFERENCE:
            told = ", ".join(f"{name_of(d.metric)} {change_text(d)}" for d in overall)
            seen = " or ".join(
                f"{smallest_text(d)} in {name_of(d.metric)}" for d in overall if d.smallest
            )
            return f"No difference shown: {told}; about {seen} would have been seen."
        found = [d for d in self.differences.all if d.finding is self.finding]
        first, more = found[0], len(found) - 1
        told = f"{self.finding.value.capitalize()}: {first_sentence(first)}"
        if more:
            verb = "regressed" if self.finding is Finding.REGRESSION else "improved"
            told += f"; {more} more {plural(more, 'figure')} {verb}"
        return f"{told}."

    def _too_few(self) -> str:
        needed = f"it takes {LEAST_RUNS} sound runs a side"
        if min(len(self.before.runs), len(self.after.runs)) < LEAST_RUNS:
            return f"{needed} and there are {len(self.before.runs)} and {len(self.after.runs)}"
        lacking = next(d for d in self.differences.overall if d.finding is Finding.INDICATIVE)
        counts = f"{lacking.n_before} and {lacking.n_after}"
        return f"{needed} and {counts} have successful requests"


def compare_directories(
    before: Sequence[Path], after: Sequence[Path], *, anyway: bool = False, all_runs: bool = False
) -> Comparison:
    """Compare two groups of run directories.

    With `anyway` runs of different loads are compared, with `all_runs` unsound ones, too.
    Raises `ConfigurationError` where they cannot be.
    """
    groups = (
        read_group("A", before, all_runs=all_runs),
        read_group("B", after, all_runs=all_runs),
    )
    found = obstacles(*groups)
    if not anyway:
        refuse(found)
    warned = [f"not comparable, and compared all the same: {sentence}" for sentence in found]
    differences = compare(groups[0].figures, groups[1].figures)
    return Comparison(*groups, differences, (*warned, *remarks(*groups)))
