"""Comparisons of simulated runs: how often equal groups are called different, and what is seen.

A simulated run has 4,000 requests of three endpoints in 600 s.
It has a level of its own (machine, neighbours, hour), a warm-up, a wave, a garbage collector's
sawtooth, now and then an incident or a restart, and failures that come in bursts, so that runs
differ by much more than their requests do.
What judges them is `analysis.compare`, the code behind `otaload compare`.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analysis.compare import Finding, RunFigures, compare
from analysis.figures import Figures
from bench.verdicts.table import Row

RUNS_A_SIDE = 5
REQUESTS = 4000
DURATION_S = 600.0
ENDPOINTS = {
    "/updates/check": (0.7, 25.0),
    "/bundles/download": (0.2, 180.0),
    "/devices/register": (0.1, 40.0),
}
"""The share of the requests, and the median in ms, of each endpoint."""
WINDOW_S = 30.0
MOST_DIFFERENT = 0.06
DIFFERENT = "different"
DIFFERENT_FINDINGS = (Finding.REGRESSION, Finding.IMPROVEMENT)

Values = NDArray[np.float64]
Counts = NDArray[np.int64]


class World(NamedTuple):
    """How far runs of one and the same service differ.

    `level_sd` is the standard deviation of a run's level, as a share of it; `incident_ratio` and
    `restart_ratio` are the chances of a run to have one, `failing_ratio` to have failures.
    """

    name: str
    level_sd: float
    incident_ratio: float = 0.15
    restart_ratio: float = 0.05
    failing_ratio: float = 0.2


QUIET = World("levels of runs within 2 %", 0.02)
ORDINARY = World("within 5 %", 0.05)
NOISY = World("within 15 %", 0.15)


def simulate_run(rng: np.random.Generator, world: World, *, slower: float = 1.0) -> RunFigures:
    """A run of a service that is slower by a factor."""
    _, latency_ms, endpoint, failed = simulate_requests(rng, world, slower=slower)
    return _figures(latency_ms, endpoint, failed)


def simulate_requests(
    rng: np.random.Generator, world: World, *, slower: float = 1.0
) -> tuple[Values, Values, Counts, NDArray[np.bool_]]:
    """The start in s, the latency in ms, the endpoint and the failure of each request of a run."""
    t_s = np.sort(rng.uniform(0, DURATION_S, REQUESTS))
    shares, medians = (np.array(column) for column in zip(*ENDPOINTS.values(), strict=True))
    endpoint = rng.choice(len(shares), REQUESTS, p=shares)
    log_level = rng.normal(0, world.level_sd) + np.log(slower)
    wave = 0.10 * np.sin(2 * np.pi * (t_s / rng.uniform(120, 900) + rng.uniform()))
    warm_up = 0.5 * np.exp(-t_s / 20)
    phase_s = (t_s + rng.uniform(0, 45)) % 45
    collecting = 0.12 * phase_s / 45
    log_ms = np.log(medians[endpoint]) + log_level + wave + warm_up + collecting
    log_ms += 0.35 * rng.standard_normal(REQUESTS)
    latency_ms = np.exp(log_ms)
    if rng.uniform() < world.incident_ratio:
        began_s, lasts_s = rng.uniform(0, DURATION_S), rng.uniform(3, 20)
        latency_ms[(t_s >= began_s) & (t_s < began_s + lasts_s)] *= rng.uniform(2, 6)
    failed = np.zeros(REQUESTS, dtype=bool)
    if rng.uniform() < world.restart_ratio:
        began_s = rng.uniform(30, DURATION_S)
        failed |= (t_s >= began_s) & (t_s < began_s + rng.uniform(1, 4))
        latency_ms += 200 * np.exp(-np.maximum(0, t_s - began_s) / 10) * (t_s >= began_s)
    if rng.uniform() < world.failing_ratio:
        failed |= rng.uniform(size=REQUESTS) < rng.exponential(0.002)
    return t_s, latency_ms, endpoint, failed


def rows(*, runs: int, seed: int) -> list[Row]:
    """The rows of the acceptance table, from `runs` simulated comparisons each.

    Power has no target: how small a change is seen depends on how far runs differ.
    """
    rng = np.random.default_rng(seed)
    found = []
    for world in (ORDINARY, NOISY):
        ratio = _shares(rng, runs, world)[DIFFERENT]
        check = f"Two equal groups of {RUNS_A_SIDE} runs called different ({world.name})"
        met = ratio <= MOST_DIFFERENT
        found.append(Row(check, "≤ 6 %", percent(ratio), met=met, runs=runs))
    ratio = windows_called_different(rng, runs, ORDINARY)
    check = f"The same, were windows of {WINDOW_S:g} s of one run a side replicates"
    found.append(Row(check, "none: why runs are", percent(ratio), met=True, runs=runs))
    for slower in (1.1, 1.2):
        for world in (ORDINARY, QUIET):
            seen = _shares(rng, runs, world, slower=slower)
            check = f"{100 * (slower - 1):.0f} % slower, {RUNS_A_SIDE} runs a side ({world.name})"
            told = f"regression in {percent(seen[Finding.REGRESSION])}"
            found.append(Row(check, "none: shown", told, met=True, runs=runs))
    return found


def windows_called_different(rng: np.random.Generator, runs: int, world: World) -> float:
    """How often a test on windows of one run a side calls equal services different.

    What it tests is the p95 and p99 of each window, at the same levels as `otaload compare`.
    """
    count = 0
    for _ in range(runs):
        before, after = (_windows(*simulate_requests(rng, world)) for _ in range(2))
        count += compare(before, after).finding in DIFFERENT_FINDINGS
    return count / runs


def percent(ratio: float) -> str:
    """A share of comparisons as it is shown."""
    return f"{100 * ratio:.1f} %"


def _shares(
    rng: np.random.Generator, runs: int, world: World, *, slower: float = 1.0
) -> dict[str, float]:
    """The share of comparisons with each finding; the second group is slower by a factor."""
    found: Counter[str] = Counter()
    for _ in range(runs):
        before = [simulate_run(rng, world) for _ in range(RUNS_A_SIDE)]
        after = [simulate_run(rng, world, slower=slower) for _ in range(RUNS_A_SIDE)]
        finding = compare(before, after).finding
        found[finding] += 1
        found[DIFFERENT] += finding in DIFFERENT_FINDINGS
    return {name: found[name] / runs for name in (*Finding, DIFFERENT)}


def _windows(
    t_s: Values, latency_ms: Values, endpoint: Counts, failed: NDArray[np.bool_]
) -> list[RunFigures]:
    """Each window of a run, as if it were a run."""
    window = (t_s // WINDOW_S).astype(np.int64)
    return [
        _figures(latency_ms[window == i], endpoint[window == i], failed[window == i])
        for i in range(int(DURATION_S / WINDOW_S))
    ]


def _figures(latency_ms: Values, endpoint: Counts, failed: NDArray[np.bool_]) -> RunFigures:
    each = {
        name: _figures_of(latency_ms[endpoint == i], failed[endpoint == i])
        for i, name in enumerate(ENDPOINTS)
    }
    return RunFigures("simulated", _figures_of(latency_ms, failed), each)


def _figures_of(latency_ms: Values, failed: NDArray[np.bool_]) -> Figures:
    successes = np.sort(latency_ms[~failed])
    n = len(successes)

    def percentile_ms(q: float) -> float | None:
        return float(successes[int(np.ceil(q * n)) - 1]) if n else None

    return Figures(
        n=len(latency_ms),
        failures=int(failed.sum()),
        p50_ms=percentile_ms(0.50),
        p90_ms=percentile_ms(0.90),
        p95_ms=percentile_ms(0.95),
        p99_ms=percentile_ms(0.99),
        max_ms=float(successes[-1]) if n else None,
        bytes_in=0,
        rps=len(latency_ms) / DURATION_S,
    )
