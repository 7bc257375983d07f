"""What `run.json` says about a run, read so that a crashed or foreign one still has a meaning.

Every key may be missing or of the wrong kind; what is wrong is left out and noted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from analysis.holds import Hold, read_holds
from analysis.quantities import shorten
from otaload.phase import Phase, default_phase

ABORTED, REFUSED = "aborted", "refused"
"""Ways in which a run ends: an abort rule stopped it, or it was about to load what it may not."""
LAST_S = 2**37
"""The latest time that is believed, in the year 6325."""
BREAKPOINT = "breakpoint"
"""The scenario that has always sought a limit: its older runs, and those that crashed."""


@dataclass(frozen=True)
class Stage:
    """A part of the load's profile, in seconds after the start; one that never ends ends at inf.

    The rates are arrivals per second, None where the load is planned in users.
    """

    name: str
    start_s: float
    end_s: float
    users_from: float
    users_to: float
    phase: Phase = Phase.STEADY
    rate_from: float | None = None
    rate_to: float | None = None


@dataclass(frozen=True)
class Worker:
    """A process that generated load for the run, and how faithfully it reported.

    `reports` is None where their number is not known. `away_s` is how long nothing was heard of it,
    `last_s` when its last report came after the start, `clock_offset_s` what its clock was behind
    the master's; the whole seconds `clock_shift_s` were added to its own.
    """

    id: str
    name: str
    reports: int | None
    gaps: int
    lost: bool
    users_max: int
    left_early: bool = False
    repeats: int = 0
    away_s: int = 0
    last_s: float | None = None
    version: str = ""
    clock_offset_s: float | None = None
    clock_shift_s: float = 0.0


@dataclass(frozen=True)
class BreakpointResult:
    """Where a breakpoint run found its limit.

    `limit_users` are the most users that were still within limits, None where none were;
    `at_s` is where the first bad slice of the final row began, in seconds after the start.
    The rest comes from a search that bisects: how it ended, the limit in its own unit, the lowest
    level above it that was bad, the endpoint that failed there first, and what was played.
    """

    limit_users: float | None
    reason: str
    at_s: float | None
    outcome: str = ""
    unit: str = "users"
    limit: float | None = None
    too_much: float | None = None
    endpoint: str = ""
    holds: tuple[Hold, ...] = ()
    short_of_users: bool = False
    """Whether it was arrivals without a free user that made that level bad."""


@dataclass(frozen=True)
class Recorded:
    """What the recorder wrote, by its own count; with less than that, a run is damaged."""

    requests: int
    failures: int


@dataclass(frozen=True)
class Aborted:
    """That an abort rule stopped the run: which, why, and when after the start."""

    rule: str
    reason: str
    at_s: float | None
    value: float | None


@dataclass(frozen=True)
class Rehearsal:
    """A run scaled down in time or users, whose figures are not the real ones."""

    time_scale: float
    user_scale: float

    def __str__(self) -> str:
        return f"time × {self.time_scale:g}, users × {self.user_scale:g}"


@dataclass(frozen=True, kw_only=True)
class RunMeta:
    """`run.json`, with None or nothing in place of what it does not say."""

    scenario: str = "unknown"
    title: str = ""
    locustfile: str = ""
    rehearsal: Rehearsal | None = None
    planned_users: float | None = None
    planned_s: float | None = None
    stages: tuple[Stage, ...] = ()
    mix: Mapping[str, float] = field(default_factory=dict)
    pacing_s: float | None = None
    think_s: tuple[float, float] | None = None
    sessions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    exercises: tuple[str, ...] | None = None
    target: Mapping[str, str] = field(default_factory=dict)
    hosts: Mapping[str, int] = field(default_factory=dict)
    production_hosts: tuple[str, ...] | None = None
    """Those of them that are production; None where not every host was asked about."""
    faults: tuple[str, ...] = ()
    git_commit: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    seed: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    workers: tuple[Worker, ...] = ()
    processes: int | None = None
    start_s: float | None = None
    end_s: float | None = None
    ended: str = ""
    interrupted: str = ""
    refusal: str = ""
    """Why a run that ended as refused was; older ones have it in `interrupted`."""
    crashes: int = 0
    first_crash: str = ""
    breakpoint: BreakpointResult | None = None
    recorded: Recorded | None = None
    aborted: Aborted | None = None
    stopped_early_s: float | None = None
    """When a soak was looked at and ended for its drift, in seconds after the start."""
    notes: tuple[str, ...] = ()
    complete: bool = False

    @property
    def finds_limit(self) -> bool:
        """Whether the run's purpose was to find a limit, whatever its locustfile is called."""
        return self.breakpoint is not None or self.scenario == BREAKPOINT


def read_run_meta(meta: Mapping[str, Any]) -> tuple[RunMeta, tuple[str, ...]]:
    """The meaning of a `run.json`, and notes on those keys that made no sense."""
    read = _Reader(meta)
    crashes, target = read.mapping("crashes"), read.mapping("target")
    planned = read.mapping("planned")
    first = crashes.get("first")
    exercises = read.value("exercises", list)
    ended = read.text("ended")
    interrupted = read.text("interrupted") or ("a signal" if ended == "interrupted" else "")
    refusal = read.text("refusal")
    if ended == REFUSED:
        refusal = refusal or ("" if interrupted == REFUSED else interrupted)
        interrupted = REFUSED
    result = RunMeta(
        scenario=read.text("scenario") or "unknown",
        title=read.text("title"),
        locustfile=read.text("locustfile"),
        rehearsal=_rehearsal(read.mapping("rehearsal")),
        planned_users=_number(planned.get("users_max")),
        planned_s=_number(planned.get("duration_s")),
        stages=tuple(read.each("stages", _stage)),
        pacing_s=read.number("pacing_s") or None,
        mix={k: n for k, v in read.mapping("mix").items() if (n := _number(v)) is not None},
        think_s=_range(read.value("think_s", list)),
        sessions={
            name: tuple(str(endpoint) for endpoint in asked)
            for name, asked in read.mapping("sessions").items()
            if isinstance(asked, list)
        },
        exercises=None if exercises is None else tuple(str(name) for name in exercises),
        target={key: str(value) for key, value in target.items() if value is not None},
        hosts={k: int(n) for k, v in read.mapping("hosts").items() if (n := _number(v))},
        production_hosts=_hosts(read.value("production_hosts", list)),
        faults=tuple(read.each("faults", _text)),
        git_commit=read.text("git_commit"),
        versions={k: str(v) for k, v in read.mapping("versions").items() if v is not None},
        seed="" if meta.get("seed") is None else str(meta["seed"]),
        options={k: str(v) for k, v in read.mapping("options").items() if v is not None},
        workers=tuple(read.each("workers", _worker)),
        processes=_whole(meta.get("processes")),
        start_s=read.time("start"),
        end_s=read.time("end"),
        ended=ended,
        interrupted=interrupted,
        refusal=refusal,
        crashes=_whole(crashes.get("count")) or (1 if first else 0),
        first_crash=first if isinstance(first, str) else "",
        breakpoint=_breakpoint(read.value("breakpoint", dict)),
        recorded=_recorded(read.mapping("recorded")),
        aborted=_aborted(read.value("aborted", dict), ended),
        stopped_early_s=_number(read.mapping("early_stop").get("at_s")),
        notes=tuple(read.each("notes", _text)),
        complete=meta.get("complete") is True,
    )
    return result, tuple(read.notes)


class _Reader:
    """Takes values out of a JSON object and notes those of the wrong kind."""

    def __init__(self, meta: Mapping[str, Any]) -> None:
        self._meta = meta
        self.notes: list[str] = []

    def value(self, key: str, kind: type) -> Any:
        found = self._meta.get(key)
        if found is None or isinstance(found, kind):
            return found
        self.notes.append(f"run.json: {key} makes no sense ({shorten(str(found))}); left out")
        return None

    def text(self, key: str) -> str:
        found: str | None = self.value(key, str)
        return found or ""

    def mapping(self, key: str) -> dict[str, Any]:
        return self.value(key, dict) or {}

    def number(self, key: str) -> float | None:
        found = self._meta.get(key)
        number = _number(found)
        if number is None and found is not None:
            self.notes.append(f"run.json: {key} is not a time ({shorten(str(found))}); left out")
        return number

    def time(self, key: str) -> float | None:
        """Unix seconds that a calendar still has a date for."""
        number = self.number(key)
        if number is None or number <= LAST_S:
            return number
        self.notes.append(f"run.json: {key} is not a time ({number:g}); left out")
        return None

    def each(self, key: str, read: Any) -> list[Any]:
        items = [(item, read(item)) for item in self.value(key, list) or []]
        for item, made in items:
            if made is None:
                what = shorten(str(item))
                self.notes.append(f"run.json: an entry of {key} makes no sense ({what}); left out")
        return [made for _, made in items if made is not None]


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < 2**53 else None


def _signed(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 2**53:
        return None
    return float(value)


def _whole(value: object) -> int | None:
    number = _number(value)
    return None if number is None else int(number)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _hosts(items: list[Any] | None) -> tuple[str, ...] | None:
    # One that cannot be read is worse than none: what is unknown is not told as untouched.
    return None if items is None else tuple(item if _text(item) else "unknown" for item in items)


def _range(item: list[Any] | None) -> tuple[float, float] | None:
    ends = [_number(end) for end in item or ()]
    return (ends[0], ends[1]) if len(ends) == 2 and ends[0] is not None and ends[1] else None


def _stage(item: object) -> Stage | None:
    if not isinstance(item, dict):
        return None
    numbers = [_number(item.get(key)) for key in ("start_s", "end_s", "users_from", "users_to")]
    start_s, end_s, users_from, users_to = numbers
    if "end_s" in item and item["end_s"] is None:
        end_s = math.inf  # an endless stage, which the end of the run ends
    if start_s is None or end_s is None or end_s < start_s:
        return None
    name, users = str(item.get("name") or "stage"), (users_from or 0.0, users_to or 0.0)
    rates = _number(item.get("rate_from")), _number(item.get("rate_to"))
    # A run of before there were phases, or of a version that knows more of them.
    written = next((phase for phase in Phase if phase == item.get("phase")), None)
    phase = written or default_phase(name, *users)
    return Stage(name, start_s, end_s, *users, phase, *rates)


def _worker(item: object) -> Worker | None:
    if not isinstance(item, dict):
        return None
    identity = str(item.get("id", ""))
    name = f"worker {item.get('index', identity or '?')}"
    return Worker(
        id=identity,
        name=name,
        reports=_whole(item.get("reports")),
        gaps=_whole(item.get("gaps")) or 0,
        lost=bool(item.get("lost")),
        users_max=_whole(item.get("users_max")) or 0,
        left_early=bool(item.get("left_early")),
        repeats=_whole(item.get("repeats")) or 0,
        away_s=_whole(item.get("away_s")) or 0,
        last_s=_number(item.get("last_s")),
        version=_text(item.get("version")) or "",
        clock_offset_s=_signed(item.get("clock_offset_s")),
        clock_shift_s=_signed(item.get("clock_shift_s")) or 0.0,
    )


def _rehearsal(item: Mapping[str, Any]) -> Rehearsal | None:
    if not item:
        return None
    time_scale, user_scale = _number(item.get("time_scale")), _number(item.get("user_scale"))
    return Rehearsal(
        1.0 if time_scale is None else time_scale, 1.0 if user_scale is None else user_scale
    )


def _recorded(item: Mapping[str, Any]) -> Recorded | None:
    requests, failures = _whole(item.get("requests")), _whole(item.get("failures"))
    return None if requests is None or failures is None else Recorded(requests, failures)


def _breakpoint(item: Mapping[str, Any] | None) -> BreakpointResult | None:
    if item is None:
        return None
    limit, at_s = _number(item.get("limit_users")), _number(item.get("at_s"))
    bracket = item.get("bracket")
    ends = bracket if isinstance(bracket, list) and len(bracket) == 2 else [None, None]
    return BreakpointResult(
        limit,
        str(item.get("reason") or ""),
        at_s,
        outcome=str(item.get("outcome") or ""),
        unit=str(item.get("unit") or "users"),
        limit=_number(item.get("limit")),
        too_much=_number(ends[1]),
        endpoint=str(item.get("endpoint") or ""),
        holds=read_holds(item.get("holds")),
        short_of_users=item.get("short_of_users") is True,
    )


def _aborted(item: Mapping[str, Any] | None, ended: str) -> Aborted | None:
    if item is None:
        # A run that says so is believed, though not why.
        return Aborted("", "", None, None) if ended == ABORTED else None
    rule, reason = str(item.get("rule") or ""), str(item.get("reason") or "")
    return Aborted(rule, reason, _number(item.get("at_s")), _number(item.get("value")))
