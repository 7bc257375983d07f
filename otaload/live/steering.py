"""What may end a run before its planned end: a search for the limit, abort rules, an early stop."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from locust.env import Environment
from locust.runners import STATE_RUNNING, STATE_SPAWNING

from otaload.live.abort import Aborted, AbortWatch
from otaload.live.console import say
from otaload.live.early_stop import early_stop_of
from otaload.live.limit import SliceRule, fail_limits
from otaload.live.plan import Plan
from otaload.live.scenario import PlannedShape
from otaload.live.search import Outcome
from otaload.live.seeker import Seeker, seek
from otaload.live.tail import KEEP_S, Tail

UNDER_WAY = (STATE_SPAWNING, STATE_RUNNING)


class Steering:
    """Looks at a run once a second, and ends it or changes its load where a rule says so.

    `missed_ratio` tells the share of arrivals that were missed from one second to another, `note`
    takes sentences for the reader, `on_abort` ends a run without a profile, and `on_played` is
    given what a search has played whenever that changes.
    """

    def __init__(
        self,
        environment: Environment,
        plan: Plan,
        tail: Tail,
        *,
        start_s: float,
        missed_ratio: Callable[[int, int], float],
        note: Callable[[str], None],
        on_abort: Callable[[], None],
        on_played: Callable[[dict[str, Any]], None],
    ) -> None:
        self._environment = environment
        self._plan = plan
        self._tail = tail
        self._start_s = start_s
        self._on_abort = on_abort
        self._on_played = on_played
        self._aborted: Aborted | None = None
        self._abort = abort_watch(plan)
        self._early_stop = early_stop_of(plan, note)
        self._seeker: Seeker | None = None
        shape = plan.scenario.shape
        if shape is not None and shape.finds_limit:
            self._seeker = seek(
                shape,
                SliceRule(fail_limits(plan.thresholds), time_scale=plan.settings.time_scale),
                tail,
                start_s=start_s,
                time_scale=plan.settings.time_scale,
                missed_ratio=missed_ratio,
            )

    @property
    def aborted(self) -> bool:
        """Whether an abort rule has ended the run."""
        return self._aborted is not None

    @property
    def told(self) -> str | None:
        """What a search is doing, for the progress line; None without one."""
        return self._seeker.told if self._seeker else None

    @property
    def ended(self) -> str:
        """How a run ended that nobody interrupted."""
        return "aborted" if self.aborted else self._ended_by_itself()

    def watch(self, now_s: float) -> None:
        """Apply every rule to what is in memory by now (Unix time)."""
        self._seek(now_s)
        self._watch_abort(now_s)
        if self._early_stop is not None:
            self._early_stop.watch(now_s - self._start_s)

    def stop_looking(self) -> None:
        """The load has ended: no look at the drift is begun any more."""
        if self._early_stop is not None:
            self._early_stop.close()

    def close(self, now_s: float) -> None:
        """Everything is in that will ever be."""
        if self._seeker is not None:
            self._seeker.close(now_s)

    def as_json(self, now_s: float) -> dict[str, Any]:
        """As `run.json` has it."""
        return {
            "aborted": self._aborted.as_json() if self._aborted else None,
            "early_stop": self._early_stop.as_json() if self._early_stop else None,
            **self._searched(now_s),
        }

    def notes(self) -> list[str]:
        """What a reader must know of the rules."""
        idle = self._abort.idle(self._tail)
        return [f"the abort rule on {rule.name} never saw a request" for rule in idle]

    def _seek(self, now_s: float) -> None:
        shape, seeker = self._plan.scenario.shape, self._seeker
        if seeker is None or shape is None or shape.ended_by is not None:
            return
        told = seeker.look(now_s)
        if seeker.search.outcome is not None:
            shape.end(self._ended_by_itself())
        if told is not None or seeker.search.outcome is not None:
            self._on_played(self._searched(now_s))
            say(f"otaload: {told or seeker.ending}")

    def _watch_abort(self, now_s: float) -> None:
        """End the run if an abort rule fires; what already ends is not ended once more."""
        shape, runner = self._plan.scenario.shape, self._environment.runner
        if self._aborted is not None or runner is None or runner.state not in UNDER_WAY:
            return
        if shape is not None and shape.ended_by is not None:
            return
        users: float = runner.user_count
        if shape is not None and shape.has_arrivals:
            users = shape.rate_at(now_s - self._start_s) or 0.0
        self._aborted = self._abort.watch(
            self._tail, start_s=self._start_s, now_s=now_s, users=users
        )
        if self._aborted is None:
            return
        if shape is not None:
            shape.end("aborted")
        else:
            self._on_abort()
        say(f"otaload: aborted: {self._aborted.reason}")

    def _ended_by_itself(self) -> str:
        """How a run ended that nobody interrupted."""
        if self._early_stop is not None and self._early_stop.stopped is not None:
            return "stopped early"
        if self._seeker is None:
            return "finished"
        if self._seeker.found:
            return "limit found"
        none = self._seeker.search.outcome is Outcome.NONE
        return "no limit found" if none else "finished"

    def _searched(self, now_s: float) -> dict[str, Any]:
        """What a search has to say: its stages, as far as they were played, and its history."""
        if self._seeker is None:
            return {"breakpoint": None}
        elapsed_s = now_s - self._start_s
        stages = [s for s in self._plan.scenario.stages() if s["start_s"] < elapsed_s]
        if stages:
            stages[-1]["end_s"] = min(stages[-1]["end_s"], elapsed_s)
        return {"stages": stages, "breakpoint": self._seeker.as_json()}


def _between_s(shape: PlannedShape) -> float | None:
    """A user's mean time between two iterations; arrivals are told by the second."""
    if shape.has_arrivals:
        return 1.0
    return shape.pacing_s or sum(shape.think_s) / 2


def abort_watch(plan: Plan) -> AbortWatch:
    """The abort rules of a plan, ready to watch."""
    shape = plan.scenario.shape
    return AbortWatch(
        plan.thresholds.abort,
        time_scale=plan.settings.time_scale,
        think_s=_between_s(shape) if shape else None,
        late_s=plan.setup.targets.total_timeout_s,
    )


def longest_look_s(plan: Plan) -> int:
    """How many seconds the rules look back; the slices of a stretched run must fit in."""
    kept_s = max(KEEP_S, math.ceil(KEEP_S * plan.settings.time_scale))
    return max(kept_s, abort_watch(plan).keep_s)
