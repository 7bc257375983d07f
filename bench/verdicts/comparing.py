"""Comparisons of simulated runs: how often equal groups are called different, and what is seen.

A simulated run has 4,000 requests of three endpoints in 600 s.
It has a level of its own (machine, neighbours, hour), a warm-up, a wave, a garbage collector's
sawtooth, now and then an incident or a restart, and failures that come in bursts, so that runs
differ by much more than their requests do.
What judges them is `analysis.compare`, the code behind `otaload compare`.
"""

from __future__ import annotations

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
    "/register": (0.1, 40.0),
}
"""The share of the requests, and the median in ms, of each endpoint."""
WINDOW_S = 30.0
FEWEST = 300

Values = NDArray[np.float64]


class World(NamedTuple):
    """How far runs of one and the same service differ.

    `level_sd` is the standard deviation of a run's level, as a share of it; `incident_ratio` and
    `restart_ratio` are the chances of a run to have one, `failing_ratio` to have failures.
    """

    level_sd: float = 0.05
    incident_ratio: float = 0.15
    restart_ratio: float = 0.05
    failing_ratio: float = 0.2


def simulate_run(rng: np.random.Generator, world: World, *, slower: float = 1.0) -> RunFigures:
    """A run of a service that is slower by a factor."""
    return _figures(*simulate_requests(rng, world, slower=slower))


def simulate_requests(
    rng: np.random.Generator, world: World, *, slower: float = 1.0
) -> tuple[Values, Values, NDArray[np.int64], NDArray[np.bool_]]:
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


def called(before: list[RunFigures], after: list[RunFigures]) -> Finding:
    """What the comparison says as a whole."""
    return compare(before, after).finding


def rows(*, runs: int, seed: int) -> list[Row]:
    """The rows of the acceptance table, from `runs` simulated comparisons each."""
    rng = np.random.default_rng(seed)
    found = []
    for name, world in (("", World()), (", noisy machines", World(level_sd=0.15))):
        different = _share(rng, runs, world, 1.0, (Finding.REGRESSION, Finding.IMPROVEMENT))
        found.append(
            Row(
                f"Two equal groups of {RUNS_A_SIDE} runs called different{name}",
                "≤ 6 %",
                f"{different:.1%}",
                runs >= FEWEST and different <= 0.06,
                runs,
            )
        )
    return found


def _share(
    rng: np.random.Generator,
    runs: int,
    world: World,
    slower: float,
    findings: tuple[Finding, ...],
) -> float:
    """The share of comparisons with one of these findings, the second group being slower."""
    count = 0
    for _ in range(runs):
        before = [simulate_run(rng, world) for _ in range(RUNS_A_SIDE)]
        after = [simulate_run(rng, world, slower=slower) for _ in range(RUNS_A_SIDE)]
        count += called(before, after) in findings
    return count / runs


def _figures(
    t_s: Values, latency_ms: Values, endpoint: NDArray[np.int64], failed: NDArray[np.bool_]
) -> RunFigures:
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
