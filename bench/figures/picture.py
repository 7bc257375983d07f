"""A chart in the report's style as an SVG file, light or dark as the reader has it."""

from __future__ import annotations

import re
from collections.abc import Callable

from matplotlib.figure import Figure

from analysis.render.chart_style import style, svg
from analysis.render.stylesheet import DARK, LIGHT

FONT = 'font-family: system-ui, "Segoe UI", Roboto, "Liberation Sans", sans-serif'


def picture(name: str, title: str, draw: Callable[[], Figure]) -> str:
    """The text of an SVG file; `title` says to those who cannot see it what it shows."""
    with style(name):
        body = svg(draw(), name)
    sheet = (
        f":root {{{LIGHT}}}\n@media (prefers-color-scheme: dark) {{ :root {{{DARK}}} }}\n"
        f"svg {{ background: var(--page); {FONT}; }}"
    )
    head = f"<title>{title}</title><style>{sheet}</style>"
    view = re.match(r'<svg (viewBox="0 0 ([\d.]+) ([\d.]+)")', body)
    if view is None:
        raise RuntimeError(f"{name}: the chart has no size")
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{view[2]}" height="{view[3]}" '
        f'role="img" {view[1]}>{head}'
    )
    return f"{opening}{body[body.index('>') + 1 :]}\n"
