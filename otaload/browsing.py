"""Opens a page in the reader's browser."""

from __future__ import annotations

import webbrowser
from pathlib import Path

from otaload.standard_output import write_error


def open_page(path: Path) -> None:
    """Open a page, or say on the error stream where it is if there is no browser to do so."""
    address = path.resolve().as_uri()
    try:
        opened = webbrowser.open(address)
    except (webbrowser.Error, OSError):
        opened = False
    if not opened:
        write_error(
            f"otaload: no browser could be opened here; open {address} yourself, "
            "or name a browser in BROWSER\n"
        )
