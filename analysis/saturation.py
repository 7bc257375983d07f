"""Saturation: the load from which on more of it brings no more throughput.

Two curves are fitted to the throughput of many levels: a hinge (straight through the origin up to
the knee, then flat) and Gunther's universal scalability law. Of both, the highest throughput X_max
is the good figure; the load N* at which it is reached, in users or arrivals a second, is
ill-determined, since around the knee a little more or less hardly matters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

FEWEST_POINTS = 5
GRID = 2000
FARTHEST_PEAK = 2.0
"""How far beyond the highest level a peak may lie, in multiples of it, to mean anything."""


@dataclass(frozen=True, kw_only=True)
class Saturation:
    """The hinge through the levels, with intervals, and the scalability law beside it.

    Where throughput grew to the end, `reached` is False and X_max only a lower bound.
    The law's figures are None where it has no peak near the levels that were played: fitted to the
    sharp knee of a queue, it is drawn far beyond them.
    """

    reached: bool
    rps: float
    rps_low: float
    rps_high: float
    load: float
    load_low: float
    load_high: float
    usl_rps: float | None
    usl_peak_users: float | None


def fit_saturation(users: Values, rps: Values) -> Saturation | None:
    """The fits through levels of load; None for fewer than five levels."""
    used = (users > 0) & (rps > 0)
    users, rps = users[used], rps[used]
    if len(np.unique(users)) < FEWEST_POINTS:
        return None
    knees = np.linspace(float(users.min()), float(users.max()), GRID)
    slopes, errors, weights = _hinges(users, rps, knees)
    best = int(np.argmin(errors))
    freedom = len(users) - 2
    bound = (errors[best] + 1e-12) * (1 + _t_95(freedom) ** 2 / freedom)
    near = errors <= bound
    # For each knee that may be, by how much its plateau may be off.
    slack = np.sqrt((bound - errors[near]) / weights[near])
    tops = slopes[near] * knees[near]
    usl_rps, peak = _usl(users, rps)
    if peak is not None and peak > FARTHEST_PEAK * users.max():
        usl_rps = peak = None
    return Saturation(
        reached=bool(knees[near].max() < users.max() and (users > knees[best]).sum() >= 2),
        rps=float(slopes[best] * knees[best]),
        rps_low=float((tops - slack).min()),
        rps_high=float((tops + slack).max()),
        load=float(knees[best]),
        load_low=float(knees[near].min()),
        load_high=float(knees[near].max()),
        usl_rps=usl_rps,
        usl_peak_users=peak,
    )


def _t_95(freedom: int) -> float:
    """Student's t for 95 %, within 3 % from three degrees of freedom on."""
    return 1.96 + 2.4 / freedom + 3.0 / freedom**2


def _hinges(users: Values, rps: Values, knees: Values) -> tuple[Values, Values, Values]:
    """The best slope for each knee, its squared error, and how much an error of the plateau adds.

    A rate's variance is taken to be as its mean.
    """
    bent = np.minimum(users[None, :], knees[:, None])
    weights = 1 / rps
    squares = (bent**2 * weights).sum(axis=1)
    slopes = (bent * rps * weights).sum(axis=1) / squares
    errors = ((rps - slopes[:, None] * bent) ** 2 * weights).sum(axis=1)
    return slopes, errors, squares / knees**2


def _usl(users: Values, rps: Values) -> tuple[float | None, float | None]:
    """The peak of X = λN / (1 + σ(N−1) + κN(N−1)), and its N; None where it has none.

    N/X is linear in (1, N−1, N(N−1)); a negative coefficient has no meaning and is left out.
    """
    columns = np.stack([np.ones_like(users), users - 1, users * (users - 1)], axis=1)
    target, weights = users / rps, rps / users
    kept = [0, 1, 2]
    while True:
        found, *_ = np.linalg.lstsq(columns[:, kept] * weights[:, None], target * weights)
        negative = [i for i, value in zip(kept, found, strict=True) if value < 0 and i]
        if not negative:
            break
        kept.remove(negative[-1])
    base, linear, square = (float(found[kept.index(i)]) if i in kept else 0.0 for i in range(3))
    if square > 0 and base > linear:
        peak = math.sqrt((base - linear) / square)
        return peak / (base + linear * (peak - 1) + square * peak * (peak - 1)), peak
    return None, None
