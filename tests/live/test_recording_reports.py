"""What a master makes of its workers' reports, down to the files of the run directory."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
from locust import User, constant
from locust.argument_parser import get_parser
from locust.env import Environment
from locust.exception import RPCSendError

import otaload.plugin  # noqa: F401 -- adds the options
from otaload.live.counting import Counting
from otaload.live.gathering import GATHER_S
from otaload.live.plan import make_plan
from otaload.live.recording import Recording
from otaload.live.reports import Report, pack, unpack
from otaload.record import Histogram, Window, WindowKey, window_from_json
from otaload.record.packing import pack_window


class Nobody(User):
    """A user for the plan; none is ever started."""

    host = "http://127.0.0.1"
    wait_time = constant(1)


def planned(folder: Path, on_trouble: Callable[[str], None] = pytest.fail) -> Recording:
    """A recording that has not begun, in a folder of its own."""
    file = folder / "nobody.py"
    file.write_text('"""Nobody."""\n')
    reports = str(folder / "reports")
    options = get_parser().parse_args(
        ["-f", str(file), "--headless", "--run-time", "1h", "--reports-dir", reports]
    )
    environment = Environment(user_classes=[Nobody], parsed_options=options)
    environment.create_local_runner()
    plan = make_plan(environment, options, standing=None)
    return Recording(
        environment,
        plan,
        Counting(environment),
        on_trouble=on_trouble,
        on_refusal=pytest.fail,
        on_abort=pytest.fail,
    )


@pytest.fixture(autouse=True)
def _no_target(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("API_BASE_URL", "LOAD_TEST_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def recording(tmp_path: Path) -> Iterator[Recording]:
    """A recording that has begun."""
    made = planned(tmp_path)
    made.start()
    yield made
    finish(made)


def finish(recording: Recording) -> dict[str, Any]:
    """Close a recording, unless it is; the content of its run.json."""
    file = recording.plan.run.path / "run.json"
    if not recording.plan.run._windows.closed:
        recording.finish(interrupted=None, refused=None)
    meta: dict[str, Any] = json.loads(file.read_bytes())
    return meta


def report(recording: Recording, worker: str, sequence: int, *latencies_us: int, **rest: Any):
    """What a worker sends of second 7."""
    window = Window()
    window.successes = Histogram.of(latencies_us)
    row = {"second": 7, "process": worker, "users": 1, "cpu": 0.1, "lag_ms": 1.0}
    key = WindowKey(7, "GET", "/x")
    told = {"run": recording.plan.run.path.name, "sent_s": time.time(), **rest}
    return {
        "report": pack(Report(worker, sequence, 1, [(key, pack_window(window))], [row], **told))
    }


def windows(recording: Recording) -> list[tuple[WindowKey, Window]]:
    """The lines of windows.jsonl."""
    lines = (recording.plan.run.path / "windows.jsonl").read_bytes().splitlines()
    return [window_from_json(json.loads(line)) for line in lines]


def test_many_workers_make_one_line_of_a_second(recording: Recording) -> None:
    for number in range(30):
        recording.take_report(f"w{number}", report(recording, f"w{number}", 1, number))
    gevent.sleep(GATHER_S * 3)

    ((key, window),) = windows(recording)
    assert key == WindowKey(7, "GET", "/x")
    assert window.successes == Histogram.of(range(30))
    rows = (recording.plan.run.path / "users.jsonl").read_text()
    assert all(f'"process":"w{number}"' in rows for number in range(30))


def test_a_report_of_the_last_moment_is_in_the_run(recording: Recording) -> None:
    recording.take_report("w1", report(recording, "w1", 1, 5, 6))
    finish(recording)

    assert sum(window.n for _, window in windows(recording)) == 2


def test_a_report_that_comes_while_the_service_is_asked_is_in_the_run(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        recording,
        "_service_counters",
        lambda: recording.take_report("w1", report(recording, "w1", 1, 5)),
    )
    finish(recording)

    assert sum(window.n for _, window in windows(recording)) == 1


def test_reports_that_cannot_be_read_are_noted_once_and_counted_each(recording: Recording) -> None:
    for _ in range(5):
        recording.take_report("w1", {"report": b"{}"})
    meta = finish(recording)

    assert [note for note in meta["notes"] if "cannot be read" in note] == [
        "worker w1 sent a report that cannot be read: "
        "it is not of this version; run the same otaload everywhere"
    ]
    assert meta["workers"][0]["gaps"] == 5


def test_the_seconds_of_a_worker_with_a_wrong_clock_are_written_as_the_masters(
    recording: Recording,
) -> None:
    now_s = time.time()
    late = {"sent_s": now_s - 30, "heard_s": 30.0}
    recording.take_report("w1", report(recording, "w1", 1, 5, **late))
    recording.take_report("w2", report(recording, "w2", 1, 5, sent_s=now_s, heard_s=0.0))
    meta = finish(recording)

    assert sorted(key.second for key, _ in windows(recording)) == [7, 37]
    rows = (recording.plan.run.path / "users.jsonl").read_text().splitlines()
    seconds = {row["process"]: row["second"] for row in map(json.loads, rows) if "process" in row}
    assert (seconds["w1"], seconds["w2"]) == (37, 7)
    assert [worker["clock_shift_s"] for worker in meta["workers"]] == [30, 0]
    assert [note for note in meta["notes"] if "clock" in note] == [
        "worker 0 (w1) has a clock that is 30.0 s behind; its seconds are written as the master's"
    ]


def test_a_report_of_the_run_before_is_not_counted_in_this_one(recording: Recording) -> None:
    recording.take_report("w1", report(recording, "w1", 9, 5, 6, run="2026-01-01T00-00-00Z-old"))
    meta = finish(recording)

    assert windows(recording) == []
    assert meta["workers"] == []
    assert "worker w1 sent a report of 2026-01-01T00-00-00Z-old; it is left out" in meta["notes"]


def test_a_report_that_comes_twice_is_counted_once(recording: Recording) -> None:
    for _ in range(2):
        recording.take_report("w1", report(recording, "w1", 1, 5, 6))
    meta = finish(recording)

    assert sum(window.n for _, window in windows(recording)) == 2
    assert meta["workers"][0]["repeats"] == 1


def troubles_once_steering_breaks(
    recording: Recording, monkeypatch: pytest.MonkeyPatch, name: str
) -> list[str]:
    """What the run is told from now on, while one function of its steering raises."""
    troubles: list[str] = []
    monkeypatch.setattr(recording, "_on_trouble", troubles.append)

    def breaking(_: float) -> None:
        raise RuntimeError("no more")

    monkeypatch.setattr(recording._steering, name, breaking)
    return troubles


def test_a_recording_that_breaks_ends_its_run_and_leaves_it_incomplete(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    troubles = troubles_once_steering_breaks(recording, monkeypatch, "watch")
    gevent.sleep(2.5)
    meta = finish(recording)

    assert troubles == ["recording broke (RuntimeError: no more)"]
    assert meta["complete"] is False
    assert any("recording broke" in note for note in meta["notes"])


def test_a_run_whose_closing_breaks_is_written_as_far_as_it_goes(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    troubles = troubles_once_steering_breaks(recording, monkeypatch, "close")
    recording.take_report("w1", report(recording, "w1", 1, 5, 6))
    meta = finish(recording)

    assert troubles == ["closing the run broke (RuntimeError: no more)"]
    assert meta["complete"] is False
    assert meta["end"] >= meta["start"]
    assert sum(window.n for _, window in windows(recording)) == 2


def test_texts_that_fit_into_no_file_are_written_with_question_marks(recording: Recording) -> None:
    counting = recording._counting
    counting.note_crash(ValueError("no such device \udcff"))
    counting.on_request("GET", "/x", 1.0, 1, url="http://host-\udcff/x")
    recording._notes.append("odd \udcff")
    meta = finish(recording)

    assert "no such device ?" in meta["crashes"]["first"]
    assert meta["hosts"] == {"host-?": 1}
    assert "odd ?" in meta["notes"]
    assert meta["complete"] is True


def test_a_report_of_a_worker_holds_any_text() -> None:
    told = Report("w", 1, 1, [], [], first_crash="a \udcff", refused="b \udcff")

    found = unpack(pack(told))
    assert (found.first_crash, found.refused) == ("a ?", "b ?")


def written(recording: Recording, field: str) -> Any:
    """A field of run.json as soon as it is there, while the run goes on."""
    file = recording.plan.run.path / "run.json"
    with gevent.Timeout(20):
        while not (found := json.loads(file.read_bytes()).get(field)):
            gevent.sleep(0.05)
    return found


def test_what_a_worker_raises_is_written_down_while_the_run_goes_on(recording: Recording) -> None:
    recording.take_report("w1", report(recording, "w1", 1, 5, crashes=2, first_crash="boom"))

    assert written(recording, "crashes") == {"count": 2, "first": "boom"}


def test_a_report_that_is_missing_is_written_down_while_the_run_goes_on(
    recording: Recording,
) -> None:
    recording.take_report("w1", report(recording, "w1", 1, 5))
    recording.take_report("w1", report(recording, "w1", 3, 5))

    (worker,) = written(recording, "workers")
    assert (worker["gaps"], worker["lost"]) == (1, False)


def test_a_run_without_trouble_says_nothing_of_its_workers_before_its_end(
    recording: Recording,
) -> None:
    recording.take_report("w1", report(recording, "w1", 1, 5))
    gevent.sleep(1.5)
    file = recording.plan.run.path / "run.json"

    assert "workers" not in json.loads(file.read_bytes())


def test_a_run_directory_that_is_gone_at_the_start_is_trouble_and_no_traceback(
    tmp_path: Path,
) -> None:
    troubles: list[str] = []
    made = planned(tmp_path, troubles.append)
    shutil.rmtree(made.plan.run.path)
    made.start()
    with gevent.Timeout(20):
        while not troubles:
            gevent.sleep(0.05)
    made.finish(interrupted=None, refused=None)

    (trouble,) = troubles
    assert "cannot be written" in trouble


def test_a_report_whose_sender_cannot_be_answered_is_counted(recording: Recording) -> None:
    class Unreachable:
        """A master whose network is down."""

        def send_message(self, *_: Any, **__: Any) -> None:
            """Send nothing."""
            raise RPCSendError("no route")

    recording._crew._master = Unreachable()
    recording.take_report("w1", report(recording, "w1", 1, 5, 6))
    recording._crew._master = None
    meta = finish(recording)

    assert sum(window.n for _, window in windows(recording)) == 2
    assert "worker w1 could not be told the time: no route" in meta["notes"]
