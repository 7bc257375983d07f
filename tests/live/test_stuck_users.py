"""Users that swallow their own end are noticed, and nobody else is taken for one."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest
from gevent.event import Event
from locust import User, constant, task
from locust.env import Environment
from locust.event import Events

from otaload.live.stuck_users import StuckUsers

released = Event()


class Obedient(User):
    """Ends as it is told."""

    wait_time = constant(0.01)

    @task
    def work(self) -> None:
        """Do nothing."""


class Stubborn(User):
    """Ends when it likes."""

    @task
    def work(self) -> None:
        """Swallow whatever comes, until the test is over."""
        while not released.is_set():
            try:
                gevent.sleep(0.01)
            except gevent.GreenletExit:
                continue


@pytest.fixture
def stuck() -> Iterator[list[int]]:
    """Where the numbers of users that did not end are written."""
    released.clear()
    yield []
    released.set()


def stop(kind: type[User], stuck: list[int], users: int) -> None:
    """Start some users, and tell them to end."""
    environment = Environment(user_classes=[kind], events=Events())
    environment.stop_timeout = 0.1
    runner = environment.create_local_runner()
    watched = StuckUsers(
        environment, lambda left: (stuck.append(left), released.set()), grace_s=0.2
    )
    watched.watch()
    runner.start(users, spawn_rate=100)
    with gevent.Timeout(30):
        while runner.user_count < users:
            gevent.sleep(0.01)
        runner.stop()


def test_users_that_swallow_their_end_are_told(stuck: list[int]) -> None:
    stop(Stubborn, stuck, users=3)

    assert stuck == [3]


def test_users_that_end_are_not(stuck: list[int]) -> None:
    stop(Obedient, stuck, users=3)
    gevent.sleep(2)

    assert stuck == []
