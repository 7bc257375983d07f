"""Workers that are lost, frozen, restarted, slow, wrong or unintelligible: named, and no pass."""

from __future__ import annotations

import queue
import signal
import socket
import threading
import time

import pytest

from staging.launch import start
from tests.e2e.crew import (
    PLAIN,
    Crew,
    assert_lost_at_most,
    forked_workers,
    frozen,
    spoilt,
    with_clock,
)
from tests.e2e.running import Bench, assert_reconciled

SHORT = ("--user-scale", "2", "--time-scale", "0.15")
"""Twenty users for nine seconds."""
IN_TWO_SECONDS = 30
"""More requests than ten of these users make while a worker does not report."""


def reasons(ended) -> str:
    """Why the run counts for nothing."""
    return " ".join(ended.verdict["reasons"])


def test_a_killed_worker_is_lost_and_with_it_what_it_had_not_reported(bench: Bench) -> None:
    crew = Crew(bench, *SHORT)
    crew.hire("first", "second")
    bench.await_line("recording to")
    time.sleep(4)
    crew.workers["first"].kill()
    ended = crew.wait()
    bench.assert_no_orphans()

    assert ended.code == 91, ended.output
    assert "was lost: its last report came" in reasons(ended)
    assert sum(worker["lost"] for worker in ended.meta["workers"]) == 1
    assert_lost_at_most(ended, ended.meta["service_counters"], IN_TWO_SECONDS)


def test_a_killed_forked_worker_is_lost_and_the_run_goes_on(bench: Bench) -> None:
    process = bench.start(*bench.options("smoke", *SHORT, "--processes", "2"))
    bench.await_line("recording to")
    time.sleep(4)
    forked_workers(process)[0].kill()
    ended = bench.wait(process)
    bench.assert_no_orphans()

    assert ended.code == 91, ended.output
    assert "was lost" in reasons(ended)
    assert ended.verdict["duration_s"] > 8
    assert_lost_at_most(ended, ended.meta["service_counters"], IN_TWO_SECONDS)


def test_the_loss_of_the_only_worker_ends_the_run(bench: Bench) -> None:
    crew = Crew(bench, "--user-scale", "2", workers=1)
    crew.hire("only")
    bench.await_line("recording to")
    time.sleep(4)
    crew.workers["only"].kill()
    ended = crew.wait()
    bench.assert_no_orphans()

    assert ended.code == 91, ended.output
    assert ended.meta["ended"] == "workers lost"
    assert ended.meta["complete"] is True
    assert_lost_at_most(ended, ended.meta["service_counters"], IN_TWO_SECONDS)


def test_a_worker_that_stays_frozen_is_lost_and_does_not_hold_the_end_up(bench: Bench) -> None:
    process = bench.start(*bench.options("smoke", *SHORT, "--processes", "2"))
    bench.await_line("recording to")
    time.sleep(4)
    forked_workers(process)[0].send_signal(signal.SIGSTOP)
    begun = time.monotonic()
    ended = bench.wait(process)
    bench.assert_no_orphans()

    assert time.monotonic() - begun < 45
    assert ended.code == 91, ended.output
    assert "was lost" in reasons(ended)
    assert_lost_at_most(ended, ended.meta["service_counters"], IN_TWO_SECONDS)


def test_a_worker_that_was_frozen_for_a_while_is_counted_and_the_run_is_not(bench: Bench) -> None:
    crew = Crew(bench, "--user-scale", "2", "--time-scale", "0.25")
    crew.hire("first", "second")
    bench.await_line("recording to")
    time.sleep(2)
    with frozen(crew.workers["first"]):
        time.sleep(7)
    ended = crew.wait()
    bench.assert_no_orphans()

    assert ended.code == 91, ended.output
    assert "was out of touch" in reasons(ended)
    assert not any(worker["lost"] or worker["gaps"] for worker in ended.meta["workers"])
    assert_reconciled(ended)


def test_a_worker_that_stands_still_too_often_is_a_saturated_generator(bench: Bench) -> None:
    bench.thresholds.write_text(bench.thresholds.read_text().replace("lag: 10 s", "lag: 2 s"))
    crew = Crew(bench, *SHORT)
    crew.hire("first", "second")
    bench.await_line("recording to")
    time.sleep(3)
    with frozen(crew.workers["first"]):
        time.sleep(3.5)
    ended = crew.wait()
    bench.assert_no_orphans()

    assert ended.code == 91, ended.output
    assert "was saturated in" in reasons(ended)
    assert_reconciled(ended)


def test_a_frozen_master_did_not_play_its_profile(bench: Bench) -> None:
    bench.thresholds.write_text(bench.thresholds.read_text().replace("lag: 10 s", "lag: 2 s"))
    crew = Crew(bench, *SHORT)
    crew.hire("first", "second")
    bench.await_line("recording to")
    time.sleep(3)
    with frozen(crew.master):
        time.sleep(4)
    ended = crew.wait()
    bench.assert_no_orphans()

    assert ended.code == 91, ended.output
    assert "the master was saturated" in reasons(ended)
    assert_reconciled(ended)


def test_a_restarted_worker_takes_part_beside_the_lost_one_that_it_was(bench: Bench) -> None:
    crew = Crew(bench, "--user-scale", "2", "--time-scale", "0.25")
    crew.hire("first", "second")
    bench.await_line("recording to")
    time.sleep(3)
    crew.workers["first"].kill()
    crew.hire("again")
    ended = crew.wait()
    bench.assert_no_orphans()

    assert ended.code == 91, ended.output
    workers = ended.meta["workers"]
    assert [worker["lost"] for worker in workers].count(True) == 1
    assert len(workers) == 3
    assert min(worker["users_max"] for worker in workers) > 0
    assert_lost_at_most(ended, ended.meta["service_counters"], IN_TWO_SECONDS)


def test_the_seconds_of_workers_with_wrong_clocks_are_the_masters(bench: Bench) -> None:
    crew = Crew(bench, *SHORT)
    crew.hire("ahead", env=with_clock(bench, 7.3))
    crew.hire("behind", env=with_clock(bench, -40.0))
    ended = crew.wait()
    bench.assert_no_orphans()

    assert ended.code == 0, ended.output
    assert_reconciled(ended)
    behind, ahead = sorted(w["clock_offset_s"] for w in ended.meta["workers"])[::-1]
    assert ahead == pytest.approx(-7.3, abs=0.7)
    assert behind == pytest.approx(40.0, abs=0.7)
    told = " ".join(ended.verdict["notes"])
    assert told.count("its seconds are written as the master's") == 2
    seconds = [key.second - ended.meta["start"] for key, _ in ended.windows()]
    assert min(seconds) >= -2
    assert max(seconds) <= 11


def test_a_report_that_cannot_be_read_is_missing_and_said(bench: Bench) -> None:
    careless = spoilt(
        bench,
        "smoke",
        "import itertools\nimport otaload.live.worker as worker\n\n"
        "honest, count = worker.pack, itertools.count()\n\n\n"
        "def careless(report):\n"
        "    packed = honest(report)\n"
        "    return packed[:-1] if next(count) == 4 else packed\n\n\n"
        "worker.pack = careless\n",
    )
    crew = Crew(bench, *SHORT)
    crew.hire("ours")
    crew.hire("careless", file=careless)
    ended = crew.wait()
    bench.assert_no_orphans()

    assert ended.code == 91, ended.output
    assert "1 of its reports is missing" in reasons(ended)
    assert "sent a report that cannot be read: it was damaged on its way" in ended.output
    assert_lost_at_most(ended, ended.meta["service_counters"], IN_TWO_SECONDS)


def test_a_worker_of_another_version_is_named_and_the_run_is_inconclusive(bench: Bench) -> None:
    older = spoilt(
        bench,
        "smoke",
        "import functools\nimport otaload.live.worker as worker\n\n"
        'worker.Report = functools.partial(worker.Report, version="0.0.9")\n',
    )
    crew = Crew(bench, *SHORT)
    crew.hire("ours")
    crew.hire("older", file=older)
    ended = crew.wait()
    bench.assert_no_orphans()

    assert ended.code == 91, ended.output
    assert "runs otaload 0.0.9, the master " in reasons(ended)
    assert_reconciled(ended)


def test_a_worker_whose_reports_take_long_is_waited_for(bench: Bench) -> None:
    crew = Crew(bench, *SHORT, "--faults", "latency:ms=600")
    with SlowLine(to_port=crew.port, delay_s=1.5) as line:
        crew.hire("near")
        crew.hire("far", port=line.port)
        ended = crew.wait()
        bench.assert_no_orphans()

    assert ended.code == 0, ended.output
    assert not any(worker["lost"] or worker["gaps"] for worker in ended.meta["workers"])
    assert_reconciled(ended)


def test_requests_in_flight_at_the_end_of_every_stage_are_counted(bench: Bench) -> None:
    file = bench.folder / "waves.py"
    file.write_text(
        "from locustfiles.devices import BundleDownload, UpdateCheck\n"
        "from locustfiles.profiles import Hold, Profile\n\n\n"
        "class Waves(Profile):\n"
        "    mix = {UpdateCheck: 1, BundleDownload: 1}\n"
        "    think_s = (0.1, 0.2)\n"
        "    stages = tuple(Hold(users=n, seconds=3) for n in (20, 4, 20, 4))\n"
    )
    ended = bench.run(file, "--processes", "2", "--faults", "latency:ms=900")
    bench.assert_no_orphans()

    assert ended.code == 0, ended.output
    assert_reconciled(ended)


def test_a_run_without_a_profile_that_loses_a_worker_is_inconclusive(bench: Bench) -> None:
    file = bench.folder / "plain.py"
    file.write_text(PLAIN)
    with start(faults="") as service:
        load = ("--users", "10", "--spawn-rate", "10", "--run-time", "10")
        crew = Crew(bench, *load, "--host", service.base_url, file=file)
        crew.hire("first", "second")
        bench.await_line("recording to")
        time.sleep(4)
        crew.workers["first"].kill()
        ended = crew.wait()
        bench.assert_no_orphans()
        counters = service.counters()

    assert ended.code == 91, ended.output
    assert "was lost" in reasons(ended)
    assert_lost_at_most(ended, counters, IN_TWO_SECONDS)


class SlowLine:
    """Passes TCP connections on, every piece some time later; in both directions."""

    def __init__(self, *, to_port: int, delay_s: float) -> None:
        self._to_port = to_port
        self._delay_s = delay_s
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]

    def __enter__(self) -> SlowLine:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return  # closed
            try:
                far = socket.create_connection(("127.0.0.1", self._to_port))
            except OSError:
                near.close()  # the master does not listen yet
                continue
            for source, sink in ((near, far), (far, near)):
                pieces: queue.Queue[tuple[float, bytes]] = queue.Queue()
                for work, end in ((self._take, source), (self._give, sink)):
                    threading.Thread(target=work, args=(end, pieces), daemon=True).start()

    def _take(self, source: socket.socket, pieces: queue.Queue[tuple[float, bytes]]) -> None:
        data = b"."
        while data:
            try:
                data = source.recv(1 << 16)
            except OSError:
                data = b""
            pieces.put((time.monotonic() + self._delay_s, data))

    def _give(self, sink: socket.socket, pieces: queue.Queue[tuple[float, bytes]]) -> None:
        data = b"."
        while data:
            due, data = pieces.get()
            time.sleep(max(0.0, due - time.monotonic()))
            try:
                sink.sendall(data)
            except OSError:
                return
        sink.close()
