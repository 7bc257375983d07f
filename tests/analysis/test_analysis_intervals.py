"""Bounds against scipy and against simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.drift import SPREAD
from analysis.intervals import (
    binomial_cdf,
    design_effect,
    design_effects,
    incomplete_beta,
    n_for_level,
    n_for_percentile,
    n_needed,
    quantile_levels,
    ratio_bounds,
    upper_bound_column,
)


@pytest.mark.parametrize(("failures", "n"), [(0, 29_956), (1, 47_437)])
def test_requests_that_prove_a_hundredth_of_a_percent(failures, n):
    assert n_needed(failures, 0.0001) == n
    assert ratio_bounds(failures, n)[1] < 0.0001 <= ratio_bounds(failures, n - 1)[1]


@pytest.mark.parametrize(("q", "n"), [(0.5, 5), (0.95, 59), (0.99, 299), (0.999, 2995)])
def test_values_that_bound_a_percentile_from_above(q, n):
    assert n_for_percentile(q) == n
    assert quantile_levels(q, n)[1] == 1.0
    assert quantile_levels(q, n - 1)[1] is None


@settings(deadline=None, max_examples=150)
@given(st.integers(1, 10**8), st.data())
def test_clopper_pearson_agrees_with_scipy(n, data):
    failures = data.draw(st.one_of(st.integers(0, min(n, 40)), st.integers(0, n)))
    low, high = ratio_bounds(failures, n)
    wanted = stats.beta.ppf(
        [0.05, 0.95], [failures, failures + 1], [n - failures + 1, n - failures]
    )
    assert low == pytest.approx(wanted[0] if failures else 0, rel=1e-7, abs=1e-12)
    assert high == pytest.approx(wanted[1] if failures < n else 1, rel=1e-7, abs=1e-12)


@settings(deadline=None, max_examples=150)
@given(st.floats(0.001, 0.999), st.floats(0.1, 1e5), st.floats(0.1, 1e5))
def test_the_incomplete_beta_function_agrees_with_scipy(x, a, b):
    assert incomplete_beta(x, a, b) == pytest.approx(stats.beta.cdf(x, a, b), rel=1e-7, abs=1e-12)


@settings(deadline=None, max_examples=60)
@given(st.integers(5, 200_000), st.sampled_from([0.5, 0.9, 0.95, 0.99, 0.999]))
def test_order_statistics_hold_with_their_confidence_and_no_more_than_needed(n, q):
    low, high = quantile_levels(q, n)
    if low is not None:
        rank = round(low * n)
        assert stats.binom.cdf(rank - 1, n, q) <= 0.05 + 1e-9 < stats.binom.cdf(rank, n, q) + 1e-8
    if high is not None:
        rank = round(high * n)
        assert (
            stats.binom.cdf(rank - 2, n, q) - 1e-9 < 0.95 <= stats.binom.cdf(rank - 1, n, q) + 1e-9
        )
    else:
        assert stats.binom.cdf(n - 1, n, q) < 0.95


def test_the_binomial_distribution_ends_where_it_should():
    assert (binomial_cdf(-1, 10, 0.5), binomial_cdf(10, 10, 0.5)) == (0.0, 1.0)
    assert binomial_cdf(3, 10, 0.5) == pytest.approx(stats.binom.cdf(3, 10, 0.5))


def test_students_t_of_the_drift_interval_agrees_with_scipy():
    assert pytest.approx(stats.t.ppf(0.975, 9), abs=1e-9) == SPREAD.t


def test_error_bounds_cover_the_truth_at_least_as_often_as_they_say():
    rng, truth, n = np.random.default_rng(7), 0.003, 2000
    drawn, times = np.unique(rng.binomial(n, truth, 1000), return_counts=True)
    highs = [ratio_bounds(int(k), n)[1] for k in drawn]
    covered = sum(m for high, m in zip(highs, times, strict=True) if high >= truth)
    assert covered >= 940


def test_independent_requests_have_no_design_effect():
    rng = np.random.default_rng(3)
    totals = np.full(200, 500)
    assert design_effect(rng.binomial(totals, 0.95), totals) == pytest.approx(1, abs=0.3)


def test_requests_that_are_slow_together_count_for_less():
    totals = np.full(20, 500)
    below = np.where(np.arange(20) == 4, 0, 500)
    assert design_effect(below, totals) == pytest.approx(500 * 20 / 19, rel=0.01)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 3000), st.sampled_from([0.5, 0.95, 0.99]), st.integers(0, 9))
def test_the_upper_bound_of_one_block_is_the_order_statistic(n, q, seed):
    values = np.random.default_rng(seed).integers(0, 40, n)
    block = np.bincount(values)[None, :]
    level = quantile_levels(q, n)[1]
    column = upper_bound_column(block, q)
    if level is None:
        assert column is None
    else:
        assert column == np.sort(values)[round(level * n) - 1]


def test_the_upper_bound_covers_the_truth_also_where_minutes_differ():
    rng = np.random.default_rng(11)
    # Minutes have levels of their own; the truth is the quantile over all minutes there could be.
    truth = np.quantile(rng.normal(0, 3, 10**6) + rng.normal(0, 10, 10**6), 0.95)
    covered = 0
    for _ in range(200):
        values = rng.normal(0, 3, (60, 1)) + rng.normal(0, 10, (60, 200))
        columns = np.clip(np.rint(values + 60), 0, 150).astype(int)
        blocks = np.array([np.bincount(row, minlength=151) for row in columns])
        column = upper_bound_column(blocks, 0.95)
        covered += column is not None and column - 60 + 0.5 >= truth
    assert covered >= 182  # 95 % of 200, less two standard deviations


def test_design_effects_agree_with_the_single_one_and_are_one_where_nothing_exceeds():
    blocks = np.random.default_rng(4).integers(0, 9, (30, 12)) * (1 + np.arange(30) % 5)[:, None]
    effects = design_effects(blocks)
    for column in range(11):
        below = blocks[:, : column + 1].sum(axis=1)
        assert effects[column] == pytest.approx(design_effect(below, blocks.sum(axis=1)))
    assert effects[-1] == 1


def test_a_limit_nearer_to_the_percentile_needs_more_requests():
    assert n_for_level(0.99, 0.99) is None
    assert n_for_level(0.99, 0.995) > n_for_level(0.99, 0.999) >= 299
