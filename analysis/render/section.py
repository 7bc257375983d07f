"""A section of a page, named by its heading so that a list of contents leads to it."""

from __future__ import annotations

import re

from analysis.render.markup import Markup, element


def section(title: str, *content: str) -> Markup:
    """The heading and what stands below it; one whose content is empty is left out."""
    if not any(content):
        return Markup("")
    heading = element("h2", title)
    return element("section", heading, *content, id=anchor(title), aria_label=title)


def anchor(title: str) -> str:
    """What a link to a section is called."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower().replace("'", "")).strip("-")
