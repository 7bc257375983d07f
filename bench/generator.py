"""One generator in its own process: `python -m bench.generator KIND CASE` prints a line of JSON.

Users are real Locust users under a real local runner, so that the task loop and the `request` event
are part of every figure. Locust's own users are recorded by Locust's statistics; the lean one as in
a run of otaload: by its recorder, flushed once a second to a run directory and to those statistics.
"""

import argparse
import json
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import psutil
from locust import FastHttpUser, HttpUser, User, constant, constant_pacing, task
from locust.env import Environment

from bench.target import BUNDLE_BYTES
from otaload.http import LeanHttpUser, absolute_pacing
from otaload.live.counting import Counting
from otaload.record import RunDirectory

KINDS: dict[str, type[User]] = {"lean": LeanHttpUser, "fast": FastHttpUser, "http": HttpUser}


def check(user: Any) -> None:
    """GET a small JSON and look into it."""
    with user.client.get("/check", catch_response=True) as response:
        if response.json()["updateAvailable"]:
            response.failure("an update where there is none")


def download_kept(user: Any) -> None:
    """GET a bundle and keep it."""
    received = len(user.client.get("/bundle.js").content)
    if received != BUNDLE_BYTES:
        raise RuntimeError(f"{received} bytes of a bundle")


def download_dropped(user: Any) -> None:
    """GET a bundle and look at none of it."""
    if isinstance(user, LeanHttpUser):
        received = user.client.get("/bundle.js", keep_body=False).body_bytes
    else:
        response = user.client.get("/bundle.js", stream=True)
        chunks = response.iter_content(262144, decode_content=False)
        received = sum(len(chunk) for chunk in chunks)
    if received != BUNDLE_BYTES:
        raise RuntimeError(f"{received} bytes of a bundle")


CASES: dict[str, Callable[[Any], None]] = {
    "check": check,
    "kept": download_kept,
    "dropped": download_dropped,
}


def main() -> None:
    """Run one generator and print what it did."""
    with tempfile.TemporaryDirectory() as folder:
        measure(parse_arguments(), folder)


def measure(arguments: argparse.Namespace, folder: str) -> None:
    """Run the generator that the command line names."""
    environment = Environment(user_classes=[user_class(arguments)], host=arguments.url)
    times: list[float] = []

    def on_request(response_time: float, **_: Any) -> None:
        times.append(response_time)

    runner = environment.create_local_runner()
    flush = record(environment, folder) if arguments.kind == "lean" else None
    process = psutil.Process()
    rss_before = process.memory_info().rss
    environment.events.request.add_listener(on_request)
    started = time.perf_counter()
    runner.start(arguments.users, spawn_rate=arguments.users)
    all_answered_s = None
    while time.perf_counter() - started < arguments.warm_up:
        gevent.sleep(0.02)
        if all_answered_s is None and len(times) >= arguments.users:
            all_answered_s = time.perf_counter() - started
    times.clear()
    if not arguments.period:
        # A listener of the benchmark would only dilute the ratio.
        environment.events.request.remove_listener(on_request)
    total = runner.stats.total
    if flush is not None:
        flush()
    requests_before, cpu_before, wall_before = total.num_requests, cpu_s(), time.perf_counter()
    if arguments.turns:
        go_on_by_turns(flush)
    else:
        go_on(arguments.seconds, flush)
    cpu, wall = cpu_s() - cpu_before, time.perf_counter() - wall_before
    requests = total.num_requests - requests_before
    rss_after = process.memory_info().rss
    sample = sorted(times)
    result = {
        "requests": requests,
        "failures": total.num_failures,
        "cpu_s": cpu,
        "wall_s": wall,
        "per_cpu_s": requests / cpu,
        "p50_ms": sample[len(sample) // 2] if sample else None,
        "p99_ms": sample[int(len(sample) * 0.99)] if sample else None,
        "rss_mb": rss_after / 1e6,
        "kb_per_user": (rss_after - rss_before) / 1e3 / arguments.users,
        "all_answered_s": all_answered_s,
    }
    sys.stdout.write(json.dumps(result) + "\n")
    sys.stdout.flush()
    runner.quit()


def go_on(seconds: float, flush: Callable[[], None] | None) -> None:
    """Let the users work for so long; what a run does once a second is done once a second."""
    until = time.perf_counter() + seconds
    while (left_s := until - time.perf_counter()) > 0:
        gevent.sleep(min(1.0, left_s))
        if flush is not None:
            flush()


def go_on_by_turns(flush: Callable[[], None] | None) -> None:
    """Stop, and let the users work whenever `bench.turns` continues this process, until it says so.

    A second is one of this process's own CPU: it knows nothing of those in which it was stopped.
    """
    over: list[int] = []
    signal.signal(signal.SIGUSR1, lambda number, _frame: over.append(number))
    os.kill(os.getpid(), signal.SIGSTOP)
    flushed_s = cpu_s()
    while not over:
        gevent.sleep(0.02)
        if flush is not None and cpu_s() - flushed_s >= 1.0:
            flush()
            flushed_s = cpu_s()
    if flush is not None:
        flush()


def record(environment: Environment, folder: str) -> Callable[[], None]:
    """Record as a run does; answers with what a run does once a second."""
    counting = Counting(environment)
    run = RunDirectory.create(Path(folder), scenario="bench", start_s=time.time(), meta={})
    return lambda: run.append_windows(counting.take())


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--url", required=True)
    parser.add_argument("--ca-file", default="", help="authority of a TLS target")
    parser.add_argument("--users", type=int, default=50)
    parser.add_argument("--warm-up", type=float, default=1.0, help="seconds before measuring")
    parser.add_argument("--seconds", type=float, default=4.0, help="seconds of measuring")
    parser.add_argument("--period", type=float, default=0.0, help="seconds between iterations")
    parser.add_argument("--turns", action="store_true", help="measure in turns, by bench.turns")
    parser.add_argument("--at-once", action="store_true", help="do not stagger the first ones")
    return parser.parse_args()


def user_class(arguments: argparse.Namespace) -> type[User]:
    """The user class under test."""
    lean = arguments.kind == "lean"
    wait: Any = constant(0)
    if arguments.period and lean:
        wait = absolute_pacing(arguments.period, stagger=not arguments.at_once)
    elif arguments.period:
        wait = constant_pacing(arguments.period)
    body: dict[str, Any] = {
        "host": arguments.url,
        "wait_time": wait,
        "go": task(CASES[arguments.case]),
        "abstract": False,
    }
    if arguments.ca_file and lean:
        body["tls_ca_file"] = arguments.ca_file
    elif arguments.ca_file and arguments.kind == "http":

        def trust(user: Any) -> None:
            user.client.verify = arguments.ca_file

        body["on_start"] = trust
    return type("BenchUser", (KINDS[arguments.kind],), body)


def cpu_s() -> float:
    """CPU seconds of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
