"""A look at the drift of a soak that is under way, as plain data for the process that asks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from analysis.early_stop import is_beyond, look
from analysis.limits import DRIFT
from analysis.runs import LONGEST_S, load_run
from analysis.thresholds import load_thresholds
from otaload.errors import ConfigurationError
from otaload.record.rundir import THRESHOLDS


def look_at(path: Path, *, at_s: float | None = None) -> dict[str, Any]:
    """What a run directory says of the drift until `at_s` (default: until now).

    `beyond` is whether the drift is above the run's own fail limit for certain; `drift_ratio` and
    `low_ratio` are None with `insufficient` saying why.
    Raises `ConfigurationError` for a run that has no planned end or no limit of the drift.
    """
    if at_s is not None and not 0 <= at_s < LONGEST_S:
        raise ConfigurationError(
            f"--at: {at_s:g} is not a time in a run; give seconds after its start"
        )
    run = load_run(path)
    limits = load_thresholds(path / THRESHOLDS).limits_of(None, DRIFT)
    if limits is None:
        raise ConfigurationError(
            f"{path / THRESHOLDS}: has no global.p99_drift; add one to look at the drift"
        )
    if run.meta.planned_s is None:
        raise ConfigurationError(
            f"{path}: the run has no planned end, so it has no last hour; run a soak or --run-time"
        )
    until_s = float(run.duration_s) if at_s is None else at_s
    drift = look(run.windows, at_s=until_s, planned_s=run.meta.planned_s)
    return {
        "at_s": until_s,
        "drift_ratio": drift.drift_ratio,
        "low_ratio": drift.low_ratio,
        "beyond": is_beyond(drift, limits),
        "insufficient": drift.insufficient,
    }
