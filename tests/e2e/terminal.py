"""A terminal to run Locust in: a real pseudo-terminal, and an emulator that knows its screen."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable

import pyte

from tests.e2e.running import ROOT, TIMEOUT_S, Bench

OWN_TERMINAL = """\
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "locust", *sys.argv[1:]])
"""
"""Makes the terminal the controlling one, as in a shell, and becomes Locust."""
SGR = re.compile(rb"\x1b\[[0-9;]*m")


class Terminal:
    """A process that has a terminal of some size to itself, and what is on its screen."""

    def __init__(
        self,
        bench: Bench,
        *arguments: str,
        columns: int = 100,
        lines: int = 30,
        env: dict[str, str] | None = None,
    ) -> None:
        self._master, slave = pty.openpty()
        self._screen = pyte.HistoryScreen(columns, lines, history=10_000)
        self._stream = pyte.ByteStream(self._screen)
        self.raw = b""
        self._set_size(columns, lines)
        environment = bench.environment({"TERM": "xterm-256color", **(env or {})})
        if "CI" not in (env or {}):
            environment.pop("CI", None)
        self.process = subprocess.Popen(
            [sys.executable, "-c", OWN_TERMINAL, *arguments],
            cwd=ROOT,
            env=environment,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)

    @property
    def screen(self) -> list[str]:
        """The lines on the screen."""
        return [line.rstrip() for line in self._screen.display]

    @property
    def cursor_is_hidden(self) -> bool:
        """Whether the cursor cannot be seen."""
        return bool(self._screen.cursor.hidden)

    @property
    def scrolls_whole(self) -> bool:
        """Whether the whole terminal scrolls."""
        margins = self._screen.margins
        return margins is None or margins == (0, self._screen.lines - 1)

    def everything(self) -> list[str]:
        """What has left the screen at its top, and then the screen."""
        above = ["".join(row[x].data for x in range(len(row))) for row in self._screen.history.top]
        return [line.rstrip() for line in above] + self.screen

    def until(self, condition: Callable[[], bool], timeout_s: float = 40) -> None:
        """Read until something is true of the screen."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, "\n".join(self.everything())
            self._read()

    def shows(self, text: str) -> bool:
        """Whether a text is on the screen."""
        return text in "\n".join(self.screen)

    def resize(self, columns: int, lines: int) -> None:
        """Make the terminal another size; the process is told by a signal."""
        self._screen.resize(lines, columns)
        self._set_size(columns, lines)

    def press(self, keys: bytes) -> None:
        """Type something."""
        os.write(self._master, keys)

    def hang_up(self) -> None:
        """Close the terminal's window, as it were; the process is told by a signal."""
        os.close(self._master)
        self._master = -1

    def wait(self) -> int:
        """Read to the end; answers with the exit code."""
        deadline = time.monotonic() + TIMEOUT_S
        while self._read():
            assert time.monotonic() < deadline, "\n".join(self.everything())
        return self.process.wait(20)

    def close(self) -> None:
        """End what still runs."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)
        if self._master >= 0:
            os.close(self._master)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._master], [], [], 0.1)
        if not ready:
            return True
        try:
            data = os.read(self._master, 65536)
        except OSError:  # nobody has the terminal open any more
            return False
        self.raw += data
        self._stream.feed(data)
        return bool(data)

    def _set_size(self, columns: int, lines: int) -> None:
        size = struct.pack("HHHH", lines, columns, 0, 0)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, size)
