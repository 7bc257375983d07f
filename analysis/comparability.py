"""Whether two groups of runs may be compared: what must be alike, and what should be known."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from analysis.intervals import n_for_percentile
from analysis.meta import RunMeta, Stage
from analysis.quantities import format_count, format_duration, printable, shorten
from analysis.run_groups import ComparedRun, Group
from otaload.errors import ConfigurationError

MOST_VALUES = 3
"""Different values of a trait in one group that are written out."""


class Trait(NamedTuple):
    """Something about a run that others of a comparison have alike, or not."""

    name: str
    of: Callable[[ComparedRun], str]


def obstacles(before: Group, after: Group) -> list[str]:
    """Why the figures of these runs do not mean the same, or nothing."""
    found = _differences(_NEEDED, before, after)
    found += [f"the endpoints: {told}" for told in _endpoint_differences(before, after)]
    if any(run.meta.finds_limit for run in (*before.runs, *after.runs)):
        found.append(
            "a breakpoint run ends at its limit, so its percentiles are those of another load each "
            "time; `otaload history breakpoint` lists the limits"
        )
    return found


def refuse(found: Sequence[str]) -> None:
    """Raise `ConfigurationError` where there is any obstacle."""
    if found:
        listed = "\n".join(f"  {sentence}" for sentence in found)
        raise ConfigurationError(
            f"these runs cannot be compared:\n{listed}\n"
            "name runs of the same load, or compare them all the same with --anyway"
        )


def remarks(before: Group, after: Group) -> list[str]:
    """What a reader of the comparison should know about its runs."""
    runs = (*before.runs, *after.runs)
    return [
        *(
            f"{run.name} is not sound and was compared all the same: {run.trouble}"
            for run in runs
            if run.trouble
        ),
        *_differences(_WORTH_KNOWING, before, after),
        *_overlaps(runs),
        *_confounded(before, after),
        *_few_requests(runs),
    ]


def _differences(traits: Iterable[Trait], before: Group, after: Group) -> list[str]:
    """A sentence for each trait that not all runs have alike."""
    found = []
    for trait in traits:
        values = [sorted({trait.of(run) for run in group.runs}) for group in (before, after)]
        if values[0] != values[1] or len(values[0]) > 1:
            sides = (
                f"{group.label} has {_listed(group_values)}"
                for group, group_values in zip((before, after), values, strict=True)
            )
            found.append(f"{trait.name}: {', '.join(sides)}")
    return found


def _endpoint_differences(before: Group, after: Group) -> list[str]:
    names = [
        {name for run in group.runs for name in run.figures.endpoints} for group in (before, after)
    ]
    found = []
    for label, only in (("A", names[0] - names[1]), ("B", names[1] - names[0])):
        if only:
            found.append(f"only {label} has {', '.join(_quoted(name) for name in sorted(only))}")
    return found


def _overlaps(runs: Iterable[ComparedRun]) -> list[str]:
    ordered = sorted(runs, key=lambda run: run.start_s)
    return [
        f"{first.name} and {second.name} ran at the same time, so each was load for the other"
        for first, second in pairwise(ordered)
        if second.start_s < first.end_s
    ]


def _confounded(before: Group, after: Group) -> list[str]:
    """That everything else which changed between the groups is part of the difference."""
    first, second = sorted((before, after), key=lambda group: group.runs[0].start_s)
    if second.runs[0].start_s < first.runs[-1].start_s:
        return []
    return [
        f"all runs of {first.label} were made before those of {second.label}: whatever else "
        "changed in between is part of the difference; alternate the runs to rule it out"
    ]


def _few_requests(runs: Sequence[ComparedRun]) -> list[str]:
    least = min(runs, key=lambda run: run.figures.all_requests.n)
    n, needed = least.figures.all_requests.n, n_for_percentile(0.99)
    if n >= needed:
        return []
    return [
        f"{least.name} has {format_count(n)} requests, fewer than {needed}: the p99 of such a run "
        "is little more than its slowest request; longer runs compare better"
    ]


def _load(meta: RunMeta) -> str:
    users = "unknown" if meta.planned_users is None else f"{meta.planned_users:g}"
    lasts = "an unknown time" if meta.planned_s is None else format_duration(meta.planned_s)
    stages = ", ".join(
        f"{_course(stage)} in {stage.end_s - stage.start_s:g} s" for stage in meta.stages
    )
    return f"{users} users for {lasts}" + (f" ({stages})" if stages else "")


def _course(stage: Stage) -> str:
    """What a stage does: users stand by unchanged where arrivals are planned."""
    if stage.rate_from is None or stage.rate_to is None:
        return f"{stage.users_from:g}→{stage.users_to:g}"
    return f"{stage.rate_from:g}→{stage.rate_to:g} arrivals/s"


def _pace(meta: RunMeta) -> str:
    """How often a user asks."""
    if meta.pacing_s is not None:
        return f"every {meta.pacing_s:g} s"
    if meta.think_s is None:
        return "unknown"
    return f"after {meta.think_s[0]:g} to {meta.think_s[1]:g} s of thought"


def _scales(meta: RunMeta) -> str:
    return "the full load" if meta.rehearsal is None else str(meta.rehearsal)


def _mix(meta: RunMeta) -> str:
    return ", ".join(f"{name} {weight:g}" for name, weight in sorted(meta.mix.items())) or "no mix"


def _address(run: ComparedRun) -> str:
    # The embedded service has another port each time.
    target = run.meta.target
    return "" if target.get("kind") == "embedded" else target.get("base_url", "")


def _machine(run: ComparedRun) -> str:
    return ", ".join(f"{key}: {value}" for key, value in run.machine.items()) or "unknown"


def _versions(run: ComparedRun) -> str:
    return ", ".join(f"{name} {version}" for name, version in run.meta.versions.items())


def _listed(values: Sequence[str]) -> str:
    shown = [_quoted(value) for value in values[:MOST_VALUES]]
    more = len(values) - len(shown)
    return " and ".join([*shown, f"{more} more"] if more else shown)


def _quoted(value: str) -> str:
    return f'"{shorten(printable(value), 160)}"' if value else "none"


_NEEDED = (
    Trait("the scenario", lambda run: run.meta.scenario),
    Trait("the scale", lambda run: _scales(run.meta)),
    Trait("the load", lambda run: _load(run.meta)),
    Trait("how often a user asks", lambda run: _pace(run.meta)),
    Trait("the mix", lambda run: _mix(run.meta)),
    Trait("the kind of target", lambda run: run.meta.target.get("kind", "unknown")),
)
_WORTH_KNOWING = (
    Trait("the faults in the service", lambda run: "; ".join(run.meta.faults)),
    Trait("the target's address", _address),
    Trait("the git commit", lambda run: run.meta.git_commit),
    Trait("the generator's machine", _machine),
    Trait("the number of processes", lambda run: str(run.meta.processes or "")),
    Trait("the versions", _versions),
)
