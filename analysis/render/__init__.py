"""Renderers: each a function from a verdict (and its run) to text; none opens a file."""

from analysis.render.as_json import json
from analysis.render.console import text
from analysis.render.junit import junit
from analysis.render.page import html
from analysis.render.summary import markdown

__all__ = ["html", "json", "junit", "markdown", "text"]
