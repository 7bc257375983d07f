"""The histogram and the window: monoids, within 0.39 % of the exact answer."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otaload.record import (
    Histogram,
    Window,
    WindowKey,
    bucket_bounds_us,
    bucket_index,
    bucket_value_us,
    window_from_json,
    window_to_json,
)

VALUES = st.lists(st.integers(-5, 2**45), max_size=40)
HISTOGRAMS = VALUES.map(Histogram.of)


@st.composite
def windows(draw):
    window = Window()
    window.successes = draw(HISTOGRAMS)
    failures = draw(st.lists(st.tuples(st.integers(0, 2**30), st.text(max_size=5)), max_size=10))
    for value_us, cause in failures:
        window.failures.record(value_us)
        window.causes[cause] = window.causes.get(cause, 0) + 1
    window.bytes_in = draw(st.integers(0, 2**40))
    window.retries = draw(st.integers(0, 100))
    return window


@given(HISTOGRAMS, HISTOGRAMS, HISTOGRAMS)
def test_histograms_are_a_commutative_monoid(a, b, c):
    assert (a + b) + c == a + (b + c)
    assert a + b == b + a
    assert a + Histogram() == a == Histogram() + a


@given(windows(), windows(), windows())
def test_windows_are_a_commutative_monoid(a, b, c):
    assert (a + b) + c == a + (b + c)
    assert a + b == b + a
    assert a + Window() == a == Window() + a


@given(windows(), windows())
def test_adding_changes_neither_part(a, b):
    before = (a + Window(), b + Window())
    a + b
    assert (a, b) == before


@given(VALUES, VALUES)
def test_parts_merged_are_the_whole(a, b):
    assert Histogram.of(a) + Histogram.of(b) == Histogram.of(a + b)


@given(st.integers(0, 2**50))
def test_a_bucket_holds_its_values_and_its_middle_is_near_them(value_us):
    index = bucket_index(value_us)
    low, high = bucket_bounds_us(index)
    assert low <= value_us <= high
    assert abs(bucket_value_us(index) - value_us) <= value_us / 256


@given(st.integers(0, 5000))
def test_buckets_follow_one_another_without_a_gap(index):
    assert bucket_bounds_us(index)[1] + 1 == bucket_bounds_us(index + 1)[0]
    assert bucket_index(bucket_bounds_us(index)[0]) == index


@pytest.mark.parametrize("n", [1, 3, 100, 10_007])
@pytest.mark.parametrize("q", [0.0, 0.5, 0.95, 0.99, 0.999, 1.0])
@pytest.mark.parametrize("shape", ["expovariate", "lognormvariate", "paretovariate"])
def test_a_quantile_is_within_its_bound(n, q, shape):
    rng = random.Random(f"{n} {q} {shape}")
    draw = {
        "expovariate": lambda: rng.expovariate(1 / 50_000),
        "lognormvariate": lambda: rng.lognormvariate(10, 1.5),
        "paretovariate": lambda: 1000 * rng.paretovariate(1.2),
    }[shape]
    values = sorted(int(draw()) + 1 for _ in range(n))
    truth = values[max(1, math.ceil(q * n - 1e-9)) - 1]
    assert abs(Histogram.of(values).quantile_us(q) / truth - 1) <= 0.0039


@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=40), st.floats(0, 1))
def test_a_quantile_lies_between_the_exact_minimum_and_maximum(values, q):
    histogram = Histogram.of(values)
    assert (histogram.min_us, histogram.max_us) == (min(values), max(values))
    assert min(values) <= histogram.quantile_us(q) <= max(values)


def test_an_empty_histogram_has_no_quantile():
    assert Histogram().quantile_us(0.5) is None


@pytest.mark.parametrize("q", [-0.1, 1.1])
def test_a_quantile_beyond_0_and_1_is_refused(q):
    with pytest.raises(ValueError, match="a quantile lies between 0 and 1"):
        Histogram.of([1]).quantile_us(q)


def test_a_negative_latency_counts_as_zero():
    assert Histogram.of([-7]) == Histogram.of([0])


@given(st.integers(0, 2**40), st.text(max_size=8), st.text(max_size=8), windows())
def test_a_window_survives_its_json(second, method, endpoint, window):
    key = WindowKey(second, method, endpoint)
    assert window_from_json(window_to_json(key, window)) == (key, window)


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"second": 1.0, "method": "GET", "endpoint": "/x"},
        {"second": True, "method": "GET", "endpoint": "/x"},
        {"second": 1, "method": "GET", "endpoint": "/x", "bytes_in": -1},
        {"second": 1, "method": "GET", "endpoint": "/x", "successes": {"counts": [1]}},
        {"second": 1, "method": "GET", "endpoint": "/x", "causes": {"reset": 1}},
        [],
    ],
)
def test_what_is_not_a_window_is_refused(record):
    with pytest.raises((KeyError, TypeError, ValueError)):
        window_from_json(record)
