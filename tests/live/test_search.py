"""The search for a limit as a state machine, against services that are known."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otaload.live.limit import Slice
from otaload.live.search import Outcome, Search
from otaload.live.stretch import Kind, Step

STEPS = [Step(level, 30.0) for level in (100, 140, 196, 274, 384, 538)]
Judge = Callable[[float, float, int], str | None]
"""Why a slice is bad: (level, its beginning in seconds, its number in the stretch)."""


def play(judge: Judge, *, longest_s: float = 900.0, quantum: float = 1.0) -> Search:
    """Play a search to its end; a reason that begins with "!" is hopeless."""
    search = Search(STEPS, slice_s=10.0, longest_s=longest_s, quantum=quantum)
    now_s = 0.0
    while search.outcome is None and now_s < 2 * longest_s:
        one = search.current
        begin_s = one.begin_s + one.drop_s + 10 * len(one.slices)
        now_s = begin_s + 13
        reason = judge(one.level, begin_s, len(one.slices))
        hopeless = bool(reason and reason.startswith("!"))
        one.slices.append(Slice(begin_s, 100, reason, "/x" if reason else None, hopeless))
        search.advance(now_s)
    search.close(now_s)
    return search


def above(limit: float) -> Judge:
    """A service that is bad above a limit."""
    return lambda level, at_s, number: "slow" if level > limit else None


def kinds(search: Search) -> list[tuple[str, float]]:
    """What was played."""
    return [(one.kind.value, one.level) for one in search.played]


@given(st.floats(100, 530))
def test_a_limit_is_bracketed_to_five_per_cent_within_the_time(limit: float) -> None:
    search = play(above(limit))
    low, high = search.bracket

    assert search.outcome is Outcome.FOUND
    assert low is not None
    assert high is not None
    assert low <= limit < high
    assert high - low <= max(1.0, 0.05 * low)
    assert search.current.end_s is not None
    assert search.current.end_s <= 900


def test_the_first_bad_step_is_left_after_four_slices_and_then_the_service_rests() -> None:
    search = play(above(150))

    assert kinds(search)[:4] == [("step", 100), ("step", 140), ("step", 196), ("rest", 35)]
    assert len(search.played[2].slices) == 4
    assert kinds(search)[4] == ("hold", 166)


def test_a_bad_hold_is_repeated_once_after_a_rest_and_left_as_soon_as_it_is_clear() -> None:
    search = play(above(150))
    first, rest, second = search.played[4:7]

    assert [one.kind for one in (first, rest, second)] == [Kind.HOLD, Kind.REST, Kind.HOLD]
    assert first.level == second.level == 166
    assert len(first.slices) == len(second.slices) == 3
    assert search.played[8].level < 166


def test_a_hold_that_is_good_when_repeated_is_good() -> None:
    seen: list[float] = []

    def once_bad(level: float, at_s: float, number: int) -> str | None:
        if level == 166 and len(seen) < 3:
            seen.append(at_s)
            return "noise"
        return above(180)(level, at_s, number)

    search = play(once_bad)
    assert search.outcome is Outcome.FOUND
    assert 166 <= (search.bracket[0] or 0) <= 180


@pytest.mark.parametrize("begin_s", [3.0, 14.0, 40.0, 71.0, 100.0])
def test_a_blip_of_three_slices_does_not_stop_the_climb(begin_s: float) -> None:
    def blip(level: float, at_s: float, number: int) -> str | None:
        return "blip" if begin_s - 10 < at_s < begin_s + 15 else above(400)(level, at_s, number)

    search = play(blip)
    stopped = [one.level for one in search.played if one.kind is Kind.STEP and one.good is False]
    assert stopped == [538]
    assert search.outcome is Outcome.FOUND


def test_a_step_that_one_hopeless_slice_stopped_is_held_at_once_and_the_climb_goes_on() -> None:
    def outage(level: float, at_s: float, number: int) -> str | None:
        return "!down" if 40 <= at_s < 55 else above(400)(level, at_s, number)

    search = play(outage)
    assert kinds(search)[:6] == [
        ("step", 100),
        ("step", 140),
        ("rest", 25),
        ("hold", 140),
        ("step", 196),
        ("step", 274),
    ]
    assert search.outcome is Outcome.FOUND
    assert 380 <= (search.bracket[0] or 0) <= 400


def test_a_step_spoilt_by_late_answers_is_not_the_limit() -> None:
    search = Search(STEPS, slice_s=10.0, longest_s=900.0)
    for _ in range(2):
        search.current.slices.extend([Slice(0.0, 50), Slice(0.0, 50)])
        search.advance(33.0)
    assert search.bracket == (140, None)
    search.played[1].slices[0] = Slice(0.0, 50, "late")

    assert search.bracket == (100, None)
    assert search.played[1].as_json()["good"] is None


def test_the_lower_end_is_held_before_it_is_called_the_limit() -> None:
    search = play(above(140))

    assert ("hold", 140) in kinds(search)
    assert search.bracket[0] == 140


def test_a_service_that_the_overload_bent_is_searched_further_down() -> None:
    overloaded: list[float] = []

    def bent(level: float, at_s: float, number: int) -> str | None:
        if level >= 274:
            overloaded.append(at_s)
        return "slow" if level > (110 if overloaded else 270) else None

    search = play(bent, longest_s=3000)
    assert search.outcome is Outcome.FOUND
    assert 100 <= (search.bracket[0] or 0) <= 110


def test_a_first_step_that_is_bad_is_confirmed_and_lies_above_the_limit() -> None:
    search = play(above(60))

    assert search.outcome is Outcome.BELOW
    assert kinds(search) == [("step", 100), ("rest", 50), ("hold", 100)]
    assert search.bracket == (None, 100)


def test_a_service_that_does_not_recover_ends_the_search_within_a_minute() -> None:
    dead: list[float] = []

    def dying(level: float, at_s: float, number: int) -> str | None:
        if level > 150:
            dead.append(at_s)
        return "dead" if dead else None

    search = play(dying)
    assert search.outcome is Outcome.NOT_RECOVERED
    assert len(search.current.slices) == 6
    assert search.bracket == (140, 196)


def test_a_climb_within_limits_has_no_limit() -> None:
    search = play(above(1000))

    assert search.outcome is Outcome.NONE
    assert search.bracket == (538, None)


def test_a_search_whose_time_is_up_keeps_what_it_has() -> None:
    search = play(above(150), longest_s=300)

    assert search.outcome is Outcome.CUT_SHORT
    assert search.bracket[0] == 140
    assert (search.current.end_s or 0) <= 300


def test_no_data_is_never_good() -> None:
    search = Search(STEPS, slice_s=10.0, longest_s=900.0)
    search.current.slices.extend([Slice(10.0, 0), Slice(20.0, 0)])
    search.advance(33.0)

    assert search.played[0].good is None
    assert search.bracket == (None, None)


def test_levels_may_be_rates_with_fractions() -> None:
    search = play(above(150.03), quantum=0.1)
    low, high = search.bracket

    assert low is not None
    assert high is not None
    assert low <= 150.03 < high
    assert json.dumps([one.as_json() for one in search.played])
