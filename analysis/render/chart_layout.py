"""Where the axes of a chart stand: with just the room around them that their texts take.

Matplotlib's constrained layout comes to the same by measuring everything twice, before a drawing
that measures it again: a third of the time that a report takes.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import RendererSVG
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.spines import Spine
from matplotlib.textpath import text_to_path
from matplotlib.transforms import Bbox, BboxBase

POINTS_PER_INCH = 72
"""The resolution of a figure, so that its pixels are points, as they are in an SVG."""

ABOUT = {"left": 0.1, "right": 0.88, "bottom": 0.13, "top": 0.89}
"""About where axes end up: the ticks that have room there are those that are measured."""

PAD_PT = 3.0
"""The room around the outermost texts."""


class _Renderer(RendererSVG):
    """Writes SVG, and measures a text once for all charts: most have the same numbers."""

    def get_text_width_height_descent(
        self,
        s: str,
        prop: FontProperties,
        ismath: bool | Literal["TeX"],  # noqa: FBT001 -- matplotlib's own signature
    ) -> tuple[float, float, float]:
        if ismath:
            width, height, descent = super().get_text_width_height_descent(s, prop, ismath)  # type: ignore[no-untyped-call]
            return width, height, descent
        return _measured(s, prop.get_size_in_points(), tuple(prop.get_family()))


@lru_cache(maxsize=4096)
def _measured(text: str, size_pt: float, family: tuple[str, ...]) -> tuple[float, float, float]:
    prop = FontProperties(family=list(family), size=size_pt)
    width, height, descent = text_to_path.get_text_width_height_descent(text, prop, ismath=False)
    return float(width), float(height), float(descent)


def draw(figure: Figure) -> str:
    """The figure as an SVG document, its axes moved to where their texts have room."""
    buffer = io.StringIO()
    size = figure.bbox.width, figure.bbox.height
    renderer = _Renderer(*size, buffer, metadata={"Date": None})  # type: ignore[no-untyped-call]
    _fit(figure, renderer)
    figure.draw(renderer)
    renderer.finalize()  # type: ignore[no-untyped-call]
    return buffer.getvalue()


class _Room(NamedTuple):
    """How far things reach beyond the sides of their axes, in points."""

    left: float
    right: float
    above: float
    below: float


def _fit(figure: Figure, renderer: _Renderer) -> None:
    """Give the axes, from top to bottom and all equally high, the room that their texts leave."""
    scales = [_scale_room(axes, renderer) for axes in figure.axes]
    # Some stand off their axes by a share of their size, which the first move changes.
    for _ in range(2):
        beside = [_room(axes, _beside(axes, renderer)) for axes in figure.axes]
        rooms = [
            _Room(*map(max, scale, other)) for scale, other in zip(scales, beside, strict=True)
        ]
        _place(figure, rooms)


def _scale_room(axes: Axes, renderer: _Renderer) -> _Room:
    """The room of the ticks and of the names of both scales."""
    boxes = [
        axis.get_tightbbox(renderer, for_layout_only=True) for axis in (axes.xaxis, axes.yaxis)
    ]
    return _room(axes, boxes)


def _beside(axes: Axes, renderer: _Renderer) -> list[BboxBase | None]:
    """The outlines of all else that is not cut off at the sides of its axes."""
    return [
        artist.get_tightbbox(renderer)
        for artist in axes.get_default_bbox_extra_artists()
        if not isinstance(artist, Spine)
    ]


def _room(axes: Axes, boxes: Iterable[BboxBase | None]) -> _Room:
    own = axes.get_window_extent()
    found = [box for box in boxes if box is not None and box.width + box.height < math.inf]
    return _Room(
        max((own.x0 - box.x0 for box in found), default=0.0),
        max((box.x1 - own.x1 for box in found), default=0.0),
        max((box.y1 - own.y1 for box in found), default=0.0),
        max((own.y0 - box.y0 for box in found), default=0.0),
    )


def _place(figure: Figure, rooms: Sequence[_Room]) -> None:
    width, height = figure.bbox.width, figure.bbox.height
    left = PAD_PT + max(0.0, *(room.left for room in rooms))
    right = width - PAD_PT - max(0.0, *(room.right for room in rooms))
    above = [PAD_PT + max(0.0, room.above) for room in rooms]
    below = [PAD_PT + max(0.0, room.below) for room in rooms]
    each = (height - sum(above) - sum(below)) / len(rooms)
    top = height
    for axes, over, under in zip(figure.axes, above, below, strict=True):
        top -= over
        box = Bbox.from_extents(left, top - each, right, top)
        axes.set_position(box.transformed(figure.transFigure.inverted()).bounds)
        top -= each + under
