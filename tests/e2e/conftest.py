"""Fixtures of the tests that start real processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.running import ROOT, TIMEOUT_S, Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A folder with thresholds and targets, and a way to start Locust in it."""
    bench = Bench(tmp_path)
    try:
        yield bench
    finally:
        bench.close()


@pytest.fixture
def otaload() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command `otaload`."""

    def call(
        *arguments: str, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("LOAD_TEST_", "API_"))}
        return subprocess.run(
            [sys.executable, "-m", "otaload", *arguments],
            cwd=ROOT,
            env={**kept, **(env or {})},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )

    return call
