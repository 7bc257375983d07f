"""A desk with real Locust users: who gets an arrival, who is missed, who is being stopped."""

from __future__ import annotations

import time
from collections.abc import Iterator

import gevent
import pytest
from gevent.pool import Group
from locust import constant, task
from locust.env import Environment
from locust.user.task import LOCUST_STATE_WAITING

from otaload.arrivals import Counts, Curve, Desk, Stretch
from otaload.http import LeanHttpUser


class Office:
    """A desk, users of two classes that work for it, and what they did."""

    def __init__(
        self, *, per_s: float, seconds: float, work_s: float = 0.0, begin_s: float = 0.1
    ) -> None:
        office = self
        self.started: list[tuple[str, float, int]] = []
        self.finished = 0

        class Fast(LeanHttpUser):
            host = "http://127.0.0.1:1"
            wait_time = constant(1000)

            @task
            def work(self) -> None:
                office.started.append((type(self).__name__, time.monotonic(), id(self)))
                gevent.sleep(work_s)
                office.finished += 1

        class Other(Fast):
            pass

        self.classes = {"Fast": Fast, "Other": Other}
        self.environment = Environment(user_classes=[Fast, Other])
        self.group = Group()
        curve = Curve([Stretch(begin_s, begin_s + seconds, per_s, per_s)])
        self.desk = Desk(curve, {"Fast": 3, "Other": 1}, start_s=time.time())
        self.environment.arrivals = self.desk
        self.desk.share(0, index=0, count=1)
        self.desk.open()

    def hire(self, name: str, count: int) -> list[LeanHttpUser]:
        """Start users of a class."""
        users = [self.classes[name](self.environment) for _ in range(count)]
        for user in users:
            user.start(self.group)
        return users

    def close(self) -> Counts:
        """Everything that was counted."""
        self.desk.close()
        self.group.kill()
        return self.desk.take() or Counts()


@pytest.fixture
def offices() -> Iterator[list[Office]]:
    found: list[Office] = []
    yield found
    for office in found:
        office.close()


def test_every_arrival_starts_one_task_of_its_class(offices: list[Office]) -> None:
    # As many users as arrivals, all of them hired before the first one is due, so that none is
    # missed however slow the machine is.
    office = Office(per_s=400, seconds=0.5, begin_s=1.0)
    offices.append(office)
    office.hire("Fast", 150)
    office.hire("Other", 50)
    gevent.sleep(2)
    counts = office.close()

    assert (counts.planned, counts.started, counts.missed) == (200, 200, 0)
    assert len(office.started) == 200
    assert [name for name, _, _ in office.started].count("Fast") == 150


def test_an_arrival_that_finds_no_free_user_is_missed_and_never_made_up_for(
    offices: list[Office],
) -> None:
    office = Office(per_s=100, seconds=1, work_s=0.3)
    offices.append(office)
    office.hire("Fast", 4)
    gevent.sleep(2)
    counts = office.close()

    # Four users of 0.3 s can take 13 a second; nobody is there for the class of a quarter.
    assert counts.planned == 100
    assert counts.started + counts.missed == 100
    assert 4 <= counts.started <= 20
    assert len(office.started) == counts.started == office.finished
    assert counts.busy == 4
    assert counts.missed_by["Other"] == 25
    assert sum(counts.missed_by.values()) == counts.missed


def test_the_user_who_became_free_last_goes_first(offices: list[Office]) -> None:
    office = Office(per_s=40, seconds=0.5)
    offices.append(office)
    office.hire("Fast", 50)
    office.hire("Other", 50)
    gevent.sleep(0.9)
    counts = office.close()

    assert len(office.started) == 20
    # Of each class no more than were ever needed at once; taking turns would use twenty.
    assert len({user for _, _, user in office.started}) <= 2 * counts.busy


def test_arrivals_that_came_due_while_the_process_stood_still_start_late_and_say_so(
    offices: list[Office],
) -> None:
    office = Office(per_s=100, seconds=0.5)
    offices.append(office)
    office.hire("Fast", 60)
    office.hire("Other", 60)
    gevent.sleep(0.2)
    until = time.monotonic() + 0.25
    while time.monotonic() < until:
        pass
    gevent.sleep(0.4)
    counts = office.close()

    assert (counts.planned, counts.started) == (50, 50)
    assert counts.lag_max_s > 0.1
    assert counts.lag_sum_s > 0.5


def test_a_waiting_user_is_stopped_at_once_and_one_at_work_finishes(offices: list[Office]) -> None:
    office = Office(per_s=20, seconds=0.2, work_s=1.5)
    offices.append(office)
    users = [*office.hire("Fast", 10), *office.hire("Other", 10)]
    gevent.sleep(0.4)
    working = [user for user in users if user._state != LOCUST_STATE_WAITING]
    for user in users:
        user.stop()
    assert 0 < len(office.group) == len(working) < len(users)
    office.group.join(timeout=10)

    assert len(office.group) == 0
    assert office.finished == len(office.started) == office.close().started


def test_users_who_come_and_go_lose_no_arrival(offices: list[Office]) -> None:
    office = Office(per_s=500, seconds=1, work_s=0.002)
    offices.append(office)
    staff = [*office.hire("Fast", 20), *office.hire("Other", 20)]
    for _ in range(40):
        gevent.sleep(0.025)
        leaving, staff = staff[:4], staff[4:]
        staff += [*office.hire("Fast", 2), *office.hire("Other", 2)]
        for user in leaving:
            gevent.spawn(user.stop)
    gevent.sleep(0.3)
    counts = office.close()

    assert counts.planned == 500
    assert counts.started + counts.missed == 500
    assert counts.started == len(office.started) == office.finished
    assert counts.started >= 100


def test_a_closed_desk_hands_out_nothing(offices: list[Office]) -> None:
    office = Office(per_s=100, seconds=5)
    offices.append(office)
    office.hire("Fast", 9)
    office.hire("Other", 3)
    gevent.sleep(0.3)
    office.desk.close()
    before = len(office.started)
    gevent.sleep(0.3)

    assert before > 0
    assert len(office.started) == before


def test_a_desk_that_is_closed_by_the_task_that_it_began_stops_there(offices: list[Office]) -> None:
    office = Office(per_s=1000, seconds=1)
    offices.append(office)

    class Last(LeanHttpUser):
        host = "http://127.0.0.1:1"

        @task
        def end(self) -> None:
            office.desk.close()

    office.classes["Fast"] = type("Fast", (Last,), {})
    office.hire("Fast", 50)
    gevent.sleep(0.5)

    assert office.close().started == 1


def test_counts_are_handed_over_by_the_second_in_which_arrivals_were_due(
    offices: list[Office],
) -> None:
    office = Office(per_s=100, seconds=1.5)
    offices.append(office)
    office.hire("Fast", 9)
    office.hire("Other", 9)
    begun = int(time.time())
    taken = Counts()
    while time.time() < begun + 4:
        gevent.sleep(0.05)
        part = office.desk.take(before_second=int(time.time()))
        if part is not None:
            assert part.planned == part.started + part.missed
            taken += part

    assert taken.planned == 150
    assert office.desk.take() is None
