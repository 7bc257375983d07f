"""`python -m bench.fuzz --seconds 600`: fuzz the HTTP client; exit code 1 when anything was wrong.

Cases run in rounds of users side by side. After each round everything is closed, and descriptors
and greenlets must be as many as before; memory is told, and may not grow once warm.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from bench.fuzz.rounds import MAX_GROWTH_BYTES, Rounds, summary


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
        rounds.close()
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


if __name__ == "__main__":
    sys.exit(main())
