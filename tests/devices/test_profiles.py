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
    Phase,
    Profile,
    Ramp,
    Steps,
    lay_out,
    peak_users,
    users_at,
)
from otaload.cli import SCENARIOS
from otaload.errors import ConfigurationError
from otaload.phase import default_phase

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


class Paced(Profile):
    stages = (Hold(10, 60),)
    pacing_s = 2.0


def test_a_pacing_is_not_scaled_in_a_rehearsal() -> None:
    paced = Paced()
    paced.plan(time_scale=0.1)

    assert (paced.pacing_s, paced.duration_s) == (2.0, 6.0)


def test_both_a_think_time_and_a_pacing_are_refused() -> None:
    class Both(Paced):
        think_s = (1.0, 3.0)

    with pytest.raises(ConfigurationError, match="Both: both think_s and pacing_s are set; keep"):
        Both().plan()


@pytest.mark.parametrize("pacing_s", [0, -1.0, math.inf, math.nan, True, "2 s"])
def test_a_pacing_that_makes_no_sense_is_refused(pacing_s: object) -> None:
    class Wrong(Paced):
        pass

    Wrong.pacing_s = pacing_s  # type: ignore[assignment]
    with pytest.raises(ConfigurationError, match=r"Wrong: pacing_s is .*; write"):
        Wrong().plan()


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


@pytest.mark.parametrize(
    ("name", "phases"),
    [
        ("smoke", ["steady"]),
        ("load", ["ramp-up", "steady"]),
        ("stress", ["ramp-up", "steady"]),
        ("soak", ["ramp-up", "steady"]),
        ("spike", ["baseline", "ramp-up", "burst", "ramp-down", "recovery"]),
        ("breakpoint", ["steady"] * 15),
        ("health", ["steady"]),
    ],
)
def test_each_stage_of_a_scenario_has_its_phase(name: str, phases: list[str]) -> None:
    assert [stage.phase for stage in scenario(name).timeline] == phases


def test_a_rehearsal_keeps_the_phases_of_the_real_run() -> None:
    profile = scenario("load")
    whole = [stage.phase for stage in profile.timeline]
    profile.plan(time_scale=0.01, user_scale=0.05)

    assert [stage.phase for stage in profile.timeline] == whole


def test_a_ramp_that_a_rehearsal_makes_flat_is_still_one() -> None:
    flat = lay_out((Hold(10, 10), Ramp(12, 10), Ramp(10, 10)), user_scale=0.01)

    assert [(stage.users_from, stage.users_to) for stage in flat] == [(1, 1)] * 3
    assert [stage.phase for stage in flat] == ["steady", "ramp-up", "ramp-down"]


@pytest.mark.parametrize(
    ("name", "users_from", "users_to", "phase"),
    [
        ("anything", 0, 10, "ramp-up"),
        ("recovery", 10, 0, "ramp-down"),
        ("burst", 10, 10, "burst"),
        ("ramp-up", 10, 10, "steady"),
        ("Burst", 10, 10, "steady"),
    ],
)
def test_a_phase_comes_from_the_direction_and_of_a_hold_from_its_name(
    name: str, users_from: int, users_to: int, phase: str
) -> None:
    assert default_phase(name, users_from, users_to) == phase


def test_a_part_may_say_its_phase() -> None:
    parts = (
        Ramp(5, 10, phase=Phase.STEADY),
        Hold(5, 10, phase=Phase.BURST),
        Steps(2, 1, 10, phase=Phase.BURST),
    )

    assert [stage.phase for stage in lay_out(parts)] == ["steady", "burst", "burst", "burst"]
