"""Reads `windows.jsonl` fast, and names every line that it could not read.

Lines are taken in blocks that are checked as whole columns; only a block that holds anything odd
is read again line by line, so that soundness costs nothing where there is nothing to find.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any, cast

import numpy as np
import orjson
from numpy.typing import NDArray

from analysis.cells import Whole, narrow
from analysis.measured import Counts, Endpoint
from analysis.windows import COLUMNS, MAX_BUCKET, WindowTable
from otaload.record import Histogram, histogram_from_json, window_from_json

MAX_COUNT = 2**53
"""Whole numbers beyond it would not survive as floats; no run is that long."""
_BLOCK_LINES = 1024


@dataclass(frozen=True)
class CauseRow:
    """How often an endpoint failed for one cause in one second."""

    second: int
    endpoint: int
    cause: str
    n: int


@dataclass
class Setup:
    """What the connections of an endpoint took to set up, over the whole run."""

    connects: Histogram = field(default_factory=Histogram)
    handshakes: Histogram = field(default_factory=Histogram)
    resent: int = 0

    def __iadd__(self, other: Setup) -> Setup:
        self.connects += other.connects
        self.handshakes += other.handshakes
        self.resent += other.resent
        return self


class WindowReader:
    """Reads the lines of `windows.jsonl` into columns, and keeps those it could not read."""

    def __init__(self) -> None:
        self.endpoints: dict[Endpoint, int] = {}
        self.causes: list[CauseRow] = []
        self.setups: dict[Endpoint, Setup] = {}
        self.bad_lines: list[tuple[int, str]] = []
        self._rows: list[NDArray[np.int64]] = []
        self._lengths: list[NDArray[np.int64]] = []
        self._index: list[Whole] = []
        self._count: list[Whole] = []

    def read(self, path: Path) -> bool:
        """Read a whole file; returns whether a torn last line was dropped."""
        number = 1
        with path.open("rb") as file:
            while block := list(islice(file, _BLOCK_LINES)):
                torn = not block[-1].endswith(b"\n")
                if torn:
                    block.pop()
                self._take(block, number)
                number += len(block)
                if torn:
                    return True
        return False

    def table(self, start_s: int) -> WindowTable:
        """The columns read, with seconds counted from a start."""
        rows = np.concatenate(self._rows) if self._rows else np.zeros((0, len(COLUMNS)), np.int64)
        lengths = np.concatenate(self._lengths) if self._lengths else np.zeros(0, np.int64)
        rows[:, 0] -= start_s
        # A night's cells are many: the blocks go as soon as their numbers stand end to end.
        index, self._index = _joined(self._index), []
        count, self._count = _joined(self._count), []
        return WindowTable(
            endpoints=tuple(self.endpoints),
            **dict(zip(COLUMNS, rows.T, strict=True)),
            offsets=np.concatenate(([0], np.cumsum(lengths))),
            index=index,
            count=count,
        ).by_endpoint()

    def seconds(self) -> Counts:
        """The second of every line read, as Unix time."""
        return np.concatenate([rows[:, 0] for rows in self._rows] or [np.zeros(0, np.int64)])

    def _take(self, block: Sequence[bytes], number: int) -> None:
        """Read a block of lines, the first of this number; one that holds anything odd is read
        again line by line."""
        if block and not self._take_fast(block):
            for at, line in enumerate(block, start=number):
                reason = _fault(line)
                if reason is not None or not self._take_fast([line]):
                    self.bad_lines.append((at, reason or "not a window"))

    def _take_fast(self, lines: Iterable[bytes]) -> bool:
        rows: list[tuple[int, ...]] = []
        lengths: list[int] = []
        flat: list[int] = []
        causes: list[CauseRow] = []
        fresh: dict[Endpoint, int] = {}
        setups: list[tuple[Endpoint, Setup]] = []
        known = cast("dict[tuple[str, str], int]", self.endpoints)
        try:
            for line in lines:
                record = orjson.loads(line)
                named = record["method"], record["endpoint"]
                code = known.get(named)
                if code is None:
                    code = fresh.setdefault(Endpoint(*named), len(known) + len(fresh))
                row, counts = _columns(record, code)
                rows.append(row)
                lengths.append(len(counts) // 2)
                flat += counts
                if "connects" in record or "resent" in record:
                    setups.append((Endpoint(*named), _setup(record)))
                if "causes" in record:
                    second = record["second"]
                    causes += [CauseRow(second, code, *each) for each in record["causes"].items()]
            table = _whole(list(chain.from_iterable(rows))).reshape(len(rows), -1)
            cells = _whole(flat)
        except (ValueError, KeyError, TypeError, AttributeError, struct.error):
            return False
        if len(flat) % 2 or not _sound(table, cells, causes, fresh):
            return False
        self.endpoints.update(fresh)
        self.causes += causes
        for endpoint, setup in setups:
            whole = self.setups.setdefault(endpoint, Setup())
            whole += setup
        self._rows.append(_with_totals(table, cells[1::2], np.array(lengths)))
        self._lengths.append(np.array(lengths))
        self._index.append(narrow(cells[::2]))
        self._count.append(narrow(cells[1::2]))
        return True


def _setup(record: dict[str, Any]) -> Setup:
    setup = Setup(resent=record.get("resent", 0))
    if type(setup.resent) is not int or setup.resent < 0:
        raise ValueError("resent is not a count")
    if record.get("connects") is not None:
        setup.connects = histogram_from_json(record["connects"])
    if record.get("handshakes") is not None:
        setup.handshakes = histogram_from_json(record["handshakes"])
    return setup


def _whole(numbers: list[int]) -> NDArray[np.int64]:
    """Whole numbers as an array, twice as fast as numpy; `struct.error` where any is none."""
    return np.frombuffer(bytearray(struct.pack(f"{len(numbers)}q", *numbers)), np.int64)


def _joined(blocks: list[Whole]) -> Whole:
    return np.concatenate(blocks) if blocks else np.zeros(0, np.uint8)


def _columns(record: dict[str, Any], code: int) -> tuple[tuple[int, ...], list[int]]:
    successes, failures = record.get("successes"), record.get("failures")
    failed = sum(failures["counts"][1::2]) if failures is not None else 0
    bytes_in, retries = record.get("bytes_in", 0), record.get("retries", 0)
    if successes is None:
        return (record["second"], code, 0, failed, bytes_in, retries, 0, 0, 0), []
    sums = successes["sum_us"], successes["min_us"], successes["max_us"]
    head = (record["second"], code, 0, failed, bytes_in, retries)
    return (*head, *sums), successes["counts"]


def _with_totals(rows: Counts, counts: Counts, lengths: Counts) -> Counts:
    """The rows with the column of successes filled in from their histograms."""
    ends = np.cumsum(lengths)
    running = np.concatenate(([0], np.cumsum(counts)))
    rows[:, 2] = running[ends] - running[ends - lengths]
    return rows


def _sound(
    rows: Counts,
    cells: Counts,
    causes: list[CauseRow],
    fresh: Iterable[Endpoint],
) -> bool:
    """Whether a block holds nothing but whole numbers in range and causes that add up."""
    if rows.min() < 0 or rows[:, 0].max() >= 2**40 or rows.max() >= MAX_COUNT:
        return False
    if len(cells) and (
        cells.min() < 0 or cells[::2].max() >= MAX_BUCKET or cells[1::2].max() >= MAX_COUNT
    ):
        return False
    if any(type(part) is not str for endpoint in fresh for part in endpoint):
        return False
    if any(type(row.n) is not int or row.n < 0 for row in causes):
        return False
    return sum(row.n for row in causes) == int(rows[:, 3].sum())


def _fault(line: bytes) -> str | None:
    """Why a line is not a window, or None where it is one."""
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return "not JSON"
    try:
        key, window = window_from_json(record)
    except KeyError as error:
        return f"{error} is missing"
    except (ValueError, TypeError, AttributeError) as error:
        return str(error)
    numbers = [key.second * 2**13, window.bytes_in, window.retries]
    for histogram in (window.successes, window.failures):
        numbers += [histogram.sum_us, histogram.min_us, histogram.max_us, histogram.n]
        if any(index >= MAX_BUCKET for index in histogram.counts):
            return "a bucket's index is out of range"
    if max(numbers) >= MAX_COUNT or key.second < 0:
        return "a number is out of range"
    return None
