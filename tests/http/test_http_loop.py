"""The task loop of a lean user: Locust's own behaviour, at less cost."""

import itertools

import gevent
import pytest
from http_peers import OK, answering
from locust import User, constant, task
from locust.env import Environment
from locust.exception import MissingWaitTimeError, RescheduleTask, StopUser
from locust.user.task import DefaultTaskSet

from otaload.http import LeanHttpUser
from otaload.http.loop import LeanTaskSet

HOST = "http://127.0.0.1:1"


def play(user_class: type[User], *, seconds: float = 0.2, users: int = 1) -> Environment:
    """Run users of a class for a moment."""
    environment = Environment(user_classes=[user_class], host=HOST)
    runner = environment.create_local_runner()
    runner.start(users, spawn_rate=users)
    gevent.sleep(seconds)
    runner.quit()
    return environment


def test_a_lean_user_has_the_lean_loop_and_others_keep_locust_s():
    loops = []

    class Lean(LeanHttpUser):
        @task
        def look(self):
            loops.append(type(self._taskset_instance))
            raise StopUser

    class Plain(User):
        @task
        def look(self):
            loops.append(type(self._taskset_instance))
            raise StopUser

    play(Lean)
    play(Plain)
    assert loops == [LeanTaskSet, DefaultTaskSet]


def test_tasks_are_drawn_by_their_weights():
    drawn = {"often": 0, "seldom": 0}

    class Mine(LeanHttpUser):
        wait_time = constant(0)

        @task(9)
        def often(self):
            drawn["often"] += 1

        @task(1)
        def seldom(self):
            drawn["seldom"] += 1

    play(Mine)
    assert drawn["seldom"] > 10
    assert 5 < drawn["often"] / drawn["seldom"] < 16


def test_users_that_never_wait_take_turns():
    order = []
    numbers = itertools.count()

    class Mine(LeanHttpUser):
        wait_time = constant(0)

        def on_start(self):
            self.number = next(numbers)

        @task
        def go(self):
            if len(order) >= 100:
                raise StopUser
            order.append(self.number)

    play(Mine, users=4)
    assert len(order) == 100
    assert sorted(order[40:44]) == sorted(order[90:94]) == [0, 1, 2, 3]


def test_users_that_never_wait_leave_time_for_everybody_else():
    ticks = []

    class Mine(LeanHttpUser):
        wait_time = constant(0)

        @task
        def go(self):
            pass

    environment = Environment(user_classes=[Mine], host=HOST)
    runner = environment.create_local_runner()
    runner.start(10, spawn_rate=10)
    for _ in range(10):
        gevent.sleep(0.01)
        ticks.append(1)
    runner.quit()
    assert len(ticks) == 10


def test_a_task_may_send_the_user_on_to_the_next_one():
    seen = []

    class Mine(LeanHttpUser):
        wait_time = constant(0)

        @task
        def go(self):
            seen.append(1)
            if len(seen) < 3:
                raise RescheduleTask
            raise StopUser

    play(Mine)
    assert len(seen) == 3


def test_an_exception_in_a_task_is_told_and_the_user_goes_on():
    seen, told = [], []

    class Mine(LeanHttpUser):
        wait_time = constant(0)

        @task
        def go(self):
            seen.append(1)
            if len(seen) == 1:
                raise RuntimeError("once")
            if len(seen) == 3:
                raise StopUser

    environment = Environment(user_classes=[Mine], host=HOST)
    environment.events.user_error.add_listener(lambda exception, **_: told.append(str(exception)))
    runner = environment.create_local_runner()
    runner.start(1, spawn_rate=1)
    gevent.sleep(0.2)
    runner.quit()
    assert (len(seen), told) == (3, ["once"])


def test_a_stopped_user_ends_after_its_task(serve):
    ended = []

    class Mine(LeanHttpUser):
        wait_time = constant(0)

        @task
        def go(self):
            self.client.get("/")
            gevent.sleep(0.05)
            ended.append(1)

    environment = Environment(user_classes=[Mine], host=serve(answering(OK)), stop_timeout=5)
    runner = environment.create_local_runner()
    runner.start(1, spawn_rate=1)
    gevent.sleep(0.12)
    runner.stop()
    count = len(ended)
    gevent.sleep(0.1)
    assert count == len(ended) == environment.stats.total.num_requests
    runner.quit()


def test_a_missing_wait_time_is_told():
    class Mine(LeanHttpUser):
        wait_time = None

        @task
        def go(self):
            pass

    user = Mine(Environment(host=HOST))
    user._state = "running"
    with pytest.raises(MissingWaitTimeError):
        LeanTaskSet(user).wait()
