"""Reports of many workers become one line an endpoint and second, soon, and none is lost."""

from __future__ import annotations

from typing import Any

import gevent
import pytest

from otaload.live import gathering
from otaload.live.gathering import Gathering
from otaload.live.reports import Report
from otaload.record import Histogram, Window, WindowKey
from otaload.record.packing import pack_window

Handed = tuple[dict[WindowKey, Window], list[dict[str, Any]]]


def report(worker: str, second: int, *latencies_us: int, endpoint: str = "/x") -> Report:
    """A report of one window and a row of health."""
    window = Window()
    window.successes = Histogram.of(latencies_us)
    key = WindowKey(second, "GET", endpoint)
    row = {"second": second, "process": worker}
    return Report(worker, 1, 1, windows=[(key, pack_window(window))], health=[row])


@pytest.fixture
def handed(monkeypatch: pytest.MonkeyPatch) -> list[Handed]:
    monkeypatch.setattr(gathering, "GATHER_S", 0.02)
    return []


@pytest.fixture
def gathered(handed: list[Handed]) -> Gathering:
    return Gathering(lambda windows, rows: handed.append((dict(windows), rows)))


def test_reports_on_one_second_are_handed_over_as_one(
    gathered: Gathering, handed: list[Handed]
) -> None:
    for number in range(50):
        gathered.add(report(f"w{number}", 7, number, 900))
    gathered.add(report("w0", 8, 5))
    assert handed == []
    gevent.sleep(0.1)

    ((windows, rows),) = handed
    assert set(windows) == {WindowKey(7, "GET", "/x"), WindowKey(8, "GET", "/x")}
    assert windows[WindowKey(7, "GET", "/x")].successes == Histogram.of([*range(50), *[900] * 50])
    assert [row["process"] for row in rows] == [*(f"w{number}" for number in range(50)), "w0"]


def test_what_comes_later_waits_for_its_own_turn(gathered: Gathering, handed: list[Handed]) -> None:
    gathered.add(report("w1", 7, 1))
    gevent.sleep(0.1)
    gathered.add(report("w1", 7, 2))
    gevent.sleep(0.1)

    assert [windows[WindowKey(7, "GET", "/x")].n for windows, _ in handed] == [1, 1]


def test_a_flush_hands_over_at_once_and_only_once(
    gathered: Gathering, handed: list[Handed]
) -> None:
    gathered.add(report("w1", 7, 1))
    gathered.flush()
    assert len(handed) == 1
    gathered.flush()
    gevent.sleep(0.1)

    assert len(handed) == 1


def test_a_report_after_a_flush_waits_its_full_time(
    gathered: Gathering, handed: list[Handed], monkeypatch: pytest.MonkeyPatch
) -> None:
    gathered.add(report("w1", 7, 1))
    gathered.flush()
    monkeypatch.setattr(gathering, "GATHER_S", 60.0)
    gathered.add(report("w1", 8, 1))
    gevent.sleep(0.1)

    assert len(handed) == 1


def test_health_without_any_request_is_handed_over(
    gathered: Gathering, handed: list[Handed]
) -> None:
    gathered.add(Report("w1", 1, 1, windows=[], health=[{"second": 7}]))
    gathered.flush()

    assert handed == [({}, [{"second": 7}])]


def failed(worker: str, endpoint: str, cause: str) -> Report:
    """A report of one failure."""
    window = Window()
    window.failures = Histogram.of([5])
    window.causes = {cause: 1}
    key = WindowKey(7, "GET", endpoint)
    return Report(worker, 1, 1, windows=[(key, pack_window(window))], health=[])


def test_names_and_texts_of_all_workers_together_are_bounded(
    gathered: Gathering, handed: list[Handed]
) -> None:
    # Each worker has fewer than it may have.
    for worker in range(4):
        for number in range(200):
            gathered.add(
                failed(f"w{worker}", f"/{worker}/{number}", f"text {worker} {number % 40}")
            )
    gathered.flush()
    gathered.add(failed("w5", "/0/0", "text 3 39"))
    gathered.flush()

    windows = handed[0][0]
    other = windows[WindowKey(7, "other", "other")]
    causes: dict[str, int] = {}
    for window in windows.values():
        assert sum(window.causes.values()) == window.failures.n
        for cause, n in window.causes.items():
            causes[cause] = causes.get(cause, 0) + n
    assert (len(windows), other.n) == (501, 300)
    assert (len(causes), causes["other"]) == (101, 300)
    # An endpoint that is known stays itself; its text was beyond the bound before.
    assert handed[1][0][WindowKey(7, "GET", "/0/0")].causes == {"other": 1}
    assert gathered.names.folded == 300 + 300 + 1
