"""The one Locust shape: it plays the stages of a scenario in small steps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from locust import LoadTestShape, User

from locustfiles.profiles.curves import Part, Stage, lay_out, peak_users, users_at
from otaload.errors import ConfigurationError


class Profile(LoadTestShape):
    """What a scenario says: who the users are, how many there are when, how long they think.

    A subclass sets the class attributes below and nothing else. Locust asks `tick` about once a
    second; every answer is the number of users for that moment, reached at once, because Locust's
    master would block through a slow ramp and skip stages.
    """

    abstract = True

    mix: ClassVar[Mapping[type[User], int]] = {}
    """Relative shares of the users (not of the requests)."""
    stages: ClassVar[Sequence[Part]] = ()
    think_s: ClassVar[tuple[float, float]] = (1.0, 3.0)
    """Seconds between a user's iterations, drawn evenly from this range."""
    release_day: ClassVar[bool] = False
    """Whether every device starts one version behind, so that each one that asks also downloads."""
    finds_limit: ClassVar[bool] = False
    """Whether the run looks for the limit, which is its purpose: its stages are steps that are
    climbed until one is bad; then the limit is bisected, and the run ends."""
    search_s: ClassVar[float] = 450.0
    """How long the search may take beyond its climb; what it has by then stays less precise."""
    allowed_on_production: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # locust leaves shapes untyped
        self.time_scale = 1.0
        self.user_scale = 1.0
        self.run_time_s: float | None = None
        self.planned: tuple[Stage, ...] = lay_out(self.stages)
        self.timeline: tuple[Stage, ...] = self.planned
        self._ended_by: str | None = None

    def plan(
        self, *, time_scale: float = 1.0, user_scale: float = 1.0, run_time_s: float | None = None
    ) -> None:
        """Scale the scenario for a rehearsal, and cap its length with `run_time_s`.

        Raises `ConfigurationError` where the scaled peak leaves a user class without a user.
        """
        self.time_scale, self.user_scale, self.run_time_s = time_scale, user_scale, run_time_s
        self.planned = lay_out(self.stages, time_scale=time_scale, user_scale=user_scale)
        self.timeline = self.planned
        peak = self.peak_users
        needed = math.ceil(sum(self.mix.values()) / min(self.mix.values())) if self.mix else 1
        full = peak_users(lay_out(self.stages))
        if peak < min(needed, full):
            raise ConfigurationError(
                f"--user-scale {user_scale:g}: a peak of {peak} users leaves a class of the mix "
                f"without a user; use at least {min(needed, full) / full:g}"
            )
        if self.finds_limit:
            self._check_steps()

    def _check_steps(self) -> None:
        steps = [s for s in self.planned if s.users_from == s.users_to and math.isfinite(s.end_s)]
        if not steps or len(steps) < len(self.planned):
            raise ConfigurationError(
                f"{type(self).__name__}: finds_limit climbs in steps, each with a constant load "
                "and an end; use Steps, Climb or Hold in place of Ramp and FOREVER"
            )

    @property
    def duration_s(self) -> float:
        """How long the run is planned to last; infinite for one that is ended by hand.

        The search for a limit lasts at most so long, and ends as soon as it is done.
        """
        planned = self.planned[-1].end_s if self.planned else 0.0
        if self.finds_limit:
            planned += self.search_s * self.time_scale
        return min(planned, self.run_time_s) if self.run_time_s else planned

    @property
    def peak_users(self) -> int:
        """The most users that are ever planned."""
        return peak_users(self.planned)

    def play(self, name: str, users: float, at_s: float) -> None:
        """Hold so many users from a time on, in place of what was planned from there."""
        before = tuple(replace(s, end_s=min(s.end_s, at_s)) for s in self.timeline)
        played = tuple(stage for stage in before if stage.start_s < stage.end_s)
        level = round(users)
        self.timeline = (*played, Stage(name, at_s, self.duration_s, level, level))

    def users_at(self, elapsed_s: float) -> int | None:
        """The planned users at a moment; None once the run is over."""
        if elapsed_s >= self.duration_s:
            return None
        return users_at(self.timeline, elapsed_s)

    def end(self, reason: str) -> None:
        """End the run at the next tick; the first reason counts."""
        self._ended_by = self._ended_by or reason

    @property
    def ended_by(self) -> str | None:
        """Why the profile ended; None while it has not, or if the run was ended from outside."""
        return self._ended_by

    def reset_time(self) -> None:
        """Start the clock anew; the web UI plays one shape many times."""
        super().reset_time()  # type: ignore[no-untyped-call]
        self._ended_by = None

    def _elapsed_s(self) -> float:
        return float(self.get_run_time())  # type: ignore[no-untyped-call]

    def tick(self) -> tuple[int, float] | None:
        """The number of users for now and a rate that reaches it at once; None ends the run."""
        users = None if self._ended_by else self.users_at(self._elapsed_s())
        if users is None:
            self.end("its last stage is over")
            return None
        return users, float(max(1, self.peak_users))
