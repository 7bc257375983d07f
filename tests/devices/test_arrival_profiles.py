"""Profiles whose load is a rate of arrivals."""

from __future__ import annotations

import math

import pytest

from locustfiles.devices import BundleDownload, DeviceRegister, UpdateCheck
from locustfiles.profiles import (
    FOREVER,
    ArrivalHold,
    ArrivalRamp,
    ArrivalSteps,
    Hold,
    Profile,
)
from otaload.errors import ConfigurationError


def profile(*stages: object, max_users: int = 100) -> Profile:
    """A profile with the usual mix."""
    mix = {UpdateCheck: 70, BundleDownload: 20, DeviceRegister: 10}
    return type("Mine", (Profile,), {"mix": mix, "stages": stages, "max_users": max_users})()


RISING = (
    ArrivalHold(per_s=20, seconds=10),
    ArrivalRamp(to_per_s=120, seconds=10),
    ArrivalHold(per_s=120, seconds=10),
)


@pytest.mark.parametrize(
    ("after_ready_s", "per_s", "gloss"),
    [
        (-0.1, 0, "while the users get ready nobody arrives"),
        (0, 20, "then the rate is there at once"),
        (10, 20, "the ramp begins where the hold was"),
        (15, 70, "half way up after half of its time"),
        (29.9, 120, "the last moment has its rate"),
        (30, None, "then the run is over"),
    ],
)
def test_the_rate_is_a_function_of_time(
    after_ready_s: float, per_s: float | None, gloss: str
) -> None:
    mine = profile(*RISING)
    ready_s = mine.timeline[0].end_s

    found = mine.rate_at(ready_s + after_ready_s)
    assert found == (per_s if per_s is None else pytest.approx(per_s)), gloss


def test_the_users_stand_ready_from_the_first_moment_to_the_last() -> None:
    mine = profile(*RISING)

    assert {mine.users_at(t / 2) for t in range(int(mine.duration_s * 2))} == {100}
    assert mine.peak_users == 100
    assert mine.peak_per_s == 120


def test_steps_climb_to_the_last_and_are_named_by_their_rate() -> None:
    mine = profile(ArrivalSteps(to_per_s=0.3, step_per_s=0.1, seconds=10))

    assert [stage.name for stage in mine.timeline] == [
        "ready",
        "step 0.1/s",
        "step 0.2/s",
        "step 0.3/s",
    ]
    assert [stage.rate_to for stage in mine.timeline[1:]] == pytest.approx([0.1, 0.2, 0.3])


def test_scales_shrink_rate_users_and_time_but_not_the_getting_ready() -> None:
    mine = profile(*RISING)
    ready_s = mine.timeline[0].end_s
    mine.plan(time_scale=0.1, user_scale=0.5)

    assert mine.peak_per_s == 60
    assert mine.peak_users == 50
    assert mine.timeline[0].end_s == pytest.approx(ready_s, abs=0.1)
    assert mine.duration_s == pytest.approx(mine.timeline[0].end_s + 3)


def test_a_small_rehearsal_keeps_a_user_of_each_class() -> None:
    mine = profile(*RISING)
    mine.plan(user_scale=0.01)

    assert mine.peak_users == 10
    assert mine.peak_per_s == pytest.approx(1.2)


def test_run_time_caps_arrivals() -> None:
    mine = profile(ArrivalHold(per_s=10, seconds=FOREVER))
    assert mine.duration_s == math.inf
    mine.plan(run_time_s=30)

    assert mine.rate_at(29.9) == 10
    assert mine.rate_at(30) is None


def test_a_profile_of_users_has_no_rate() -> None:
    mine = profile(Hold(users=10, seconds=60), max_users=0)

    assert not mine.has_arrivals
    assert mine.rate_at(5) is None
    assert mine.peak_per_s == 0


@pytest.mark.parametrize(
    ("stages", "max_users", "words"),
    [
        ((ArrivalHold(10, 10), Hold(10, 10)), 100, "Hold counts in users"),
        ((Hold(10, 10),), 100, "max_users is for stages of arrivals"),
        ((ArrivalHold(10, 10),), 9, "max_users=9 .* at least 10"),
        ((ArrivalHold(math.nan, 10),), 10, "a rate is negative or not a number"),
        ((ArrivalRamp(0, 10),), 10, "no stage has an arrival"),
        ((ArrivalSteps(10, 0, 10),), 10, "step_per_s=0"),
    ],
)
def test_what_makes_no_sense_is_told_with_its_remedy(
    stages: tuple[object, ...], max_users: int, words: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"Mine: .*{words}"):
        profile(*stages, max_users=max_users).plan()
