"""The lowest lines of a terminal, kept for a panel while all else scrolls above it.

The terminal itself is told to scroll above them only, so whatever prints there, in this process or
another, with or without a newline, can neither push the panel away nor write into it.
"""

from __future__ import annotations

import errno
import os
import select
import signal
from collections.abc import Callable, Sequence
from typing import TextIO

import gevent

SAVE, RESTORE = "\x1b7", "\x1b8"
SCROLL_ALL = "\x1b[r"
CLEAR_BELOW, CLEAR_LINE = "\x1b[J", "\x1b[2K"

Draw = Callable[[int, int], Sequence[str]]
"""The lines of the panel for a width and a height."""


def has_terminal(stream: TextIO) -> bool:
    """Whether a stream is a terminal that can be drawn on."""
    try:
        return stream.isatty() and os.environ.get("TERM", "") not in ("", "dumb", "unknown")
    except ValueError:  # it was closed
        return False


class Panel:
    """Draws what `draw` gives on a terminal, from the first `refresh` to `close`."""

    def __init__(self, stream: TextIO, draw: Draw) -> None:
        self._stream = stream
        self._draw = draw
        self._size: os.terminal_size | None = None
        self._lines = 0
        self._closed = False
        self._watchers: list[gevent.signal_handler[[]]] = []

    def open(self) -> None:
        """Follow the terminal's size, and give it back while the process is suspended."""
        self._watchers = [
            gevent.signal_handler(signal.SIGWINCH, self.refresh),
            gevent.signal_handler(signal.SIGTSTP, self._suspend),
        ]

    def refresh(self) -> None:
        """Draw the panel anew; not while the terminal is another's, or takes nothing."""
        if self._closed:
            return
        try:
            size = os.get_terminal_size(self._stream.fileno())
            can_draw = self._is_in_foreground() and self._takes_text()
        except (OSError, ValueError):
            self._closed = True  # the terminal is gone; the run goes on
            return
        if not can_draw or size.lines < 2 or size.columns < 2:
            return
        lines = list(self._draw(size.columns, size.lines))
        text = ""
        if size != self._size or len(lines) != self._lines:
            text = self._room(size, len(lines))
        first = size.lines - len(lines) + 1
        drawn = (f"\x1b[{first + i};1H{CLEAR_LINE}{line}" for i, line in enumerate(lines))
        self._write(f"{text}{SAVE}{''.join(drawn)}{RESTORE}")

    def close(self) -> None:
        """Clear the panel and give the whole terminal back; what was printed stays."""
        for watcher in self._watchers:
            watcher.cancel()
        self._watchers = []
        if not self._closed:
            self._give_back()
        self._closed = True

    def _room(self, size: os.terminal_size, lines: int) -> str:
        """Have everything scroll above the last `lines` lines of a terminal of that size."""
        # Below the place where printing goes on there is nothing but the panel as it was before.
        cleared = f"{SAVE}{SCROLL_ALL}{RESTORE}{CLEAR_BELOW}" if self._size is not None else ""
        self._size, self._lines = size, lines
        moved_up = "\n" * lines + f"\x1b[{lines}A"
        return f"{cleared}{moved_up}{SAVE}\x1b[1;{size.lines - lines}r{RESTORE}"

    def _give_back(self) -> None:
        if self._size is not None:
            self._size = None
            self._write(f"{SAVE}{SCROLL_ALL}{RESTORE}{CLEAR_BELOW}")

    def _suspend(self) -> None:
        """Ctrl-Z: the shell gets a whole terminal; the panel is back with the next refresh."""
        self._give_back()
        os.kill(os.getpid(), signal.SIGSTOP)

    def _is_in_foreground(self) -> bool:
        try:
            return os.tcgetpgrp(self._stream.fileno()) == os.getpgrp()
        except OSError as error:
            if error.errno != errno.ENOTTY:
                raise
            return True  # a terminal that controls no job at all has no foreground

    def _takes_text(self) -> bool:
        """Whether a write returns at once; Ctrl-S in the terminal must not hold up the load."""
        _, ready, _ = select.select([], [self._stream.fileno()], [], 0)
        return bool(ready)

    def _write(self, text: str) -> None:
        encoding = self._stream.encoding or "utf-8"
        try:
            self._stream.write(text.encode(encoding, "replace").decode(encoding))
            self._stream.flush()
        except (OSError, ValueError):
            self._closed = True
