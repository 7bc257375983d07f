"""A chart as an element of the page, with its title and what it shows."""

from __future__ import annotations

import warnings
from collections.abc import Callable

from matplotlib.figure import Figure

from analysis.render.chart_style import style, svg
from analysis.render.markup import Markup, element


def figure_of(name: str, title: str, text: str, draw: Callable[[], Figure]) -> Markup:
    """A `<figure>` with the chart; `name` makes its ids its own in the page."""
    with style(name), warnings.catch_warnings():
        # The reader's browser has the letters that the font used for measuring lacks.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        drawn = svg(draw(), name)
    labelled = drawn.replace("<svg ", f'<svg role="img" aria-labelledby="{name}-title" ', 1)
    caption = element("figcaption", element("strong", title, id=f"{name}-title"), Markup(" "), text)
    return element("figure", caption, Markup(labelled))
