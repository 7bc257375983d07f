"""Starts real Locust processes on real scenarios, against the embedded service."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from otaload.record import Window, WindowKey, window_from_json

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 100
MARK = "TESTS_STARTED_BY"  # inherited by everything that a process of the bench starts

THRESHOLDS = """\
global:
  p95: { pass: 2 s, warning: 3 s, fail: 4 s }
  p99: { pass: 3 s, warning: 4 s, fail: 5 s }
  error_rate: { pass: 1 %, warning: 5 %, fail: 10 % }
# The tests share a machine with whatever else runs on it, and are about other things.
generator: { lag: 10 s, cpu: 1000 % }
"""
TIMEOUTS = "timeouts: { connect: 3, first_byte: 3, total: 6 }\nproduction: []\n"


@dataclass
class Totals:
    """What one endpoint got and gave; `bytes_in` are body bytes."""

    requests: int = 0
    failures: int = 0
    bytes_in: int = 0
    causes: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Ended:
    """A finished Locust process and the run that it left."""

    code: int
    output: str
    path: Path

    @property
    def meta(self) -> dict[str, Any]:
        """The content of run.json."""
        return json.loads((self.path / "run.json").read_text())

    @property
    def verdict(self) -> dict[str, Any]:
        """The content of verdict.json."""
        return json.loads((self.path / "verdict.json").read_text())

    def windows(self) -> list[tuple[WindowKey, Window]]:
        """Every recorded line."""
        lines = (self.path / "windows.jsonl").read_text().splitlines()
        return [window_from_json(json.loads(line)) for line in lines]

    def users(self) -> list[dict[str, Any]]:
        """Every row of users and of health."""
        lines = (self.path / "users.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def totals(self) -> dict[str, Totals]:
        """Recorded totals by endpoint."""
        totals: dict[str, Totals] = {}
        for key, window in self.windows():
            entry = totals.setdefault(key.endpoint, Totals())
            entry.requests += window.n
            entry.failures += window.failures.n
            entry.bytes_in += window.bytes_in
            for cause, count in window.causes.items():
                entry.causes[cause] = entry.causes.get(cause, 0) + count
        return totals

    def check(self, metric: str, endpoint: str = "all requests") -> dict[str, Any]:
        """One check of the verdict."""
        for check in self.verdict["checks"]:
            if check["metric"] == metric and check["endpoint"] == endpoint:
                return check
        raise AssertionError(f"no check of {metric} for {endpoint} in {self.verdict['checks']}")


class Bench:
    """Starts processes in a folder of their own, and ends them with the test."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.reports = folder / "reports"
        self.thresholds = folder / "thresholds.yaml"
        self.targets = folder / "targets.yaml"
        self.thresholds.write_text(THRESHOLDS)
        self.targets.write_text(TIMEOUTS)
        self._started: list[subprocess.Popen[bytes]] = []
        self._mark = uuid.uuid4().hex

    def environment(self, extra: dict[str, str] | None = None) -> dict[str, str]:
        """The caller's environment without anything that would steer a run."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("LOCUST_", "OTALOAD_", "LOAD_TEST_", "API_BASE_URL"))
        }
        return {**kept, MARK: self._mark, **(extra or {})}

    def start(
        self,
        *arguments: str,
        env: dict[str, str] | None = None,
        log: str = "log",
        within: Sequence[str] = (),
    ) -> subprocess.Popen[bytes]:
        """Start `locust` with some arguments; its output goes to a file of the bench.

        `within` is a command that runs the rest of its arguments, such as `nohup`.
        """
        with (self.folder / log).open("wb") as file:
            process = subprocess.Popen(
                [*within, sys.executable, "-m", "locust", *arguments],
                cwd=ROOT,
                env=self.environment(env),
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._started.append(process)
        return process

    def options(self, locustfile: str | Path, *more: str) -> list[str]:
        """The options of a headless run of this bench."""
        path = Path(locustfile)
        if path.suffix != ".py":
            path = ROOT / "locustfiles" / f"{locustfile}.py"
        return [
            *("-f", str(path), "--headless", "--reports-dir", str(self.reports)),
            *("--thresholds", str(self.thresholds), "--targets", str(self.targets)),
            *more,
        ]

    def run(self, locustfile: str | Path, *more: str, env: dict[str, str] | None = None) -> Ended:
        """Run headless to the end."""
        return self.wait(self.start(*self.options(locustfile, *more), env=env))

    def wait(self, process: subprocess.Popen[bytes], log: str = "log") -> Ended:
        """Wait for a process; answers with what it left."""
        code = process.wait(TIMEOUT_S)
        output = (self.folder / log).read_text(errors="replace")
        runs = sorted(self.reports.glob("2*")) if self.reports.exists() else []
        return Ended(code, output, runs[-1] if runs else self.reports)

    def await_line(self, text: str, log: str = "log", timeout_s: float = 30) -> str:
        """Wait until a text shows up in the output; answers with all of it."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            output = (self.folder / log).read_text(errors="replace")
            if text in output:
                return output
            time.sleep(0.05)
        raise AssertionError(f"{text!r} did not show up in:\n{output}")

    def processes(self) -> list[psutil.Process]:
        """All that is alive of what the bench started, their descendants wherever they went."""
        for process in self._started:
            process.poll()
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            ours = process.environ().get(MARK) == self._mark
            return ours and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False

    def assert_no_orphans(self, within_s: float = 8) -> None:
        """Nothing that was started is left: no Locust, no embedded service, no judge."""
        deadline = time.monotonic() + within_s
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not left, f"still running: {[_described(process) for process in left]}"

    def close(self) -> None:
        """End what still runs, wherever it went."""
        for process in self._started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)
        for left in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                left.kill()


def _described(process: psutil.Process) -> str:
    try:
        return f"{process.pid}: {' '.join(process.cmdline())}"
    except psutil.NoSuchProcess:
        return f"{process.pid}: just ended"


def assert_reconciled(ended: Ended, counters: dict[str, Any] | None = None) -> None:
    """The run's totals are those of the service: requests, failures, bytes, for each endpoint."""
    counters = counters or ended.meta["service_counters"]
    totals = ended.totals()
    served = {name: e for name, e in counters["endpoints"].items() if e["requests"]}
    assert served, "the service was not asked at all"
    assert set(totals) == set(served)
    for name, entry in served.items():
        counted = (entry["requests"], entry["error_count"], entry["bytes_out"])
        recorded = (totals[name].requests, totals[name].failures, totals[name].bytes_in)
        assert recorded == counted, f"{name}: recorded {recorded}, served {counted}"


def free_ports(count: int) -> Sequence[int]:
    """Ports on loopback that are free at the moment."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
