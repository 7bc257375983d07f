"""Arrivals in a run: totals, a warning for those that were missed, a place in every output."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from synthetic_runs import (
    REGISTER,
    START_S,
    Traffic,
    constant,
    normal_traffic,
    smoke_meta,
    write_run,
)

from analysis import render
from analysis.arrivals import arrival_figures, arrival_series, planned_until
from analysis.outputs import judge_directory
from analysis.runs import load_run
from analysis.thresholds import load_thresholds
from analysis.verdict import Outcome

STAGES = [
    {"name": "ready", "start_s": 0, "end_s": 10, "rate_from": 0, "rate_to": 0},
    {"name": "ramp", "start_s": 10, "end_s": 20, "rate_from": 0, "rate_to": 10},
    {"name": "steady", "start_s": 20, "end_s": 60, "rate_from": 10, "rate_to": 10},
]
PLANNED = 50 + 400

Counts = Callable[[int], tuple[int, int]]
"""Planned and missed arrivals of a process in a second."""


def steady(t: int) -> tuple[int, int]:
    """What the profile plans, and nothing missed; the ramp is taken in one go."""
    return (0 if t < 19 else 50 if t == 19 else 10), 0


def write(
    parent: Path,
    counts: Counts = steady,
    *,
    scenario: str = "open",
    processes: int = 1,
    **meta: object,
) -> Path:
    """A run whose processes share these arrivals."""
    stages = [{**stage, "users_from": 20, "users_to": 20} for stage in STAGES]
    planned = {"users_max": 20, "duration_s": 60.0}
    names = [f"p{n}" for n in range(processes)]
    path = write_run(
        parent,
        meta=smoke_meta(scenario=scenario, stages=stages, planned=planned, **meta),
        users=lambda t: 20,
        processes=names,
    )
    file = path / "users.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    for row in rows:
        if "process" in row:
            planned_n, missed = counts(row["second"] - START_S)
            share = planned_n // processes, missed // processes
            row["arrivals"] = {
                "planned": share[0],
                "started": share[0] - share[1],
                "missed": share[1],
                "lag_sum_ms": 0.5 * (share[0] - share[1]),
                "lag_max_ms": 4.0,
                "busy": 3,
            }
            if share[1]:
                row["arrivals"]["missed_by"] = {"B": 1, "A": share[1] - 1}
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


@pytest.mark.parametrize("processes", [1, 2, 5])
def test_figures_add_up_over_processes_and_seconds(tmp_path: Path, processes: int) -> None:
    counts = lambda t: (steady(t)[0], 10 if t == 50 else 0)  # noqa: E731
    figures = arrival_figures(load_run(write(tmp_path, counts, processes=processes)))

    assert figures is not None
    assert (figures.planned, figures.started, figures.missed) == (PLANNED, PLANNED - 10, 10)
    assert figures.by_profile == PLANNED
    assert figures.lag_mean_ms == pytest.approx(0.5)
    assert figures.missed_by == {"A": 10 - processes, "B": processes}
    assert (figures.lag_max_ms, figures.busy_max, figures.users) == (4.0, 3 * processes, 20)


def test_the_profile_is_integrated_up_to_any_moment(tmp_path: Path) -> None:
    run = load_run(write(tmp_path))

    found = [planned_until(run, t) for t in (5, 10, 15, 20, 30, 60, 100)]
    assert found == pytest.approx([0, 0, 12.5, 50, 150, 450, 450])


def test_a_run_without_a_missed_arrival_passes_and_tells_of_all(tmp_path: Path) -> None:
    verdict = judge_directory(write(tmp_path))

    assert verdict.outcome is Outcome.PASS
    assert (
        "450 arrivals planned, 450 started 0.5 ms late on average, 0 missed; "
        "at most 3 of 20 users at work"
    ) in verdict.notes


@pytest.mark.parametrize(
    ("missed", "outcome"), [(4, Outcome.PASS), (5, Outcome.WARNING), (10, Outcome.WARNING)]
)
def test_more_than_one_percent_missed_is_a_warning(
    tmp_path: Path, missed: int, outcome: Outcome
) -> None:
    verdict = judge_directory(write(tmp_path, lambda t: (steady(t)[0], missed if t == 40 else 0)))

    assert verdict.outcome is outcome
    if outcome is Outcome.WARNING:
        assert verdict.headline.startswith(f"Warning: {missed} of 450 arrivals (")
        assert "found no free user (mostly A)" in verdict.headline
        assert "raise max_users, or the service is past its limit" in verdict.headline


def test_missed_arrivals_do_not_make_a_failure_better(tmp_path: Path) -> None:
    verdict = judge_directory(write_slow(tmp_path))

    assert verdict.outcome is Outcome.FAIL
    assert any("found no free user" in reason for reason in verdict.reasons)


def write_slow(parent: Path) -> Path:
    """A run that missed arrivals and was above its fail limit."""
    path = write(parent / "slow", lambda t: (steady(t)[0], 5 if t > 40 else 0))
    lines = (path / "windows.jsonl").read_text()
    slow = write_run(parent / "other", {**normal_traffic(), REGISTER: Traffic(5, constant(9000))})
    (path / "windows.jsonl").write_text(lines + (slow / "windows.jsonl").read_text())
    return path


def test_a_breakpoint_run_may_miss_arrivals_and_tells_of_them(tmp_path: Path) -> None:
    found = {"limit_users": 10, "reason": "p95", "at_s": 30.0}
    verdict = judge_directory(
        write(
            tmp_path,
            lambda t: (steady(t)[0], 5 if t > 40 else 0),
            scenario="breakpoint",
            breakpoint=found,
            ended="limit found",
        )
    )

    assert verdict.outcome is Outcome.PASS
    assert any("95 missed" in note for note in verdict.notes)


def test_arrivals_that_no_process_knew_of_make_the_run_inconclusive(tmp_path: Path) -> None:
    verdict = judge_directory(write(tmp_path, lambda t: (0, 0) if t > 40 else steady(t)))

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "the load was not reached: 260 of 450 planned arrivals came about" in verdict.reasons


def test_a_run_that_a_rule_stopped_owes_no_further_arrivals(tmp_path: Path) -> None:
    """A service that hangs is waited for after the abort, and no arrival is handed out then."""
    aborted = {"rule": "error_rate", "reason": "not one request was answered", "at_s": 40.0}
    path = write(
        tmp_path, lambda t: (0, 0) if t > 40 else steady(t), aborted=aborted, ended="aborted"
    )
    verdict = judge_directory(path)

    assert verdict.outcome is Outcome.FAIL
    assert verdict.headline.startswith("Failed: aborted after 40 s")


def test_a_run_that_was_interrupted_owes_no_further_arrivals(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        lambda t: (0, 0) if t > 40 else steady(t),
        ended="interrupted",
        interrupted="SIGINT",
        end=START_S + 41.25,
    )

    assert judge_directory(path, partial=True).outcome is Outcome.PASS


def test_a_run_of_users_has_no_arrivals(tmp_path: Path) -> None:
    path = write_run(tmp_path)
    run, verdict = load_run(path), judge_directory(path)

    assert arrival_figures(run) is None
    assert verdict.arrivals is None
    assert json.loads(render.json(verdict))["arrivals"] is None
    assert "<h2>Arrivals" not in render.html(
        run, verdict, load_thresholds(path / "thresholds.yaml")
    )


@pytest.mark.parametrize(
    "damage", [{"planned": 1}, [], "many", {"planned": -1, "started": 0, "missed": 0}]
)
def test_arrivals_that_make_no_sense_are_damage(tmp_path: Path, damage: object) -> None:
    path = write(tmp_path)
    file = path / "users.jsonl"
    lines = file.read_text().splitlines()
    row = json.loads(lines[1])
    lines[1] = json.dumps({**row, "arrivals": damage})
    file.write_text("\n".join(lines) + "\n")

    assert any("users.jsonl:2" in told for told in load_run(path).damage)


def test_the_series_has_the_rates_of_every_second(tmp_path: Path) -> None:
    counts = lambda t: (steady(t)[0], 4 if t == 50 else 0)  # noqa: E731
    series = arrival_series(load_run(write(tmp_path, counts, processes=2)), 1)

    at = series.set_index("t_s")
    assert at.loc[50.5].to_dict() == {"planned": 10, "started": 6, "missed": 4, "busy": 6}
    assert at.loc[5.5, "planned"] == 0
    assert series["planned"].sum() == PLANNED
    wide = arrival_series(load_run(write(tmp_path / "again", counts)), 7)
    assert (wide["planned"][:-1] * 7).sum() + wide["planned"].iloc[-1] * 4 == pytest.approx(PLANNED)


def test_the_report_shows_arrivals_and_rates_of_stages(tmp_path: Path) -> None:
    path = write(tmp_path, lambda t: (steady(t)[0], 5 if t == 40 else 0))
    run, verdict = load_run(path), judge_directory(path)
    page = render.html(run, verdict, load_thresholds(path / "thresholds.yaml"))

    assert "<h2>Arrivals" in page
    assert "5 (1.11 %): no user was free" in page
    assert "A: 4, B: 1" in page
    assert "0.0 → 10.0 /s" in page
    assert json.loads(render.json(verdict))["arrivals"] == {
        "by_profile": 450,
        "planned": 450,
        "started": 445,
        "missed": 5,
        "missed_by": {"A": 4, "B": 1},
        "missed_ratio": pytest.approx(5 / 450),
        "lag_mean_ms": pytest.approx(0.5),
        "lag_max_ms": 4.0,
        "busy_max": 3,
        "users": 20,
    }
