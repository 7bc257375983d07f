"""What handing out arrivals costs, and how evenly they come: `python -m bench.arrivals`.

Users do nothing, so that all of the CPU is the schedule's and the task loop's. Beside the desk
stand users of a closed loop at the same rate, and a bare timer of the event loop: waking up an idle
process is most of the cost, and is paid by whatever wakes it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Callable

import gevent
from gevent.pool import Group
from locust import User, constant, task
from locust.env import Environment

from otaload.arrivals import Curve, Desk, Stretch

KINDS = ("desk", "closed loop", "bare timer")
RATES = (200, 1000, 5000, 20_000)
USERS = 200
LEAD_S = 0.5


def main() -> None:
    """Measure every kind at every rate, each in a process of its own, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.arrivals", description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="seconds of each run (4)")
    parser.add_argument("--one", nargs=2, metavar=("KIND", "RATE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        kind, rate = options.one
        print(json.dumps(measure(kind, float(rate), options.seconds)))
        return
    print("| Rate | Kind | reached | CPU each | gap p1 / p50 / p99 | mean lag |")
    print("|---|---|---|---|---|---|")
    for rate in RATES:
        for kind in KINDS:
            command = [sys.executable, "-m", "bench.arrivals", "--seconds", str(options.seconds)]
            done = subprocess.run(
                [*command, "--one", kind, str(rate)], capture_output=True, text=True, check=True
            )
            found = json.loads(done.stdout)
            gaps = " / ".join(f"{gap:.2f}" for gap in found["gaps_ms"])
            lag = f"{found['lag_ms']:.2f} ms" if found["lag_ms"] is not None else "–"
            print(
                f"| {rate}/s | {kind} | {found['per_s']:.0f}/s | {found['cpu_us']:.1f} µs "
                f"| {gaps} ms | {lag} |"
            )


def measure(kind: str, rate: float, seconds: float) -> dict[str, object]:
    """CPU for each start, the gaps between starts, and the mean lag where there is a schedule."""
    starts: list[float] = []
    start = {"desk": _desk, "closed loop": _closed_loop, "bare timer": _bare_timer}[kind]
    lag_ms = start(rate, lambda: starts.append(time.monotonic()))
    gevent.sleep(LEAD_S + 0.2)
    starts.clear()
    cpu_s, wall_s = time.process_time(), time.monotonic()
    gevent.sleep(seconds)
    cpu_s, wall_s = time.process_time() - cpu_s, time.monotonic() - wall_s
    gaps = sorted(1000 * (b - a) for a, b in itertools.pairwise(starts))
    return {
        "per_s": len(starts) / wall_s,
        "cpu_us": cpu_s / len(starts) * 1e6,
        "gaps_ms": [gaps[int(q * (len(gaps) - 1))] for q in (0.01, 0.5, 0.99)],
        "lag_ms": lag_ms(),
    }


def _user(wait_s: float, note: Callable[[], None]) -> type[User]:
    class Idle(User):
        wait_time = constant(wait_s)

        @task
        def work(self) -> None:
            note()

    return Idle


def _desk(rate: float, note: Callable[[], None]) -> Callable[[], float | None]:
    idle = _user(0, note)
    environment, group = Environment(user_classes=[idle]), Group()
    curve = Curve([Stretch(LEAD_S, 1e6, rate, rate)])
    desk = Desk(curve, {idle.__name__: 1}, start_s=time.time())
    desk.share(0, index=0, count=1)
    for _ in range(USERS):
        user = idle(environment)
        desk.employ(user)
        user.start(group)
    desk.open()

    def lag_ms() -> float | None:
        counts = desk.take()
        return None if counts is None else 1000 * counts.lag_sum_s / max(1, counts.started)

    return lag_ms


def _closed_loop(rate: float, note: Callable[[], None]) -> Callable[[], None]:
    # As many users as give each a wait that the loop's timers can keep.
    users = max(USERS, round(rate / 10))
    idle = _user(users / rate, note)
    environment, group = Environment(user_classes=[idle]), Group()
    for number in range(users):
        gevent.spawn_later(number / rate, idle(environment).start, group)
    gevent.sleep(users / rate)
    return lambda: None


def _bare_timer(rate: float, note: Callable[[], None]) -> Callable[[], None]:
    timer = gevent.get_hub().loop.timer(1 / rate, 1 / rate)
    timer.start(note)
    return timer.stop  # which also keeps it alive


if __name__ == "__main__":
    main()
