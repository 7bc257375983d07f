"""Whether the corrected p99 of paced users is what an open loop would have measured.

A run has users with a pacing P on a staggered grid, a service with lognormal latencies, and one
stall of 5 to 50 P that covers 1.5 to 30 % of the run. The open loop sends every iteration at the
moment it is due; the users do as `AbsolutePacing` has them: a late iteration starts at once, one
whose whole period has passed is lost.
"""

import numpy as np
from numpy.typing import NDArray

from analysis.omission import corrected
from bench.verdicts.table import Row
from otaload.record import Histogram

Values = NDArray[np.float64]


def rows(*, runs: int, seed: int) -> list[Row]:
    """The acceptance rows, over so many runs with and without a stall."""
    rng = np.random.default_rng(seed)
    stalled = [_ratios(rng, stalls=True) for _ in range(runs)]
    to_truth = np.array([corrected_ms / truth_ms for corrected_ms, _, truth_ms in stalled])
    raw_to_truth = np.array([raw_ms / truth_ms for _, raw_ms, truth_ms in stalled])
    quiet = [_ratios(rng, stalls=False) for _ in range(runs)]
    changed = sum(corrected_ms > 1.1 * raw_ms for corrected_ms, raw_ms, _ in quiet)
    off = np.abs(to_truth - 1)
    return [
        Row(
            "corrected p99 for stalls of 5 to 50 × the pacing",
            "within 10 % of the open-loop truth",
            f"at most {off.max():.1%} off, median {np.median(off):.1%} "
            f"(raw: median {np.median(1 - raw_to_truth):.0%} too low)",
            bool(off.max() <= 0.10),
            runs,
        ),
        Row(
            "no stall: corrected p99 above 1.1 × raw",
            "0 %",
            f"{changed / runs:.1%}",
            changed == 0,
            runs,
        ),
    ]


def _ratios(rng: np.random.Generator, *, stalls: bool) -> tuple[float, float, float]:
    """The corrected, the raw and the true p99 of one run, in ms."""
    pacing_s = float(rng.choice([0.2, 0.5, 1.0, 2.0, 5.0]))
    users = int(rng.integers(5, 100))
    stall_s = pacing_s * rng.uniform(5, 50) if stalls else 0.0
    length_s = stall_s / rng.uniform(0.015, 0.30) if stalls else 200 * pacing_s
    begins_s = float(rng.uniform(0, length_s - stall_s))
    ends_s = begins_s + stall_s
    # Far below the pacing, as the pacing of a service that keeps up is.
    median_s, sigma = pacing_s * rng.uniform(0.005, 0.05), rng.uniform(0.2, 0.6)
    truth, raw = [], []
    for user in range(users):
        first_s = pacing_s * (user * 0.6180339887498949 % 1.0)
        due = np.arange(first_s, length_s, pacing_s)
        takes = median_s * np.exp(sigma * rng.standard_normal(len(due)))
        truth.append(_waits(due, begins_s, ends_s) + takes)
        raw.append(_closed_loop(due, takes, begins_s, ends_s, pacing_s))
    measured = _histogram(np.concatenate(raw))
    better = corrected(measured, round(pacing_s * 1e6))
    true_ms = float(np.quantile(np.concatenate(truth), 0.99, method="inverted_cdf")) * 1000
    return _p99_ms(better), _p99_ms(measured), true_ms


def _waits(at_s: Values, begins_s: float, ends_s: float) -> Values:
    """How long what arrives at some moments waits for the end of the stall."""
    return np.where((at_s >= begins_s) & (at_s < ends_s), ends_s - at_s, 0.0)


def _closed_loop(
    due: Values, takes: Values, begins_s: float, ends_s: float, pacing_s: float
) -> Values:
    """The latencies that one user measures which starts no iteration before the last has ended."""
    latencies, free_s, index = [], 0.0, 0
    while index < len(due):
        start_s = max(float(due[index]), free_s)
        wait_s = ends_s - start_s if begins_s <= start_s < ends_s else 0.0
        latencies.append(wait_s + float(takes[index]))
        free_s = start_s + latencies[-1]
        # Lost is what was due more than a period before the user is free again.
        index = max(index + 1, int(np.floor((free_s - due[0]) / pacing_s)))
    return np.array(latencies)


def _histogram(latencies_s: Values) -> Histogram:
    return Histogram.of((latencies_s * 1e6).astype(np.int64).tolist())


def _p99_ms(latencies: Histogram) -> float:
    return (latencies.quantile_us(0.99) or 0.0) / 1000
