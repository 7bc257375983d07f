"""How names and sentences of a verdict read on the page."""

from __future__ import annotations

import re

_NAMES = {"error_rate": "error rate", "p99_drift": "p99 drift"}
_NAME = re.compile("|".join(rf"\b{name}\b" for name in _NAMES))
END = (".", "!", "?", "…")
_PERCENTILE = re.compile(r"p[0-9]")


def spoken(text: str) -> str:
    """A text with metrics called by their words in place of their keys."""
    return _NAME.sub(lambda match: _NAMES[match[0]], text)


def sentence(text: str) -> str:
    """A text as a sentence: a capital at its begin and a full stop at its end."""
    told = spoken(text)
    first = told[:1] if _PERCENTILE.match(told) else told[:1].upper()
    return f"{first}{told[1:]}{'' if told.endswith(END) else '.'}"
