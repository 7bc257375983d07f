"""A master and its workers as processes of their own, and ways to spoil a worker."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from tests.e2e.running import Bench, Ended, free_ports

PLAIN = """\
import otaload.plugin
from locust import constant, task
from otaload.http import LeanHttpUser


class Visitor(LeanHttpUser):
    wait_time = constant(0.3)

    @task
    def visit(self):
        self.client.get("/health", name="/health")
"""
"""A locustfile without a profile."""


class Crew:
    """A master and some workers, each started by hand; a worker's name is that of its log."""

    def __init__(self, bench: Bench, *options: str, workers: int = 2, file: str | Path = "smoke"):
        self.bench = bench
        self.file = file
        self.port = free_ports(1)[0]
        self.master = bench.start(
            *bench.options(file, *options),
            *("--master", "--expect-workers", str(workers), "--master-bind-port", str(self.port)),
        )
        self.workers: dict[str, subprocess.Popen[bytes]] = {}

    def hire(
        self,
        *names: str,
        file: str | Path | None = None,
        host: str = "127.0.0.1",
        port: int | None = None,
        env: dict[str, str] | None = None,
    ) -> None:
        """Start workers, with a locustfile of their own, say, or by another way to the master."""
        path = str(file or self.file)
        locustfile = path if path.endswith(".py") else f"locustfiles/{path}.py"
        master = ("--master-host", host, "--master-port", str(port or self.port))
        for name in names:
            self.workers[name] = self.bench.start(
                "-f", locustfile, "--worker", *master, log=name, env=env
            )

    def wait(self) -> Ended:
        """Wait for the master."""
        return self.bench.wait(self.master)


def forked_workers(master: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The workers that a master with `--processes` has forked."""
    children = psutil.Process(master.pid).children()
    return [child for child in children if "locust" in child.cmdline()]


@contextmanager
def frozen(process: psutil.Process | subprocess.Popen[bytes]) -> Iterator[None]:
    """Stop a process for a while."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def spoilt(bench: Bench, file: str, code: str) -> Path:
    """A locustfile like one of ours, with some code that runs where it is loaded."""
    path = bench.folder / "spoilt.py"
    path.write_text(f"from locustfiles.{file} import *  # noqa: F403\n{code}")
    return path


def with_clock(bench: Bench, ahead_s: float) -> dict[str, str]:
    """The environment of a process whose clock is wrong from its very start."""
    folder = bench.folder / f"clock{ahead_s}"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        f"import time\n\n_true = time.time\ntime.time = lambda: _true() + {ahead_s}\n"
    )
    return {"PYTHONPATH": str(folder)}


def assert_lost_at_most(ended: Ended, counters: dict[str, Any], requests: int) -> None:
    """Nothing is recorded that was not served, and no more than this is missing."""
    totals = ended.totals()
    served = {name: e["requests"] for name, e in counters["endpoints"].items()}
    recorded = {name: entry.requests for name, entry in totals.items()}
    assert recorded, "nothing was recorded"
    for name, count in recorded.items():
        assert count <= served[name], f"{name}: recorded {count}, served {served[name]}"
    missing = sum(served.values()) - sum(recorded.values())
    assert missing <= requests, f"{missing} requests are missing: {recorded} of {served}"
