"""A run as the benchmark makes it up is read whole, and kept as small as its numbers allow."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import orjson
import pytest

from analysis.judge import judge
from analysis.outputs import thresholds_for
from analysis.runs import Run, load_run
from bench.soak_run import write_soak
from otaload.record import Window, window_from_json
from tests.analysis.synthetic_runs import smoke_meta, write_run

SECONDS, RPS = 400, 30.0


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_soak(tmp_path_factory.mktemp("runs"), seconds=SECONDS, rps=RPS)


@pytest.fixture(scope="module")
def run(path: Path) -> Run:
    return load_run(path)


def test_reading_in_blocks_gives_what_reading_line_by_line_gives(path: Path, run: Run) -> None:
    totals: dict[str, Window] = {}
    for line in (path / "windows.jsonl").read_bytes().splitlines():
        key, window = window_from_json(orjson.loads(line))
        totals[key.endpoint] = totals.get(key.endpoint, Window()) + window

    assert run.damage == run.notes == ()
    assert len(totals) == 4
    for endpoint in run.endpoints:
        measured = run.measured([endpoint])
        assert measured.successes == totals[endpoint.name].successes
        assert measured.failed == totals[endpoint.name].failures.n
        assert measured.blocks.sum() == measured.successes.n


def test_buckets_and_counts_of_a_night_take_three_bytes(run: Run) -> None:
    assert run.windows.index.dtype == np.uint16
    assert run.windows.count.dtype == np.uint8


def test_the_rows_of_an_endpoint_are_picked_without_a_copy_of_their_buckets(run: Run) -> None:
    for endpoint in run.endpoints:
        part = run.windows.of([endpoint])
        assert len(part.t_s) == SECONDS
        assert np.shares_memory(part.index, run.windows.index)


def test_a_made_up_soak_is_judged_without_complaint(path: Path, run: Run) -> None:
    verdict = judge(run, thresholds_for(path))

    assert {check.metric.name for check in verdict.checks} == {
        *("p95", "p99", "error_rate", "p99_drift"),
    }
    assert verdict.tier.value in {"pass", "warning"}
    assert verdict.requests == pytest.approx(4 * SECONDS * RPS, rel=0.02)


def test_a_thousand_workers_are_judged_in_seconds(tmp_path: Path) -> None:
    # One look at all rows of health for each worker took a minute of CPU.
    names = [f"host_{number:032x}" for number in range(1000)]
    workers = [{"id": n, "index": i, "reports": 60, "users_max": 1} for i, n in enumerate(names)]
    path = write_run(tmp_path, meta=smoke_meta(workers=workers, processes=1000), processes=names)

    began_s = time.process_time()
    run = load_run(path)
    verdict = judge(run, thresholds_for(path))

    assert time.process_time() - began_s < 20
    assert len(run.health) == 60_000
    assert set(run.health["process"]) == {f"worker {number}" for number in range(1000)}
    assert verdict.requests == 600
