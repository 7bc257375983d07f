"""A headless Chromium that is spoken to over a pair of pipes: no port, no network, no driver."""

from __future__ import annotations

import base64
import io
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from PIL import Image

from otaload.errors import OtaloadError

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
BECOME = """
import fcntl, os, sys
pipes = [fcntl.fcntl(int(pipe), fcntl.F_DUPFD, 10) for pipe in sys.argv[1:3]]
for number, pipe in zip((3, 4), pipes):
    os.dup2(pipe, number)
os.closerange(5, 256)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""The browser reads from file 3 and writes to file 4, whatever numbers its pipes have here."""
ENDED = "{} ended by itself; start it by hand to see why"
PATIENCE_S = 60
TALLEST_PX = 16_000
"""Chromium paints no taller picture in one piece."""


class BrowserError(OtaloadError):
    """There is no browser, or it did not do as it was told."""


def find_chromium() -> str:
    """The path of a Chromium; raises `BrowserError` with a remedy where there is none."""
    found = next((path for name in PROGRAMS if (path := shutil.which(name))), None)
    if found is None:
        raise BrowserError(
            f"no Chromium on PATH (looked for {', '.join(PROGRAMS)}); "
            "on Debian and Ubuntu: apt-get install chromium"
        )
    return found


class Browser:
    """One page of a Chromium process; use it as a context manager."""

    def __init__(self, program: str) -> None:
        self._program = program
        self._number = 0
        self._session = ""

    def __enter__(self) -> Browser:
        # A browser that is ending may still write there.
        self._profile = tempfile.TemporaryDirectory(
            prefix="otaload-chromium-", ignore_cleanup_errors=True
        )
        told, self._to = os.pipe()
        self._from, answers = os.pipe()
        switches = (*SWITCHES, f"--user-data-dir={self._profile.name}")
        pipes = (str(told), str(answers))
        self._process = subprocess.Popen(
            [sys.executable, "-c", BECOME, *pipes, self._program, *switches, "about:blank"],
            pass_fds=(told, answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(told)
        os.close(answers)
        self._unread = b""
        try:
            self._attach()
        except BaseException:
            self._close()
            raise
        return self

    def _attach(self) -> None:
        """Speak to the page that the browser begins with."""
        pages = self._send("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in pages if target["type"] == "page")
        attached = self._send("Target.attachToTarget", targetId=page, flatten=True)
        self._session = attached["sessionId"]
        self._send("Page.enable")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def _close(self) -> None:
        os.close(self._to)
        os.close(self._from)
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=10)
        self._profile.cleanup()

    def open(self, path: Path, *, width_px: int, dark: bool) -> None:
        """Load a file at a width of the window, in light or dark."""
        self._size(width_px, 900)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._send("Emulation.setEmulatedMedia", features=[scheme])
        self._send("Page.navigate", url=path.resolve().as_uri())
        give_up_s = time.monotonic() + PATIENCE_S
        while self.evaluate("document.readyState") != "complete":
            if time.monotonic() > give_up_s:
                raise BrowserError(f"{path}: was not loaded within {PATIENCE_S} s")

    def picture(self, *, width_px: int, height_px: int | None = None) -> bytes:
        """The page from its top as a PNG; the whole of it without a height."""
        if height_px is None:
            height_px = int(self.evaluate("document.documentElement.scrollHeight"))
        pieces = [
            self._piece(width_px, top_px, min(TALLEST_PX, height_px - top_px))
            for top_px in range(0, height_px, TALLEST_PX)
        ]
        return pieces[0] if len(pieces) == 1 else _below_each_other(pieces)

    def _piece(self, width_px: int, top_px: int, height_px: int) -> bytes:
        self._size(width_px, height_px)
        self.evaluate(f"window.scrollTo(0, {top_px})")
        shot = self._send("Page.captureScreenshot", format="png", captureBeyondViewport=False)
        return base64.b64decode(shot["data"])

    def _size(self, width_px: int, height_px: int) -> None:
        self._send(
            "Emulation.setDeviceMetricsOverride",
            width=width_px,
            height=height_px,
            deviceScaleFactor=1,
            mobile=False,
        )

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression on the page."""
        found = self._send("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in found:
            raise BrowserError(f"the page raised at {expression!r}: {found['exceptionDetails']}")
        return found["result"].get("value")

    def _send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the DevTools protocol and wait for its answer."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        try:
            os.write(self._to, json.dumps(message).encode() + b"\0")
        except BrokenPipeError:
            raise BrowserError(ENDED.format(self._program)) from None
        while True:
            answer = self._read()
            if answer.get("id") != self._number:
                continue  # an event
            if "error" in answer:
                raise BrowserError(f"{method}: {answer['error'].get('message')}")
            result: dict[str, Any] = answer["result"]
            return result

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._unread:
            if not select.select([self._from], [], [], PATIENCE_S)[0]:
                raise BrowserError(f"{self._program} did not answer within {PATIENCE_S} s")
            part = os.read(self._from, 1 << 20)
            if not part:
                raise BrowserError(ENDED.format(self._program))
            self._unread += part
        text, _, self._unread = self._unread.partition(b"\0")
        answer: dict[str, Any] = json.loads(text)
        return answer


def _below_each_other(pieces: Sequence[bytes]) -> bytes:
    """Some PNGs as one."""
    images = [Image.open(io.BytesIO(piece)) for piece in pieces]
    whole = Image.new("RGB", (images[0].width, sum(image.height for image in images)))
    top_px = 0
    for image in images:
        whole.paste(image, (0, top_px))
        top_px += image.height
    drawn = io.BytesIO()
    whole.save(drawn, "PNG")
    return drawn.getvalue()
