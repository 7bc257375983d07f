"""What is being run: the locustfile's name, its profile if it has one of ours, what it asks for."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from locust import User
from locust.env import Environment

PLUGIN_FILE = "plugin.py"
PRODUCTION_PER_S = 1 / 60
"""One request a minute: what production may get."""


class PlannedStage(Protocol):
    """A stretch of a profile; seconds since the start of the run."""

    @property
    def name(self) -> str: ...
    @property
    def start_s(self) -> float: ...
    @property
    def end_s(self) -> float: ...
    @property
    def users_from(self) -> int: ...
    @property
    def users_to(self) -> int: ...
    @property
    def phase(self) -> str: ...
    @property
    def rate_from(self) -> float | None: ...
    @property
    def rate_to(self) -> float | None: ...


@runtime_checkable
class PlannedShape(Protocol):
    """A Locust shape whose load is known beforehand, as those of `locustfiles.profiles` are."""

    mix: Mapping[type[User], int]
    think_s: tuple[float, float]
    pacing_s: float | None
    release_day: bool
    finds_limit: bool
    allowed_on_production: bool
    timeline: Sequence[PlannedStage]

    def plan(self, *, time_scale: float, user_scale: float, run_time_s: float | None) -> None: ...
    @property
    def duration_s(self) -> float: ...
    @property
    def peak_users(self) -> int: ...
    def users_at(self, elapsed_s: float) -> int | None: ...
    @property
    def has_arrivals(self) -> bool: ...
    @property
    def peak_per_s(self) -> float: ...
    def rate_at(self, elapsed_s: float) -> float | None: ...
    def play(self, name: str, level: float, at_s: float) -> None: ...
    def end(self, reason: str) -> None: ...
    @property
    def ended_by(self) -> str | None: ...


@dataclass(frozen=True)
class Scenario:
    """A locustfile as Locust loaded it; `shape` is None unless it is one of ours.

    `exercises` names the endpoints that its users ask for, and `known_endpoints` those that there
    are at all; both are None where that is not known.
    """

    name: str
    title: str
    locustfile: str
    shape: PlannedShape | None
    user_classes: tuple[type[User], ...]
    exercises: tuple[str, ...] | None
    known_endpoints: tuple[str, ...] | None
    profiles: int = 1
    """How many profiles of ours were loaded; Locust would play one and drop the others."""

    @property
    def has_devices(self) -> bool:
        """Whether its users are devices of ours, which need a target."""
        return self.exercises is not None

    @property
    def allowed_on_production(self) -> bool:
        """Whether production may get it: one user, of the classes that its profile names.

        Arrivals do not wait until the user has thought, so their rate is bounded as well. What is
        not known may not.
        """
        shape = self.shape
        return (
            shape is not None
            and shape.allowed_on_production
            and shape.peak_users <= 1
            and shape.peak_per_s <= PRODUCTION_PER_S
            and set(self.user_classes) <= set(shape.mix)
        )

    def mix(self) -> dict[str, int]:
        """The share of each user class, by its name."""
        return {cls.__name__: int(cls.weight) for cls in self.user_classes}

    def sessions(self) -> dict[str, list[str]]:
        """The endpoints that one iteration of each user class asks, where that is known."""
        asked = {cls.__name__: getattr(cls, "exercises", None) for cls in self.user_classes}
        return {name: list(endpoints) for name, endpoints in asked.items() if endpoints}

    def stages(self) -> list[dict[str, Any]]:
        """The planned stages as plain data; an end that never comes is None."""
        if self.shape is None:
            return []
        return [
            {
                "name": stage.name,
                "start_s": stage.start_s,
                "end_s": None if math.isinf(stage.end_s) else stage.end_s,
                "users_from": stage.users_from,
                "users_to": stage.users_to,
                "phase": str(stage.phase),
                **_rates(stage),
            }
            for stage in self.shape.timeline
        ]

    def stage_at(self, elapsed_s: float) -> str | None:
        """The name of the stage at a moment."""
        for stage in self.shape.timeline if self.shape else ():
            if stage.start_s <= elapsed_s < stage.end_s:
                return stage.name
        return None


def _rates(stage: PlannedStage) -> dict[str, float | None]:
    if stage.rate_from is None:
        return {}
    return {"rate_from": stage.rate_from, "rate_to": stage.rate_to}


def scenario_of(environment: Environment) -> Scenario:
    """The scenario of an environment; the profile's mix becomes the weights of the classes."""
    found = environment.shape_class
    shape = found if isinstance(found, PlannedShape) else None
    classes = tuple(environment.user_classes)
    if shape is not None:
        for cls in classes:
            cls.weight = shape.mix.get(cls, cls.weight)
    file = _main_file(environment)
    module = sys.modules.get(file.stem)
    title = (module.__doc__ or "").strip().splitlines() if module else []
    return Scenario(
        name=file.stem,
        title=title[0] if title else file.name,
        locustfile=_shown(file),
        shape=shape,
        user_classes=classes,
        exercises=_names(classes, "exercises"),
        known_endpoints=_names(classes, "known_endpoints"),
        profiles=sum(
            isinstance(one, PlannedShape)
            for one in (environment.available_shape_classes or {}).values()
        ),
    )


def _names(classes: Iterable[type[User]], attribute: str) -> tuple[str, ...] | None:
    names: dict[str, None] = {}
    for cls in classes:
        found = getattr(cls, attribute, None)
        if found is None:
            return None
        names.update(dict.fromkeys(found))
    return tuple(names)


def _main_file(environment: Environment) -> Path:
    files = [Path(name) for name in environment.parsed_locustfiles or ()]
    own = [file for file in files if file.name != PLUGIN_FILE]
    return (own or files or [Path(environment.locustfile or "locustfile.py")])[0]


def _shown(file: Path) -> str:
    try:
        return str(file.resolve().relative_to(Path.cwd()))
    except ValueError:
        return file.name
