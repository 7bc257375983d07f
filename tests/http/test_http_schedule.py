"""Absolute schedules: the grid, what is late, what is lost."""

import statistics
import time
from itertools import pairwise

import gevent
import pytest
from http_peers import OK, answering
from hypothesis import given
from hypothesis import strategies as st
from locust import User, task
from locust.env import Environment
from locust.user.task import LOCUST_STATE_STOPPING

from otaload.http import Lag, LeanHttpUser, absolute_pacing, process_lag, take_process_lag
from otaload.http.schedule import AbsolutePacing


class Time:
    """A clock that only sleeping moves."""

    def __init__(self):
        self.now = 1000.0

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


class Somebody:
    pass


def pacing(period_s=1.0, **options):
    when = Time()
    return AbsolutePacing(period_s, clock=when.clock, sleep=when.sleep, **options), when


def test_iterations_start_on_the_grid_whatever_they_take():
    schedule, when = pacing()
    user = Somebody()
    starts = []
    for takes_s in (0.1, 0.9, 0.5, 0.0, 0.3):
        assert schedule(user) == 0
        starts.append(when.now)
        when.now += takes_s
    assert starts == [1000, 1001, 1002, 1003, 1004]
    assert schedule.lag_of(user) == Lag(5, 0, 0.0, 0.0)


def test_a_user_that_was_stopped_while_it_waited_starts_nothing():
    schedule, _ = pacing()
    user = Somebody()
    schedule(user)
    user._state = LOCUST_STATE_STOPPING
    schedule(user)
    assert schedule.total.iterations == 1


def test_a_late_iteration_starts_at_once_and_the_next_is_back_on_the_grid():
    schedule, when = pacing()
    user = Somebody()
    schedule(user)
    when.now += 1.25
    schedule(user)
    assert when.now == 1001.25
    assert schedule.lag_of(user) == Lag(2, 0, 0.25, 0.25)
    schedule(user)
    assert when.now == 1002


def test_an_iteration_whose_whole_period_passed_is_lost_and_counted():
    schedule, when = pacing()
    user = Somebody()
    schedule(user)
    when.now += 3.5
    schedule(user)
    lag = schedule.lag_of(user)
    assert (when.now, lag.iterations, lag.lost, lag.lag_max_s) == (1003.5, 2, 2, 0.5)
    schedule(user)
    assert when.now == 1004


@given(st.lists(st.floats(0, 20, allow_nan=False), min_size=1, max_size=60))
def test_every_point_of_the_grid_is_started_or_lost(durations):
    schedule, when = pacing()
    user = Somebody()
    for takes_s in durations:
        schedule(user)
        when.now += takes_s
    schedule(user)
    lag = schedule.lag_of(user)
    assert lag.iterations == len(durations) + 1
    assert abs(lag.iterations + lag.lost - 1 - (when.now - 1000.0)) <= 1
    assert 0 <= lag.lag_max_s < 1.0 + 1e-9


def test_users_are_spread_evenly_over_the_period():
    schedule, when = pacing(10.0)
    starts = []
    users = [Somebody() for _ in range(100)]
    for user in users:
        when.now = 1000.0
        schedule(user)
        starts.append((when.now - 1000.0) % 10)
    starts.sort()
    gaps = [b - a for a, b in pairwise(starts)]
    assert starts[0] == 0
    assert max(gaps) < 0.2
    assert min(gaps) > 0.03


def test_a_user_that_comes_later_joins_the_same_grid():
    schedule, when = pacing(10.0)
    first, second = Somebody(), Somebody()
    schedule(first)
    when.now = 1057.0
    schedule(second)
    assert (when.now - 1000.0) % 10 == pytest.approx(6.180339887, abs=1e-6)


def test_without_a_stagger_a_user_starts_at_once():
    schedule, when = pacing(10.0, stagger=False)
    for offset in (0.0, 3.0):
        when.now = 1000.0 + offset
        schedule(Somebody())
        assert when.now == 1000.0 + offset


def test_a_timer_that_ends_early_is_slept_again():
    when = Time()
    schedule = AbsolutePacing(1.0, clock=when.clock, sleep=lambda s: when.sleep(min(s, 0.3)))
    user = Somebody()
    schedule(user)
    schedule(user)
    assert when.now == pytest.approx(1001.0)
    assert schedule.lag_of(user).lag_max_s >= 0


def test_lags_add_up():
    assert Lag(1, 2, 0.5, 0.5) + Lag(3, 0, 0.25, 0.25) == Lag(4, 2, 0.75, 0.5)
    assert Lag(4, 0, 1.0, 0.5).lag_mean_s == 0.25
    assert Lag().lag_mean_s == 0


def test_the_process_s_lag_is_the_sum_over_schedules():
    take_process_lag()
    before = process_lag()
    one, two = pacing()[0], pacing()[0]
    one(Somebody())
    two(Somebody())
    two(Somebody())
    assert process_lag().iterations == before.iterations + 3
    assert take_process_lag().iterations == 3
    assert take_process_lag() == Lag()


def test_a_user_that_ended_is_not_held():
    schedule, _ = pacing()
    user = Somebody()
    schedule(user)
    del user
    assert len(schedule._courses) == 0
    assert schedule.total.iterations == 1


@pytest.mark.parametrize("period_s", [0, -1, float("nan")])
def test_a_period_must_be_above_zero(period_s):
    with pytest.raises(ValueError, match="must be above 0"):
        absolute_pacing(period_s)


def test_locust_users_on_a_schedule_keep_it(serve):
    schedule = absolute_pacing(0.1)
    starts = {}

    class Paced(LeanHttpUser):
        abstract = False
        host = serve(answering(OK))
        wait_time = schedule

        @task
        def check(self):
            starts.setdefault(self, []).append(time.perf_counter())
            self.client.get("/")

    environment = Environment(user_classes=[Paced])
    runner = environment.create_local_runner()
    runner.start(10, spawn_rate=10)
    gevent.sleep(0.75)
    runner.quit()
    assert len(starts) == 10
    for times in starts.values():
        gaps = [b - a for a, b in pairwise(times)]
        assert statistics.mean(gaps) == pytest.approx(0.1, abs=0.05)
        assert 4 <= len(times) <= 8
    assert schedule.total.lag_mean_s < 0.1


def test_a_schedule_works_on_any_locust_user():
    schedule = absolute_pacing(0.05)
    runs = []

    class Plain(User):
        wait_time = schedule

        @task
        def count(self):
            runs.append(time.perf_counter())

    runner = Environment(user_classes=[Plain]).create_local_runner()
    runner.start(1, spawn_rate=1)
    gevent.sleep(0.28)
    runner.quit()
    assert len(runs) in {5, 6, 7}
