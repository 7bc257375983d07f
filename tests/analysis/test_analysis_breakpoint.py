"""The limit of a breakpoint run, saturation and Little's law, on runs with known answers."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from analysis.breakpoint import breakpoint_figures
from analysis.judge import judge
from analysis.render.as_json import verdict_content
from analysis.render.page import html
from analysis.runs import load_run
from analysis.saturation import fit_saturation
from analysis.thresholds import load_thresholds, parse_thresholds
from analysis.verdict import Outcome
from otaload.record.window import WindowKey, window_to_json
from tests.analysis.synthetic_runs import CHECK, START_S, quick_window, smoke_meta, write_run

LEVELS = (20, 28, 40, 56, 80, 112, 157, 220)
CAPACITY_RPS, SERVICE_S, THINK_S = 60.0, 0.05, 2.0
HOLD_S = 60
THRESHOLDS = "global:\n  p95: {pass: 500 ms, fail: 1 s}\n"


def rate_of(users: float) -> float:
    """The throughput of a closed system with a constant service time."""
    return min(users / (THINK_S + SERVICE_S), CAPACITY_RPS)


def latency_of(users: float) -> float:
    """Its response time, by Little's law."""
    return users / rate_of(users) - THINK_S


def history(outcome="found", limit=157.0, too_much=220.0, **more):
    """What `run.json` says of a search along the levels, one minute each."""
    holds = [
        {
            "kind": "step" if level < 157 else "hold",
            "level": level,
            "start_s": i * HOLD_S,
            "judged_from_s": i * HOLD_S + 20,
            "end_s": (i + 1) * HOLD_S,
            "good": too_much is None or level < too_much,
            "reason": "/updates/check: p95 of 1617 ms" if level == too_much else None,
            "endpoint": "/updates/check" if level == too_much else None,
        }
        for i, level in enumerate(LEVELS)
    ]
    return {
        "outcome": outcome,
        "unit": "users",
        "limit": limit,
        "limit_users": limit,
        "bracket": [limit, too_much],
        "reason": "/updates/check: p95 of 1617 ms"
        if too_much
        else "the last step was within limits",
        "endpoint": "/updates/check" if too_much else None,
        "at_s": 420.0 if too_much else None,
        "holds": holds,
        **more,
    }


def run_of(tmp_path, found=None, *, busy_ratio=1.0, **meta):
    """A closed system's run: every level as busy as its law demands."""
    duration_s = HOLD_S * len(LEVELS)

    def users(t):
        return LEVELS[min(len(LEVELS) - 1, t // HOLD_S)]

    content = smoke_meta(
        scenario="breakpoint",
        breakpoint=found or history(),
        ended="limit found",
        stages=[],
        exercises=None,
        planned={"users_max": 220, "duration_s": 900.0},
        think_s=[1.0, 3.0],
        sessions={"UpdateCheck": [CHECK]},
        start=float(START_S),
        end=float(START_S + duration_s),
        **meta,
    )
    return write_levels(tmp_path, content, users, duration_s, busy_ratio)


def write_levels(tmp_path, content, users, duration_s, busy_ratio):
    """The run with one endpoint whose rate and latency follow the level."""
    path = write_run(
        tmp_path, {}, duration_s=duration_s, meta=content, users=users, thresholds=THRESHOLDS
    )
    done, lines = 0.0, []
    for t in range(duration_s):
        before, done = int(done), done + rate_of(users(t)) * busy_ratio
        window = quick_window(np.full(int(done) - before, 1000 * latency_of(users(t))))
        lines.append(json.dumps(window_to_json(WindowKey(START_S + t, "POST", CHECK), window)))
    (path / "windows.jsonl").write_text("\n".join(lines) + "\n")
    return path


def judged(path):
    """The verdict on a run by its own thresholds."""
    return judge(load_run(path), load_thresholds(path / "thresholds.yaml"))


def test_the_limit_is_told_in_users_and_requests_per_second_with_what_failed_above(tmp_path):
    verdict = judged(run_of(tmp_path))

    assert (verdict.outcome, verdict.exit_code) == (Outcome.PASS, 0)
    assert verdict.headline == (
        "Passed: the limit is 157 users and 60.0 requests/s with p95 617 ms; "
        "at 220 /updates/check: p95 of 1617 ms."
    )
    found = verdict.breakpoint
    assert found.limit_rps == pytest.approx(60, rel=0.01)
    assert found.rps_low <= 60 <= found.rps_high


def test_saturation_is_another_quantity_than_the_limit(tmp_path):
    fit = breakpoint_figures(load_run(run_of(tmp_path))).saturation

    assert fit.reached
    assert fit.rps == pytest.approx(CAPACITY_RPS, rel=0.02)
    assert fit.load == pytest.approx(CAPACITY_RPS * (THINK_S + SERVICE_S), rel=0.05)
    assert fit.load_low <= fit.load <= fit.load_high


def test_littles_law_holds_where_all_users_are_busy(tmp_path):
    verdict = judged(run_of(tmp_path))

    gaps = [one.little_gap_ratio for one in verdict.breakpoint.holds]
    assert max(gaps) < 0.05
    assert not [note for note in verdict.notes if "Little" in note]


def test_users_that_are_not_busy_are_told(tmp_path):
    # Only three users in four ask: the others hang about in the generator.
    verdict = judged(run_of(tmp_path, busy_ratio=0.75))

    (note,) = [note for note in verdict.notes if "Little" in note]
    assert "the generator or the profile did not keep all users busy" in note
    assert "% off" in note


@pytest.mark.parametrize(
    ("changes", "outcome", "told"),
    [
        (
            {"outcome": "cut short"},
            Outcome.WARNING,
            "the limit lies between 157 and 220 users: the run ended before it was narrowed down; "
            "at 220 /updates/check: p95 of 1617 ms",
        ),
        (
            {"outcome": "not recovered"},
            Outcome.WARNING,
            "the limit lies between 157 and 220 users: the service did not recover from it under "
            "a low load; at 220 /updates/check: p95 of 1617 ms",
        ),
        (
            {"outcome": "below", "limit": None, "limit_users": None, "bracket": [None, 20.0]},
            Outcome.WARNING,
            "the limit lies below the load that the run began with: /updates/check: p95 of 1617 ms",
        ),
        (
            {"outcome": "none", "limit": None, "limit_users": None, "at_s": None,
             "bracket": [220.0, None], "reason": "the last step was within limits"},
            Outcome.WARNING,
            "the ramp ended at 220 users without a limit found: the last step was within limits",
        ),
    ],
    ids=["cut short", "not recovered", "below", "none"],
)  # fmt: skip
def test_each_way_a_search_ends_has_a_finding_of_its_own(tmp_path, changes, outcome, told):
    verdict = judged(run_of(tmp_path, {**history(), **changes}))

    assert verdict.outcome is outcome
    assert verdict.headline == f"Warning: {told}."
    assert verdict.exit_code == 0


def test_a_search_by_a_saturated_generator_is_inconclusive(tmp_path):
    path = run_of(tmp_path)
    rows = [json.loads(line) for line in (path / "users.jsonl").read_text().splitlines()]
    for row in rows:
        # After the first bad slice, in the holds that the bisection rests on.
        if "process" in row and row["second"] >= START_S + 430:
            row["lag_ms"] = 200.0
    (path / "users.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    assert judged(path).outcome is Outcome.INCONCLUSIVE


def test_the_verdict_as_json_has_every_hold(tmp_path):
    content = verdict_content(judged(run_of(tmp_path)))["breakpoint"]

    assert content["limit"] == 157
    assert content["too_much"] == 220
    assert [hold["level"] for hold in content["holds"]] == list(LEVELS)
    assert content["holds"][-1]["good"] is False
    assert content["saturation"]["reached"] is True
    json.dumps(content)


def test_the_report_has_a_row_for_every_hold_and_both_charts(tmp_path):
    path = run_of(tmp_path)
    run, thresholds = load_run(path), parse_thresholds(THRESHOLDS)
    page = html(run, judge(run, thresholds), thresholds)
    section = page.partition("<h2>The search for the limit</h2>")[2].partition("</section>")[0]

    assert section.count("<tr>") == len(LEVELS) + 1
    assert section.count("<svg ") == 2
    assert "157 users; 220 are too many" in section
    assert "limit 157" in section


def test_a_search_without_any_answer_still_has_a_report(tmp_path):
    path = run_of(tmp_path)
    (path / "windows.jsonl").write_text("")
    run, thresholds = load_run(path), parse_thresholds(THRESHOLDS)

    assert "The search for the limit" in html(run, judge(run, thresholds), thresholds)


def test_a_run_without_a_search_has_neither_section_nor_content(tmp_path):
    path = write_run(tmp_path)
    run, thresholds = load_run(path), parse_thresholds(THRESHOLDS)
    verdict = judge(run, thresholds)

    assert verdict_content(verdict)["breakpoint"] is None
    assert "The search for the limit" not in html(run, verdict, thresholds)


def test_holds_that_make_no_sense_are_left_out(tmp_path):
    broken = [7, {"level": "many"}, {"level": 5, "start_s": 9, "judged_from_s": 9, "end_s": 3}]
    found = history()
    path = run_of(tmp_path, {**found, "holds": [*broken, *found["holds"]], "bracket": "wide"})

    assert len(breakpoint_figures(load_run(path)).holds) == len(LEVELS)


def test_throughput_that_grows_to_the_end_has_no_saturation() -> None:
    users = np.array([20, 40, 80, 160, 320], float)
    fit = fit_saturation(users, users / 2)

    assert fit is not None
    assert not fit.reached
    assert fit.rps == pytest.approx(160)


def test_fewer_than_five_levels_have_no_fit() -> None:
    assert fit_saturation(np.array([1.0, 2, 3, 4, 4, 4]), np.ones(6)) is None


def test_a_noisy_plateau_is_within_its_interval() -> None:
    rng = np.random.default_rng(3)
    users = np.repeat([20.0, 40, 80, 120, 160, 200, 240, 300], 2)
    inside = 0
    for _ in range(200):
        true = np.minimum(users / 2, 70)
        rps = rng.poisson(40 * true) / 40
        fit = fit_saturation(users, rps)
        inside += fit is not None and fit.reached and fit.rps_low <= 70 <= fit.rps_high
    assert inside >= 180


def test_the_scalability_law_is_fitted_exactly_where_it_holds() -> None:
    users = np.array([1.0, 5, 10, 20, 40, 80, 160])
    sigma, kappa, single = 0.02, 0.0005, 10.0
    rps = single * users / (1 + sigma * (users - 1) + kappa * users * (users - 1))
    fit = fit_saturation(users, rps)

    assert fit is not None
    assert fit.usl_peak_users == pytest.approx(math.sqrt((1 - sigma) / kappa))
    assert fit.usl_rps == pytest.approx(float(rps.max()), rel=0.01)


def test_the_scalability_law_says_nothing_far_beyond_the_levels() -> None:
    users = np.array([20, 28, 39, 55, 77, 108, 151, 178, 211], float)
    fit = fit_saturation(users, np.minimum(users / 2.05, 80))

    assert fit is not None
    assert fit.rps == pytest.approx(80, rel=0.02)
    assert (fit.usl_rps, fit.usl_peak_users) == (None, None)
