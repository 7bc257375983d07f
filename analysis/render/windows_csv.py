"""The windows of a run as CSV (RFC 4180): a row for each second and endpoint, for other tools.

A text that a spreadsheet would take for a formula is given an apostrophe in front.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from analysis.measured import Counts
from analysis.quantities import printable
from analysis.windows import BUCKET_VALUES_MS, WindowTable

if TYPE_CHECKING:  # a run is read with pandas
    from analysis.runs import Run

COLUMNS = (
    *("second", "t_s", "method", "endpoint", "n", "failures", "retries", "bytes_in"),
    *("mean_ms", "min_ms", "p50_ms", "p95_ms", "p99_ms", "max_ms"),
)
QUANTILES = (0.50, 0.95, 0.99)
PART_S = 1800
"""What is taken at a time: a night's histograms at once would take half a gigabyte to sort."""
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")

Values = NDArray[np.float64]


def windows_csv(run: Run) -> str:
    """All windows, by second and endpoint; latencies are empty where nothing succeeded."""
    shown = io.StringIO(newline="")
    writer = csv.writer(shown)
    writer.writerow(COLUMNS)
    names = [(_safe(e.method), _safe(e.name)) for e in run.windows.endpoints]
    part = run.windows.t_s // PART_S
    for number in np.unique(part):
        writer.writerows(_rows(run.windows.where(part == number), run.start_s, names))
    return shown.getvalue()


def _rows(table: WindowTable, start_s: int, names: list[tuple[str, str]]) -> list[list[object]]:
    keys = table.t_s * len(table.endpoints) + table.endpoint
    groups, group = np.unique(keys, return_inverse=True)
    t_s, endpoint = np.divmod(groups, len(table.endpoints))
    successes, failures, retries, bytes_in, sum_us = (
        _sums(group, getattr(table, name), len(groups))
        for name in ("successes", "failures", "retries", "bytes_in", "sum_us")
    )
    latencies = _latencies(table, group, successes, sum_us)
    columns = [
        (t_s + start_s).tolist(),
        t_s.tolist(),
        [names[i][0] for i in endpoint],
        [names[i][1] for i in endpoint],
        *(column.tolist() for column in (successes + failures, failures, retries, bytes_in)),
        *(_written(column) for column in latencies.T),
    ]
    # A late answer's line may hold nothing that was completed.
    return [list(row) for row in zip(*columns, strict=True) if row[4]]


def _sums(group: Counts, values: Counts, n_groups: int) -> Counts:
    sums: Counts = np.zeros(n_groups, dtype=np.int64)
    np.add.at(sums, group, values)
    return sums


def _latencies(table: WindowTable, group: Counts, n: Counts, sum_us: Counts) -> Values:
    """Mean, minimum, percentiles and maximum of each group, in ms; NaN where nothing succeeded."""
    filled = table.successes > 0
    least = np.full(len(n), np.iinfo(np.int64).max)
    most: Counts = np.zeros(len(n), dtype=np.int64)
    np.minimum.at(least, group[filled], table.min_us[filled])
    np.maximum.at(most, group[filled], table.max_us[filled])
    low_ms, high_ms = least / 1000, most / 1000
    percentiles = _percentiles(table, group, n)
    clipped = np.clip(percentiles, low_ms[:, None], np.maximum(low_ms, high_ms)[:, None])
    mean_ms = sum_us / np.maximum(n, 1) / 1000
    found: Values = np.column_stack((mean_ms, low_ms, clipped, high_ms))
    found[n == 0] = np.nan
    return found


def _percentiles(table: WindowTable, group: Counts, n: Counts) -> Values:
    """The latency at rank ceil(q·n) of each group, read off the sparse histograms end to end."""
    cells = table.cells
    of_cell = np.repeat(group, cells.lengths)
    inside = slice(int(cells.offsets[0]), int(cells.offsets[-1]))
    index, count = cells.index[inside], cells.count[inside]
    order = np.lexsort((index, of_cell))
    running = np.cumsum(count[order], dtype=np.int64)
    before = np.cumsum(n) - n
    values_ms = BUCKET_VALUES_MS[index[order]]
    columns = []
    for q in QUANTILES:
        rank = before + np.maximum(1, np.ceil(q * n - 1e-9)).astype(np.int64)
        place = np.searchsorted(running, rank)
        at = np.minimum(place, max(0, len(running) - 1))
        columns.append(values_ms[at] if len(values_ms) else np.zeros(len(n)))
    return np.column_stack(columns)


def _written(values_ms: Values) -> list[str]:
    """Milliseconds to the microsecond; nothing for NaN."""
    texts = (f"{ms:.3f}".rstrip("0").rstrip(".") for ms in values_ms.tolist())
    return ["" if text == "nan" else text for text in texts]


def _safe(text: str) -> str:
    shown = printable(text)
    return f"'{shown}" if shown.startswith(_FORMULA) else shown
