"""Texts from outside as they fit into a file.

A lone surrogate, which Python reads from bytes that are no UTF-8, has no place in JSON nor in a
worker's report; one in an exception must not cost a run its books.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson


def as_text(text: str) -> str:
    """A lone surrogate fits into no file; it is shown as a question mark instead."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def dump_json(content: Mapping[str, Any], option: int = 0) -> bytes:
    """Plain data as JSON, whatever its texts hold."""
    try:
        return orjson.dumps(content, option=option)
    except orjson.JSONEncodeError:
        # Looked through only now, since hardly ever there is anything to mend.
        return orjson.dumps(_mended(content), option=option)


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return as_text(value)
    if isinstance(value, Mapping):
        return {_mended(key): _mended(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_mended(item) for item in value]
    return value
