"""Ends a soak whose drift is above the fail limit for certain, hours before its planned end.

A look is the command `otaload early-stop RUN` in a process of its own with the lowest priority: the
generator loads no pandas, and what a look costs is not taken from the load. A soak only ever ends
early as a fail; one without a drift, or with one that is in doubt, runs to its end.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import gevent
import psutil
from gevent import subprocess

from analysis.limits import DRIFT
from analysis.looks import LOOKS_IN_ROW, look_times_s
from otaload.live.console import say
from otaload.live.plan import Plan

SOAK = "soak"
SETTLE_S = 3.0
"""How long after a look's time it is taken, so that flushes and workers' reports are in."""
TIMEOUT_S = 300.0
LOWEST_PRIORITY = 19

Ask = Callable[[float], dict[str, Any]]
"""Answers with a look at the run until so many seconds after its start; raises `LookError`."""


class LookError(Exception):
    """A look that came to nothing, and why."""


class EarlyStop:
    """The looks at one soak; `stopped` holds the one that ended it.

    `on_stop` is called with a sentence, once. `notes` say which looks came to nothing: the run goes
    on without them.
    """

    def __init__(
        self,
        ask: Ask,
        *,
        planned_s: float,
        on_stop: Callable[[str], None],
        note: Callable[[str], None],
    ) -> None:
        self._ask = ask
        self._on_stop = on_stop
        self._note = note
        self._times_s = look_times_s(planned_s)
        self._row = 0
        self._greenlet: gevent.Greenlet[[float], None] | None = None
        self.looks = 0
        self.stopped: dict[str, Any] | None = None

    def watch(self, elapsed_s: float) -> None:
        """Begin a look if one is due and none is under way; of several that are due, the last."""
        if self.stopped is not None or (self._greenlet is not None and not self._greenlet.dead):
            return
        due = [time_s for time_s in self._times_s if time_s + SETTLE_S <= elapsed_s]
        if due:
            self._times_s = self._times_s[len(due) :]
            self._greenlet = gevent.spawn(self._look, due[-1])

    def close(self) -> None:
        """The run is over: end a look that is under way."""
        if self._greenlet is not None:
            self._greenlet.kill()

    def as_json(self) -> dict[str, Any]:
        """As `run.json` has it."""
        found = self.stopped or {}
        kept = {key: found.get(key) for key in ("at_s", "drift_ratio", "low_ratio")}
        return {"looks": self.looks, **kept}

    def _look(self, at_s: float) -> None:
        try:
            found = self._ask(at_s)
        except LookError as error:
            self._row = 0
            self._note(f"a look at the drift after {at_s:.0f} s came to nothing: {error}")
            return
        self.looks += 1
        self._row = self._row + 1 if found["beyond"] else 0
        if self._row == LOOKS_IN_ROW:
            self.stopped = found
            drift, low = 100 * found["drift_ratio"], 100 * found["low_ratio"]
            self._on_stop(
                f"the drift is {drift:+.0f} %, at least {low:+.0f} %: "
                "above its fail limit for certain"
            )


def early_stop_of(plan: Plan, note: Callable[[str], None]) -> EarlyStop | None:
    """The looks at a run; None where it is no soak, has no limit of the drift, or is not to stop.

    `note` takes sentences for the run's record.
    """
    shape = plan.scenario.shape
    limited = plan.thresholds.limits_of(None, DRIFT) is not None
    if plan.scenario.name != SOAK or shape is None or not limited or not plan.settings.early_stop:
        return None

    def on_stop(reason: str) -> None:
        shape.end("stopped early")
        say(f"otaload: the soak is stopped early: {reason}")

    return EarlyStop(
        lambda at_s: ask_process(plan.run.path, at_s),
        planned_s=shape.duration_s,
        on_stop=on_stop,
        note=note,
    )


def ask_process(run: Path, at_s: float) -> dict[str, Any]:
    """A look at a run directory, by another process with the lowest priority."""
    command = [sys.executable, "-m", "otaload", "early-stop", str(run), "--at", f"{at_s:g}"]
    try:
        # In a session of its own: Ctrl-C is for the run.
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise LookError(str(error)) from error
    try:
        with suppress(psutil.Error):  # it may be over already
            psutil.Process(process.pid).nice(LOWEST_PRIORITY)
        output, errors = process.communicate(timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise LookError(f"it took longer than {TIMEOUT_S:g} s") from None
    finally:
        if process.poll() is None:
            process.kill()
    if process.returncode:
        told = errors.decode(errors="replace").strip().rsplit("\n", 1)[-1]
        raise LookError(told or f"it ended with code {process.returncode}")
    try:
        found: dict[str, Any] = json.loads(output)
    except ValueError as error:
        raise LookError(f"its answer is not JSON ({error})") from error
    return found
