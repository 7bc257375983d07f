"""The first content of `run.json`: everything about a run that is known before it starts."""

from __future__ import annotations

import math
from typing import Any

from otaload.live.aim import Aim
from otaload.live.options import Settings, environment_note
from otaload.live.provenance import provenance
from otaload.live.scenario import PlannedShape, Scenario


def describe_run(
    scenario: Scenario, settings: Settings, aim: Aim | None, *, start_s: float, users: int | None
) -> dict[str, Any]:
    """The content; `users` is what was asked for where no profile plans them.

    `docs/run-directory.md` explains each key.
    """
    shape = scenario.shape
    duration_s = shape.duration_s if shape else settings.run_time_s
    endless = duration_s is None or math.isinf(duration_s)
    notes = [note for note in (environment_note(), _cut_note(scenario, settings)) if note]
    scales = {"time_scale": settings.time_scale, "user_scale": settings.user_scale}
    return {
        "scenario": scenario.name,
        "title": scenario.title,
        "locustfile": scenario.locustfile,
        "rehearsal": scales if settings.is_rehearsal else None,
        "planned": {
            "users_max": shape.peak_users if shape else users,
            "duration_s": None if endless else duration_s,
        },
        "stages": scenario.stages(),
        "mix": scenario.mix(),
        "think_s": list(shape.think_s) if shape and _thinks(shape) else None,
        "pacing_s": shape.pacing_s if shape else None,
        "sessions": scenario.sessions(),
        "exercises": scenario.exercises,
        "target": {
            "base_url": aim.base_url if aim else None,
            "kind": aim.kind if aim else "other",
            "source": aim.source if aim else "the locustfile",
        },
        "faults": aim.faults if aim else [],
        "seed": settings.seed,
        "start": start_s,
        "end": None,
        "notes": notes,
        **provenance(),
    }


def _thinks(shape: PlannedShape) -> bool:
    return shape.pacing_s is None and not shape.has_arrivals


def _cut_note(scenario: Scenario, settings: Settings) -> str | None:
    """That --run-time ends the run before its last stage does; None where it does not."""
    if scenario.shape is None or settings.run_time_s is None:
        return None
    planned_s = scenario.shape.timeline[-1].end_s
    if math.isinf(planned_s) or settings.run_time_s >= planned_s:
        return None
    return f"--run-time ends the run after {settings.run_time_s:g} s of {planned_s:g} s"
