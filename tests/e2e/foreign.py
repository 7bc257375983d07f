"""Locustfiles that are not of the project: one import line, and whatever a team's own may do."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.running import Bench

EMBEDDED = ("--faults", "latency:ms=5ms")
"""The options that give such a locustfile the embedded service, which counts what it is asked."""

_TEXT = """\
import os, sys, threading
import gevent
import otaload.plugin
from locust import LoadTestShape, TaskSet, constant, events, task
from otaload.http import LeanHttpUser


DEVICE = {{"appId": "test-app-001", "deviceId": "d1", "platform": "ios", "appVersion": "1.0.0"}}


class Device(LeanHttpUser):
    wait_time = constant(0.1)

    def on_start(self):
        {on_start}

    def on_stop(self):
        {on_stop}

    @task
    def work(self):
        self.client.post("/updates/check", json=DEVICE)
        {task}


{module}
"""


def asking(
    bench: Bench,
    *,
    task: str = "pass",
    on_start: str = "pass",
    on_stop: str = "pass",
    module: str = "",
) -> Path:
    """A locustfile whose users check for updates ten times a second, and do this besides."""
    path = bench.folder / "their_test.py"
    text = _TEXT.format(task=task, on_start=on_start, on_stop=on_stop, module=module)
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    return path
