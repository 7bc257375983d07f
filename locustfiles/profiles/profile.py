"""The one Locust shape: it plays the stages of a scenario in small steps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from locust import LoadTestShape, User

from locustfiles.profiles.arrivals import (
    TAIL_S,
    Part,
    has_arrivals,
    lay_out_arrivals,
    peak_per_s,
    rate_at,
    why_wrong,
)
from locustfiles.profiles.curves import Stage, UserPart, lay_out, peak_users, users_at
from otaload.errors import ConfigurationError
from otaload.phase import Phase


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
    """Either of users or of arrivals (`ArrivalHold`, `ArrivalRamp`, `ArrivalSteps`)."""
    max_users: ClassVar[int] = 0
    """With arrivals: how many users stand ready to take them, shared out by the mix."""
    think_s: ClassVar[tuple[float, float]] = (1.0, 3.0)
    """Seconds between a user's iterations, drawn evenly from this range; not with arrivals."""
    pacing_s: ClassVar[float | None] = None
    """In place of `think_s`: each user starts an iteration every so many seconds, on a grid."""
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
        self.planned: tuple[Stage, ...] = self._lay_out()
        self.timeline: tuple[Stage, ...] = self.planned
        self._ended_by: str | None = None

    def plan(
        self, *, time_scale: float = 1.0, user_scale: float = 1.0, run_time_s: float | None = None
    ) -> None:
        """Scale the scenario for a rehearsal, and cap its length with `run_time_s`.

        Think times and pacing stay as they are. Raises `ConfigurationError` where the scaled peak
        leaves a user class without a user, and where the stages or the pacing make no sense.
        """
        self._check_pacing()
        problem = why_wrong(self.stages, max_users=self.max_users, needed=self._needed_users())
        if problem:
            raise ConfigurationError(f"{type(self).__name__}: {problem}")
        self.time_scale, self.user_scale, self.run_time_s = time_scale, user_scale, run_time_s
        full, needed = peak_users(self._lay_out()), self._needed_users()
        self.planned = self._lay_out(time_scale=time_scale, user_scale=user_scale)
        self.timeline = self.planned
        peak = self.peak_users
        if peak < min(needed, full):
            raise ConfigurationError(
                f"--user-scale {user_scale:g}: a peak of {peak} users leaves a class of the mix "
                f"without a user; use at least {min(needed, full) / full:g}"
            )
        if self.finds_limit:
            self._check_steps()

    def _check_steps(self) -> None:
        level = [
            stage
            for stage in self.planned
            if stage.users_from == stage.users_to and stage.rate_from == stage.rate_to
        ]
        if not level or len(level) < len(self.planned) or math.isinf(self.duration_s):
            raise ConfigurationError(
                f"{type(self).__name__}: finds_limit climbs in steps, each with a constant load "
                "and an end; use Steps, Climb or Hold (or those of arrivals) in place of ramps and "
                "FOREVER"
            )

    def _needed_users(self) -> int:
        """How many users it takes to have one of each class of the mix."""
        return math.ceil(sum(self.mix.values()) / min(self.mix.values())) if self.mix else 1

    def _lay_out(self, *, time_scale: float = 1.0, user_scale: float = 1.0) -> tuple[Stage, ...]:
        if not has_arrivals(self.stages):
            users = [part for part in self.stages if isinstance(part, UserPart)]
            return lay_out(users, time_scale=time_scale, user_scale=user_scale)
        # The load of arrivals is their rate; the users that stand ready only follow it.
        users_ready = max(self._needed_users(), round(self.max_users * user_scale))
        return lay_out_arrivals(
            self.stages, users=users_ready, time_scale=time_scale, rate_scale=user_scale
        )

    def _check_pacing(self) -> None:
        pacing_s, name = self.pacing_s, type(self).__name__
        if pacing_s is None:
            return
        if isinstance(pacing_s, bool) or not isinstance(pacing_s, int | float):
            raise ConfigurationError(
                f"{name}: pacing_s is {pacing_s!r}; write the seconds from one start of a user's "
                "iteration to the next, for instance pacing_s = 2.0"
            )
        if not (math.isfinite(pacing_s) and pacing_s > 0):
            raise ConfigurationError(
                f"{name}: pacing_s is {pacing_s:g}; write a number of seconds above 0"
            )
        if has_arrivals(self.stages):
            raise ConfigurationError(
                f"{name}: pacing_s is for stages of users; arrivals have a schedule of their own"
            )
        if type(self).think_s is not Profile.think_s:
            raise ConfigurationError(
                f"{name}: both think_s and pacing_s are set; keep think_s for pauses that follow "
                "each answer, or pacing_s for starts on a schedule"
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

    def play(self, name: str, level: float, at_s: float) -> None:
        """Hold so many users, or arrivals a second, from a time on, in place of what was planned.

        In a profile of arrivals the users stay as they are.
        """
        before = tuple(replace(s, end_s=min(s.end_s, at_s)) for s in self.timeline)
        played = tuple(stage for stage in before if stage.start_s < stage.end_s)
        rate = level if self.has_arrivals else None
        users = self.planned[-1].users_to if self.has_arrivals else round(level)
        stage = Stage(name, at_s, self.duration_s, users, users, Phase.STEADY, rate, rate)
        self.timeline = (*played, stage)

    def users_at(self, elapsed_s: float) -> int | None:
        """The planned users at a moment; None once the run is over."""
        if elapsed_s >= self.duration_s:
            return None
        return users_at(self.timeline, elapsed_s)

    @property
    def has_arrivals(self) -> bool:
        """Whether the load is planned in arrivals per second."""
        return has_arrivals(self.stages)

    @property
    def peak_per_s(self) -> float:
        """The most arrivals per second that are ever planned; 0 for a profile of users."""
        return peak_per_s(self.planned)

    def rate_at(self, elapsed_s: float) -> float | None:
        """The planned arrivals per second at a moment; None once over, or in a profile of users."""
        return None if elapsed_s >= self.duration_s else rate_at(self.timeline, elapsed_s)

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
        elapsed_s = self._elapsed_s()
        users = None if self._ended_by else self.users_at(elapsed_s)
        if users is None and self.has_arrivals and not self._ended_by:
            # The last arrivals are due at the very end, by the clock of each process.
            users = self.peak_users if elapsed_s < self.duration_s + TAIL_S else None
        if users is None:
            self.end("its last stage is over")
            return None
        return users, float(max(1, self.peak_users))
