"""A run's progress as the few lines of a panel, for a terminal of any width.

A line is made of spans, so that it can be cut to the width before anything is coloured. The number
of lines depends on the size and the thresholds alone: a panel does not jump while its figures move.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

from analysis.limits import Tier
from analysis.quantities import Unit, format_count, format_quantity, format_rate, plural, printable
from otaload.live.progress import Progress, ms_text
from otaload.live.standing import SYMBOLS, Standing, worst_first, worst_tier

WIDE = 74
"""From so many columns on, the thresholds stand in a table."""
MOST_WORST = 3
"""Thresholds that a narrow panel lists."""
SHORTEST_BAR, LONGEST_BAR = 6, 40
_ENDPOINT, _CELL = 26, 14


class Look(Enum):
    """How a span looks in colour, as its SGR code."""

    PLAIN = ""
    STRONG = "1"
    QUIET = "2"
    PASS = "32"  # noqa: S105 -- a tier, not a password
    WARNING = "33"
    FAIL = "31"


class Span(NamedTuple):
    """Text of one look."""

    text: str
    look: Look = Look.PLAIN


Line = Sequence[Span]
_LOOKS = {Tier.PASS: Look.PASS, Tier.WARNING: Look.WARNING, Tier.FAIL: Look.FAIL, None: Look.QUIET}


def panel_lines(progress: Progress, *, width: int, height: int, colour: bool) -> list[str]:
    """The panel's lines, each shorter than `width` columns; at most half of `height` of them."""
    room = max(1, width - 1)
    if room >= WIDE - 1 and _table_fits(progress.standings, room):
        lines = [*_wide_head(progress, room), *_table(progress.standings)]
    else:
        lines = [*_narrow_head(progress, room), *_worst(progress.standings)]
    most = max(1, height // 2)
    if len(lines) > most:
        lines = [*lines[: most - 1], _summary(progress.standings)] if most > 1 else lines[:1]
    return [_written(line, room, colour=colour) for line in lines]


def _wide_head(progress: Progress, room: int) -> list[Line]:
    recent = progress.recent
    now = (
        f"{_stage(progress)}  {progress.users} {plural(progress.users, 'user')}  "
        f"{format_rate(recent.rps)} requests/s  "
        f"p95 {ms_text(recent.p95_ms)}  p99 {ms_text(recent.p99_ms)}"
    )
    title = [Span("── ", Look.QUIET), Span(printable(progress.scenario), Look.STRONG), Span("  ")]
    used = columns("".join(span.text for span in title))
    return [
        [*title, *_clock_and_bar(progress, room - used)],
        [Span(now), Span("  (last 10 s)", Look.QUIET)],
        [Span(_totals(progress)), Span("  "), *_summary(progress.standings)],
    ]


def _narrow_head(progress: Progress, room: int) -> list[Line]:
    recent, users = progress.recent, plural(progress.users, "user")
    return [
        [Span("── ", Look.QUIET), Span(printable(progress.scenario), Look.STRONG)],
        _clock_and_bar(progress, room),
        [Span(f"{progress.users} {users}  {_stage(progress)}")],
        [Span(f"{format_rate(recent.rps)} requests/s  {_share_failed(progress)} failed")],
        [Span(f"p95 {ms_text(recent.p95_ms)}  p99 {ms_text(recent.p99_ms)}")],
        _summary(progress.standings),
    ]


def _clock_and_bar(progress: Progress, room: int) -> Line:
    clock = progress.clock_text
    ratio = progress.done_ratio
    if ratio is None:
        return [Span(clock)]
    percent = f" {int(100 * ratio):3d} %"
    length = min(LONGEST_BAR, room - len(clock) - len(percent) - 1)
    if length < SHORTEST_BAR:
        return [Span(clock + percent)]
    done = round(length * ratio)
    return [
        Span(f"{clock} "),
        Span("━" * done, Look.STRONG),
        Span("─" * (length - done), Look.QUIET),
        Span(percent),
    ]


def _stage(progress: Progress) -> str:
    return printable(progress.stage) + progress.arrivals


def _totals(progress: Progress) -> str:
    n = progress.requests
    return (
        f"{format_count(n)} {plural(n, 'request')}, {format_count(progress.failures)} failed "
        f"({_share_failed(progress)})"
    )


def _share_failed(progress: Progress) -> str:
    if not progress.requests:
        return "–"
    return format_quantity(progress.failures / progress.requests, Unit.RATIO)


def _summary(standings: Sequence[Standing]) -> Line:
    """The tier so far, and how many thresholds have which."""
    if not standings:
        return []
    tier = worst_tier(standings)
    tiers = [one.tier for one in standings]
    words = {Tier.PASS: "✓", Tier.WARNING: "!", Tier.FAIL: "✗", None: "no data"}
    counts = [f"{tiers.count(each)} {words[each]}" for each in words if each in tiers]
    word = tier.value if tier is not None else "no data"
    return [
        Span("so far "),
        Span(f"{SYMBOLS[tier]} {word}", _LOOKS[tier]),
        Span(f"  {' '.join(counts)}", Look.QUIET),
    ]


def _table(standings: Sequence[Standing]) -> list[Line]:
    """A row an endpoint, a column a metric."""
    if not standings:
        return []
    metrics = _metrics(standings)
    cells = {(one.endpoint, one.metric_text): one for one in standings}
    header = "so far".ljust(_ENDPOINT) + "".join(metric.ljust(_CELL) for metric in metrics)
    lines: list[Line] = [[Span(header.rstrip(), Look.QUIET)]]
    for endpoint in dict.fromkeys(one.endpoint for one in standings):
        row = [Span(_fitted(printable(endpoint), _ENDPOINT - 2) + "  ")]
        row += [_cell(cells.get((endpoint, metric))) for metric in metrics]
        lines.append(row)
    return lines


def _cell(standing: Standing | None) -> Span:
    if standing is None:
        return Span(" " * _CELL)
    text = f"{SYMBOLS[standing.tier]} {standing.value_text}"
    return Span(_fitted(text, _CELL - 1) + " ", _LOOKS[standing.tier])


def _worst(standings: Sequence[Standing]) -> list[Line]:
    """The worst thresholds, of which a narrow panel always lists as many."""
    lines: list[Line] = [
        [Span(f"{SYMBOLS[one.tier]} {printable(one.text)}", _LOOKS[one.tier])]
        for one in worst_first(standings)[:MOST_WORST]
    ]
    return lines


def _table_fits(standings: Sequence[Standing], room: int) -> bool:
    metrics = _metrics(standings)
    return _ENDPOINT + _CELL * len(metrics) <= room and all(len(m) < _CELL for m in metrics)


def _metrics(standings: Sequence[Standing]) -> list[str]:
    return list(dict.fromkeys(one.metric_text for one in standings))


def columns(text: str) -> int:
    """How many columns a text takes on a terminal."""
    return sum(_columns_of(char) for char in text)


def _columns_of(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _cut(text: str, room: int) -> str:
    """As much of a text as fits, with an ellipsis where something is left out."""
    if columns(text) <= room:
        return text
    kept, used = "", 1
    for char in text:
        used += _columns_of(char)
        if used > room:
            break
        kept += char
    return kept + "…" if room else ""


def _fitted(text: str, room: int) -> str:
    """A text cut or padded to exactly so many columns."""
    cut = _cut(text, room)
    return cut + " " * (room - columns(cut))


def _written(line: Line, room: int, *, colour: bool) -> str:
    written = ""
    for text, look in line:
        cut = _cut(text, room)
        room -= columns(cut)
        shown = colour and look is not Look.PLAIN and cut.strip()
        written += f"\x1b[{look.value}m{cut}\x1b[0m" if shown else cut
        if cut != text:
            break
    return written
