"""A chart with its caption as an element of a page."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from html import escape

from matplotlib.figure import Figure

from analysis.quantities import printable
from analysis.render.chart_style import style, svg
from analysis.render.markup import Markup, element


def figure_element(
    name: str, title: str, text: str, draw: Callable[[], Figure], *, alt: str = ""
) -> Markup:
    """The chart that `draw` makes, in the page's style; `name` makes its ids its own.

    `alt` says in words what it shows, to those who cannot see it; without it the caption does.
    """
    with style(name), warnings.catch_warnings():
        # The reader's browser has the letters that the font used for measuring lacks.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        drawn = svg(draw(), name)
    label = escape(printable(f"{title}: {alt or text}"))
    labelled = drawn.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)
    caption = element("figcaption", element("strong", title), Markup(" "), text)
    return element("figure", caption, Markup(labelled), class_="chart")
