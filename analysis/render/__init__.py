"""Renderers: each a function from a verdict (and its run) to text; none opens a file."""

from analysis.render.as_json import json
from analysis.render.console import text
from analysis.render.github import github
from analysis.render.junit import junit
from analysis.render.openmetrics import openmetrics
from analysis.render.page import html
from analysis.render.slack import slack
from analysis.render.summary import markdown
from analysis.render.windows_csv import windows_csv

__all__ = [
    "github",
    "html",
    "json",
    "junit",
    "markdown",
    "openmetrics",
    "slack",
    "text",
    "windows_csv",
]
