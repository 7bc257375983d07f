"""What became of the arrivals of a run whose load was planned in arrivals per second.

In an open model a service that slows down does not slow its callers: what it cannot take shows as
arrivals that found no free user. They were never sent, so no latency tells of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.quantities import (
    Unit,
    format_count,
    format_quantity,
    format_rate,
    plural,
)

if TYPE_CHECKING:  # a run is read with pandas, which live judging does without
    import pandas as pd

    from analysis.figures import StageFigures
    from analysis.runs import Run

MISSED_WARNING_RATIO = 0.01
"""More than this share of the planned arrivals missed is a warning, as for lost iterations."""
REACHED = 0.99
"""The share of the profile's arrivals that processes must have known of."""

ARRIVAL_KEYS = ("planned", "started", "missed", "lag_sum_ms", "lag_max_ms", "busy")
"""Of a row of `users.jsonl`, under `arrivals`; there may be `missed_by` besides."""
COUNT_COLUMNS = tuple(f"arrivals_{key}" for key in ARRIVAL_KEYS)
MISSED_BY = "arrivals_missed_by"
ARRIVAL_COLUMNS = (*COUNT_COLUMNS, MISSED_BY)


def arrival_cells(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """What a line of `users.jsonl` says of arrivals; zeros where it says nothing.

    Raises `KeyError`, `TypeError` or `ValueError` where it makes no sense.
    """
    counts = row.get("arrivals")
    if counts is None:
        return (*((0.0,) * len(ARRIVAL_KEYS)), None)
    cells = tuple(float(counts[key]) for key in ARRIVAL_KEYS)
    if not all(0 <= cell < 2**53 for cell in cells):
        raise ValueError(f"arrivals make no sense: {counts!r}")
    missed_by = {str(name): int(n) for name, n in counts.get("missed_by", {}).items()}
    return (*cells, missed_by or None)


@dataclass(frozen=True, kw_only=True)
class ArrivalFigures:
    """The arrivals of a run: `planned` = `started` + `missed`, but for those cut off at its end.

    `by_profile` is how many the profile plans for the time that the run lasted; lags are how late
    arrivals were started; `busy_max` adds up each process's most users at work, of `users`.
    """

    by_profile: int
    planned: int
    started: int
    missed: int
    lag_mean_ms: float
    lag_max_ms: float
    busy_max: int
    users: int
    missed_by: Mapping[str, int]

    @property
    def missed_ratio(self) -> float:
        """Missed arrivals among the planned ones; 0 where there were none."""
        return self.missed / self.planned if self.planned else 0.0

    @property
    def sentence(self) -> str:
        """All of them in a sentence, for the notes of a verdict."""
        noun = plural(self.planned, "arrival")
        return (
            f"{format_count(self.planned)} {noun} planned, {format_count(self.started)} started "
            f"{format_quantity(self.lag_mean_ms, Unit.MS)} late on average, "
            f"{format_count(self.missed)} missed; at most {format_count(self.busy_max)} of "
            f"{format_count(self.users)} {plural(self.users, 'user')} at work"
        )

    @property
    def warning(self) -> str:
        """Why the missed arrivals are a warning; nothing where they are none."""
        if not self.missed_ratio > MISSED_WARNING_RATIO:
            return ""
        share = format_quantity(self.missed_ratio, Unit.RATIO)
        return (
            f"{format_count(self.missed)} of {format_count(self.planned)} arrivals ({share}) found "
            f"no free user{self._mostly}: raise max_users, or the service is past its limit"
        )

    @property
    def _mostly(self) -> str:
        """The user class that missed the most."""
        name, most = max(self.missed_by.items(), key=lambda item: item[1], default=("", 0))
        if not most:
            return ""
        return f" ({'all' if most == self.missed else 'mostly'} {name})"

    @property
    def shortfall(self) -> str:
        """That arrivals of the profile are unaccounted for; nothing where they are not."""
        if self.planned >= REACHED * self.by_profile - 2:
            return ""
        told = f"{format_count(self.planned)} of {format_count(self.by_profile)} planned arrivals"
        return f"the load was not reached: {told} came about"


def has_arrivals(run: Run) -> bool:
    """Whether a run's load was planned in arrivals per second."""
    return any(stage.rate_to is not None for stage in run.meta.stages)


def arrival_figures(run: Run) -> ArrivalFigures | None:
    """The arrivals of a run; None where its load was planned in users."""
    if not has_arrivals(run):
        return None
    sums = run.health[list(COUNT_COLUMNS)].sum()
    started = int(sums["arrivals_started"])
    busiest = run.health.groupby("process")["arrivals_busy"].max()
    worst = run.health["arrivals_lag_max_ms"]
    return ArrivalFigures(
        by_profile=round(planned_until(run, run.lasted_s)),
        planned=int(sums["arrivals_planned"]),
        started=started,
        missed=int(sums["arrivals_missed"]),
        lag_mean_ms=float(sums["arrivals_lag_sum_ms"]) / started if started else 0.0,
        lag_max_ms=float(worst.max()) if len(worst) else 0.0,
        busy_max=int(busiest.sum()),
        users=int(run.meta.planned_users or 0),
        missed_by=_missed_by(run),
    )


def _missed_by(run: Run) -> dict[str, int]:
    """Missed arrivals by user class, the most first."""
    total: Counter[str] = Counter()
    for counts in run.health[MISSED_BY].dropna():
        total.update(counts)
    return dict(total.most_common())


def planned_until(run: Run, end_s: float) -> float:
    """The integral of the profile's rate up to a time after the start."""
    total = 0.0
    if run.meta.planned_s is not None:
        end_s = min(end_s, run.meta.planned_s)
    for stage in run.meta.stages:
        low, high = stage.rate_from or 0.0, stage.rate_to or 0.0
        seconds = min(stage.end_s, end_s) - stage.start_s
        if seconds <= 0:
            continue
        share = seconds / (stage.end_s - stage.start_s)
        total += seconds * (low + (low + share * (high - low))) / 2
    return total


def arrival_series(run: Run, width_s: int) -> pd.DataFrame:
    """Arrivals per second over time, in bins: `t_s`, `planned`, `started`, `missed`, `busy`.

    `busy` is the most users at work in a bin, added up over processes.
    """
    bins = (run.health["t_s"] // width_s).rename("t_s")
    sums = run.health.groupby(bins)[[f"arrivals_{k}" for k in ("planned", "started", "missed")]]
    frame = sums.sum()
    busy = run.health.groupby([bins, "process"])["arrivals_busy"].max().groupby("t_s").sum()
    frame = frame.assign(arrivals_busy=busy).rename(columns=lambda c: c.removeprefix("arrivals_"))
    n_bins = -(-run.duration_s // width_s)
    frame = frame.reindex(np.arange(n_bins), fill_value=0.0)
    seconds = np.full(n_bins, float(width_s))
    seconds[-1] = run.duration_s - (n_bins - 1) * width_s
    rates = frame[["planned", "started", "missed"]].div(seconds, axis=0)
    rates.insert(0, "t_s", (np.arange(n_bins) + 0.5) * width_s)
    return rates.assign(busy=frame["busy"]).reset_index(drop=True)


def load_text(stage: StageFigures, users: str) -> str:
    """The planned load of a stage: its rates where it has them, else its users."""
    if stage.rate_from is None or stage.rate_to is None:
        return users
    low, high = format_rate(stage.rate_from), format_rate(stage.rate_to)
    return f"{high} /s" if low == high else f"{low} → {high} /s"
