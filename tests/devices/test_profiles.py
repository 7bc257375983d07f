"""Load as a pure function of time, and the scenarios as the mission has them."""

from __future__ import annotations

import importlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locustfiles.devices import BundleDownload, DeviceRegister, HealthProbe, UpdateCheck
from locustfiles.profiles import (
    FOREVER,
    Climb,
    Hold,
    Profile,
    Ramp,
    Steps,
    lay_out,
    peak_users,
    users_at,
)
from otaload.cli import SCENARIOS
from otaload.errors import ConfigurationError

SPIKE = lay_out((Hold(30, 120), Ramp(1000, 30), Hold(1000, 120), Ramp(30, 30), Hold(30, 300)))


@pytest.mark.parametrize(
    ("elapsed_s", "users", "gloss"),
    [
        (0, 30, "the probe is there from the first moment"),
        (119.9, 30, "and stays until the surge"),
        (120, 30, "the surge begins where the probe was"),
        (135, 515, "half way up after half of its time"),
        (149.99, 1000, "and ends at the peak"),
        (200, 1000, "the burst"),
        (285, 515, "half way down"),
        (599.9, 30, "the last moment still has users"),
        (600, None, "then the run is over"),
    ],
)
def test_a_profile_is_a_function_of_time(elapsed_s: float, users: int | None, gloss: str) -> None:
    assert users_at(SPIKE, elapsed_s) == users, gloss


def test_a_staircase_climbs_step_by_step() -> None:
    stages = lay_out((Steps(to=300, step=100, seconds=10),))

    assert [users_at(stages, t) for t in (0, 9.9, 10, 29.9, 30)] == [100, 100, 200, 300, None]
    assert [stage.name for stage in stages] == ["step 100", "step 200", "step 300"]


def test_a_climb_grows_by_a_factor_and_ends_where_it_is_meant_to() -> None:
    assert Climb(start=20, to=60, factor=1.4, seconds=30).levels() == [20, 28, 39, 55, 60]
    assert Climb(start=1, to=4, factor=1.1, seconds=30).levels() == [1, 2, 3, 4]
    stages = lay_out((Climb(start=20, to=60, factor=1.4, seconds=30),), user_scale=0.5)
    assert [users_at(stages, t) for t in (0, 30, 149, 150)] == [10, 14, 30, None]


def test_a_level_that_is_played_takes_the_place_of_what_was_planned() -> None:
    profile = scenario("breakpoint")
    profile.play("step 20", 20, 0.0)
    profile.play("step 28", 28, 33.0)
    profile.play("rest 5", 5, 70.0)

    assert [profile.users_at(t) for t in (0, 32.9, 33, 69.9, 70, 899)] == [20, 20, 28, 28, 5, 5]
    assert profile.users_at(900) is None
    assert profile.peak_users == 2000
    profile.plan()
    assert profile.users_at(40) == 28


@pytest.mark.parametrize(
    "parts", [(Hold(5, 30), Ramp(to=100, seconds=60)), (Hold(5, FOREVER),), ()]
)
def test_a_search_for_the_limit_refuses_what_is_no_climb(parts: tuple[Hold | Ramp, ...]) -> None:
    class Sloped(Profile):
        stages = parts
        finds_limit = True

    with pytest.raises(ConfigurationError, match=r"Sloped: finds_limit climbs in steps"):
        Sloped().plan()


def test_an_endless_hold_never_ends() -> None:
    assert users_at(lay_out((Hold(1, FOREVER),)), 1e9) == 1


@given(
    st.floats(0.001, 10),
    st.floats(0.001, 10),
    st.floats(0, 6000, allow_nan=False),
)
def test_scaling_keeps_every_stage_and_stays_within_the_scaled_peak(
    time_scale: float, user_scale: float, elapsed_s: float
) -> None:
    scaled = lay_out(
        (Hold(30, 120), Ramp(1000, 30), Hold(1000, 120), Ramp(30, 30), Hold(30, 300)),
        time_scale=time_scale,
        user_scale=user_scale,
    )
    users = users_at(scaled, elapsed_s)

    assert len(scaled) == len(SPIKE)
    assert scaled[-1].end_s == pytest.approx(600 * time_scale)
    assert users is None or 1 <= users <= peak_users(scaled)


def scenario(name: str) -> Profile:
    """The profile of a scenario file."""
    module = importlib.import_module(f"locustfiles.{name}")
    (cls,) = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Profile) and value is not Profile
    ]
    return cls()


@pytest.mark.parametrize(
    ("name", "users", "minutes"),
    [
        ("smoke", 10, 1),
        ("load", 200, 10),
        ("stress", 1000, 5),
        ("soak", 100, 8 * 60),
        ("spike", 1000, 10),
        ("breakpoint", 2000, 15),
        ("health", 1, math.inf),
    ],
)
def test_a_scenario_has_the_users_and_the_duration_it_is_meant_to_have(
    name: str, users: int, minutes: float
) -> None:
    profile = scenario(name)

    assert profile.peak_users == users
    assert profile.duration_s == minutes * 60


def test_all_scenarios_but_health_mix_checks_downloads_and_registrations() -> None:
    for name in SCENARIOS:
        expected = {UpdateCheck: 70, BundleDownload: 20, DeviceRegister: 10}
        assert scenario(name).mix == ({HealthProbe: 1} if name == "health" else expected)


def test_only_health_may_run_on_production() -> None:
    assert [name for name in SCENARIOS if scenario(name).allowed_on_production] == ["health"]


def test_spike_keeps_a_probe_of_at_least_two_minutes_around_its_burst() -> None:
    stages = scenario("spike").timeline

    assert stages[0].end_s - stages[0].start_s >= 120
    assert stages[-1].end_s - stages[-1].start_s >= 300
    assert 20 <= stages[0].users_to == stages[-1].users_to <= 50


def test_a_rehearsal_too_small_for_the_mix_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"use at least 0\.05"):
        scenario("load").plan(user_scale=0.04)

    scenario("load").plan(user_scale=0.05)


def test_run_time_caps_a_scenario() -> None:
    profile = scenario("health")
    profile.plan(run_time_s=90)

    assert profile.users_at(89) == 1
    assert profile.users_at(90) is None


def test_a_profile_that_was_ended_stops_and_starts_anew_after_a_reset() -> None:
    profile = scenario("smoke")
    profile.end("limit found")
    profile.end("another reason")

    assert profile.tick() is None
    assert profile.ended_by == "limit found"
    profile.reset_time()
    assert profile.tick() is not None
