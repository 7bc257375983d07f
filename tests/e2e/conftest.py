"""Fixtures of the tests that start real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.running import ROOT, TIMEOUT_S, Bench

LONG = (
    "test_a_slower_service_is_a_regression_and_an_equal_one_is_not",
    "test_a_leak_of_60_percent_is_called_with_its_size_when_the_run_may_not_stop_early",
    "test_a_soak_without_a_leak_is_looked_at_and_runs_to_its_end",
    "test_a_soak_far_beyond_its_drift_limit_is_stopped_early_as_a_fail",
    "test_a_capacity_is_found_as_the_limit_in_users_and_in_requests_per_second",
    "test_a_capacity_is_found_as_the_limit_in_arrivals_per_second",
    "test_a_search_that_runs_out_of_users_says_so_and_is_a_warning",
    "test_a_spike_with_a_known_backlog_recovers_in_the_computed_time",
    "test_a_stall_of_ten_seconds_shows_up_in_the_corrected_p99",
)
"""What takes about a minute each, most of it waiting."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spread the long tests over the first half, so that none is left to run alone at the end.

    Apart from each other they wait while others compute. Workers take one test after the other in
    this order, which is the Makefile's `--maxschedchunk 1`.
    """
    own = [item for item in items if item.path.is_relative_to(ROOT / "tests" / "e2e")]
    long = [item for item in own if getattr(item, "originalname", item.name) in LONG]
    short = [item for item in own if item not in long]
    every = len(own) // 2 // max(1, len(long))
    for number, item in enumerate(long):
        short.insert(number * every, item)
    items[:] = [*(item for item in items if item not in own), *short]


@pytest.fixture(scope="session", autouse=True)
def heeded_hangups() -> None:
    """What the tests start heeds SIGHUP, also where they themselves run under `nohup`."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


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
