"""The rules that stop a run, on windows with known answers."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from analysis.abort_rules import AbortRule
from analysis.limits import Metric
from otaload.live.abort import Aborted, AbortWatch
from otaload.live.tail import Tail
from otaload.record import Histogram, Window, WindowKey

START_S = 1000.0


def rule(metric: str = "error_rate", above: float = 0.2, **more) -> AbortRule:
    """A rule over 30 s from 100 requests on."""
    return AbortRule(metric=Metric(metric), above=above, **{"over_s": 30.0, **more})


def window(latency_ms: float = 20, *, n: int = 10, failed: int = 0) -> Window:
    """A window of equal latencies, some of them failures."""
    made = Window()
    made.successes = Histogram.of([int(latency_ms * 1000)] * (n - failed))
    made.failures = Histogram.of([1000] * failed)
    return made


def key(second: int, endpoint: str = "/x") -> WindowKey:
    """A second of the run."""
    return WindowKey(int(START_S) + second, "GET", endpoint)


def play(
    watch: AbortWatch,
    windows: Iterable[Window | None],
    *,
    users: int = 10,
    endpoint: str = "/x",
    tail: Tail | None = None,
) -> Aborted | None:
    """What a run comes to whose seconds have these windows, looked at once a second."""
    tail = tail or Tail(keep_s=watch.keep_s)
    for second, one in enumerate(windows):
        if one is not None:
            tail.add([(key(second, endpoint), one)])
        found = watch.watch(tail, start_s=START_S, now_s=START_S + second + 1.5, users=users)
        if found is not None:
            return found
    return None


GOOD, BAD = window(), window(failed=5)


def test_errors_over_the_whole_stretch_end_the_run_once_it_has_settled() -> None:
    found = play(AbortWatch([rule()]), [GOOD] * 40 + [BAD] * 60)

    assert found is not None
    # Bad from second 40; the first stretch that is bad as a whole and in its first third begins
    # five seconds earlier, and was judged three seconds after its end.
    assert (found.from_s, found.at_s) == (35.0, 68.5)
    assert found.value == pytest.approx(125 / 300)
    assert found.n == 300
    assert found.reason == "error_rate of all requests is 41.7 % over 30 s (n 300), above 20 %"


def test_a_run_within_the_bound_goes_on() -> None:
    assert play(AbortWatch([rule()]), [window(failed=2)] * 300) is None


@pytest.mark.parametrize("blip_s", [1, 5, 10])
@pytest.mark.parametrize("at_s", [31, 35, 40, 44])
def test_a_blip_of_up_to_a_third_of_the_stretch_ends_no_run(blip_s: int, at_s: int) -> None:
    # Ten seconds in which everything fails are 33 % of the stretch, and above the bound.
    seconds = [GOOD] * at_s + [window(failed=10)] * blip_s + [GOOD] * 100

    assert play(AbortWatch([rule()]), seconds) is None


def test_slow_seconds_end_no_run_that_a_p95_rule_watches() -> None:
    watch = AbortWatch([rule("p95", 500.0)])
    assert play(watch, [GOOD] * 50 + [window(900)] * 10 + [GOOD] * 100) is None


def test_no_rule_fires_before_its_delay_nor_on_what_was_before_it() -> None:
    for after_s, expected in ((0.0, 33.5), (60.0, 93.5)):
        found = play(AbortWatch([rule(after_s=after_s)]), [BAD] * 200)
        assert found is not None
        assert (found.from_s, found.at_s) == (after_s, expected)

    bad_start = [BAD] * 60 + [GOOD] * 100
    assert play(AbortWatch([rule(after_s=60.0)]), bad_start) is None
    assert play(AbortWatch([rule()]), bad_start) is not None


def test_no_rule_fires_on_fewer_requests_than_it_asks_for() -> None:
    few = window(n=3, failed=3)

    assert play(AbortWatch([rule()]), [few] * 300) is None
    found = play(AbortWatch([rule(at_least=90)]), [few] * 300)
    assert found is not None
    assert found.n == 90


@pytest.mark.parametrize(
    ("metric", "above", "value"),
    [
        ("p50", 500.0, 1000.0),
        ("p95", 999.0, 1000.0),
        ("p99", 1000.0, None),
        ("max", 999.9, 1000.0),
        ("max", 1000.0, None),
        ("mean", 970.0, 980.2),
        ("mean", 990.0, None),
    ],
)
def test_a_latency_rule_judges_the_successes(
    metric: str, above: float, value: float | None
) -> None:
    slow = window(20, n=1) + window(1000, n=49) + window(n=20, failed=20)
    found = play(AbortWatch([rule(metric, above)]), [slow] * 60)

    assert (found and found.value) == (value and pytest.approx(value, rel=0.005))
    assert found is None or found.n == 50 * 30


def test_a_value_at_the_bound_is_not_above_it() -> None:
    assert play(AbortWatch([rule(above=0.5)]), [BAD] * 100) is None
    assert play(AbortWatch([rule(above=0.499)]), [BAD] * 100) is not None


def test_a_rule_watches_its_endpoint_alone() -> None:
    watch = AbortWatch([rule(endpoint="/y")])
    assert play(watch, [BAD] * 100) is None

    found = play(AbortWatch([rule(endpoint="/y")]), [BAD] * 100, endpoint="/y")
    assert found is not None
    assert found.reason.startswith("error_rate of /y is 50 %")


def test_a_rule_whose_endpoint_has_no_request_is_told() -> None:
    one, other = rule(endpoint="/x"), rule(endpoint="/y")
    watch, tail = AbortWatch([one, other, rule()]), Tail()
    tail.add([(key(0), GOOD)])

    assert watch.idle(tail) == [other]


def test_the_first_rule_that_fires_ends_the_run() -> None:
    rules = [rule("p95", 5000.0), rule("error_rate", 0.3), rule("error_rate", 0.2)]
    found = play(AbortWatch(rules), [BAD] * 100)

    assert found is not None
    assert found.rule == rules[1]


def test_answers_that_come_late_make_the_stretch_bad_in_which_they_started() -> None:
    watch = AbortWatch([rule("p95", 5000.0, after_s=10.0)])
    tail = Tail(keep_s=watch.keep_s)
    assert play(watch, [window(20, n=2)] * 60, tail=tail) is None

    # Sixty seconds on, the slow ones are there, of stretches that were judged before.
    tail.add((key(second), window(40_000)) for second in range(10, 40))
    found = watch.watch(tail, start_s=START_S, now_s=START_S + 80, users=10)
    assert found is not None
    assert (found.from_s, found.n) == (10.0, 30 * 12)


def test_what_has_left_the_memory_is_judged_no_more() -> None:
    watch = AbortWatch([rule()], late_s=10.0)
    tail = Tail(keep_s=watch.keep_s)
    assert play(watch, [GOOD] * 200, tail=tail) is None

    tail.add((key(second), window(failed=10, n=10)) for second in range(40, 70))
    assert watch.watch(tail, start_s=START_S, now_s=START_S + 203, users=10) is None


def test_nothing_answered_counts_as_all_failed_where_users_were_there() -> None:
    seconds = [GOOD] * 40 + [None] * 100
    found = play(AbortWatch([rule()], think_s=2.0), seconds)

    assert found is not None
    assert (found.value, found.n) == (None, 0)
    assert (found.from_s, found.at_s) == (40.0, 73.5)
    assert found.reason == (
        "not one request was answered over 30 s, for which error_rate of all requests has a rule"
    )


@pytest.mark.parametrize(
    ("users", "think_s", "gloss"),
    [
        (0, 2.0, "nobody was there"),
        (10, 60.0, "five requests in 30 s may well be none"),
        (10, None, "how often the users of a foreign locustfile ask is not known"),
    ],
)
def test_silence_ends_no_run_where_little_was_expected(
    users: int, think_s: float | None, gloss: str
) -> None:
    watch = AbortWatch([rule()], think_s=think_s)
    assert play(watch, [GOOD] * 40 + [None] * 100, users=users) is None, gloss


def test_for_a_latency_rule_silence_must_have_lasted_longer_than_its_bound() -> None:
    silent = [GOOD] * 40 + [None] * 100
    soon = play(AbortWatch([rule("p95", 2000.0)], think_s=2.0), silent)
    late = play(AbortWatch([rule("p95", 20_000.0)], think_s=2.0), silent)

    assert soon is not None and late is not None
    assert (soon.at_s, late.at_s) == (73.5, 90.5)


def test_silence_before_the_delay_ends_no_run() -> None:
    watch = AbortWatch([rule(after_s=30.0)], think_s=2.0)
    assert play(watch, [None] * 30 + [GOOD] * 100) is None


@pytest.mark.parametrize(
    ("time_scale", "from_s", "at_s", "n"),
    [(1.0, 60.0, 93.5, 300), (0.5, 30.0, 46.5, 150), (0.1, 6.0, 10.5, 30)],
)
def test_stretch_and_delay_shrink_with_the_run(
    time_scale: float, from_s: float, at_s: float, n: int
) -> None:
    watch = AbortWatch([rule(after_s=60.0, at_least=30)], time_scale=time_scale)
    found = play(watch, [BAD] * 120)

    assert found is not None
    assert (found.from_s, found.at_s, found.n) == (from_s, at_s, n)


def test_a_stretch_never_shrinks_below_a_second() -> None:
    found = play(AbortWatch([rule(at_least=1)], time_scale=0.001), [BAD] * 10)

    assert found is not None
    assert (found.rule.over_s, found.n) == (1.0, 10)


def test_a_run_that_began_within_a_second_is_judged_from_the_next_one_on() -> None:
    watch, tail = AbortWatch([rule()]), Tail()
    tail.add((key(second), BAD) for second in range(40))
    found = watch.watch(tail, start_s=START_S + 0.4, now_s=START_S + 40, users=10)

    assert found is not None
    assert found.from_s == pytest.approx(0.6)


def test_an_abort_as_run_json_has_it() -> None:
    found = play(AbortWatch([rule(endpoint="/x", after_s=5.0)]), [BAD] * 100)

    assert found is not None
    assert found.as_json() == {
        "rule": "error_rate of /x above 20 % over 30 s, after 5 s, from 100 requests",
        "metric": "error_rate",
        "endpoint": "/x",
        "above": 0.2,
        "over_s": 30.0,
        "value": 0.5,
        "n": 300,
        "at_s": 38.5,
        "from_s": 5.0,
        "reason": "error_rate of /x is 50 % over 30 s (n 300), above 20 %",
    }


def test_without_rules_nothing_is_kept_and_nothing_fires() -> None:
    watch = AbortWatch([])
    assert watch.keep_s == 0

    assert play(watch, [window(failed=10)] * 100, tail=Tail()) is None
