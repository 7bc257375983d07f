"""A worker's clock against the master's: bounds from messages both ways, whatever they take."""

from __future__ import annotations

import random

import pytest

from otaload.live.clocks import WRONG_S, WorkerClock


def talk(
    clock: WorkerClock,
    offset_s: float,
    *,
    delays_s: list[float],
    start_s: float = 1000.0,
    every_s: float = 1.0,
    drift: float = 0.0,
) -> float:
    """Reports once a second, each after an answer of the master; answers with the last offset."""
    for number, delay_s in enumerate(delays_s):
        now_s = start_s + number * every_s
        behind_s = offset_s + drift * number * every_s
        heard_s = now_s - (now_s + delay_s - behind_s)
        sent_s = now_s + delay_s - behind_s
        clock.hear(sent_s=sent_s, heard_s=heard_s, received_s=now_s + 2 * delay_s)
    return behind_s


@pytest.mark.parametrize("offset_s", [-3600.0, -7.3, -1.2, 1.2, 7.3, 3600.0])
def test_a_wrong_clock_is_known_to_a_message_s_way(offset_s: float) -> None:
    clock = WorkerClock()
    talk(clock, offset_s, delays_s=[0.005] * 5)

    assert clock.offset_s == pytest.approx(offset_s, abs=0.006)
    assert clock.shift_s == round(offset_s)


@pytest.mark.parametrize("offset_s", [-0.7, -0.2, 0.0, 0.3, 0.7])
def test_a_clock_that_is_right_to_the_second_is_left_alone(offset_s: float) -> None:
    clock = WorkerClock()
    talk(clock, offset_s, delays_s=[0.005] * 5)

    assert clock.shift_s == 0
    assert clock.notes() == []


def test_a_slow_network_does_not_make_a_clock_wrong() -> None:
    clock = WorkerClock()
    chance = random.Random(5)
    talk(clock, 0.0, delays_s=[chance.uniform(0.5, 9) for _ in range(200)])

    assert clock.shift_s == 0
    assert clock.times_set == 0


def test_a_report_that_was_held_up_before_anything_was_heard_does_not_shift() -> None:
    clock = WorkerClock()
    clock.hear(sent_s=100.0, heard_s=None, received_s=108.0)

    assert clock.shift_s == 0


def test_a_clock_that_is_set_during_the_run_is_followed_and_said() -> None:
    clock = WorkerClock()
    talk(clock, 0.1, delays_s=[0.01] * 20)
    talk(clock, -60.0, delays_s=[0.01] * 20, start_s=1020.0)

    assert clock.shift_s == -60
    assert clock.times_set == 1
    assert clock.notes() == [
        "has a clock that is 60.0 s ahead; its seconds are written as the master's",
        "had its clock set once during the run; a second may be off around it",
    ]


def test_a_clock_that_creeps_away_over_eight_hours_is_followed() -> None:
    clock = WorkerClock()
    hours = 8 * 3600 // 10
    last_s = talk(clock, 0.0, delays_s=[0.01] * hours, every_s=10, drift=100e-6)

    assert last_s == pytest.approx(2.88, abs=0.01)
    assert abs(clock.shift_s - last_s) <= WRONG_S
    assert clock.offset_s == pytest.approx(last_s, abs=0.02)
    assert clock.times_set == 0
