"""A small chart of one figure or two from run to run, as SVG with real text.

Drawn here and not by matplotlib: an index is written after every run, so a chart may cost next to
nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.render.markup import Markup, element, joined

WIDTH, HEIGHT = 460, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 96, 14, 42
_FONT = 11.5
_LABEL_GAP = 14.0
_SERIES = (("var(--series-1)", "none"), ("var(--series-2)", "5 2"))


@dataclass(frozen=True)
class Point:
    """One run: its values in the order of the series, its mark and tier, and all in words."""

    values: tuple[float | None, ...]
    symbol: str
    tier: str
    text: str


@dataclass(frozen=True)
class Trend:
    """Runs from the oldest to the newest; `shown` are the newest values, with their names."""

    points: Sequence[Point]
    shown: Sequence[str]
    unit: str
    first: str
    last: str


def trend_svg(trend: Trend, *, labelled_by: str) -> Markup:
    """Lines of the values over the runs, and below each run its mark."""
    top = nice_top(max((v for p in trend.points for v in p.values if v is not None), default=1.0))
    parts = [*_grid(top, trend.unit), *_marks(trend)]
    for number in range(len(trend.shown)):
        parts += _line(trend, number, top)
    parts += _names(trend, top)
    view = f"0 0 {WIDTH} {HEIGHT}"
    svg = element("svg", *parts, role="img", aria_labelledby=labelled_by)
    # HTML knows this attribute by its capital.
    return Markup(svg.replace("<svg ", f'<svg viewBox="{view}" ', 1))


def nice_top(highest: float) -> float:
    """The end of an axis from 0 that holds a value: 1, 1.5, 2, 3, 4, 5, 6 or 8 times a power."""
    if highest <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(highest))
    steps = (1, 1.5, 2, 3, 4, 5, 6, 8, 10)
    return next(step * power for step in steps if highest <= step * power * (1 + 1e-9))


def _x(trend: Trend, place: int) -> float:
    count = len(trend.points)
    room = WIDTH - _LEFT - _RIGHT
    return _LEFT + (room / 2 if count == 1 else 8 + (room - 16) * place / (count - 1))


def _y(value: float, top: float) -> float:
    return _TOP + (HEIGHT - _TOP - _BOTTOM) * (1 - value / top)


def _grid(top: float, unit: str) -> list[Markup]:
    parts = []
    for value in (0.0, top / 2, top):
        y = f"{_y(value, top):.1f}"
        parts.append(
            element("line", x1=f"{_LEFT}", x2=f"{WIDTH - _RIGHT}", y1=y, y2=y, style=_GRID_STYLE)
        )
        label = f"{value:g} {unit}" if value else "0"
        parts.append(_text(label, _LEFT - 6, _y(value, top) + 4, anchor="end"))
    return parts


def _marks(trend: Trend) -> list[Markup]:
    """The tier of each run below it, and when the first and the last were."""
    parts = []
    for place, point in enumerate(trend.points):
        mark = element(
            "text",
            point.symbol,
            x=f"{_x(trend, place):.1f}",
            y=f"{HEIGHT - _BOTTOM + 16}",
            style=f"font-size: {_FONT}px; text-anchor: middle; fill: var(--tier)",
        )
        hint = element("title", point.text)
        parts.append(element("g", hint, mark, class_=point.tier))
    y = HEIGHT - 6
    first, last = (_x(trend, 0), _x(trend, len(trend.points) - 1))
    if len(trend.points) == 1 or trend.first == trend.last:
        return [*parts, _text(trend.last, (first + last) / 2, y, anchor="middle")]
    return [
        *parts,
        _text(trend.first, _LEFT, y, anchor="start"),
        _text(trend.last, WIDTH - _RIGHT, y, anchor="end"),
    ]


def _line(trend: Trend, number: int, top: float) -> list[Markup]:
    colour, dashes = _SERIES[number]
    places = [
        (_x(trend, place), _y(value, top), point.text)
        for place, point in enumerate(trend.points)
        if (value := point.values[number]) is not None
    ]
    corners = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in places)
    style = f"fill: none; stroke: {colour}; stroke-width: 1.8; stroke-dasharray: {dashes}"
    parts = [element("polyline", points=corners, style=style)] if len(places) > 1 else []
    for x, y, text in places:
        # A disc and a square, since colour never tells two series apart alone.
        shape = {"cx": f"{x:.1f}", "cy": f"{y:.1f}", "r": "2.6"}
        if number:
            shape = {"x": f"{x - 2.4:.1f}", "y": f"{y - 2.4:.1f}", "width": "4.8", "height": "4.8"}
        kind = "rect" if number else "circle"
        parts.append(element(kind, element("title", text), style=f"fill: {colour}", **shape))
    return parts


def _names(trend: Trend, top: float) -> list[Markup]:
    """The newest value of each series with its name, beside the end of its line."""
    found: list[tuple[float, int]] = []
    for number in range(len(trend.shown)):
        values = [p.values[number] for p in trend.points if p.values[number] is not None]
        if values and values[-1] is not None:
            found.append((_y(values[-1], top) + 4, number))
    found.sort()
    placed: list[tuple[float, int]] = []
    for y, number in found:
        lowest = placed[-1][0] + _LABEL_GAP if placed else y
        placed.append((max(y, lowest), number))
    return [
        _text(trend.shown[number], WIDTH - _RIGHT + 4, y, anchor="start", colour=_SERIES[number][0])
        for y, number in placed
    ]


def _text(text: str, x: float, y: float, *, anchor: str, colour: str = "var(--quiet)") -> Markup:
    style = f"font-size: {_FONT}px; text-anchor: {anchor}; fill: {colour}"
    return element("text", text, x=f"{x:.1f}", y=f"{y:.1f}", style=style)


_GRID_STYLE = "stroke: var(--grid); stroke-width: 0.8"


def caption(title: str, identity: str, *rest: str) -> Markup:
    """The caption of a trend, whose title also names the drawing."""
    name = element("strong", title, id=identity)
    return element("figcaption", name, Markup(" "), joined(rest))
