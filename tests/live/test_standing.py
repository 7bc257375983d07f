"""How thresholds stand while a run goes on: the same requests count as in the verdict."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.judge import judge
from analysis.limits import Tier
from analysis.runs import load_run
from analysis.thresholds import parse_thresholds
from otaload.live.standing import Standing, Standings, worst_first, worst_tier
from otaload.phase import Phase
from otaload.record import Histogram, RunDirectory, Window, WindowKey

START_S = 1_700_000_000.3
TEXT = """\
global:
  p95: { pass: 800 ms, warning: 1500 ms, fail: 2000 ms }
  error_rate: { pass: 0.01 %, warning: 0.1 %, fail: 0.5 % }
  p99_drift: { pass: 15 %, warning: 30 %, fail: 50 % }
endpoints:
  /check: { p95: { pass: 500 ms } }
  GET /other: { p95: { pass: 500 ms } }
"""


@dataclass(frozen=True)
class Stage:
    """A stage of a profile, as far as standings read it."""

    phase: Phase
    start_s: float
    end_s: float = 0.0
    name: str = "a stage"
    users_from: int = 0
    users_to: int = 0
    rate_from: float | None = None
    rate_to: float | None = None


RAMP_AND_HOLD = (Stage(Phase.RAMP_UP, 0), Stage(Phase.STEADY, 10))


def windows(
    second: int, latency_ms: float, *, n: int = 10, failed: int = 0, endpoint: str = "/check"
) -> list[tuple[WindowKey, Window]]:
    """One second of one endpoint."""
    made = Window()
    made.successes = Histogram.of([int(latency_ms * 1000)] * (n - failed))
    made.failures = Histogram.of([1000] * failed)
    made.causes = {"status 500": failed} if failed else {}
    return [(WindowKey(int(START_S) + second, "POST", endpoint), made)]


def by_name(standings: Standings) -> dict[str, Standing]:
    """Each standing by its metric and endpoint."""
    return {f"{one.metric_text} {one.endpoint}": one for one in standings.now()}


def test_a_threshold_without_a_request_has_no_tier() -> None:
    standings = Standings(parse_thresholds(TEXT), start_s=START_S)

    assert {one.tier for one in standings.now()} == {None}
    assert worst_tier(standings.now()) is None
    assert {one.value_text for one in standings.now()} == {"no data"}


def test_values_are_those_of_all_requests_so_far_and_have_the_tier_of_their_limits() -> None:
    standings = Standings(parse_thresholds(TEXT), start_s=START_S)
    standings.add(windows(1, 600))
    standings.add(windows(2, 600, failed=1))
    found = by_name(standings)

    assert found["p95 all requests"].tier is Tier.PASS
    assert found["p95 /check"].tier is Tier.WARNING
    assert found["error_rate all requests"].tier is Tier.FAIL
    assert found["error_rate all requests"].value == 1 / 20
    assert found["p95 GET /other"].tier is None
    assert worst_first(standings.now())[0] == found["error_rate all requests"]
    assert worst_tier(standings.now()) is Tier.FAIL


def test_what_only_the_whole_run_can_tell_has_no_standing() -> None:
    standings = Standings(parse_thresholds(TEXT), start_s=START_S)

    assert all("drift" not in name for name in by_name(standings))


def test_endpoints_that_the_scenario_does_not_exercise_are_left_out() -> None:
    standings = Standings(parse_thresholds(TEXT), start_s=START_S, exercises=["/other"])

    assert "p95 GET /other" in by_name(standings)
    assert "p95 /check" not in by_name(standings)


def test_a_method_in_the_threshold_is_that_of_the_requests() -> None:
    standings = Standings(parse_thresholds(TEXT), start_s=START_S)
    standings.add(windows(1, 20, endpoint="/other"))

    assert by_name(standings)["p95 GET /other"].tier is None  # those were POST


def test_failures_alone_fail_a_latency() -> None:
    standings = Standings(parse_thresholds(TEXT), start_s=START_S)
    standings.add(windows(1, 20, n=5, failed=5))
    found = by_name(standings)["p95 /check"]

    assert (found.tier, found.value, found.value_text) == (Tier.FAIL, None, "no success")


def test_the_warm_up_is_not_counted_and_a_second_belongs_where_it_lies_by_more_than_half() -> None:
    standings = Standings(parse_thresholds(TEXT), start_s=START_S, stages=RAMP_AND_HOLD)
    standings.add(windows(9, 3000))  # 8.7 s to 9.7 s after the start
    assert worst_tier(standings.now()) is None

    standings.add(windows(10, 20))  # 9.7 s to 10.7 s
    assert by_name(standings)["p95 /check"].n == 10


def test_limits_of_a_phase_stand_for_themselves() -> None:
    text = TEXT + "phases:\n  burst:\n    global: { p95: { pass: 3 s, warning: 4 s, fail: 5 s } }\n"
    stages = (Stage(Phase.STEADY, 0), Stage(Phase.BURST, 10))
    standings = Standings(parse_thresholds(text), start_s=START_S, stages=stages)
    standings.add(windows(1, 100))
    standings.add(windows(15, 2500))
    found = by_name(standings)

    assert (found["p95 all requests"].value or 0) < 110
    assert found["p95 in burst all requests"].tier is Tier.PASS


def test_at_the_end_of_a_run_the_standings_are_the_verdicts_checks(tmp_path) -> None:
    thresholds = parse_thresholds(TEXT)
    meta = {
        "scenario": "load",
        "stages": [
            {"name": "up", "start_s": 0, "end_s": 10, "users_from": 0, "users_to": 9},
            {"name": "on", "start_s": 10, "end_s": 30, "users_from": 9, "users_to": 9},
        ],
        "planned": {"duration_s": 30, "users_max": 9},
    }
    run = RunDirectory.create(tmp_path, scenario="load", start_s=START_S, meta=meta, thresholds="")
    standings = Standings(thresholds, start_s=START_S, stages=RAMP_AND_HOLD)
    for second in range(30):
        for endpoint in ("/check", "/other"):
            made = windows(
                second, 100 + 40 * second, failed=int(second % 7 == 3), endpoint=endpoint
            )
            run.append_windows(made)
            standings.add(made)
    run.write_meta(start=START_S, end=START_S + 30, ended="finished", complete=True)
    run.close()
    verdict = judge(load_run(run.path), thresholds)
    checks = {f"{one.metric_text} {one.endpoint}": one for one in verdict.checks}

    found = by_name(standings)
    assert set(found) == set(checks)
    judged = [name for name in found if found[name].tier is not None]
    assert len(judged) == 3  # those of GET saw POST alone
    for name in judged:
        assert (found[name].value, found[name].n) == (checks[name].value, checks[name].n), name
        assert found[name].tier is checks[name].tier, name
