"""A whole HTML page around its body: one file that needs neither a network nor a script."""

from __future__ import annotations

from analysis.render.markup import Markup, element
from analysis.render.stylesheet import CSS


def document(title: str, body: Markup) -> str:
    """The page with its one stylesheet."""
    head = element(
        "head",
        Markup('<meta charset="utf-8">'),
        Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        element("title", title),
        element("style", Markup(CSS)),
    )
    return f'<!DOCTYPE html>\n<html lang="en">\n{head}\n{body}\n</html>\n'
