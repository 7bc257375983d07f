"""Arrivals across processes: who is dealt which share, and what is made of it on another clock."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

import pytest
from locust import HttpUser, TaskSet, task
from locust.dispatch import UsersDispatcher
from locust.env import Environment
from locust.runners import WorkerNode

from locustfiles.devices import BundleDownload, DeviceRegister, HealthProbe, UpdateCheck
from locustfiles.profiles import FOREVER, ArrivalHold, ArrivalRamp, Hold, Profile
from otaload.arrivals import Stretch
from otaload.http import LeanHttpUser
from otaload.live.arrival_record import ArrivalRecord, Shares
from otaload.live.arriving import (
    ArrivalPlan,
    EvenDispatcher,
    ProcessArrivals,
    dispatcher_for,
    why_unfit,
)
from otaload.live.scenario import Scenario

MIX = {UpdateCheck: 70, BundleDownload: 20, DeviceRegister: 10}


def scenario(profile: Profile) -> Scenario:
    """A scenario with a profile, as Locust would have loaded it."""
    return Scenario("test", "", "test.py", profile, tuple(profile.mix), (), ())


class Open(Profile):
    """Fifty a second, then a ramp."""

    mix = MIX
    stages = (ArrivalHold(per_s=50, seconds=10), ArrivalRamp(to_per_s=100, seconds=10))
    max_users = 40


class Closed(Profile):
    """Users, as ever."""

    mix = MIX
    stages = (Hold(users=10, seconds=10),)


@pytest.fixture
def plan() -> ArrivalPlan:
    found = ArrivalPlan.of(scenario(Open()), start_s=1000.0)
    assert found is not None
    return found


def test_a_plan_comes_out_of_a_setup_as_it_went_in(plan: ArrivalPlan) -> None:
    assert ArrivalPlan.from_json(json.loads(json.dumps(plan.as_json()))) == plan


def test_a_plan_without_an_end_survives_json() -> None:
    plan = ArrivalPlan(
        stretches=(Stretch(0, math.inf, 1, 1),), end_s=math.inf, weights={"A": 1}, start_s=0
    )

    assert ArrivalPlan.from_json(json.loads(json.dumps(plan.as_json()))) == plan


def test_a_profile_of_users_has_no_arrivals() -> None:
    record = ArrivalRecord(Environment(), scenario(Closed()), start_s=0)
    record.begin()

    assert record.plan_as_json is None
    assert record.keys(None) == {}
    assert record.planned(5) == {}
    assert record.told(5) == ""
    assert dispatcher_for(scenario(Closed())) is UsersDispatcher


def test_all_shares_count_from_the_first_arrival_while_there_was_none(plan: ArrivalPlan) -> None:
    shares = Shares()
    alone = dict(shares.deal({"a"}, plan, now_s=1001))
    both = dict(shares.deal({"a", "b"}, plan, now_s=1002))

    assert plan.first_s > 4
    assert (alone["a"]["from_s"], alone["a"]["count"]) == (plan.first_s, 1)
    assert {share["from_s"] for share in both.values()} == {plan.first_s}
    assert sorted((share["index"], share["count"]) for share in both.values()) == [(0, 2), (1, 2)]


def test_shares_are_dealt_anew_a_second_ahead_only_when_the_members_change(
    plan: ArrivalPlan,
) -> None:
    shares = Shares()
    list(shares.deal({"a", "b"}, plan, now_s=1002))

    assert list(shares.deal({"b", "a"}, plan, now_s=1010)) == []
    assert list(shares.deal(set(), plan, now_s=1010)) == []
    assert dict(shares.deal({"b"}, plan, now_s=1011))["b"] == {
        "start_s": 1000.0,
        "sent_s": 1011,
        "from_s": 12.0,
        "index": 0,
        "count": 1,
        "plan": plan.as_json(),
    }


def test_a_changed_plan_is_dealt_to_the_same_members(plan: ArrivalPlan) -> None:
    shares = Shares()
    list(shares.deal({"a"}, plan, now_s=1010))
    other = plan.changed_to(replace(plan, stretches=(Stretch(0, 60, 7, 7),)), 15)
    dealt = dict(shares.deal({"a"}, other, now_s=1011))

    assert ArrivalPlan.from_json(dealt["a"]["plan"]) == other
    assert list(shares.deal({"a"}, other, now_s=1012)) == []
    assert other.curve.number_at(15) == plan.curve.number_at(15)
    assert other.curve.number_at(20) == pytest.approx(plan.curve.number_at(15) + 35, abs=1)


def test_a_timeline_that_changes_under_way_is_played_from_a_second_ahead() -> None:
    mine = Open()
    start_s = time.time() - 6.0
    record = ArrivalRecord(Environment(), scenario(mine), start_s=start_s)
    record.begin()
    mine.timeline = (*mine.timeline[:1], replace(mine.timeline[1], rate_from=5.0, rate_to=5.0))
    record.update(None, set(), now_s=start_s + 6.0)
    curve: Any = record._process._desk._course._curve
    ready_s = mine.timeline[0].end_s

    assert curve.number_at(7) == pytest.approx(50 * (7 - ready_s), abs=1)
    assert curve.number_at(9) == pytest.approx(50 * (7 - ready_s) + 10, abs=1)
    record.close()


def test_the_share_of_missed_arrivals_of_some_seconds_is_that_of_all_processes() -> None:
    record = ArrivalRecord(Environment(), scenario(Open()), start_s=0, keep_s=10)
    rows = [
        {"second": second, "arrivals": {"planned": 50, "missed": missed}}
        for second, missed in ((5, 50), (20, 0), (20, 10), (21, 5))
    ]
    record.count([*rows, {"second": 21, "users": 3}])

    assert record.missed_ratio(20, 22) == pytest.approx(15 / 150)
    assert record.missed_ratio(20, 21) == pytest.approx(0.1)
    assert record.missed_ratio(5, 6) == 0.0, "no longer kept"


class Fake(LeanHttpUser):
    """Takes arrivals and does nothing."""

    host = "http://127.0.0.1:1"

    @task
    def nothing(self) -> None:
        """Nothing."""


@pytest.fixture
def process() -> Iterator[ProcessArrivals]:
    found = ProcessArrivals(Environment())
    yield found
    found.close()


def first_due_s(process: ProcessArrivals, *, sent_s: float, now_s: float, run_s: float) -> float:
    """When, in Unix seconds of the process's clock, its first arrival after a share is due."""
    plan = ArrivalPlan(
        stretches=(Stretch(100, 200, 1, 1),), end_s=200, weights={"Fake": 1}, start_s=run_s
    )
    process.begin(plan.as_json())
    share: dict[str, Any] = {"start_s": run_s, "sent_s": sent_s, "from_s": 100}
    process.on_share({**share, "index": 0, "count": 1, "plan": plan.as_json()}, now_s=now_s)
    desk: Any = process._desk
    assert desk._course.due_s == 100.5
    return time.time() + (desk._epoch + desk._course.due_s - time.monotonic())


def test_a_process_whose_clock_agrees_goes_by_the_clock(process: ProcessArrivals) -> None:
    now_s = time.time()

    due_s = first_due_s(process, sent_s=now_s - 0.3, now_s=now_s, run_s=now_s - 50)
    assert due_s == pytest.approx(now_s + 50.5, abs=0.05)


def test_a_process_whose_clock_is_off_goes_by_the_message(process: ProcessArrivals) -> None:
    now_s = time.time()

    # The master's clock is an hour ahead; by it the run began 50 s before the message.
    due_s = first_due_s(process, sent_s=now_s + 3600, now_s=now_s, run_s=now_s + 3550)
    assert due_s == pytest.approx(now_s + 50.5, abs=0.05)


def test_a_share_of_a_run_that_is_over_is_left_out(
    process: ProcessArrivals, plan: ArrivalPlan
) -> None:
    process.begin(plan.as_json())
    process.on_share({"start_s": 999.0, "sent_s": 1, "from_s": 0, "index": 0, "count": 1}, now_s=1)
    desk: Any = process._desk

    assert desk._course.due_s is None


def users_by_worker(dispatcher: type[UsersDispatcher], workers: int, users: int) -> list[dict]:  # type: ignore[type-arg]
    """The users of each class that each worker is sent."""
    for cls, weight in MIX.items():
        cls.weight = weight
    nodes = [WorkerNode(f"w{n}") for n in range(workers)]
    found = dispatcher(nodes, list(MIX))
    found.new_dispatch(users, users)
    *_, last = found
    return list(last.values())


@pytest.mark.parametrize("workers", [1, 2, 3, 5])
def test_every_worker_gets_the_same_users_of_each_class(workers: int) -> None:
    sent = users_by_worker(EvenDispatcher, workers, 100 * workers)

    assert len(sent) == workers
    assert all(one == sent[0] for one in sent)
    assert sent[0]["UpdateCheck"] == 70


def test_locusts_own_dispatcher_may_leave_a_worker_without_a_class() -> None:
    sent = users_by_worker(UsersDispatcher, 2, 40)

    assert sent[0] != sent[1]


def test_what_cannot_take_arrivals_is_told() -> None:
    class Foreign(HttpUser):
        @task
        def nothing(self) -> None:
            pass

    class Steps(TaskSet):
        @task
        def nothing(self) -> None:
            pass

    class Nested(LeanHttpUser):
        tasks: ClassVar = [Steps]

    def with_mix(cls: type) -> Scenario:
        return scenario(type("Mine", (Open,), {"mix": {cls: 1}})())

    assert why_unfit(scenario(Open())) is None
    assert why_unfit(scenario(Closed())) is None
    assert "derive it from otaload.http.LeanHttpUser" in (why_unfit(with_mix(Foreign)) or "")
    assert "TaskSet" in (why_unfit(with_mix(Nested)) or "")


@pytest.mark.parametrize(("per_s", "allowed"), [(1 / 60, True), (1, False), (100, False)])
def test_arrivals_on_production_are_as_few_as_the_health_probe_makes(
    per_s: float, allowed: bool
) -> None:
    class Probe(Profile):
        mix: ClassVar = {HealthProbe: 1}
        stages = (ArrivalHold(per_s=per_s, seconds=FOREVER),)
        max_users = 1
        allowed_on_production = True

    assert scenario(Probe()).allowed_on_production is allowed
