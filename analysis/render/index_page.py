"""All runs of a reports directory as one HTML page: how figures went, then each run.

Made from what `analysis.history` reads, which is little: hundreds of runs take a moment.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from analysis.history import History, PastRun
from analysis.limits import Tier
from analysis.quantities import Unit, format_count, format_quantity, plural
from analysis.render import past_runs
from analysis.render.document import document
from analysis.render.markup import Markup, bullets, element, table
from analysis.render.trend_chart import Point, Trend, caption, trend_svg
from analysis.verdict import Outcome

EMBEDDED = "embedded"
MOST_POINTS = 30
"""The newest runs of a kind that its chart shows."""
_GRID = "grid-template-columns: repeat(auto-fill, minmax(min(100%, 380px), 1fr))"
"""These charts are simpler than a report's, so more of them stand side by side."""
WHOLE_RUNS = (
    "The figures are those of all requests of a run, its warm-up included; its tier comes from the "
    "phases that are judged."
)
MADE_BY = "Made by otaload from the verdicts of the runs."
"""Every such page says so; a page that does not is another's."""
_COLUMNS = ("Run", "Tier", *past_runs.COLUMNS[2:10], *past_runs.COLUMNS[11:])
_TIERS = {
    Outcome.PASS: Tier.PASS,
    Outcome.WARNING: Tier.WARNING,
    Outcome.FAIL: Tier.FAIL,
}
"""Outcomes whose figures are those of a sound run."""


class _Kind(NamedTuple):
    """What runs must have in common to lie on one line."""

    scenario: str
    target: str
    scale: str
    has_faults: bool

    @property
    def text(self) -> str:
        """All but the scenario, in words."""
        scale = f"rehearsal ({self.scale})" if self.scale else ""
        faults = "with faults" if self.has_faults else ""
        return ", ".join(part for part in (self.target, scale, faults) if part)


def _kind(run: PastRun) -> _Kind:
    meta = run.meta
    return _Kind(meta.scenario, _target(run), str(meta.rehearsal or ""), bool(meta.faults))


def _target(run: PastRun) -> str:
    """The embedded service, whose port is another each time, or the host that was asked."""
    if run.meta.target.get("kind") == EMBEDDED:
        return "embedded service"
    try:
        return urlsplit(run.meta.target.get("base_url", "")).netloc.rpartition("@")[2] or "unknown"
    except ValueError:
        return "unknown"


def html(history: History, *, with_report: frozenset[str]) -> str:
    """The whole page; `with_report` names the runs whose report stands beside it."""
    newest_first = tuple(reversed(history.runs))
    parts = []
    charts = _charts(history.runs)
    if newest_first:
        parts.append(element("p", WHOLE_RUNS, class_="quiet"))
    if charts:
        grid = element("div", *charts, class_="charts", style=_GRID)
        parts.append(_section("Trends", grid))
    if newest_first:
        parts.append(_section("Runs, the newest first", _runs(newest_first, with_report)))
    if history.earlier:
        count = f"{format_count(history.earlier)} earlier {plural(history.earlier, 'run')}"
        parts.append(element("p", f"{count} not shown.", class_="quiet"))
    remarks = past_runs.remarks(history)
    if remarks:
        parts.append(_section("Not judged or not readable", bullets(remarks)))
    body = element(
        "body",
        element("header", element("h1", "Runs"), element("p", _counts(history), class_="quiet")),
        element("main", *parts),
        element("footer", MADE_BY),
    )
    return document("otaload: runs", body)


def _section(title: str, content: Markup) -> Markup:
    return element("section", element("h2", title), content)


def _counts(history: History) -> str:
    words = [_word(run) for run in history.runs]
    order = [*(outcome.value for outcome in Outcome), past_runs.NOT_JUDGED]
    told = [f"{words.count(word)} {word}" for word in order if word in words]
    damaged = len(history.unreadable)
    told += [f"{damaged} not readable"] if damaged else []
    count = f"{format_count(len(words))} {plural(len(words), 'run')}"
    return ": ".join(part for part in (count, ", ".join(told)) if part)


def _word(run: PastRun) -> str:
    return past_runs.NOT_JUDGED if run.judgement is None else run.judgement.outcome.value


def _tier(run: PastRun) -> Tier:
    outcome = None if run.judgement is None else run.judgement.outcome
    return Tier.INCONCLUSIVE if outcome is None else _TIERS.get(outcome, Tier.INCONCLUSIVE)


def _mark(run: PastRun) -> Markup:
    text = f"{past_runs.symbol(run)} {_word(run)}"
    if run.judgement is None:
        return element("span", text, class_="quiet")
    return element("span", text, class_=f"mark {_tier(run).value}")


def _runs(runs: Sequence[PastRun], with_report: frozenset[str]) -> Markup:
    rows = []
    for run in runs:
        _, _, *figures = (cell or "–" for cell in past_runs.cells(run))
        name: str = run.name
        if run.name in with_report:
            name = element("a", run.name, href=f"{quote(run.name)}/report.html")
        rows.append((name, _mark(run), *figures[:8], *figures[9:]))
    return table(_COLUMNS, rows, numeric=range(2, 10))


def _charts(runs: Sequence[PastRun]) -> list[Markup]:
    """A chart for each kind of run that has a sound one, the kind that ran last first."""
    kinds: dict[_Kind, list[PastRun]] = {}
    for run in runs:
        kinds.setdefault(_kind(run), []).append(run)
    newest_first = sorted(kinds, key=lambda one: runs.index(kinds[one][-1]), reverse=True)
    found = [_chart(kinds[one], number) for number, one in enumerate(newest_first)]
    return [chart for chart in found if chart is not None]


def _chart(runs: Sequence[PastRun], number: int) -> Markup | None:
    sound = [run for run in runs if run.judgement is not None and run.judgement.outcome in _TIERS]
    finds_limit = any(run.meta.finds_limit for run in runs)
    # Percentiles of a search belong to another load each time; its limit is its figure.
    drawn = [run for run in sound if run.limit is not None or not finds_limit][-MOST_POINTS:]
    points = [_point(run, finds_limit=finds_limit) for run in drawn]
    points = [point for point in points if any(value is not None for value in point.values)]
    if not points:
        return None
    identity = f"trend-{number}"
    unit = drawn[-1].limit[1] if finds_limit and drawn[-1].limit else "ms"
    names = ("limit",) if finds_limit else ("p95", "p99")
    newest = _newest(points, len(names))
    shown = [
        "" if value is None else f"{name} {_figure(value, unit, long=not finds_limit)}"
        for name, value in zip(names, newest, strict=True)
    ]
    trend = Trend(
        points=points,
        shown=shown,
        unit="ms" if unit == "ms" else "",
        first=_day(drawn[0]),
        last=_day(drawn[-1]),
    )
    told = _told(points, len(runs) - len(points), names, unit)
    where = f"{_kind(runs[-1]).text}; newest: "
    head = caption(runs[-1].meta.scenario, identity, where, _mark(runs[-1]), ". ", told)
    return element("figure", head, trend_svg(trend, labelled_by=identity))


def _point(run: PastRun, *, finds_limit: bool) -> Point:
    found = run.judgement
    assert found is not None
    values = (found.p95_ms, found.p99_ms)
    text = ", ".join(
        f"{name} {format_quantity(value, Unit.MS)}"
        for name, value in zip(("p95", "p99"), values, strict=True)
        if value is not None and math.isfinite(value)
    )
    if finds_limit and run.limit is not None:
        return Point((run.limit[0],), past_runs.symbol(run), _tier(run).value, _said(run))
    finite = tuple(v if v is not None and math.isfinite(v) else None for v in values)
    return Point(finite, past_runs.symbol(run), _tier(run).value, f"{_said(run)}, {text}")


def _said(run: PastRun) -> str:
    return ", ".join(part for part in (f"{run.name}: {_word(run)}", run.limit_text) if part)


def _newest(points: Sequence[Point], count: int) -> list[float | None]:
    """The last value that each series has."""
    return [
        next((p.values[n] for p in reversed(points) if p.values[n] is not None), None)
        for n in range(count)
    ]


def _told(points: Sequence[Point], left_out: int, names: Sequence[str], unit: str) -> str:
    """What the chart shows, in words."""
    told = []
    for number, name in enumerate(names):
        values = [v for point in points if (v := point.values[number]) is not None]
        if values:
            low, high = min(values), max(values)
            ends = f"{_figure(low, unit)} to {_figure(high, unit)}"
            told.append(f"{name} {ends if low != high else _figure(low, unit)}")
    count = f"{len(points)} {plural(len(points), 'run')}"
    rest = f"; {left_out} not drawn: older, not sound, or without the figure" if left_out else ""
    return f"{count}: {', '.join(told)}{rest}."


def _figure(value: float, unit: str, *, long: bool = True) -> str:
    if unit == "ms":
        return format_quantity(value, Unit.MS)
    return f"{value:g} {unit}" if long else f"{value:g}"


def _day(run: PastRun) -> str:
    start_s = run.meta.start_s
    if start_s is None:
        return run.name[:10]
    try:
        return datetime.fromtimestamp(start_s, UTC).strftime("%Y-%m-%d")
    except (OverflowError, ValueError, OSError):
        return run.name[:10]
