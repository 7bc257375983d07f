"""Every arrival is taken by exactly one process, whoever joins or leaves."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otaload.arrivals import Course, Curve, Stretch, Turns

CURVE = Curve([Stretch(0, 10, 20, 20), Stretch(10, 20, 20, 60)])
ALL = [CURVE.due_s(number) for number in range(int(CURVE.arrivals))]


def rest_of(course: Course) -> list[float]:
    """What is left of a course."""
    found = []
    while course.due_s is not None:
        found.append(course.due_s)
        course.advance()
    return found


def test_a_course_without_a_share_has_no_arrival() -> None:
    assert Course(CURVE).due_s is None


def test_one_process_takes_them_all() -> None:
    course = Course(CURVE)
    course.share(0, index=0, count=1)

    assert rest_of(course) == ALL


@pytest.mark.parametrize("count", [2, 3, 7])
def test_processes_take_turns(count: int) -> None:
    courses = [Course(CURVE) for _ in range(count)]
    for index, course in enumerate(courses):
        course.share(0, index=index, count=count)
    found = [rest_of(course) for course in courses]

    assert sorted(due_s for part in found for due_s in part) == ALL
    assert [part[0] for part in found] == ALL[:count]
    assert max(map(len, found)) - min(map(len, found)) <= 1


@given(
    st.lists(
        st.tuples(st.floats(0, 20), st.sets(st.integers(0, 4), min_size=1)), min_size=1, max_size=5
    )
)
def test_joining_and_leaving_neither_drops_an_arrival_nor_hands_it_out_twice(
    changes: list[tuple[float, set[int]]],
) -> None:
    changes = [(0.0, {0, 1}), *sorted(changes, key=lambda change: change[0])]
    found: list[float] = []
    courses = {member: Course(CURVE) for member in range(5)}
    for at, (from_s, members) in enumerate(changes):
        until_s = changes[at + 1][0] if at + 1 < len(changes) else 100.0
        for index, member in enumerate(sorted(members)):
            courses[member].share(from_s, index=index, count=len(members))
        # Each goes on until the next change; one that is left out has no word of it, and is gone.
        for member in members:
            course = courses[member]
            while course.due_s is not None and course.due_s < until_s:
                found.append(course.due_s)
                course.advance()
        for member in set(courses) - members:
            courses[member] = Course(CURVE)

    assert sorted(found) == ALL


def test_a_share_that_is_dealt_anew_before_it_counts_replaces_the_old_one() -> None:
    course = Course(CURVE)
    course.share(5, index=0, count=1)
    course.share(5, index=1, count=2)

    assert rest_of(course)[:2] == [ALL[101], ALL[103]]


def test_a_share_ahead_leaves_what_comes_before_it() -> None:
    course = Course(CURVE)
    course.share(0, index=0, count=1)
    course.share(1, index=0, count=2)

    assert rest_of(course)[:22] == [*ALL[:20], ALL[20], ALL[22]]


def test_a_share_that_comes_late_hands_nothing_out_twice() -> None:
    course = Course(CURVE)
    course.share(0, index=0, count=1)
    for _ in range(30):
        course.advance()
    course.share(1, index=0, count=2)

    assert rest_of(course)[0] == ALL[30]


def test_a_course_goes_on_by_another_curve_without_a_gap_or_a_repeat() -> None:
    course = Course(CURVE)
    course.share(0, index=0, count=1)
    for _ in range(50):
        course.advance()
    course.replan(Curve([Stretch(0, 5, 20, 20), Stretch(5, 10, 2, 2)]))

    assert rest_of(course)[:60] == pytest.approx([*ALL[50:100], *(5.25 + n / 2 for n in range(10))])


def test_turns_follow_the_weights_and_interleave() -> None:
    turns = Turns({"check": 70, "download": 20, "register": 10})
    found = [turns.next() for _ in range(1000)]

    assert found[:10] == found[10:20]
    assert {name: found.count(name) for name in set(found)} == {
        "check": 700,
        "download": 200,
        "register": 100,
    }
    assert "download" not in {a for a, b in itertools.pairwise(found) if a == b}


@given(
    st.dictionaries(st.text(min_size=1), st.integers(1, 100), min_size=1, max_size=6),
    st.integers(0, 500),
)
def test_no_name_ever_has_a_whole_turn_more_than_its_share(
    weights: dict[str, int], count: int
) -> None:
    turns = Turns(weights)
    found = [turns.next() for _ in range(count)]

    for name, weight in weights.items():
        share = count * weight / sum(weights.values())
        assert share - len(weights) < found.count(name) < share + 1 + 1e-6


def test_turns_without_a_weight_are_refused() -> None:
    with pytest.raises(ValueError, match="no name has a weight"):
        Turns({"a": 0})
