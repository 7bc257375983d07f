"""Schematic pictures: limit and saturation, recovery, coordinated omission, health, comparing."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from analysis.render.chart_style import (
    DASHES,
    FAIL,
    GRID,
    INK,
    PASS,
    SERIES,
    legend,
    new_figure,
)
from analysis.students_t import t_quantile


def breakpoint_limit() -> Figure:
    """Throughput and p95 of a service of 400 requests/s as users grow."""
    users = np.arange(50, 1601, 25)
    think_s, service_s, most = 2.5, 0.03, 400.0
    rps = 1 / (((users / (think_s + service_s)) ** -12 + most**-12) ** (1 / 12))
    p95_ms = 2.4e3 * (users / rps - think_s) + 40
    figure, (above, below) = new_figure(4.4, rows=2)
    above.plot(users, rps, color=SERIES[0])
    above.axhline(most, color=INK, linestyle=DASHES[2], linewidth=1)
    above.text(60, most * 0.97, "saturation: 400 requests/s", va="top", fontsize=9.5)
    above.set_ylabel("requests/s")
    above.set_ylim(0, 450)
    below.plot(users, p95_ms, color=SERIES[1])
    limit = int(users[p95_ms <= 2000][-1])
    below.axhline(2000, color=FAIL, linestyle=(0, (2, 2)))
    below.text(60, 2050, "fail limit of p95: 2000 ms", fontsize=9.5)
    for axes in (above, below):
        axes.axvline(limit, color=PASS, linestyle=DASHES[1])
    below.text(limit - 15, 3300, f"the limit: {limit} users", ha="right", fontsize=9.5)
    below.set_ylim(0, 4000)
    below.set_ylabel("p95 (ms)")
    below.set_xlabel("users")
    return figure


def recovery() -> Figure:
    """p95 second by second around a burst, the baseline's band, and the time back into it."""
    rng = np.random.default_rng(2)
    seconds = np.arange(0, 420)
    base = 60 * np.exp(0.06 * rng.standard_normal(len(seconds)))
    burst, end = (seconds >= 150) & (seconds < 270), 270
    lift = np.where(burst, 540 * (1 - np.exp(-(seconds - 150) / 15)), 0.0)
    after = seconds >= end
    lift = np.where(after, 540 * np.exp(-(seconds - end) / 13.0), lift)
    p95 = base + lift * np.exp(0.08 * rng.standard_normal(len(seconds)))
    quiet = p95[:150]
    band = max(1.10 * float(np.median(quiet)), float(np.quantile(quiet, 0.99)))
    inside = p95 <= band
    back = next(int(t) for t in seconds if t >= end and inside[t : t + 10].all())
    figure, (axes,) = new_figure(3.3)
    axes.axvspan(150, end, color=GRID, alpha=0.5, linewidth=0)
    axes.text((150 + end) / 2, 120, "burst", ha="center", fontsize=9.5)
    axes.plot(seconds, p95, color=SERIES[0], linewidth=1.1, label="p95 of one second")
    axes.axhline(band, color=PASS, linestyle=DASHES[1], label="top of the baseline's band")
    axes.annotate("", (end, 330), (back, 330), arrowprops={"arrowstyle": "<->", "color": INK})
    axes.text(back + 4, 325, f"recovery: {back - end} s", fontsize=9.5)
    axes.set_ylim(bottom=0)
    axes.set_xlim(0, 420)
    axes.set_xlabel("time (s)")
    axes.set_ylabel("p95 (ms)")
    legend(axes)
    return figure


def omission() -> Figure:
    """One user with a request a second, and a service that stands still for five seconds."""
    figure, (axes,) = new_figure(2.9)
    axes.axvspan(4.1, 9.1, color=FAIL, alpha=0.14, linewidth=0)
    axes.text(6.6, 3.45, "the service stands still for 5 s", ha="center", fontsize=9.5)
    planned = np.arange(0, 14)
    for row, (starts, colour) in enumerate(
        ((np.array([0, 1, 2, 3, 4.2, 10, 11, 12, 13]), SERIES[1]), (planned, SERIES[0]))
    ):
        for start in starts:
            stalled = 4.1 <= start < 9.1
            finish = 9.15 if stalled else start + 0.12
            height = row * 1.6 + 0.5 - (0.1 * (start - 6) if stalled and row else 0.0)
            axes.plot((start, finish), (height, height), color=colour, linewidth=1.6)
            axes.plot(start, height, color=colour, marker="|", markersize=9)
    axes.text(0, 2.65, "as planned: five requests would have waited 4, 3, 2, 1, 0 s", fontsize=9.5)
    axes.text(0, 0.95, "as measured: the user waits, so one slow request is recorded", fontsize=9.5)
    axes.set_ylim(0, 3.9)
    axes.set_xlim(-0.3, 14)
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.set_xlabel("time (s)")
    return figure


def health() -> Figure:
    """The lag of a generator that runs out of processor: its own delay is in every latency."""
    rng = np.random.default_rng(6)
    seconds = np.arange(0, 120)
    load = np.clip((seconds - 50) / 40, 0, 1)
    lag = 1.5 + 2 * rng.random(120) + 160 * load**2 * (0.7 + 0.6 * rng.random(120))
    figure, (axes,) = new_figure(3.0)
    service = 40 + 3 * rng.standard_normal(120)
    axes.plot(seconds, service + lag, color=SERIES[1], label="latency as measured")
    axes.plot(seconds, service, color=SERIES[0], linestyle=DASHES[1], label="of it the service")
    axes.plot(seconds, lag, color=SERIES[2], linestyle=DASHES[2], label="lag of the generator")
    axes.axhline(50, color=FAIL, linestyle=(0, (2, 2)))
    axes.text(1, 54, "limit of the lag: 50 ms", fontsize=9.5)
    late = int(np.argmax([bool((lag[i : i + 10] > 50).all()) for i in range(111)]))
    axes.axvspan(late, 120, color=FAIL, alpha=0.12, linewidth=0)
    axes.text(119, 8, "inconclusive", ha="right", fontsize=9.5)
    axes.set_xlim(0, 120)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("time (s)")
    axes.set_ylabel("ms")
    legend(axes)
    return figure


def compare() -> Figure:
    """Five runs before and after a change: the p95 of each, and the interval of the difference."""
    rng = np.random.default_rng(9)
    groups = [np.log(m) + 0.04 * rng.standard_normal(5) for m in (200, 226)]
    figure, (axes,) = new_figure(2.7)
    for row, (name, values) in enumerate(zip(("before", "after"), groups, strict=True)):
        colour = SERIES[row]
        axes.plot(np.exp(values), [1 - row] * 5, color=colour, marker="o", linestyle="none")
        axes.plot(np.exp(values.mean()), 1 - row, color=colour, marker="|", markersize=22)
        axes.text(150, 1 - row, name, va="center", fontsize=9.5)
    parts = [values.var(ddof=1) / 5 for values in groups]
    se = sum(parts) ** 0.5
    df = sum(parts) ** 2 / sum(part**2 / 4 for part in parts)
    change = groups[1].mean() - groups[0].mean()
    margin = t_quantile(0.975, df) * se
    low, high = np.expm1(change - margin), np.expm1(change + margin)
    text = f"difference {np.expm1(change):+.0%}, 95 % interval {low:+.0%} to {high:+.0%}"
    axes.text(150, 1.55, text, fontsize=9.5)
    axes.set_ylim(-0.6, 1.9)
    axes.set_xlim(148, 260)
    axes.set_yticks([])
    axes.set_xlabel("p95 of a run (ms)")
    return figure
