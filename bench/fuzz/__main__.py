"""`python -m bench.fuzz --seconds 600`: fuzz the HTTP client; exit code 1 when anything was wrong.

Cases run in rounds of users side by side. After each round everything is closed, and descriptors
and greenlets must be as many as before; memory is told, and may not grow once warm.
"""

import argparse
import gc
import sys
import tempfile
import time
import traceback
from pathlib import Path
from statistics import median
from typing import Any

import gevent
import gevent.ssl
import psutil
from greenlet import greenlet

from bench.fuzz import hostile
from bench.fuzz.cases import build
from bench.fuzz.drive import Tally, Worker
from bench.target import make_certificate

# The client remembers up to 8,192 prepared requests, and each case is another one.
WARM_CASES = 12_000
MAX_GROWTH_BYTES = 8_000_000
_SETTLE_S = 25.0


class Rounds:
    """Rounds of cases, and what is left over after each."""

    def __init__(self, folder: Path, *, seed: int, workers: int, large: bool) -> None:
        hostile.brotli_bomb()  # made beforehand: it takes seconds
        hostile.gzip_bomb()
        make_certificate(folder)
        self.ca_file = folder / "cert.pem"
        self.tls: Any = gevent.ssl.SSLContext(gevent.ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(folder / "cert.pem", folder / "key.pem")
        self.seed, self.workers, self.large = seed, workers, large
        self.tally = Tally()
        self.rss: list[tuple[int, int]] = []
        self._process = psutil.Process()
        self._clean: tuple[int, int] | None = None
        # What nobody catches ends here, and must not be.
        hub = gevent.get_hub()
        hub.handle_error = self._on_uncaught  # type: ignore[method-assign]

    def play(self, numbers: range) -> None:
        """Run the cases with these numbers, shared out among users that come and go."""
        crew = [Worker(self.tally, self.tls, self.ca_file) for _ in range(self.workers)]

        def work(worker: Worker, own: range) -> None:
            for number in own:
                began = time.process_time()
                case = build(self.seed, number, large=self.large)
                self.tally.busy_s += time.process_time() - began
                worker.run(case)

        shares = [numbers[n :: self.workers] for n in range(self.workers)]
        gevent.joinall([gevent.spawn(work, *pair) for pair in zip(crew, shares, strict=True)])
        for worker in crew:
            worker.close()
        del crew
        self._check_left_over()

    def _check_left_over(self) -> None:
        give_up = time.monotonic() + _SETTLE_S
        while True:
            gc.collect()
            left = (self._process.num_fds(), _greenlets())
            if self._clean is None and left[1] <= 3:
                self._clean = left
            done = self._clean is not None and left <= self._clean and left[1] <= self._clean[1]
            if done or time.monotonic() > give_up:
                break
            gevent.sleep(0.1)
        if not done:
            self.tally.violations.append(f"left over: descriptors, greenlets {left}")
        self.rss.append((self.tally.cases, self._process.memory_info().rss))

    def growth_bytes(self) -> int:
        """How much memory grew once warm: the median of the last half less that of the first."""
        warm = [rss for cases, rss in self.rss if cases > WARM_CASES]
        half = len(warm) // 2
        return int(median(warm[half:]) - median(warm[:half])) if half else 0

    def _on_uncaught(self, context: Any, kind: Any, value: Any, trace: Any) -> None:
        if kind is not None and not issubclass(kind, gevent.get_hub().NOT_ERROR):
            text = "".join(traceback.format_exception(kind, value, trace))[-600:]
            self.tally.violations.append(f"uncaught in {context!r}: {text}")


def _greenlets() -> int:
    return sum(isinstance(one, greenlet) and not one.dead for one in gc.get_objects())


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long (60)")
    parser.add_argument("--seed", type=int, default=1, help="of the cases (1)")
    parser.add_argument("--workers", type=int, default=32, help="users side by side (32)")
    parser.add_argument("--only", type=int, help="run the one case with this number")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rounds = Rounds(
            Path(folder),
            seed=given.seed,
            workers=1 if given.only is not None else given.workers,
            large=True,
        )
        if given.only is not None:
            rounds.play(range(given.only, given.only + 1))
        else:
            run_for(rounds, given.seconds)
    tally = rounds.tally
    if rounds.growth_bytes() > MAX_GROWTH_BYTES:
        tally.violations.append(f"memory grew by {rounds.growth_bytes() / 1e6:.1f} MB")
    print(summary(rounds))
    return 1 if tally.violations else 0


def run_for(rounds: Rounds, seconds: float) -> None:
    """Play rounds until the time is over."""
    began, number = time.monotonic(), 0
    while time.monotonic() - began < seconds and len(rounds.tally.violations) < 50:
        size = rounds.workers * 25
        rounds.play(range(number, number + size))
        number += size
        print(
            f"{time.monotonic() - began:.0f} s: {number} cases, "
            f"{rounds.rss[-1][1] / 1e6:.1f} MB, {len(rounds.tally.violations)} violations",
            file=sys.stderr,
            flush=True,
        )


def summary(rounds: Rounds) -> str:
    """What was found, as text."""
    tally = rounds.tally
    memory = " ".join(f"{rss / 1e6:.1f}" for _, rss in rounds.rss[-20:])
    lines = [
        f"seed {rounds.seed}: {tally.cases} cases",
        f"latest after its deadline: {tally.overshoot_max_s * 1000:.0f} ms",
        f"memory after each of the last rounds, MB: {memory}",
    ]
    for title, counts in (
        ("kinds", tally.kinds),
        ("causes", tally.causes),
        ("h11 is less strict", tally.stricter),
        ("h11 is more strict, as documented", tally.lenient),
    ):
        lines.append(f"{title}:")
        lines += [f"  {n:>7} {what}" for what, n in sorted(counts.items(), key=lambda p: -p[1])]
    lines.append(f"violations: {len(tally.violations)}")
    lines += [f"  {what}" for what in tally.violations[:50]]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
