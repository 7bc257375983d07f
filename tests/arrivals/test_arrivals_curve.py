"""When arrivals are due: as many in every stretch of time as the integral of the rate says."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otaload.arrivals import Curve, Stretch, spliced


def dues(curve: Curve) -> list[float]:
    """When each arrival of a finite curve is due."""
    found = []
    while (due_s := curve.due_s(len(found))) is not None:
        found.append(due_s)
    return found


def in_seconds(curve: Curve, seconds: int) -> list[int]:
    """How many arrivals are due in each second."""
    counts = [0] * seconds
    for due_s in dues(curve):
        counts[int(due_s)] += 1
    return counts


def test_a_hold_has_its_rate_in_every_second() -> None:
    assert in_seconds(Curve([Stretch(0, 10, 200, 200)]), 10) == [200] * 10


def test_a_hold_is_spaced_evenly_and_keeps_off_the_borders() -> None:
    found = dues(Curve([Stretch(3, 4, 4, 4)]))

    assert found == pytest.approx([3.125, 3.375, 3.625, 3.875])


def test_a_ramp_has_the_integral_of_its_rate_in_every_second() -> None:
    # From 0 to 100 a second in 10 s: the rate is 10 t, its integral over [t, t + 1] is 10 t + 5.
    assert in_seconds(Curve([Stretch(0, 10, 0, 100)]), 10) == [10 * t + 5 for t in range(10)]


def test_a_falling_ramp_mirrors_a_rising_one() -> None:
    up, down = (dues(Curve([Stretch(0, 10, *rates)])) for rates in ((0, 100), (100, 0)))

    assert [10 - due_s for due_s in reversed(down)] == pytest.approx(up)


def test_stretches_follow_one_another_without_a_jump() -> None:
    curve = Curve([Stretch(0, 4, 0, 0), Stretch(4, 6, 10, 10), Stretch(6, 8, 10, 30)])

    assert in_seconds(curve, 8) == [0, 0, 0, 0, 10, 10, 15, 25]
    assert dues(curve) == sorted(dues(curve))


def test_fractions_of_an_arrival_are_carried_over_from_stretch_to_stretch() -> None:
    curve = Curve([Stretch(t, t + 1, 0.25, 0.25) for t in range(8)])

    assert curve.arrivals == 2
    assert dues(curve) == pytest.approx([2.0, 6.0])


def test_a_curve_is_cut_off_where_the_run_ends() -> None:
    assert in_seconds(Curve([Stretch(0, 10, 0, 100)], end_s=5), 5) == [5, 15, 25, 35, 45]


def test_a_curve_without_an_end_goes_on() -> None:
    curve = Curve([Stretch(0, math.inf, 2, 2)])

    assert curve.arrivals == math.inf
    assert curve.due_s(1_000_000) == pytest.approx(500_000.25)


def test_after_eight_hours_arrivals_are_still_due_to_the_microsecond() -> None:
    curve = Curve([Stretch(0, 30, 0, 1000), Stretch(30, 30_000, 1000, 1000)])
    number = 29_000_000

    assert curve.due_s(number) == pytest.approx(30 + (number + 0.5 - 15_000) / 1000, abs=1e-6)


def test_spliced_stretches_are_the_one_row_before_and_the_other_after() -> None:
    ramp, level = Stretch(0, 10, 0, 100), Stretch(0, math.inf, 7, 7)
    curve = Curve(spliced([ramp], [level], 4))

    assert in_seconds(Curve(spliced([ramp], [level], 4), end_s=8), 8) == [5, 15, 25, 35, 7, 7, 7, 7]
    assert [curve.due_s(n) for n in range(80)] == pytest.approx(
        [Curve([ramp]).due_s(n) for n in range(80)]
    )


RATES = st.floats(0, 50)
LENGTHS = st.floats(0.1, 5)


@given(st.lists(st.tuples(LENGTHS, RATES, RATES), min_size=1, max_size=5), st.floats(0, 1))
def test_any_curve_has_its_integral_up_to_any_moment(
    pieces: list[tuple[float, float, float]], share: float
) -> None:
    stretches, start_s, total = [], 0.0, 0.0
    for length_s, low, high in pieces:
        stretches.append(Stretch(start_s, start_s + length_s, low, high))
        start_s += length_s
        total += length_s * (low + high) / 2
    curve = Curve(stretches)
    found = dues(curve)

    assert len(found) == curve.arrivals
    assert abs(len(found) - total) <= 0.5 + 1e-6
    assert found == sorted(found)
    assert all(0 <= due_s <= start_s + 1e-9 for due_s in found)
    moment_s = share * start_s
    number = curve.number_at(moment_s)
    assert all(due_s < moment_s + 1e-6 for due_s in found[:number])
    assert all(due_s >= moment_s - 1e-6 for due_s in found[number:])
