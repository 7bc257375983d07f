"""The search as it is played on a running shape."""

from __future__ import annotations

from locustfiles.profiles import Climb, Profile
from otaload.live.limit import FailLimits, SliceRule
from otaload.live.seeker import Seeker, seek
from otaload.live.tail import Tail
from otaload.record import Histogram, Window, WindowKey

LIMITS = {"/x": FailLimits(p95_ms=300.0, error_ratio=0.05)}
START_S = 1000.4


class Shape(Profile):
    """A climb of six steps."""

    stages = (Climb(start=100, to=538, factor=1.4, seconds=30),)
    finds_limit = True


def planned(**plan: float) -> tuple[Shape, Seeker, Tail]:
    """A shape, and the search on it."""
    shape, tail = Shape(), Tail()
    shape.plan(**plan)
    seeker = seek(
        shape, SliceRule(LIMITS), tail, start_s=START_S, time_scale=plan.get("time_scale", 1.0)
    )
    return shape, seeker, tail


def answer(tail: Tail, second: int, users: int, latency_ms: float) -> None:
    """Half as many answers as users, in a second."""
    window = Window()
    window.successes = Histogram.of([int(latency_ms * 1000)] * (users // 2))
    tail.add([(WindowKey(second, "GET", "/x"), window)])


def play(limit: int) -> tuple[Shape, Seeker]:
    """Play a service with a limit to the end."""
    shape, seeker, tail = planned()
    for second in range(1000, 2000):
        users = shape.users_at(second - START_S)
        if users is None or seeker.search.outcome is not None:
            break
        answer(tail, second, users, 20 if users <= limit else 400)
        seeker.look(second + 1.0)
    return shape, seeker


def test_the_profile_holds_what_the_search_plays_and_remembers_it() -> None:
    shape, seeker = play(300)
    found = seeker.as_json()

    assert found["outcome"] == "found"
    assert 285 <= found["limit_users"] <= 300
    assert [stage.users_to for stage in shape.timeline] == [h["level"] for h in found["holds"]]
    assert [stage.start_s for stage in shape.timeline] == [h["start_s"] for h in found["holds"]]
    for before, after in zip(shape.timeline, shape.timeline[1:], strict=False):
        assert before.end_s == after.start_s
    assert shape.peak_users == 538


def test_what_failed_first_and_when_is_told() -> None:
    _, seeker = play(300)
    found = seeker.as_json()
    first_bad = next(h for h in found["holds"] if h["good"] is False)

    assert (found["reason"], found["endpoint"]) == ("/x: p95 of 400 ms", "/x")
    assert found["at_s"] == first_bad["judged_from_s"]
    assert first_bad["judged_from_s"] - first_bad["start_s"] >= 10


def test_the_console_says_what_is_sought_where() -> None:
    shape, seeker, tail = planned()
    told = []
    for second in range(1000, 2000):
        users = shape.users_at(second - START_S)
        if users is None or seeker.search.outcome is not None:
            break
        answer(tail, second, users, 20 if users <= 150 else 400)
        told += [line for line in [seeker.look(second + 1.0)] if line]

    assert told[:4] == [
        "climbing: 140 users",
        "climbing: 196 users",
        "recovering: 35 users, bracket 140–196",
        "bisecting: 166 users, bracket 140–196",
    ]
    assert seeker.ending.startswith("the limit is 1")


def test_slices_are_judged_once_they_have_settled() -> None:
    shape, seeker, tail = planned()
    for second in range(1000, 1040):
        answer(tail, second, 100, 20)

    # The first third of the step is dropped: its slices begin at the whole second after 1010.4.
    assert seeker.look(1033.9) is None
    assert [one.begin_s for one in seeker.search.current.slices] == [1011 - START_S]
    assert seeker.look(1034.0) == "climbing: 140 users"
    assert shape.users_at(33.5) == 100
    assert shape.users_at(34.0) == 140


def test_answers_that_come_late_spoil_the_step_in_which_they_started() -> None:
    _, seeker, tail = planned()
    for second in range(1000, 1100):
        answer(tail, second, 100, 20)
        seeker.look(second + 1.0)
    assert seeker.search.bracket[0] == 196
    for second in range(1050, 1070):
        answer(tail, second, 1000, 25_000)
    for second in range(1100, 1125):
        answer(tail, second, 100, 20)
        seeker.look(second + 1.0)

    assert seeker.search.bracket[0] != 140
    assert [one.fully_good for one in seeker.search.played[:2]] == [True, None]


def test_a_climb_that_an_outage_stopped_for_a_while_has_no_limit_at_its_end() -> None:
    shape, seeker, tail = planned()
    for second in range(1000, 2000):
        users = shape.users_at(second - START_S)
        if users is None or seeker.search.outcome is not None:
            break
        window = Window()
        if 1045 <= second < 1060:
            window.failures = Histogram.of([1000] * users)
        else:
            window.successes = Histogram.of([20_000] * users)
        tail.add([(WindowKey(second, "GET", "/x"), window)])
        seeker.look(second + 1.0)
    found = seeker.as_json()

    assert any(hold["good"] is False for hold in found["holds"])
    assert found["outcome"] == "none"
    assert (found["limit"], found["at_s"], found["bracket"]) == (None, None, [538, None])
    assert found["reason"] == "the last step was within limits"


def test_a_service_that_answers_nothing_is_past_its_limit() -> None:
    _, seeker, tail = planned()
    for second in range(1000, 1030):
        answer(tail, second, 100, 20)
    for second in range(1000, 1200):
        seeker.look(second + 1.0)
        if seeker.search.outcome is not None:
            break

    found = seeker.as_json()
    assert found["outcome"] == "not recovered"
    assert found["reason"] == "not one request was answered"


def test_the_end_of_a_run_judges_what_had_not_settled() -> None:
    _, seeker, tail = planned()
    for second in range(1000, 1052):
        answer(tail, second, 100, 400)
        seeker.look(second + 0.5)
    seeker.close(1052.0)

    assert seeker.found
    assert seeker.as_json()["limit"] is None
    assert seeker.as_json()["bracket"] == [None, 100]
