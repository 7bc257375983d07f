"""The last seconds in memory, whatever time clients and clocks tell."""

from __future__ import annotations

from otaload.live.tail import AHEAD_S, Tail
from otaload.record import Histogram, Window, WindowKey


def one(second: int) -> list[tuple[WindowKey, Window]]:
    """One request of a second."""
    window = Window()
    window.successes = Histogram.of([900])
    return [(WindowKey(second, "GET", "/x"), window)]


def test_a_second_far_ahead_does_not_push_the_others_out() -> None:
    tail = Tail(keep_s=10, clock=lambda: 1000.0)
    tail.add(one(998))
    tail.add(one(1000 * 1000))
    tail.add(one(999))

    assert (tail.count(998), tail.count(999), tail.count(1000 * 1000)) == (1, 1, 0)
    assert tail.requests == 3
    assert tail.oldest_kept == 989


def test_a_clock_that_is_set_back_goes_on_from_where_it_is() -> None:
    now = 5000.0
    tail = Tail(keep_s=10, clock=lambda: now)
    tail.add(one(4999))
    now = 1000.0
    tail.add(one(999))

    assert (tail.count(4999), tail.count(999)) == (0, 1)
    assert tail.oldest_kept == 989


def test_what_is_a_little_ahead_is_kept_and_what_is_old_is_forgotten() -> None:
    tail = Tail(keep_s=10, clock=lambda: 1000.0)
    for second in (985, 999, 1000 + AHEAD_S):
        tail.add(one(second))

    assert [tail.count(s) for s in (985, 999, 1000 + AHEAD_S)] == [0, 0, 1]
