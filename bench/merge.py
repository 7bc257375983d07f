"""`python -m bench.merge`: what the reports of a thousand workers cost the master that merges them.

Each worker sends one report a second, of four endpoints with 300 requests each.
The messages are made beforehand, as bytes; from there on all is real: Locust's own decoding, the
session's recording, its timers, the ledger, the live rules' memory, the files of the run directory.
The figure is the CPU time of the whole process in three seconds.
"""

import argparse
import cProfile
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import gevent
import numpy as np
from locust import User, constant
from locust.argument_parser import get_parser
from locust.env import Environment
from locust.rpc import Message

import otaload.plugin  # noqa: F401 -- adds the options
from bench.machine import head, own_time, table
from bench.soak_run import Traffic, traffic, window_of
from otaload.live.counting import Counting
from otaload.live.plan import make_plan
from otaload.live.recording import Recording
from otaload.live.reports import REPORT, Report, pack
from otaload.record import Window, WindowKey
from otaload.record.packing import pack_window
from otaload.record.rundir import USERS, WINDOWS

INTERVAL_S = 3
AIM_CPU_S = 0.5
SHAPES = 50
"""Different windows of an endpoint that workers draw from."""


class Nobody(User):
    """A user for the plan; none is ever started."""

    host = "http://127.0.0.1"
    wait_time = constant(1)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.merge", description=__doc__)
    parser.add_argument("--workers", type=int, default=1000, help="how many report (1000)")
    parser.add_argument("--rps", type=int, default=300, help="requests/s an endpoint of each (300)")
    parser.add_argument("--intervals", type=int, default=5, help="of three seconds each (5)")
    parser.add_argument(
        "--output", type=Path, default=Path("bench/merge-results.md"), help="Markdown file"
    )
    arguments = parser.parse_args()
    page = benchmark(arguments.workers, arguments.rps, arguments.intervals)
    print(page)
    arguments.output.write_text(page, encoding="utf-8")


def benchmark(workers: int, rps: int, intervals: int) -> str:
    """Measure, then profile one interval more; returns the page."""
    for name in ("API_BASE_URL", "LOAD_TEST_API_KEY"):
        os.environ.pop(name, None)
    with tempfile.TemporaryDirectory() as folder:
        recording = _recording(Path(folder))
        senders = _Senders(workers, rps, run=recording.plan.run.path.name)
        cpu_s = []
        for number in range(intervals):
            cpu_s.append(_interval(recording, senders))
            print(f"interval {number + 1}: {cpu_s[-1]:.3f} s of CPU", file=sys.stderr, flush=True)
        profile = cProfile.Profile(time.process_time)  # waiting is not work
        _interval(recording, senders, profile)
        recording.finish(interrupted=None, refused=None)
        run = recording.plan.run.path
        sizes = {name: (run / name).stat().st_size for name in (WINDOWS, USERS)}
        lines = (run / WINDOWS).read_bytes().count(b"\n")
    return "\n".join(
        [
            *head("Merging the reports of workers", *_about(workers, rps)),
            *table(
                ("In three seconds", "Measured", "Aim"),
                [
                    ("CPU, median", f"{statistics.median(cpu_s):.2f} s", f"≤ {AIM_CPU_S} s"),
                    ("CPU, range", f"{min(cpu_s):.2f}–{max(cpu_s):.2f} s", ""),
                    ("reports", f"{INTERVAL_S * workers:,}", ""),
                    ("bytes of a report", f"{senders.report_bytes:,.0f}", ""),
                    ("lines of windows", f"{lines / (intervals + 1):,.0f}", ""),
                    ("windows.jsonl", f"{sizes[WINDOWS] / (intervals + 1) / 1e3:,.0f} kB", ""),
                    ("users.jsonl", f"{sizes[USERS] / (intervals + 1) / 1e3:,.0f} kB", ""),
                ],
            ),
            "## Where the time goes",
            "",
            "By the profiler, which slows small functions down; shares of one interval.",
            "",
            *table(("Function, its own time", "Calls", "Share"), list(own_time(profile))),
        ]
    )


def _about(workers: int, rps: int) -> tuple[str, ...]:
    return (
        f"{workers:,} workers report once a second on four endpoints with {rps} requests/s each, "
        f"{workers * rps * 4:,} requests/s in all.",
        "From the bytes of Locust's messages to the files of the run directory; CPU time of the "
        "whole master.",
    )


class _Senders:
    """Workers that report: their messages of a second, as bytes."""

    def __init__(self, workers: int, rps: int, *, run: str) -> None:
        self.report_bytes = 0.0
        self._run = run
        self._names = [f"generator_{number:032x}" for number in range(workers)]
        rng = np.random.default_rng(1)
        self._shapes = [
            (part, [_drawn(part, rps, rng) for _ in range(SHAPES)]) for part in traffic(rps)
        ]
        self._rng = rng
        self._sequence = 0

    def messages(self, second: int) -> list[bytes]:
        """What all workers send of a second."""
        self._sequence += 1
        made = []
        for name in self._names:
            places = self._rng.integers(SHAPES, size=len(self._shapes)).tolist()
            windows = [
                (WindowKey(second, part.method, part.endpoint), pack_window(shapes[place]))
                for (part, shapes), place in zip(self._shapes, places, strict=True)
            ]
            health = {"second": second, "process": name, "users": 9, "cpu": 0.612, "lag_ms": 2.41}
            report = pack(
                Report(
                    worker=name,
                    sequence=self._sequence,
                    users=9,
                    windows=windows,
                    health=[health],
                    hosts={"127.0.0.1:8123": 1200},
                    run=self._run,
                    sent_s=second + 1.0,
                )
            )
            made.append(Message(REPORT, {"report": report}, name).serialize())
            self.report_bytes = len(report)
        return made


def _drawn(part: Traffic, rps: int, rng: np.random.Generator) -> Window:
    values = part.median_ms * 1000 * np.exp(part.sigma * rng.standard_normal(rps))
    return window_of(values.astype(np.int64), np.zeros(0, np.int64), part.bytes_in, "")


def _recording(folder: Path) -> Recording:
    parser = get_parser()
    file = folder / "merge.py"
    file.write_text('"""Merging: workers report, and no user runs."""\n')
    options = parser.parse_args(
        ["-f", str(file), "--headless", "--run-time", "1h", "--reports-dir", str(folder / "runs")]
    )
    environment = Environment(user_classes=[Nobody], parsed_options=options)
    environment.create_local_runner()
    plan = make_plan(environment, options, standing=None)
    recording = Recording(
        environment,
        plan,
        Counting(environment),
        on_trouble=_raise,
        on_refusal=_raise,
        on_abort=lambda: _raise("aborted"),
    )
    recording.start()
    return recording


def _raise(reason: str) -> None:
    raise RuntimeError(reason)


def _interval(
    recording: Recording, senders: _Senders, profile: cProfile.Profile | None = None
) -> float:
    """The CPU time in which three seconds of reports are merged, in real time."""
    now = int(time.time())
    messages = [senders.messages(now + number) for number in range(INTERVAL_S)]
    gevent.sleep(1.0 - time.time() % 1.0)  # as the workers do, at the turn of a second
    if profile is not None:
        profile.enable()
    began_s = time.process_time()
    for of_second in messages:
        deliver(recording.take_report, of_second)
        gevent.sleep(1.0 - time.time() % 1.0)
    spent_s = time.process_time() - began_s
    if profile is not None:
        profile.disable()
    return spent_s


def deliver(take: Callable[[str, object], None], messages: list[bytes]) -> None:
    """Receive messages as Locust's master does once they are off the wire."""
    for data in messages:
        message = Message.unserialize(data)
        take(str(message.node_id), message.data)
        gevent.sleep(0)  # Locust waits for the next one, and others get their turn


if __name__ == "__main__":
    main()
