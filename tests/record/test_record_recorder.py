"""The recorder: counts everything once, and keeps names within bounds."""

from __future__ import annotations

from otaload.record import Recorder, WindowKey


def test_a_request_counts_in_the_second_it_started():
    recorder = Recorder()
    recorder.record("GET", "/x", 100.9, 2500.5, 10)
    ((key, window),) = recorder.take()
    assert key == WindowKey(100, "GET", "/x")
    assert window.successes.max_us == 2_500_500
    assert (window.n, window.bytes_in) == (1, 10)


def test_failures_are_kept_apart_with_their_cause():
    recorder = Recorder()
    recorder.record("GET", "/x", 1.0, 5.0, 0, "status 503", retry=True)
    recorder.record("GET", "/x", 1.0, 5.0, 0)
    ((_, window),) = recorder.take()
    assert (window.successes.n, window.failures.n) == (1, 1)
    assert window.causes == {"status 503": 1}
    assert window.retries == 1


def test_what_was_taken_is_not_taken_again():
    recorder = Recorder()
    recorder.record("GET", "/x", 1.0, 5.0, 0)
    assert len(recorder.take()) == 1
    assert recorder.take() == []
    assert recorder.recorded == 1


def test_only_windows_before_a_second_are_taken_when_asked():
    recorder = Recorder()
    for second in (1, 2, 3):
        recorder.record("GET", "/x", float(second), 5.0, 0)
    assert [key.second for key, _ in recorder.take(before_second=3)] == [1, 2]
    assert [key.second for key, _ in recorder.take()] == [3]


def test_a_late_request_of_a_taken_second_makes_a_window_to_be_added():
    recorder = Recorder()
    recorder.record("GET", "/x", 1.0, 5.0, 0)
    ((_, first),) = recorder.take()
    recorder.record("GET", "/x", 1.5, 7.0, 0)
    ((_, second),) = recorder.take()
    assert (first + second).n == 2


def test_endpoints_beyond_the_bound_are_counted_together():
    recorder = Recorder(max_endpoints=2)
    for i in range(5):
        recorder.record("GET", f"/{i}", 1.0, 5.0, 0)
    recorder.record("GET", "/0", 2.0, 5.0, 0)
    taken = dict(recorder.take())
    assert taken[WindowKey(1, "other", "other")].n == 3
    assert taken[WindowKey(2, "GET", "/0")].n == 1
    assert recorder.folded == 3
    assert sum(window.n for window in taken.values()) == recorder.recorded == 6


def test_causes_beyond_the_bound_are_counted_together():
    recorder = Recorder(max_causes=2)
    for i in range(5):
        recorder.record("GET", "/x", 1.0, 5.0, 0, f"cause {i}")
    ((_, window),) = recorder.take()
    assert window.causes == {"cause 0": 1, "cause 1": 1, "other": 3}
    assert recorder.folded == 3


def test_a_long_cause_is_cut():
    recorder = Recorder()
    recorder.record("GET", "/x", 1.0, 5.0, 0, "x" * 500)
    recorder.record("GET", "/x", 1.0, 5.0, 0, "x" * 600)
    ((_, window),) = recorder.take()
    assert window.causes == {"x" * 199 + "…": 2}


def test_a_name_is_cleaned_before_it_is_cut_and_counted_under_what_it_became():
    recorder = Recorder(clean=lambda text: text.replace("secret", "[redacted]"))
    recorder.record("GET", "/x?secret", 1.0, 5.0, 0, "y" * 196 + "secret")
    recorder.record("GET", "/x?secret", 1.0, 5.0, 0, "y" * 196 + "secret")
    ((key, window),) = recorder.take()
    assert key.endpoint == "/x?[redacted]"
    assert window.causes == {"y" * 196 + "[re…": 2}


def test_an_endpoint_s_long_name_is_cut_and_costs_no_more_than_that():
    recorder = Recorder()
    for _ in range(3):
        recorder.record("G" * 10**6, "/x" * 10**6, 1.0, 5.0, 0)
    ((key, window),) = recorder.take()
    assert window.n == 3
    assert (len(key.method), len(key.endpoint)) == (200, 200)


def test_seconds_that_lie_far_ahead_do_not_pile_up():
    recorder = Recorder()
    for second in (10.0, 11.0, 69.0, 70.0, 1e9):
        recorder.record("GET", "/x", second, 5.0, 0)
    assert {key.second for key, _ in recorder.take(before_second=10)} == {70, 10**9}
    assert {key.second for key, _ in recorder.take(before_second=11)} == {10}
    assert len(recorder.take()) == 2
