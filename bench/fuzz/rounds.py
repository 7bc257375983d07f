"""Many fuzzed users side by side, round after round; of each round nothing may be left over."""

import gc
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
from otaload.http import message, target

WARM_CASES = 5000
MAX_GROWTH_BYTES = 8_000_000
_SETTLE_S = 25.0


class Rounds:
    """Rounds of cases, and what is left over after each."""

    def __init__(self, folder: Path, *, seed: int, workers: int, large: bool) -> None:
        hostile.brotli_bomb()  # made beforehand: it takes a second
        hostile.gzip_bomb()
        make_certificate(folder)
        self.ca_file = folder / "cert.pem"
        self.tls: Any = gevent.ssl.SSLContext(gevent.ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(folder / "cert.pem", folder / "key.pem")
        self.seed, self.workers, self.large = seed, workers, large
        self.tally = Tally()
        self.rss: list[tuple[int, int]] = []
        self._process = psutil.Process()
        # What nobody catches ends here, and must not be.
        self._hub: Any = gevent.get_hub()
        self._hub.handle_error = self._on_uncaught  # type: ignore[method-assign,assignment]
        gevent.sleep(0.01)
        gc.collect()
        self._clean = (self._process.num_fds(), _greenlets())

    def close(self) -> None:
        """Give the hub its own handler back."""
        del self._hub.handle_error

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
        # Bounded, and each case is another URL: without them memory tells of leaks alone.
        for remembered in (message.prepare, target._remembered, target._remembered_follow):
            remembered.cache_clear()
        self._check_left_over()

    def _check_left_over(self) -> None:
        give_up = time.monotonic() + _SETTLE_S
        while True:
            gc.collect()
            left = (self._process.num_fds(), _greenlets())
            clean = left[0] <= self._clean[0] and left[1] <= self._clean[1]
            if clean or time.monotonic() > give_up:
                break
            gevent.sleep(0.1)
        if not clean:
            self.tally.violations.append(
                f"left over: descriptors, greenlets {left}, before {self._clean}"
            )
        self.rss.append((self.tally.cases, self._process.memory_info().rss))

    def growth_bytes(self) -> int:
        """How much memory grew once warm: the median of the last half less that of the first."""
        warm = [rss for cases, rss in self.rss if cases > WARM_CASES]
        half = len(warm) // 2
        return int(median(warm[half:]) - median(warm[:half])) if half else 0

    def _on_uncaught(self, context: Any, kind: Any, value: Any, trace: Any) -> None:
        if kind is not None and not issubclass(kind, self._hub.NOT_ERROR):
            text = "".join(traceback.format_exception(kind, value, trace))[-600:]
            self.tally.violations.append(f"uncaught in {context!r}: {text}")


def _greenlets() -> int:
    return sum(isinstance(one, greenlet) and not one.dead for one in gc.get_objects())


def summary(rounds: Rounds) -> str:
    """What was found, as text."""
    tally = rounds.tally
    memory = " ".join(f"{rss / 1e6:.1f}" for _, rss in rounds.rss[-20:])
    lines = [
        f"seed {rounds.seed}: {tally.cases} cases",
        f"latest after its deadline: {tally.overshoot_max_s * 1000:.0f} ms",
        f"out of time for want of CPU: {tally.starved}",
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
