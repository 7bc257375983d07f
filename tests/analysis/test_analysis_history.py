"""Past runs: what a list of them shows, and what it says about those that it cannot show."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from synthetic_runs import START_S, Traffic, lognormal, smoke_meta, write_run

from analysis.history import read_history
from analysis.outputs import report_directory
from analysis.render import past_runs
from analysis.verdict import Outcome
from otaload.errors import ConfigurationError

HOSTILE = '<script>alert("x")</script> \x1b[31m|`*_' + "\x00é💥" + "long" * 30


def run(parent, number, *, median_ms=20.0, error_ratio=0.0, **changes):
    """A run an hour after the one before."""
    start_s = START_S + 3600 * number
    meta = smoke_meta(
        **{"start": start_s + 0.25, "end": start_s + 60.25, "exercises": ["/x"], **changes}
    )
    traffic = {"/x": Traffic(10, lognormal(median_ms), error_ratio=error_ratio)}
    return write_run(parent, traffic, meta=meta, seed=number, start_s=start_s)


@pytest.fixture(scope="module")
def past(tmp_path_factory):
    """A reports directory: a fast, a slow and a failing smoke, a load, one that is not judged."""
    parent = tmp_path_factory.mktemp("past")
    judged = [
        run(parent, 0),
        run(parent, 1, median_ms=40),
        run(parent, 2, error_ratio=0.1, git_commit="fedcba9876543210-dirty"),
        run(parent, 3, scenario="load", faults=["latency on all"]),
        run(
            parent,
            4,
            scenario="breakpoint",
            breakpoint={"limit_users": 140, "reason": "p95", "at_s": 30},
        ),
    ]
    for path in judged:
        report_directory(path)
    run(parent, 5)
    return parent


def copied(past, tmp_path):
    """The directory to do damage in."""
    return shutil.copytree(past, tmp_path / "copy")


def test_runs_are_listed_with_the_figures_of_their_verdicts_the_newest_last(past):
    history = read_history(past, limit=20)
    assert [found.name[11:] for found in history.runs] == [
        "11-06-40Z-smoke",
        "12-06-40Z-smoke",
        "13-06-40Z-smoke",
        "14-06-40Z-load",
        "15-06-40Z-breakpoint",
        "16-06-40Z-smoke",
    ]
    first = history.runs[0]
    verdict = json.loads((past / first.name / "verdict.json").read_text())
    (figures,) = verdict["endpoints"]
    found = first.judgement
    assert (found.outcome, found.requests, found.failures) == (Outcome.PASS, 600, 0)
    assert (found.p50_ms, found.p95_ms, found.p99_ms) == tuple(
        figures[name] for name in ("p50_ms", "p95_ms", "p99_ms")
    )
    assert (found.duration_s, found.rps) == (60, figures["rps"])
    assert (found.checks, found.proven) == (3, sum(c["proven"] for c in verdict["checks"]))
    assert history.runs[2].judgement.outcome is Outcome.FAIL
    assert history.runs[4].limit == (140, "users")


def test_all_requests_are_listed_where_there_are_several_endpoints(tmp_path):
    path = write_run(tmp_path)
    report_directory(path)
    (found,) = read_history(tmp_path, limit=1).runs
    verdict = json.loads((path / "verdict.json").read_text())
    assert found.judgement.p95_ms == verdict["endpoints"][-1]["p95_ms"]
    assert found.judgement.p95_ms not in [row["p95_ms"] for row in verdict["endpoints"][:-1]]


def test_the_table_of_past_runs_equals_the_golden_file(past):
    shown = past_runs.text(read_history(past, limit=20))
    golden = Path(__file__).parent / "golden" / "history.txt"
    if os.environ.get("OTALOAD_WRITE_GOLDEN"):  # to be read before it is committed
        golden.write_text(shown)
    assert shown == golden.read_text()


def test_a_scenario_and_a_limit_choose_among_the_runs(past):
    history = read_history(past, "smoke", limit=2)
    assert [found.name[11:19] for found in history.runs] == ["13-06-40", "16-06-40"]
    assert history.earlier == 2
    assert "2 earlier runs not shown" in past_runs.text(history)


def test_a_scenario_without_runs_is_an_error_that_names_the_others(past):
    with pytest.raises(ConfigurationError, match="did you mean smoke"):
        read_history(past, "smokee", limit=20)
    with pytest.raises(ConfigurationError, match="known: breakpoint, load, smoke"):
        read_history(past, "xyz", limit=20)


@pytest.mark.parametrize("name", ["", "missing"])
def test_a_directory_without_runs_is_an_error(tmp_path, name):
    with pytest.raises(ConfigurationError, match="holds no run yet"):
        read_history(tmp_path / name, limit=20)


def test_a_run_without_a_verdict_is_listed_as_not_judged_with_how_to_mend_it(past):
    history = read_history(past, limit=20)
    last = history.runs[-1]
    assert (last.judgement, last.not_judged) == (None, "there is no verdict")
    assert past_runs.remarks(history) == [
        f"not judged, as there is no verdict: {last.name}; `otaload judge {last.name}` judges it"
    ]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda path: path.write_text("{"), "the verdict cannot be read"),
        (lambda path: path.write_text("[]"), "damaged or of another version"),
        (lambda path: path.write_text('{"format": 99}'), "damaged or of another version"),
        (lambda path: path.write_text('{"format": 1, "outcome": "x"}'), "damaged or of"),
        (lambda path: path.write_text('{"format": 1, "outcome": []}'), "damaged or of"),
        (lambda path: os.utime(path, (0, 0)), "written to after its verdict"),
    ],
)
def test_a_verdict_that_cannot_be_used_is_said_to_be_so(past, tmp_path, damage, reason):
    reports = copied(past, tmp_path)
    path = sorted(reports.iterdir())[0]
    damage(path / "verdict.json")
    found = read_history(reports, limit=20).runs[0]
    assert found.judgement is None
    assert reason in found.not_judged


def test_a_run_that_is_going_on_is_told_from_a_finished_one(tmp_path):
    run(tmp_path, 0, complete=False)
    assert read_history(tmp_path, limit=1).runs[0].not_judged == "going on, or never closed"


def test_damaged_directories_are_named_and_do_not_hide_the_others(past, tmp_path):
    reports = copied(past, tmp_path)
    paths = sorted(reports.iterdir())
    (paths[0] / "run.json").unlink()
    (paths[1] / "run.json").write_text("not json")
    (reports / "notes").mkdir()
    history = read_history(reports, limit=20)
    assert [found.name for found in history.runs] == [path.name for path in paths[2:]]
    assert [name for name, _ in history.unreadable] == [path.name for path in paths[:2]]
    shown = past_runs.text(history)
    assert f"{paths[0].name} cannot be read: it has no run.json" in shown
    assert f"{paths[1].name} cannot be read: " in shown


def test_only_damaged_directories_are_listed_too(tmp_path):
    (run(tmp_path, 0) / "run.json").unlink()
    history = read_history(tmp_path, limit=20)
    assert history.runs == ()
    assert "it has no run.json" in past_runs.text(history)


def test_bars_are_on_one_scale_for_runs_of_one_scenario_and_size(tmp_path):
    for number, (scenario, median_ms, rehearsal) in enumerate(
        [
            ("smoke", 20, None),
            ("smoke", 40, None),
            ("load", 400, None),
            ("smoke", 80, {"time_scale": 0.1, "user_scale": 1}),
        ]
    ):
        report_directory(
            run(tmp_path, number, scenario=scenario, median_ms=median_ms, rehearsal=rehearsal)
        )
    lines = past_runs.text(read_history(tmp_path, limit=20)).splitlines()[2:]
    assert [line.count("█") for line in lines] in ([4, 8, 8, 8], [3, 8, 8, 8])


@pytest.mark.parametrize(
    ("value", "most", "shown"),
    [
        (8, 8, "█" * 8),
        (4, 8, "█" * 4),
        (4.5, 8, "████▌"),
        (0.001, 8, "▏"),
        (None, 8, ""),
        (1, 0, ""),
    ],
)
def test_bars_are_shares_of_the_most(value, most, shown):
    assert past_runs.bar(value, most) == shown


def test_the_outputs_hold_hostile_names(tmp_path):
    path = run(tmp_path, 0, scenario=HOSTILE, git_commit=HOSTILE, faults=[HOSTILE])
    report_directory(path)
    history = read_history(tmp_path, limit=20)
    lines = past_runs.text(history).splitlines()
    assert max(len(line) for line in lines) <= 160
    assert not any("\x1b" in line or "\x00" in line for line in lines)
    assert "<script>" not in past_runs.markdown(history)


def test_json_has_what_the_table_has(past):
    content = json.loads(past_runs.json(read_history(past, limit=20)))
    assert content["format"] == 1
    assert len(content["runs"]) == 6
    assert content["runs"][4]["limit"] == 140
    assert content["runs"][4]["limit_unit"] == "users"
    assert content["runs"][2]["judgement"]["error_ratio"] > 0.05
    assert content["runs"][5]["judgement"] is None
    assert content["runs"][5]["not_judged"] == "there is no verdict"


def test_the_drift_of_a_soak_is_listed(past, tmp_path):
    reports = copied(past, tmp_path)
    path = sorted(reports.iterdir())[0] / "verdict.json"
    verdict = json.loads(path.read_text())
    verdict["checks"].append({"metric": "p99_drift", "value": -0.0314, "proven": False})
    path.write_text(json.dumps(verdict))
    assert "drift −3.1 %" in past_runs.text(read_history(reports, limit=20))
