"""The fleet is fixed, seeded and shared out."""

from __future__ import annotations

import uuid
from collections import Counter

from locustfiles.devices.fleet import Fleet, build_device
from otaload.targets import FleetPlan

PLAN = FleetPlan(fleet_size=1000, app_versions={"2.0": 3, "1.9": 1}, channels={"production": 1})


def test_the_same_seed_gives_the_same_devices_and_another_one_others() -> None:
    first = [build_device(PLAN, 1, n) for n in range(20)]

    assert first == [build_device(PLAN, 1, n) for n in range(20)]
    assert not {d.id for d in first} & {build_device(PLAN, 2, n).id for n in range(20)}


def test_a_fleet_never_has_more_devices_than_planned() -> None:
    fleet = Fleet(PLAN, seed=1)

    assert len({fleet.next().id for _ in range(5000)}) == 1000


def test_a_device_comes_back_as_its_last_session_left_it() -> None:
    fleet = Fleet(FleetPlan(fleet_size=2), seed=1)
    fleet.next().adopt("3.1.4", "ab" * 32)
    fleet.next()

    assert fleet.next().installed_version == "3.1.4"


def test_workers_draw_from_disjoint_parts_that_make_up_the_whole() -> None:
    parts = [Fleet(PLAN, seed=1, index=index, count=3) for index in range(3)]
    drawn = [{fleet.next().id for _ in range(len(fleet))} for fleet in parts]

    assert sum(len(part) for part in drawn) == len(set().union(*drawn)) == 1000


def test_more_workers_than_devices_still_leave_each_a_device() -> None:
    assert Fleet(FleetPlan(fleet_size=2), seed=1, index=7, count=8).next().id


def test_shares_follow_their_weights() -> None:
    devices = [build_device(PLAN, 1, n) for n in range(1000)]
    platforms = Counter(device.platform for device in devices)
    versions = Counter(device.app_version for device in devices)

    assert 0.49 < platforms["ios"] / 1000 < 0.61
    assert 0.70 < versions["2.0"] / 1000 < 0.80


def test_a_device_describes_itself_as_the_contract_wants_it() -> None:
    body = build_device(PLAN, 1, 5).body()

    assert uuid.UUID(str(body["deviceId"]))
    assert body["platform"] in ("ios", "android")
    assert set(body["deviceInfo"]) == {"osVersion", "deviceModel", "timezone", "locale"}
