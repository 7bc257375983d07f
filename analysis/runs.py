"""A run read back from its directory: the one thing that judging and reporting start from."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd

from analysis.arrivals import ARRIVAL_COLUMNS, arrival_cells
from analysis.measured import Counts, Endpoint, LeadingCause, Measured, endpoint_labels
from analysis.meta import LAST_S, RunMeta, read_run_meta
from analysis.quantities import format_count, plural, shorten
from analysis.window_reader import CauseRow, Setup, WindowReader
from analysis.windows import WindowTable
from otaload.errors import RunUnreadableError
from otaload.record.rundir import USERS, WINDOWS, read_meta

HOUR_S = 3600
LONGEST_S = 31 * 24 * HOUR_S
"""A second further than this from the middle of a run is damage, not time."""

MOST_BLOCKS = 400
MOST_LETTERS = 16
"""Of the identity of a process that is not listed: a legend has room for no more."""

USER_COLUMNS = ("second", "planned", "users")
SCHEDULE_COLUMNS = ("iterations", "lost", "late_sum_ms", "late_max_ms")
HEALTH_COLUMNS = (
    *("second", "process", "users", "cpu", "lag_ms"),
    *ARRIVAL_COLUMNS,
    *SCHEDULE_COLUMNS,
)


@dataclass(frozen=True)
class Run:
    """A run directory in memory; every time in it (`t_s`) counts from its first second.

    `users` has a row a second: `t_s`, `planned`, `users`.
    `health` has a row a second and process: `t_s`, `process`, `users`, `cpu` (cores), `lag_ms`,
    what it counted of arrivals (`ARRIVAL_COLUMNS`), and how users with a pacing kept their schedule
    (`SCHEDULE_COLUMNS`).
    `causes` has a row a second, endpoint and cause of failures: `t_s`, `endpoint`, `cause`, `n`.
    `setups` holds the connection set-up of the endpoints whose requests opened any.
    `damage` says which parts could not be read; with any, the run is inconclusive.
    """

    path: Path
    meta: RunMeta
    windows: WindowTable
    users: pd.DataFrame
    health: pd.DataFrame
    causes: pd.DataFrame
    start_s: int
    setups: Mapping[Endpoint, Setup] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    damage: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The directory's name, which is the run's."""
        return self.path.name

    @cached_property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """The endpoints that have completed requests, the busiest first."""
        n = self.windows.successes + self.windows.failures
        totals = np.bincount(self.windows.endpoint, n, minlength=len(self.windows.endpoints))
        order = np.argsort(-totals, kind="stable")
        return tuple(self.windows.endpoints[i] for i in order if totals[i])

    @cached_property
    def labels(self) -> dict[Endpoint, str]:
        """What to call each endpoint."""
        return endpoint_labels(self.endpoints)

    @property
    def totals(self) -> tuple[int, int]:
        """Completed requests, and the failures among them."""
        failures = int(self.windows.failures.sum())
        return int(self.windows.successes.sum()) + failures, failures

    @cached_property
    def duration_s(self) -> int:
        """Whole seconds from the first to the last thing that happened, at least 1."""
        last = [0]
        for times in (self.windows.t_s, self.users["t_s"], self.health["t_s"]):
            if len(times):
                last.append(int(times.max()) + 1)
        if self.meta.start_s is not None and self.meta.end_s is not None:
            # Not the seconds in which the recorder was still waiting for its last answers.
            planned = round(self.meta.end_s - self.meta.start_s)
            last.append(planned if 0 < planned < LONGEST_S else 0)
        return max(1, *last)

    @property
    def offset_s(self) -> float:
        """By how much the run began after its first whole second."""
        start_s = self.meta.start_s
        offset_s = 0.0 if start_s is None else start_s - self.start_s
        return offset_s if 0 <= offset_s < 1 else 0.0

    @cached_property
    def lasted_s(self) -> float:
        """Seconds from the start to the end, the wait for the last answers included."""
        if self.meta.start_s is not None and self.meta.end_s is not None:
            lasted_s = self.meta.end_s - self.meta.start_s
            if 0 < lasted_s < LONGEST_S:
                return lasted_s
        return max(self.duration_s - self.offset_s, 0.5)

    @property
    def last_started_s(self) -> float:
        """The end of the last second in which a request started, in seconds after the start."""
        t_s = self.windows.t_s
        return float(t_s.max()) + 1 - self.offset_s if len(t_s) else 0.0

    @cached_property
    def load_s(self) -> float:
        """The seconds in which requests started; the wait for the last answers does not count.

        A run that came to its planned end, or had no requests to tell, lasted as planned.
        """
        planned_s = self.meta.planned_s
        if planned_s and self.lasted_s >= planned_s and self.last_started_s - 1 < planned_s:
            return planned_s
        if not len(self.windows.t_s):
            return self.lasted_s
        return max(min(self.lasted_s, self.last_started_s), 0.5)

    @cached_property
    def drain_s(self) -> float:
        """The seconds after the load in which the run waited for its last answers."""
        return max(0.0, self.lasted_s - self.load_s)

    def measured(self, endpoints: Sequence[Endpoint]) -> Measured:
        """The requests of these endpoints together, in blocks of 1 min, or 5 in long runs."""
        table = self.windows.of(endpoints)
        width_s = 60 if self.duration_s <= HOUR_S else max(300, self.duration_s // MOST_BLOCKS)
        blocks = table.matrix(table.t_s // width_s, self.duration_s // width_s + 1)
        failed = int(table.failures.sum())
        return Measured(table.histogram(), failed, blocks, self._leading_cause(endpoints))

    def _leading_cause(self, endpoints: Sequence[Endpoint]) -> LeadingCause | None:
        wanted = [i for i, endpoint in enumerate(self.windows.endpoints) if endpoint in endpoints]
        rows = self.causes[self.causes["endpoint"].isin(wanted)]
        if not len(rows):
            return None
        totals = rows.groupby(["endpoint", "cause"], sort=False, as_index=False)["n"].sum()
        first = totals.loc[totals["n"].idxmax()]
        endpoint = self.windows.endpoints[first["endpoint"]]
        label = self.labels.get(endpoint, endpoint.name)
        return LeadingCause(label, str(first["cause"]), int(first["n"]))

    def between(self, start_s: float, end_s: float) -> Run:
        """The run as it was from one time to before another; users and health keep their length."""
        rows = (self.windows.t_s >= start_s) & (self.windows.t_s < end_s)
        causes = self.causes[(self.causes["t_s"] >= start_s) & (self.causes["t_s"] < end_s)]
        return replace(self, windows=self.windows.where(rows), causes=causes)


def load_run(path: Path) -> Run:
    """Read a run directory; raises `RunUnreadableError` where it is none."""
    meta, notes = read_run_meta(read_meta(path))
    reader = WindowReader()
    damage: list[str] = []
    try:
        torn = {WINDOWS} if reader.read(path / WINDOWS) else set()
    except FileNotFoundError:
        torn = set()
        damage.append(f"{WINDOWS} is missing")
    except OSError as error:
        raise RunUnreadableError(
            f"{path / WINDOWS}: cannot be read ({error.strerror or error})"
        ) from error
    damage += _bad_lines(WINDOWS, reader.bad_lines)
    users, health, bad_rows, users_torn = _read_users(path / USERS)
    damage += [f"{USERS} is missing"] if bad_rows is None else _bad_lines(USERS, bad_rows)
    torn |= {USERS} if users_torn else set()
    found = tuple(
        f"{name}: the last line was torn off and is left out"
        for name in (WINDOWS, USERS)
        if name in torn
    )
    start_s, clocked = _start(meta, reader.seconds(), (users, health))
    damage += clocked
    table = reader.table(start_s)
    plausible = (table.t_s > -LONGEST_S) & (table.t_s < LONGEST_S)
    if not plausible.all():
        n = int((~plausible).sum())
        damage.append(f"{WINDOWS}: {n} {plural(n, 'line')} outside the run's time left out")
        table = table.where(plausible)
    table = replace(table, t_s=np.maximum(table.t_s, 0))
    damage += _missing(meta, table)
    return Run(
        path=path,
        meta=meta,
        windows=table,
        users=_frame(users, USER_COLUMNS, start_s),
        health=_named(_frame(health, HEALTH_COLUMNS, start_s), meta),
        causes=_causes(reader.causes, start_s),
        start_s=start_s,
        setups=reader.setups,
        notes=(*notes, *found),
        damage=tuple(damage),
    )


def _bad_lines(name: str, lines: list[tuple[int, str]]) -> list[str]:
    if not lines:
        return []
    number, reason = lines[0]
    first = f"{name}:{number}: {shorten(reason, 100)}"
    if len(lines) == 1:
        return [f"{first}; the line is left out"]
    return [f"{first}; this and {format_count(len(lines) - 1)} more lines are left out"]


def _missing(meta: RunMeta, table: WindowTable) -> list[str]:
    """Whether there are other requests than the recorder says that it wrote."""
    if meta.recorded is None:
        return []
    failures = int(table.failures.sum())
    requests = int(table.successes.sum()) + failures
    told = meta.recorded.requests, meta.recorded.failures
    if (requests, failures) == told:
        return []
    return [
        f"{WINDOWS}: holds {format_count(requests)} requests with {format_count(failures)} "
        f"failures, where {format_count(told[0])} with {format_count(told[1])} were recorded"
    ]


def _start(
    meta: RunMeta, seconds: Counts, others: Sequence[list[tuple[Any, ...]]]
) -> tuple[int, list[str]]:
    """The first second of a run, and what is wrong with the start that `run.json` names."""
    found = np.concatenate([seconds, *(np.array([r[0] for r in rows], int) for rows in others)])
    if not len(found):
        return int(meta.start_s or 0), []
    # Around the middle, since a single second may be damaged.
    near = min(int(found[np.abs(found - np.median(found)) < LONGEST_S].min()), LAST_S)
    if meta.start_s is None:
        return near, []
    start = int(meta.start_s)
    if abs(near - start) > LONGEST_S:
        return near, ["run.json: its start does not fit the recorded seconds"]
    return start, []


def _read_users(
    path: Path,
) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]], list[tuple[int, str]] | None, bool]:
    """The rows of users, those of health, the bad lines (None: no file), whether one was torn."""
    users: list[tuple[Any, ...]] = []
    health: list[tuple[Any, ...]] = []
    bad: list[tuple[int, str]] = []
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    return users, health, bad, True
                try:
                    row = orjson.loads(line)
                    second = _count(row["second"])
                    if "process" in row:
                        shares = float(row["cpu"]), float(row["lag_ms"])
                        count = _count(row.get("users", 0))
                        kept = (row.get(name, 0) for name in SCHEDULE_COLUMNS)
                        schedule = (_count(next(kept)), _count(next(kept)), *map(float, kept))
                        cells = (*shares, *arrival_cells(row), *schedule)
                        # A thousand workers' identities, once each and not once a second.
                        process = sys.intern(str(row["process"]))
                        health.append((second, process, count, *cells))
                    else:
                        users.append((second, float(row["planned"]), float(row["users"])))
                except (ValueError, KeyError, TypeError, AttributeError) as error:
                    reason = "not JSON" if isinstance(error, orjson.JSONDecodeError) else str(error)
                    bad.append((number, reason))
    except FileNotFoundError:
        return users, health, None, False
    except OSError as error:
        raise RunUnreadableError(f"{path}: cannot be read ({error.strerror or error})") from error
    return users, health, bad, False


def _count(value: object) -> int:
    if type(value) is not int or not 0 <= value < 2**40:
        raise ValueError(f"expected a whole number, not {value!r}")
    return value


def _frame(rows: list[tuple[Any, ...]], columns: tuple[str, ...], start_s: int) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(columns))
    frame = frame.rename(columns={"second": "t_s"})
    frame["t_s"] = (frame["t_s"].astype("int64") - start_s).clip(lower=0)
    return frame[frame["t_s"] < LONGEST_S].sort_values("t_s", kind="stable", ignore_index=True)


def _named(health: pd.DataFrame, meta: RunMeta) -> pd.DataFrame:
    """The health rows with workers called by their number in place of their long identity.

    A run that was killed has no list of its workers; what is too long is then numbered by itself.
    """
    names = {worker.id: worker.name for worker in meta.workers if worker.id}
    processes = health["process"].tolist()
    unknown = sorted({name for name in processes if name not in names})
    long = [name for name in unknown if len(name) > MOST_LETTERS]
    names |= {name: f"unlisted worker {n}" for n, name in enumerate(long)}
    named = [names.get(process, process) for process in processes]
    return health.assign(process=pd.Series(named, index=health.index, dtype="str"))


def _causes(rows: list[CauseRow], start_s: int) -> pd.DataFrame:
    # What lies outside the run's time is damage, which the windows of the same lines tell.
    rows = [row for row in rows if abs(row.second - start_s) < LONGEST_S]
    seconds: Counts = np.array([row.second for row in rows], dtype=np.int64)
    return pd.DataFrame(
        {
            "t_s": np.maximum(seconds - start_s, 0),
            "endpoint": np.array([row.endpoint for row in rows], dtype=np.int64),
            "cause": pd.Series([row.cause for row in rows], dtype="str"),
            "n": np.array([row.n for row in rows], dtype=np.int64),
        }
    )
