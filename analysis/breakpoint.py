"""What a breakpoint run found: the limit in users and requests/s, saturation, Little's law.

The limit is the highest load that still meets the thresholds; saturation is where throughput stops
growing. They are two quantities, and either may come first.

Little's law ties users N, throughput X, response time R and think time Z: N = X(R + Z). Where it
does not hold, users were not as busy as they should have been, and so the load was not N users.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from analysis.arrivals import has_arrivals
from analysis.figures import Figures, figures_of
from analysis.holds import REST, Hold
from analysis.limits import Tier
from analysis.quantities import Unit, format_quantity, format_rate
from analysis.saturation import Saturation, fit_saturation
from analysis.windows import WindowTable

if TYPE_CHECKING:  # a run is read with pandas, which live judging does without
    from analysis.runs import Run

LITTLE_RATIO = 0.05
LITTLE_SURE = 3.0
"""Standard errors by which N must be off as well: a short hold has few iterations."""
SETTLING_THOUGHTS = 3.0
MOST_FAILURES_RATIO = 0.01
"""Above it the law is not checked, since the time that failures took is not known here."""
BLOCKS = 4
_T_95 = 3.182
"""Student's t for 95 % and the mean of four blocks."""

FOUND, CUT_SHORT, NOT_RECOVERED = "found", "cut short", "not recovered"
"""Ways in which a search ends, as `run.json` has them."""


@dataclass(frozen=True, kw_only=True)
class HoldFigures:
    """A stretch of constant load, and what was measured in the part of it that counts.

    `users` ran on average, and `load` is what the search counts in: those, or the planned arrivals
    a second. `busy_users` are X(R + Z), None where that cannot be told.
    `idle` says that the two disagree by more than chance.
    """

    hold: Hold
    figures: Figures
    goodput_rps: float
    users: float | None
    load: float | None
    busy_users: float | None
    idle: bool = False

    @property
    def little_gap_ratio(self) -> float | None:
        """|N − X(R + Z)| / N."""
        if not self.users or self.busy_users is None:
            return None
        return abs(self.users - self.busy_users) / self.users


@dataclass(frozen=True, kw_only=True)
class Breakpoint:
    """The limit, what gave way above it, and every hold on the way there.

    `limit_rps` is the rate at the limit, `rps_low` and `rps_high` its 95 % interval. `too_much` is
    the lowest level above the limit that was bad: the limit lies between the two. With
    `short_of_users` arrivals found no free user there while the service was within limits.
    """

    outcome: str
    unit: str
    limit: float | None
    too_much: float | None
    limit_rps: float | None
    rps_low: float | None
    rps_high: float | None
    endpoint: str
    reason: str
    holds: tuple[HoldFigures, ...]
    saturation: Saturation | None
    short_of_users: bool = False

    @property
    def at_limit(self) -> HoldFigures | None:
        """The last good hold at the limit, or else the step."""
        return _at(self.holds, self.limit)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should doubt."""
        off = [one for one in self.holds if one.idle]
        if not off:
            return ()
        worst = max(off, key=lambda one: one.little_gap_ratio or 0.0)
        return (
            f"Little's law: at {worst.users or 0:.0f} users the requests account for "
            f"{worst.busy_users or 0:.0f} ({100 * (worst.little_gap_ratio or 0):.0f} % off): the "
            "generator or the profile did not keep all users busy",
        )


def breakpoint_figures(run: Run) -> Breakpoint | None:
    """What the search of a run found; None for a run without one."""
    found = run.meta.breakpoint
    if found is None or not found.holds:
        return None
    holds = tuple(_figures(run, hold) for hold in found.holds)
    loaded = [one for one in holds if one.hold.kind != REST and one.figures.n and one.load]
    loads = np.array([one.load for one in loaded], dtype=np.float64)
    rates = np.array([one.goodput_rps for one in loaded], dtype=np.float64)
    at_limit = _at(holds, found.limit)
    low, high = _rate_interval(run, at_limit)
    return Breakpoint(
        outcome=found.outcome,
        unit=found.unit,
        limit=found.limit,
        too_much=found.too_much,
        limit_rps=at_limit.figures.rps if at_limit else None,
        rps_low=low,
        rps_high=high,
        endpoint=found.endpoint,
        reason=found.reason,
        holds=holds,
        # Requests count where they started, and arrivals start whatever the service does.
        saturation=None if has_arrivals(run) else fit_saturation(loads, rates),
        short_of_users=found.short_of_users,
    )


def search_finding(figures: Breakpoint) -> tuple[Tier, str] | None:
    """A tier and a sentence; None where the search has no limit to tell of."""
    if figures.limit is None or figures.too_much is None:
        return None
    limit, too_much, unit = f"{figures.limit:g}", f"{figures.too_much:g}", figures.unit
    then = f"at {too_much} {figures.reason}" if figures.reason else f"{too_much} are too many"
    if figures.outcome == FOUND:
        # It may be the limit of the users that stand ready, and not the service's.
        tier = Tier.WARNING if figures.short_of_users else Tier.PASS
        return tier, f"the limit is {limit} {unit}{_rate(figures)}; {then}"
    why = {
        CUT_SHORT: "the run ended before it was narrowed down",
        NOT_RECOVERED: "the service did not recover from it under a low load",
    }.get(figures.outcome, "the search did not come to its end")
    return Tier.WARNING, f"the limit lies between {limit} and {too_much} {unit}: {why}; {then}"


def _rate(figures: Breakpoint) -> str:
    hold = figures.at_limit
    if hold is None or figures.limit_rps is None:
        return ""
    text = f" and {format_rate(figures.limit_rps)} requests/s"
    if hold.figures.p95_ms is not None:
        text += f" with p95 {format_quantity(hold.figures.p95_ms, Unit.MS)}"
    return text


def _at(holds: Sequence[HoldFigures], level: float | None) -> HoldFigures | None:
    good = [one for one in holds if one.hold.level == level and one.hold.good]
    # The last one is a hold wherever there is one: holds come after the climb.
    return next((one for one in reversed(good) if one.hold.kind != REST), None)


def _seconds(run: Run, hold: Hold) -> tuple[int, int]:
    """The whole seconds of a hold that count, from the first to before the last."""
    first = math.ceil(hold.judged_from_s + run.offset_s - 1e-6)
    return first, max(first + 1, math.floor(hold.end_s + run.offset_s + 1e-6))


def _figures(run: Run, hold: Hold) -> HoldFigures:
    first, end = _seconds(run, hold)
    table = run.windows.where((run.windows.t_s >= first) & (run.windows.t_s < end))
    figures = figures_of(table, end - first)
    rows = run.users[(run.users["t_s"] >= first) & (run.users["t_s"] < end)]
    users = float(rows["users"].mean()) if len(rows) else None
    busy, sessions = _busy_users(run, table, figures, end - first)
    one = HoldFigures(
        hold=hold,
        figures=figures,
        goodput_rps=(figures.n - figures.failures) / (end - first),
        users=users,
        load=hold.level if has_arrivals(run) else users,
        busy_users=busy,
    )
    gap = one.little_gap_ratio
    think_s = sum(run.meta.think_s or ()) / 2
    # Users that start together ask together; it takes some thought until they no longer do.
    is_steady = hold.judged_from_s - hold.start_s >= SETTLING_THOUGHTS * think_s
    if gap is None or not sessions or hold.kind == REST or not is_steady:
        return one
    is_off = gap > LITTLE_RATIO and gap > LITTLE_SURE * _spread(run.meta.think_s) / sessions**0.5
    return replace(one, idle=is_off)


def _spread(think_s: tuple[float, float] | None) -> float:
    """The standard deviation of an iteration's time as a share of it, at least of a third."""
    low, high = think_s or (0.0, 0.0)
    return max(1 / 3, (high - low) / math.sqrt(12) / ((low + high) / 2)) if high else 1 / 3


def _busy_users(
    run: Run, table: WindowTable, figures: Figures, seconds: int
) -> tuple[float | None, float]:
    """X(R + Z), and the iterations that it rests on.

    X·R is the requests in flight, and the iterations X follow from what an iteration of each class
    asks for.
    """
    think_s = run.meta.think_s
    if think_s is None or not figures.n or figures.failures > MOST_FAILURES_RATIO * figures.n:
        return None, 0.0
    n = table.successes + table.failures
    totals = np.bincount(table.endpoint, n, minlength=len(table.endpoints))
    by_name: dict[str, float] = {}
    for endpoint, total in zip(table.endpoints, totals.tolist(), strict=True):
        by_name[endpoint.name] = by_name.get(endpoint.name, 0.0) + total
    sessions = _sessions(run.meta.sessions, by_name)
    if not sessions:
        return None, 0.0
    in_flight = float(table.sum_us.sum()) / 1e6 / seconds
    return in_flight + sessions / seconds * sum(think_s) / 2, sessions


def _sessions(asked: Mapping[str, Sequence[str]], requests: Mapping[str, float]) -> float:
    """How many iterations explain so many requests of each endpoint; 0 where none do."""
    names = sorted({endpoint for endpoints in asked.values() for endpoint in endpoints})
    if not names:
        return 0.0
    needs = np.array([[name in endpoints for endpoints in asked.values()] for name in names], float)
    counts = np.array([requests.get(name, 0.0) for name in names])
    found, *_ = np.linalg.lstsq(needs, counts)
    return float(np.maximum(found, 0.0).sum())


def _rate_interval(run: Run, at_limit: HoldFigures | None) -> tuple[float | None, float | None]:
    """The 95 % interval of the rate, from four blocks of the hold."""
    if at_limit is None:
        return None, None
    first, end = _seconds(run, at_limit.hold)
    width = (end - first) // BLOCKS
    if not width:
        return None, None
    table = run.windows
    inside = (table.t_s >= first) & (table.t_s < first + BLOCKS * width)
    n = (table.successes + table.failures)[inside]
    rates = np.bincount((table.t_s[inside] - first) // width, n, minlength=BLOCKS) / width
    half = _T_95 * float(rates.std(ddof=1)) / math.sqrt(BLOCKS)
    return max(0.0, float(rates.mean()) - half), float(rates.mean()) + half
