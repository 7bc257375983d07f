"""When ten seconds of load are past the limit."""

from __future__ import annotations

import pytest

from analysis.thresholds import parse_thresholds
from otaload.live.limit import SliceRule, fail_limits
from otaload.record import Histogram, Window

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


def judged(windows: dict[str, Window], expected: float = 100):
    """What the rule says of ten seconds with these windows."""
    return SliceRule(LIMITS).judge(0.0, windows, expected=expected)


def test_a_slice_is_bad_above_the_fail_limit_and_not_at_it() -> None:
    assert judged({"/x": window(299)}).reason is None
    assert judged({"/x": window(400)}).reason == "all requests: p95 of 400 ms"
    assert judged({"/x": window(50, failed=5)}).reason is None
    assert (
        judged({"/x": window(50, failed=6)}).reason == "all requests: 6.00% of the requests failed"
    )


def test_an_endpoint_is_held_against_its_own_limit_and_named_before_all_requests() -> None:
    found = judged({"/slow": window(950), "/x": window(10)})

    assert (found.reason, found.endpoint) == ("/slow: p95 of 950 ms", "/slow")
    assert judged({"/slow": window(850, n=5), "/x": window(10, n=200)}).reason is None


def test_of_all_requests_the_endpoint_that_weighs_most_is_named() -> None:
    found = judged({"/x": window(20), "/y": window(700), "/z": window(310)})

    assert (found.reason, found.endpoint) == ("all requests: p95 of 698 ms", "/y")


def test_more_than_half_failed_is_hopeless_and_named_by_the_endpoint_with_most_failures() -> None:
    found = judged({"/x": window(50, failed=99), "/slow": window(50, failed=10)})

    assert found.hopeless
    assert (found.reason, found.endpoint) == ("55% of all requests failed", "/x")
    assert not judged({"/x": window(50, failed=50)}).hopeless


def test_nothing_answered_is_bad_only_where_requests_must_have_been_sent() -> None:
    assert judged({}, expected=10).reason == "not one request was answered"
    assert judged({}, expected=9).reason is None


def test_one_slow_request_among_few_is_no_slow_service() -> None:
    def few(*values_ms: int) -> Window:
        made = Window()
        made.successes = Histogram.of([ms * 1000 for ms in values_ms])
        return made

    assert judged({"/x": few(10, 10, 10, 10, 5000)}).reason is None
    assert judged({"/x": few(5000)}).reason is None
    assert judged({"/x": few(10, 10, 10, 5000, 5000)}).reason is not None


@pytest.mark.parametrize(("time_scale", "slice_s"), [(1.0, 10), (0.5, 5), (0.01, 1)])
def test_slices_shrink_with_the_run_down_to_a_second(time_scale: float, slice_s: int) -> None:
    assert SliceRule(LIMITS, time_scale=time_scale).slice_s == slice_s


def test_a_slice_whose_arrivals_found_no_free_user_is_bad_whatever_was_measured() -> None:
    def with_missed(ratio: float, latency_ms: float = 50):
        windows = {"/x": window(latency_ms)}
        return SliceRule(LIMITS).judge(0.0, windows, expected=100, missed_ratio=ratio)

    assert with_missed(0.01).reason is None
    found = with_missed(0.25)
    assert found.short_of_users
    assert found.reason is not None
    assert found.reason.startswith("25% of the arrivals found no free user: raise max_users")
    # What the service did is the better reason.
    assert with_missed(0.25, 400).reason == "all requests: p95 of 400 ms"
    assert not with_missed(0.25, 400).short_of_users
