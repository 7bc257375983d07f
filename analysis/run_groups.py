"""The runs of a comparison as they are read from their directories, in two groups.

Runs that say nothing sure about the service are left out, with the reason: those that are
damaged, incomplete, interrupted, crashed or inconclusive.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.compare import RunFigures
from analysis.figures import figures_of
from analysis.meta import RunMeta
from analysis.outputs import thresholds_for
from analysis.quantities import format_count, plural
from analysis.reports import find_run
from analysis.runs import Run, load_run
from analysis.trouble import find_trouble
from otaload.errors import ConfigurationError, OtaloadError
from otaload.record.rundir import read_meta


@dataclass(frozen=True, kw_only=True)
class ComparedRun:
    """A run in a group: its figures, and what must be alike for them to be comparable.

    `trouble` says why its figures are not to be believed, where they are compared all the same.
    """

    figures: RunFigures
    meta: RunMeta
    machine: Mapping[str, str]
    start_s: float
    end_s: float
    trouble: str = ""

    @property
    def name(self) -> str:
        """The run's name."""
        return self.figures.name


@dataclass(frozen=True)
class LeftOut:
    """A run that was named and is not compared, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Group:
    """One side of a comparison: `A` is the baseline, `B` what is compared with it."""

    label: str
    runs: tuple[ComparedRun, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def figures(self) -> list[RunFigures]:
        """The figures of its runs."""
        return [run.figures for run in self.runs]


def find_groups(
    before: Sequence[str], after: Sequence[str], reports_dir: Path
) -> tuple[list[Path], list[Path]]:
    """The directories of both groups' runs.

    Raises `RunUnreadableError` for a name that is no run, and `ConfigurationError` for a run that
    is named twice, as it would be compared with itself.
    """
    named: dict[Path, str] = {}
    groups: tuple[list[Path], list[Path]] = ([], [])
    for label, names, group in zip("AB", (before, after), groups, strict=True):
        for name in names:
            path = find_run(reports_dir, name)
            key = path.resolve()
            if key in named:
                where = f"twice in group {label}" if named[key] == label else "in both groups"
                raise ConfigurationError(
                    f"{path.name}: the run is named {where}; name each run once"
                )
            named[key] = label
            group.append(path)
    return groups


def read_group(label: str, paths: Sequence[Path], *, all_runs: bool) -> Group:
    """Read the runs of a group; with `all_runs`, unsound ones are compared, too.

    Raises `ConfigurationError` where no run is left.
    """
    runs: list[ComparedRun] = []
    left_out: list[LeftOut] = []
    for path in paths:
        try:
            run = load_run(path)
            trouble = "; ".join(_trouble(run))
        except OtaloadError as error:
            left_out.append(LeftOut(path.name, str(error)))
            continue
        if not run.endpoints:
            left_out.append(LeftOut(path.name, trouble or "it has no requests"))
        elif trouble and not all_runs:
            left_out.append(LeftOut(path.name, trouble))
        else:
            runs.append(_compared(run, trouble))
    if not runs:
        reasons = "\n".join(f"  {run.name}: {run.reason}" for run in left_out)
        count = f"{format_count(len(paths))} {plural(len(paths), 'run')}"
        hint = "" if all_runs else "\n--all-runs compares runs that are not sound, too"
        raise ConfigurationError(
            f"group {label}: none of its {count} can be compared:\n{reasons}{hint}"
        )
    return Group(label, tuple(sorted(runs, key=lambda run: run.start_s)), tuple(left_out))


def _trouble(run: Run) -> tuple[str, ...]:
    limits = thresholds_for(run.path).generator
    return find_trouble(run, limits, partial=False).sentences


def _compared(run: Run, trouble: str) -> ComparedRun:
    each = {
        label: figures_of(run.windows.of([endpoint]), run.load_s)
        for endpoint, label in run.labels.items()
    }
    machine = read_meta(run.path).get("machine")
    start_s = float(run.start_s if run.meta.start_s is None else run.meta.start_s)
    return ComparedRun(
        figures=RunFigures(run.name, figures_of(run.windows, run.load_s), each),
        meta=run.meta,
        machine={k: str(v) for k, v in machine.items()} if isinstance(machine, dict) else {},
        start_s=start_s,
        end_s=start_s + run.lasted_s,
        trouble=trouble,
    )
