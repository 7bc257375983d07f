"""What a run says on the console: one calm line every few seconds, and not Locust's chatter."""

from __future__ import annotations

import logging
import math
import sys

from otaload.live.tail import Tail, merge
from otaload.record import Window

PROGRESS_S = 10.0
_CHATTER = (
    "Shape test updating",
    "Ramping to",
    "All users spawned",
    "Sending spawn jobs",
    "Your selected spawn rate is very high",
    "Shape worker starting",
    "Shape test starting",
    "Shape test stopping",
    "Spawning is complete and report waittime",
)


_UNTRUE = (
    # Said of every shape; ours honour --run-time and refuse the other two.
    "--run-time, --users or --spawn-rate have no impact",
    "The following option(s) will be ignored",
)


class _Quiet(logging.Filter):
    """Drops the lines that Locust writes at every small step of a profile."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not str(record.msg).startswith(_CHATTER + _UNTRUE)


def quiet_start() -> None:
    """Silence what Locust says of profiles before it starts, and is not so for ours."""
    logging.getLogger("locust.main").addFilter(_Quiet())


def calm_locust(*, headless: bool) -> None:
    """Silence the step-by-step lines, and headless Locust's tables, which the verdict replaces."""
    logging.getLogger("locust.runners").addFilter(_Quiet())
    if headless:
        logging.getLogger("locust.stats_logger").setLevel(logging.CRITICAL)


def say(text: str) -> None:
    """One line to the console."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def progress_line(
    tail: Tail, *, until: int, elapsed_s: float, planned_s: float, stage: str | None, users: int
) -> str:
    """Elapsed of planned time, stage, users; rate and latency of the ten seconds before `until`."""
    recent = merge(tail.between(until - 10, until).values())
    of = "" if math.isinf(planned_s) or not planned_s else f" of {_clock(planned_s)}"
    return (
        f"{_clock(elapsed_s)}{of}  {stage or 'running'}  {users} users  "
        f"{recent.n / 10:.1f} requests/s  p95 {_ms(recent, 0.95)}  p99 {_ms(recent, 0.99)}  "
        f"{tail.requests} requests, {tail.failures} failed"
    )


def _ms(window: Window, q: float) -> str:
    value_us = window.successes.quantile_us(q)
    return "–" if value_us is None else f"{value_us / 1000:.0f} ms"


def _clock(seconds: float) -> str:
    whole = int(seconds)
    hours, rest = divmod(whole, 3600)
    text = f"{rest // 60:02d}:{rest % 60:02d}"
    return f"{hours}:{text}" if hours else text
