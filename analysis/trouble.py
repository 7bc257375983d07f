"""What keeps a run from being judged, whatever its checks say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.arrivals import arrival_figures
from analysis.generator import MASTER, saturation, steering_limits
from analysis.meta import REFUSED
from analysis.quantities import format_count, format_duration, shorten
from analysis.thresholds import GeneratorLimits
from analysis.tracebacks import exception_line
from analysis.verdict import Outcome

if TYPE_CHECKING:  # a run is read with pandas, which live judging does without
    from analysis.runs import Run

NEVER_STARTED, LIMIT_FOUND = "never started", "limit found"
NO_LIMIT_FOUND = "no limit found"
"""Ways in which a run ends, as `run.json` has them."""
LASTED, EARLY_S = 0.95, 2.0
"""A run has ended early below this share of its planned duration and more than these seconds."""
LONGEST_REFUSAL = 300
SETTLED_S = 2
"""Before the last request of a run, seconds for which every process must have a row of health."""
REACHED = 0.9
"""The share of the planned users that must have run for a verdict to speak of the planned load."""


@dataclass(frozen=True)
class Trouble:
    """What keeps a run from being judged, worst kind first."""

    refused: str
    crashed: str
    interrupted: str
    inconclusive: tuple[str, ...]

    @property
    def sentences(self) -> tuple[str, ...]:
        """All of it."""
        found = (self.refused, self.crashed, self.interrupted, *self.inconclusive)
        return tuple(sentence for sentence in found if sentence)

    @property
    def outcome(self) -> Outcome | None:
        """The worst kind, or None without any trouble."""
        if self.refused:
            return Outcome.REFUSED
        if self.crashed:
            return Outcome.CRASHED
        if self.interrupted:
            return Outcome.INTERRUPTED
        return Outcome.INCONCLUSIVE if self.inconclusive else None


def find_trouble(run: Run, limits: GeneratorLimits, *, partial: bool) -> Trouble:
    """What keeps a run from being judged; with `partial`, being cut short does not.

    Having been refused is no matter of being cut short: such a load is not to be judged at all.
    """
    meta = run.meta
    refused = crashed = interrupted = ""
    if meta.ended == REFUSED:
        why = f": {shorten(meta.refusal, LONGEST_REFUSAL)}" if meta.refusal else ""
        refused = f"refused after {format_duration(run.load_s)}{why}"
    if meta.crashes:
        times = "once" if meta.crashes == 1 else f"{format_count(meta.crashes)} times"
        raised = exception_line(meta.first_crash)
        first = f" (first: {shorten(raised, 120)})" if raised else ""
        crashed = f"the test code raised {times}{first}"
    if meta.interrupted and not (refused or partial):
        interrupted = f"interrupted by {meta.interrupted} after {format_duration(run.load_s)}"
    inconclusive: list[str] = []
    if meta.ended == NEVER_STARTED and not partial:
        inconclusive.append("the run never started")
    elif not meta.complete and not partial:
        inconclusive.append(
            "the run is incomplete: it was never closed, or is still going on; "
            "judge what there is with --partial"
        )
    inconclusive += [f"damaged: {what}" for what in run.damage]
    inconclusive += _worker_trouble(run)
    inconclusive += _health_trouble(run, limits)
    if not (refused or crashed or interrupted or partial) and meta.complete:
        inconclusive += [*_early_end(run), *_load_trouble(run), *_arrival_trouble(run)]
    return Trouble(refused, crashed, interrupted, tuple(inconclusive))


def _worker_trouble(run: Run) -> list[str]:
    found = []
    master_version = run.meta.versions.get("otaload", "")
    for worker in run.meta.workers:
        if worker.reports == 0:
            found.append(f"{worker.name} never reported")
        elif worker.left_early:
            found.append(f"{worker.name} left before the run was over")
        elif worker.lost:
            found.append(f"{worker.name} was lost{_since(worker.last_s)}")
        elif worker.away_s:
            told = format_duration(worker.away_s)
            found.append(
                f"{worker.name} was out of touch for {told}, so the load was not as planned"
            )
        if worker.gaps:
            count = f"{format_count(worker.gaps)} of its reports"
            verb = "is" if worker.gaps == 1 else "are"
            found.append(f"{worker.name}: {count} {verb} missing")
        if worker.repeats:
            found.append(f"{worker.name}: {format_count(worker.repeats)} of its reports came twice")
        if worker.version and master_version and worker.version != master_version:
            other = shorten(worker.version, 20)
            found.append(f"{worker.name} runs otaload {other}, the master {master_version}")
    return found


def _since(last_s: float | None) -> str:
    if last_s is None:
        return ""
    return f": its last report came {format_duration(last_s)} after the start"


def _health_trouble(run: Run, limits: GeneratorLimits) -> list[str]:
    found = run.meta.breakpoint
    # A search goes on after its first bad slice, and its bad holds may be the generator's fault.
    cut = found is not None and found.at_s and not found.holds
    until_s = found.at_s if found is not None and cut else run.duration_s + 1
    health = run.health[run.health["t_s"] <= until_s]
    generating = health[health["process"] != MASTER]
    if not len(generating):
        return ["the generator's own health was not recorded"] if run.endpoints else []
    recorded = set(generating["process"])
    reasons = [
        f"the health of {worker.name} was not recorded"
        for worker in run.meta.workers
        if worker.users_max and worker.name not in recorded
    ]
    away = {worker.name for worker in run.meta.workers if worker.lost}  # which is said elsewhere
    judged = not cut and len(run.windows.t_s)
    last_s = int(run.windows.t_s.max()) - SETTLED_S if judged else 0
    for name, rows in health.groupby("process", sort=True):
        process = str(name)
        columns = (rows[column].tolist() for column in ("t_s", "cpu", "lag_ms"))
        held_to = steering_limits(limits) if process == MASTER else limits
        present_s = None if process in away else last_s
        reason = saturation(process, zip(*columns, strict=True), held_to, until_s=present_s)
        if reason is not None:
            reasons.append(reason)
    return reasons


def _early_end(run: Run) -> list[str]:
    """Why a run that says it is whole ended clearly before its plan did, or nothing."""
    meta = run.meta
    if meta.planned_s is None or meta.start_s is None or meta.end_s is None:
        return []
    lasted_s = meta.end_s - meta.start_s
    short = lasted_s < LASTED * meta.planned_s and meta.planned_s - lasted_s > EARLY_S
    searched = meta.ended in (LIMIT_FOUND, NO_LIMIT_FOUND)
    if not short or searched or meta.aborted is not None or meta.stopped_early_s is not None:
        return []
    told = f"{format_duration(lasted_s)} of the planned {format_duration(meta.planned_s)}"
    return [f"the run ended early: after {told}"]


def _load_trouble(run: Run) -> list[str]:
    planned, users = run.meta.planned_users, run.users["users"]
    if run.meta.finds_limit or run.meta.aborted is not None:
        return []
    if not planned or not len(users) or users.max() >= REACHED * planned:
        return []
    return [f"the load was not reached: {int(users.max())} of {planned:g} planned users"]


def _arrival_trouble(run: Run) -> list[str]:
    # A search changes its plan a moment ahead, and is not held to the arrivals of that moment.
    # What was stopped hands out no more arrivals while it waits for its last answers.
    meta = run.meta
    owes = meta.breakpoint is None and meta.aborted is None and meta.stopped_early_s is None
    figures = arrival_figures(run) if owes else None
    return [figures.shortfall] if figures is not None and figures.shortfall else []
