"""What shows a headless run's progress: a panel, a line every few seconds, or nothing."""

from __future__ import annotations

import atexit
import os
import sys
import time
from collections.abc import Callable, Sequence

from otaload.live.console import say
from otaload.live.options import ProgressView
from otaload.live.panel import Panel
from otaload.live.panel_text import panel_lines
from otaload.live.progress import Progress, progress_line

LINE_S = 10.0


class Display:
    """Shows what `ask` tells of a moment (Unix time), in one way from `open` to `close`."""

    def __init__(self, how: ProgressView, ask: Callable[[float], Progress]) -> None:
        self._how = how
        self._ask = ask
        self._next_line_s = 0.0
        self._panel: Panel | None = None

    def open(self, start_s: float) -> None:
        """The run has begun."""
        self._next_line_s = start_s + LINE_S
        if self._how is ProgressView.PANEL:
            self._panel = Panel(sys.stdout, self._draw)
            self._panel.open()
            atexit.register(self.close)  # however the process ends, the terminal is whole again
            self._panel.refresh()

    def show(self, now_s: float) -> None:
        """Once a second: draw the panel anew, or say a line if one is due."""
        if self._panel is not None:
            self._panel.refresh()
        elif self._how is ProgressView.LINES and now_s >= self._next_line_s:
            self._next_line_s += LINE_S
            say(progress_line(self._ask(now_s)))

    def close(self) -> None:
        """The run is over: the terminal is as it was."""
        if self._panel is not None:
            self._panel.close()
            self._panel = None
            atexit.unregister(self.close)

    def _draw(self, width: int, height: int) -> Sequence[str]:
        colour = not os.environ.get("NO_COLOR")
        return panel_lines(self._ask(time.time()), width=width, height=height, colour=colour)
