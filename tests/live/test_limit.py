"""The rule that ends a breakpoint run."""

from __future__ import annotations

import pytest

from analysis.thresholds import parse_thresholds
from otaload.live.limit import LimitRule, fail_limits
from otaload.live.tail import Tail
from otaload.record import Histogram, Window, WindowKey

LIMITS = fail_limits(
    parse_thresholds(
        "global:\n"
        "  p95: { pass: 100 ms, warning: 200 ms, fail: 300 ms }\n"
        "  error_rate: { pass: 1 %, warning: 2 %, fail: 5 % }\n"
        "endpoints:\n  /slow: { p95: { pass: 50 ms, warning: 800 ms, fail: 900 ms } }\n"
    )
)


def window(latency_ms: float, *, n: int = 100, failed: int = 0) -> Window:
    """A window of equal latencies, some of them failures."""
    made = Window()
    made.successes = Histogram.of([int(latency_ms * 1000)] * (n - failed))
    made.failures = Histogram.of([1000] * failed)
    made.causes = {"status 503": failed} if failed else {}
    return made


def first_found(slices: list[Window]) -> tuple[int, object]:
    """The number of the slice that ends the run, and what was found; users grow by ten a slice."""
    rule, tail = LimitRule(LIMITS), Tail(keep_s=10_000)
    for number, one in enumerate(slices):
        tail.add([(WindowKey(1000 + 10 * number, "GET", "/x"), one)])
        found = rule.watch(
            tail,
            start_s=1000.0,
            now_s=1000.0 + 10 * (number + 1) + rule.settle_s,
            users_at=lambda t: 10 * (int(t) // 10 + 1),
        )
        if found:
            return number, found
    return -1, None


def test_four_bad_slices_in_a_row_end_the_run_at_the_last_good_users() -> None:
    number, found = first_found([window(50)] * 3 + [window(400)] * 6)

    assert number == 6
    assert (found.limit_users, found.bad_from_s) == (30, 30.0)
    assert "p95 of 400 ms" in found.reason


def test_a_blip_of_three_bad_slices_does_not_end_the_run() -> None:
    assert first_found([window(50), *[window(400)] * 3, window(50)] * 3) == (-1, None)


def test_errors_above_the_fail_limit_are_bad_and_errors_at_it_are_not() -> None:
    assert first_found([window(50, failed=5)] * 9) == (-1, None)
    number, found = first_found([window(50, failed=6)] * 9)
    assert number == 3
    assert found.limit_users is None
    assert "6.00% of the requests failed" in found.reason


def test_more_than_half_failed_ends_the_run_at_once() -> None:
    number, found = first_found([window(50), window(50, failed=51)])

    assert number == 1
    assert "51% of all requests failed" in found.reason


def test_slices_in_which_nothing_came_back_are_bad_where_users_were_there() -> None:
    rule = LimitRule(LIMITS, think_s=2.0)

    assert rule.watch(Tail(), start_s=0.0, now_s=400.0, users_at=lambda _: 1) is None
    found = LimitRule(LIMITS, think_s=2.0).watch(
        Tail(), start_s=0.0, now_s=400.0, users_at=lambda _: 2
    )
    assert found is not None
    assert found.reason == "not one request was answered"


def test_answers_that_come_late_make_the_slice_bad_in_which_they_started() -> None:
    rule, tail = LimitRule(LIMITS, think_s=20.0), Tail()
    for second in range(40):
        tail.add([(WindowKey(1000 + second, "GET", "/x"), window(20, n=1))])
    when = {"start_s": 1000.0, "users_at": lambda _: 5}
    assert rule.watch(tail, now_s=1045.0, **when) is None

    for second in range(40):
        tail.add([(WindowKey(1000 + second, "GET", "/x"), window(25_000, n=9))])
    found = rule.watch(tail, now_s=1065.0, **when)
    assert found is not None
    assert (found.bad_from_s, found.limit_users) == (0.0, None)


def test_an_endpoint_is_held_against_its_own_limit() -> None:
    rule, tail = LimitRule({"/slow": LIMITS["/slow"]}), Tail()
    for second in range(40):
        tail.add([(WindowKey(1000 + second, "GET", "/slow"), window(950, n=5))])
        tail.add([(WindowKey(1000 + second, "GET", "/x"), window(10, n=5))])
    found = rule.watch(tail, start_s=1000.0, now_s=1050.0, users_at=lambda _: 10)

    assert found is not None
    assert found.reason == "/slow: p95 of 950 ms"


@pytest.mark.parametrize(("time_scale", "slice_s"), [(1.0, 10), (0.5, 5), (0.01, 1)])
def test_slices_shrink_with_the_run_down_to_a_second(time_scale: float, slice_s: int) -> None:
    assert LimitRule(LIMITS, time_scale=time_scale).slice_s == slice_s


def test_slices_are_judged_once_they_have_settled_and_only_once() -> None:
    tail = Tail()
    for second in range(100):
        tail.add([(WindowKey(1000 + second, "GET", "/x"), window(400, n=10))])
    rule = LimitRule(LIMITS)

    def users_at(_: float) -> int:
        return 7

    assert rule.watch(tail, start_s=1000.0, now_s=1042.9, users_at=users_at) is None
    found = rule.watch(tail, start_s=1000.0, now_s=1043.0, users_at=users_at)
    assert found is not None
    assert found.bad_from_s == 0
