"""How a run stands at one moment, and that as one line."""

from __future__ import annotations

import math
from dataclasses import dataclass

from analysis.limits import Tier
from analysis.quantities import format_count, format_rate, plural, printable
from otaload.live.standing import Standing, worst_first, worst_tier
from otaload.live.tail import Tail, merge
from otaload.record import Window

RECENT_S = 10


@dataclass(frozen=True, kw_only=True)
class Recent:
    """The last ten seconds; None for a latency where nothing succeeded."""

    rps: float
    p95_ms: float | None
    p99_ms: float | None

    @classmethod
    def of(cls, tail: Tail, *, until: int, start_s: float) -> Recent:
        """What the seconds before `until` were like, as far as the run has had so many."""
        window = merge(tail.between(until - RECENT_S, until).values())
        seconds = min(RECENT_S, max(1.0, until - start_s))
        return cls(rps=window.n / seconds, p95_ms=_ms(window, 0.95), p99_ms=_ms(window, 0.99))


@dataclass(frozen=True, kw_only=True)
class Progress:
    """A run at one moment.

    `planned_s` is infinite for a run without an end; `arrivals` tells those of a profile that
    counts in them, or nothing; `standings` are empty where no threshold can be told yet.
    """

    scenario: str
    elapsed_s: float
    planned_s: float
    stage: str
    users: int
    recent: Recent
    requests: int
    failures: int
    arrivals: str = ""
    standings: tuple[Standing, ...] = ()

    @property
    def done_ratio(self) -> float | None:
        """How much of the planned time is over; None without a planned end."""
        if math.isinf(self.planned_s) or self.planned_s <= 0:
            return None
        return min(1.0, self.elapsed_s / self.planned_s)

    @property
    def clock_text(self) -> str:
        """`02:31 of 10:00`."""
        ratio = self.done_ratio
        return clock(self.elapsed_s) + ("" if ratio is None else f" of {clock(self.planned_s)}")


def progress_line(progress: Progress) -> str:
    """Elapsed of planned time, stage, users; the last ten seconds; totals; the tier so far."""
    recent = progress.recent
    line = (
        f"{progress.clock_text}  {printable(progress.stage)}  "
        f"{progress.users} {plural(progress.users, 'user')}  "
        f"{format_rate(recent.rps)} requests/s  p95 {ms_text(recent.p95_ms)}  "
        f"p99 {ms_text(recent.p99_ms)}  "
        f"{format_count(progress.requests)} {plural(progress.requests, 'request')}, "
        f"{format_count(progress.failures)} failed{progress.arrivals}"
    )
    so_far = tier_text(progress.standings)
    return f"{line}  {so_far}" if so_far else line


def tier_text(standings: tuple[Standing, ...]) -> str:
    """The tier so far with the worst of what speaks for it; nothing without a threshold."""
    if not standings:
        return ""
    tier = worst_tier(standings)
    if tier is None:
        return "so far no data"
    told = []
    if tier is not Tier.PASS:
        told.append(printable(worst_first(standings)[0].text))
        more = sum(one.tier is tier for one in standings) - 1
        told += [f"{more} more"] if more else []
    missing = sum(one.tier is None for one in standings)
    told += [f"{missing} without data"] if missing else []
    return f"so far {tier.value}" + (f" ({', '.join(told)})" if told else "")


def ms_text(value_ms: float | None) -> str:
    """Whole milliseconds; a dash where nothing succeeded."""
    return "–" if value_ms is None else f"{value_ms:.0f} ms"


def clock(seconds: float) -> str:
    """`02:31`, with hours in front where there are any."""
    whole = int(seconds)
    hours, rest = divmod(whole, 3600)
    text = f"{rest // 60:02d}:{rest % 60:02d}"
    return f"{hours}:{text}" if hours else text


def _ms(window: Window, q: float) -> float | None:
    value_us = window.successes.quantile_us(q)
    return None if value_us is None else value_us / 1000
