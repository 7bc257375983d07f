"""The comparison of two groups of runs, against scipy, known answers and simulated runs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.compare import ERROR_RATE, P95, P99, Finding, RunFigures, compare
from analysis.figures import Figures
from analysis.limits import ALL_REQUESTS
from analysis.students_t import t_quantile, two_sided_p
from analysis.welch import mean_difference
from bench.verdicts import comparing

SPREAD = (-0.02, -0.01, 0.0, 0.01, 0.02)
WIDE = (-0.3, -0.15, 0.0, 0.15, 0.3)


def figures(p95_ms: float | None, *, p99_ms: float | None = None, n=1000, failures=0) -> Figures:
    p99_ms = None if p95_ms is None else (p99_ms or 1.5 * p95_ms)
    return Figures(
        n=n,
        failures=failures,
        p50_ms=p95_ms,
        p90_ms=p95_ms,
        p95_ms=p95_ms,
        p99_ms=p99_ms,
        max_ms=p99_ms,
        bytes_in=0,
        rps=10.0,
    )


def group(
    level_ms: float = 100.0, spread=SPREAD, *, failures=0, endpoints=None
) -> list[RunFigures]:
    """Runs around a level; `failures` of each run, or a list with a number for each."""
    failed = failures if isinstance(failures, list) else [failures] * len(spread)
    return [
        RunFigures(
            f"run {i}",
            figures(level_ms * math.exp(step), failures=count),
            {
                name: figures(ms * math.exp(step))
                for name, ms in (endpoints or {"/x": level_ms}).items()
            },
        )
        for i, (step, count) in enumerate(zip(spread, failed, strict=True))
    ]


def figure(found, metric, endpoint=ALL_REQUESTS):
    return next(d for d in found.all if d.metric == metric and d.endpoint == endpoint)


@settings(deadline=None, max_examples=150)
@given(st.floats(0.0005, 0.9995), st.floats(1, 500))
def test_students_t_quantile_agrees_with_scipy(q, df):
    assert t_quantile(q, df) == pytest.approx(stats.t.ppf(q, df), rel=1e-6, abs=1e-9)


@settings(deadline=None, max_examples=150)
@given(st.floats(-30, 30), st.floats(1, 500))
def test_students_t_probability_agrees_with_scipy(t, df):
    assert two_sided_p(t, df) == pytest.approx(2 * stats.t.sf(abs(t), df), rel=1e-6, abs=1e-12)


@settings(deadline=None, max_examples=60)
@given(st.integers(2, 12), st.integers(2, 12), st.integers(0, 10**6))
def test_welchs_interval_agrees_with_scipy(n_first, n_second, seed):
    rng = np.random.default_rng(seed)
    first, second = rng.normal(0, 1, n_first), rng.normal(0.5, 3, n_second)
    found = mean_difference(first.tolist(), second.tolist())
    wanted = stats.ttest_ind(second, first, equal_var=False)
    interval = wanted.confidence_interval(0.98)
    assert found.p == pytest.approx(wanted.pvalue, rel=1e-6)
    assert found.bounds(0.98) == pytest.approx((interval.low, interval.high), rel=1e-6)


def test_a_slower_group_is_a_regression_of_its_latencies():
    found = compare(group(100), group(120))
    assert found.finding is Finding.REGRESSION
    for metric in (P95, P99):
        difference = figure(found, metric)
        assert difference.finding is Finding.REGRESSION
        assert difference.change == pytest.approx(0.20)
        assert 0 < difference.low < 0.20 < difference.high
    assert figure(found, P95).before == pytest.approx(100)
    assert figure(found, P95).after == pytest.approx(120)


def test_a_faster_group_is_an_improvement_and_the_mirror_of_a_regression():
    found, mirrored = compare(group(120), group(100)), compare(group(100), group(120))
    assert found.finding is Finding.IMPROVEMENT
    one, other = figure(found, P95), figure(mirrored, P95)
    assert (1 + one.low) * (1 + other.high) == pytest.approx(1)
    assert one.p == pytest.approx(other.p)


def test_equal_groups_show_no_difference_and_say_what_they_would_have_seen():
    found = compare(group(100), group(100))
    difference = figure(found, P95)
    assert found.finding is Finding.NO_DIFFERENCE
    assert difference.low < 0 < difference.high
    assert difference.smallest > 0.05


def test_a_change_below_five_percent_is_no_regression_however_sure_it_is():
    found = compare(group(100, (0.0, 0.001) * 10), group(104, (0.0, 0.001) * 10))
    difference = figure(found, P95)
    assert difference.low > 0
    assert difference.is_small
    assert found.finding is Finding.NO_DIFFERENCE


def test_a_large_change_is_no_regression_where_runs_differ_by_as_much():
    found = compare(group(100, WIDE), group(125, WIDE))
    assert figure(found, P95).change == pytest.approx(0.25)
    assert found.finding is Finding.NO_DIFFERENCE
    assert figure(found, P95).smallest > 0.5


@pytest.mark.parametrize(("before", "after"), [(4, 5), (5, 4), (1, 1), (2, 30)])
def test_fewer_than_five_runs_a_side_have_a_difference_and_no_verdict(before, after):
    found = compare(group(100, (0.0,) * before), group(300, (0.0,) * after))
    assert found.finding is Finding.INDICATIVE
    for difference in found.all:
        assert difference.finding is Finding.INDICATIVE
        assert difference.low is difference.high is difference.p is difference.smallest is None
    assert figure(found, P95).change == pytest.approx(2.0)


def test_equal_values_are_not_taken_for_certainty():
    # A histogram's percentile is a bucket's middle, so runs may well have the very same.
    same = (0.0,) * 5
    difference = figure(compare(group(100, same), group(100.3, same)), P95)
    assert difference.low < 0 < difference.high


def test_more_failures_are_a_regression_though_latencies_are_equal():
    found = compare(group(failures=[0, 0, 1, 0, 0]), group(failures=[9, 12, 10, 8, 11]))
    difference = figure(found, ERROR_RATE)
    assert found.finding is difference.finding is Finding.REGRESSION
    assert difference.before == pytest.approx(0.0002)
    assert difference.change == pytest.approx(0.0098)


def test_one_run_with_many_failures_is_not_a_regression_of_the_group():
    found = compare(group(), group(failures=[0, 0, 300, 0, 0]))
    assert figure(found, ERROR_RATE).finding is Finding.NO_DIFFERENCE
    assert found.finding is Finding.NO_DIFFERENCE


def test_failures_that_chance_explains_are_no_regression_though_runs_have_equally_many():
    # One failure of 1,000 in each run has no spread, which proves nothing.
    found = compare(group(failures=[0] * 5), group(failures=[1] * 5))
    assert figure(found, ERROR_RATE).finding is Finding.NO_DIFFERENCE


def test_groups_without_any_failure_have_no_interval_of_their_error_rates():
    difference = figure(compare(group(), group()), ERROR_RATE)
    assert (difference.finding, difference.change) == (Finding.NO_DIFFERENCE, 0)
    assert difference.low is difference.smallest is None


def test_a_group_that_only_fails_is_a_regression_without_latencies():
    dead = [RunFigures(f"dead {i}", figures(None, failures=1000), {}) for i in range(5)]
    found = compare(group(), dead)
    assert figure(found, P95).finding is Finding.INDICATIVE
    assert found.finding is Finding.REGRESSION


def test_a_run_without_a_success_leaves_too_few_for_a_verdict():
    dead = RunFigures("dead", figures(None, failures=1000), {})
    found = compare(group(), [*group()[:4], dead])
    assert figure(found, P95).n_after == 4
    assert found.finding is Finding.INDICATIVE


def test_a_slower_endpoint_is_found_where_all_requests_hide_it():
    before = group(200, endpoints={"/fast": 20.0, "/slow": 200.0})
    after = group(200, endpoints={"/fast": 60.0, "/slow": 200.0})
    found = compare(before, after)
    assert {d.finding for d in found.overall} == {Finding.NO_DIFFERENCE}
    assert figure(found, P95, "/fast").finding is Finding.REGRESSION
    assert figure(found, P95, "/slow").finding is Finding.NO_DIFFERENCE
    assert found.finding is Finding.REGRESSION


def test_an_endpoint_that_only_some_runs_reached_leaves_the_verdict_to_the_others():
    both = {"/x": 100.0, "/rare": 50.0}
    before = [*group(endpoints=both)[:3], *group(endpoints={"/x": 100.0})[3:]]
    found = compare(before, group(endpoints=both))
    assert figure(found, P95, "/rare").finding is Finding.INDICATIVE
    assert found.finding is Finding.NO_DIFFERENCE


def test_a_single_endpoint_is_not_judged_twice():
    assert compare(group(), group()).endpoints == ()


@settings(deadline=None, max_examples=25)
@given(st.permutations(range(5)), st.floats(50, 200))
def test_the_order_of_runs_changes_nothing(order, level_ms):
    before, after = group(100, WIDE), group(level_ms, WIDE)
    found = compare(before, [after[i] for i in order])
    assert found.finding is compare(before, after).finding
    assert figure(found, P95).low == pytest.approx(figure(compare(before, after), P95).low)


def test_simulated_equal_groups_are_rarely_called_different_and_slower_ones_often():
    rng = np.random.default_rng(20)

    def share(slower: float, finding: tuple[Finding, ...], runs: int) -> float:
        world = comparing.ORDINARY
        called = [
            compare(
                [comparing.simulate_run(rng, world) for _ in range(5)],
                [comparing.simulate_run(rng, world, slower=slower) for _ in range(5)],
            ).finding
            for _ in range(runs)
        ]
        return sum(one in finding for one in called) / runs

    different = (Finding.REGRESSION, Finding.IMPROVEMENT)
    assert share(1.0, different, 60) <= 0.15  # 6 % and what chance adds to 60 comparisons
    assert share(1.25, (Finding.REGRESSION,), 25) >= 0.8


def test_windows_of_one_run_would_call_equal_services_different():
    rng = np.random.default_rng(21)
    assert comparing.windows_called_different(rng, 40, comparing.ORDINARY) > 0.15
