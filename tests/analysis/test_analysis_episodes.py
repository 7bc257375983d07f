"""When a limit was broken is told to the bin, and only of checks that can tell it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from synthetic_runs import CHECK, REGISTER, SMOKE_STAGE, Traffic, smoke_meta, write_run

from analysis import render
from analysis.episodes import Episodes, find_episodes, told
from analysis.judge import judge
from analysis.limits import Tier
from analysis.outputs import thresholds_for
from analysis.runs import load_run
from analysis.verdict import Check

LENGTH_S = 120


def run_of(parent: Path, slow: Callable[[int], bool], **meta: Any) -> Any:
    def latencies(t: int, n: int, rng: Any) -> Any:
        return np.full(n, 3000.0 if slow(t) else 20.0)

    stages = [SMOKE_STAGE | {"name": "hold", "end_s": LENGTH_S}]
    content = {"exercises": None, "stages": stages, "planned": {"users_max": 10}}
    path = write_run(
        parent,
        {CHECK: Traffic(40, latencies), REGISTER: Traffic(5)},
        duration_s=LENGTH_S,
        meta=smoke_meta(**{**content, **meta}),
    )
    return load_run(path)


def check_of(run: Any, endpoint: str = CHECK, metric: str = "p95") -> Check:
    verdict = judge(run, thresholds_for(run.path))
    return next(c for c in verdict.checks if (c.endpoint, c.metric.name) == (endpoint, metric))


def when(found: Episodes | None) -> list[tuple[float, float]]:
    assert found is not None
    return list(found.spans_s)


def test_one_slow_stretch_is_told_from_its_begin_to_its_end(tmp_path: Path) -> None:
    run = run_of(tmp_path, lambda t: 30 <= t < 60)
    check = check_of(run)
    found = find_episodes(run, check)

    assert check.tier is Tier.FAIL
    assert when(found) == [(30, 60)]
    assert found is not None
    assert told(check, found) == (
        f"p95 of {CHECK} was above 2000 ms from 30 s to 1 min (to within {found.width_s} s)"
    )
    assert found.width_s == 5
    page = render.html(run, judge(run, thresholds_for(run.path)), thresholds_for(run.path))
    assert "<h2>When limits were broken</h2>" in page
    assert "was above 2000 ms from 30 s to 1 min (to within 5 s)</li>" in page


def test_many_stretches_are_counted_and_added_up(tmp_path: Path) -> None:
    run = run_of(tmp_path, lambda t: (t // 10) % 4 == 1)
    check = check_of(run)
    found = find_episodes(run, check)

    assert when(found) == [(10, 20), (50, 60), (90, 100)]
    assert found is not None
    assert told(check, found).endswith(
        "for 30 s in 3 stretches between 10 s and 1 min 40 s (to within 5 s)"
    )


def test_a_single_good_bin_does_not_part_two_bad_ones(tmp_path: Path) -> None:
    run = run_of(tmp_path, lambda t: 40 <= t < 80 and t // 5 != 12)

    assert when(find_episodes(run, check_of(run))) == [(40, 80)]


def test_a_run_that_was_bad_throughout_says_so(tmp_path: Path) -> None:
    run = run_of(tmp_path, lambda t: t > 3)
    check = check_of(run)
    found = find_episodes(run, check)

    assert found is not None
    assert told(check, found).endswith("was above 2000 ms nearly all the time")


def test_times_are_told_as_good_to_the_bin_that_holds_the_turn(tmp_path: Path) -> None:
    run = run_of(tmp_path, lambda t: 33 <= t < 62)
    found = find_episodes(run, check_of(run))

    ((first, last),) = when(found)
    assert found is not None
    assert abs(first - 33) <= found.width_s
    assert abs(last - 62) <= found.width_s


def test_what_no_threshold_judges_is_no_episode(tmp_path: Path) -> None:
    stages = [
        SMOKE_STAGE | {"name": "up", "phase": "ramp-up", "end_s": 40, "users_from": 0},
        SMOKE_STAGE | {"name": "hold", "start_s": 40, "end_s": LENGTH_S},
    ]
    run = run_of(tmp_path, lambda t: t < 60, stages=stages)

    assert when(find_episodes(run, check_of(run))) == [(40, 60)]


def test_a_warning_is_held_against_the_limit_that_it_passed(tmp_path: Path) -> None:
    def latencies(t: int, n: int, rng: Any) -> Any:
        return np.full(n, 700.0 if 30 <= t < 60 else 20.0)

    path = write_run(tmp_path, {CHECK: Traffic(40, latencies)}, duration_s=LENGTH_S)
    run = load_run(path)
    check = check_of(run)
    found = find_episodes(run, check)

    assert check.tier is Tier.WARNING
    assert found is not None
    assert found.limit == 500
    assert when(found) == [(30, 60)]


def test_failures_are_placed_in_time_as_well(tmp_path: Path) -> None:
    failures = {t: {"status 503": 3} for t in range(60, 70)}
    path = write_run(tmp_path, {CHECK: Traffic(40, failures=failures)}, duration_s=LENGTH_S)
    run = load_run(path)
    check = check_of(run, "all requests", "error_rate")

    assert check.tier is Tier.FAIL
    assert when(find_episodes(run, check)) == [(60, 70)]


@pytest.mark.parametrize("endpoint", [CHECK, REGISTER])
def test_a_check_that_passes_has_no_episode(tmp_path: Path, endpoint: str) -> None:
    run = run_of(tmp_path, lambda _: False)

    assert find_episodes(run, check_of(run, endpoint)) is None
