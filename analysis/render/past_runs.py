"""Past runs as a table for a terminal, as Markdown, and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import orjson

from analysis.history import History, Judgement, PastRun
from analysis.quantities import (
    Unit,
    format_count,
    format_duration,
    format_quantity,
    format_rate,
    plural,
    printable,
    shorten,
)
from analysis.render.summary import escape
from analysis.render.terminal import table, wrapped
from analysis.verdict import Outcome

HISTORY_FORMAT = 1
"""Of the JSON; raised when a field changes meaning."""
COLUMNS = (
    *("Tier", "Run", "Proven", "Lasted", "n", "Requests/s", "Errors", "p50", "p95", "p99"),
    *("Trend", "Commit", "Notes"),
)
NOT_JUDGED = "not judged"
MOST_NAMES = 4
_BAR = 8
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_RUN_WIDTH = 36
_SYMBOLS = {
    Outcome.PASS: "✓",
    Outcome.WARNING: "!",
    Outcome.FAIL: "✗",
}


def text(history: History) -> str:
    """A row a run, the newest last, then what is missing."""
    rows = [
        (symbol(run), *(printable(cell).removesuffix(" ms") for cell in row))
        for run, row in zip(history.runs, _rows(history), strict=True)
    ]
    header = ["", *(name.lower() for name in COLUMNS)]
    header[2] = "run, latency in ms"
    lines = table(header, rows, right=(4, 5, 6, 7, 8, 9, 10)) if rows else []
    if history.earlier:
        count = f"{format_count(history.earlier)} earlier {plural(history.earlier, 'run')}"
        lines.append(f"  {count} not shown; --limit shows more")
    for sentence in remarks(history):
        lines += ["", *wrapped(sentence, "  ", "  ")]
    return "\n".join(lines) + "\n"


def markdown(history: History) -> str:
    """The same as Markdown."""
    lines = [f"| {' | '.join(COLUMNS)} |", "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|---|---|---|"]
    lines += [f"| {' | '.join(escape(cell) for cell in row)} |" for row in _rows(history)]
    lines += [line for sentence in remarks(history) for line in ("", escape(sentence))]
    return "\n".join(lines) + "\n"


def json(history: History) -> str:
    """The same as JSON; latencies in ms, ratios from 0 to 1, times in Unix seconds."""
    content = {
        "format": HISTORY_FORMAT,
        "runs": [_content(run) for run in history.runs],
        "earlier": history.earlier,
        "unreadable": [{"run": name, "reason": why} for name, why in history.unreadable],
    }
    return orjson.dumps(content, option=orjson.OPT_INDENT_2).decode() + "\n"


def remarks(history: History) -> list[str]:
    """Which runs are not judged, and which directories are not readable, with how to mend it."""
    names: dict[str, list[str]] = {}
    for run in history.runs:
        if run.judgement is None:
            names.setdefault(run.not_judged, []).append(run.name)
    found = []
    for why, runs in names.items():
        more = len(runs) - MOST_NAMES
        listed = ", ".join(runs[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
        found.append(f"not judged, as {why}: {listed}; `otaload judge {runs[0]}` judges it")
    found += [f"{name} cannot be read: {why}" for name, why in history.unreadable]
    return found


def _rows(history: History) -> list[tuple[str, ...]]:
    most: dict[tuple[str, str], float] = {}
    for run in history.runs:
        if run.judgement is not None and run.judgement.p95_ms is not None:
            most[kind(run)] = max(most.get(kind(run), 0.0), run.judgement.p95_ms)
    return [cells(run, most.get(kind(run), 0.0)) for run in history.runs]


def kind(run: PastRun) -> tuple[str, str]:
    """What a run must have in common with others for its p95 to be drawn on their scale."""
    return run.meta.scenario, str(run.meta.rehearsal or "")


def cells(run: PastRun, most_ms: float = 0.0) -> tuple[str, ...]:
    """The cells below `COLUMNS`; the bar of the trend shows the share of `most_ms` in p95."""
    name, commit = shorten(run.name, _RUN_WIDTH), _commit(run.meta.git_commit)
    found = run.judgement
    if found is None:
        return (NOT_JUDGED, name, *[""] * 9, commit, _notes(run))
    latencies = (found.p50_ms, found.p95_ms, found.p99_ms)
    error = found.error_ratio
    return (
        found.outcome.value,
        name,
        f"{found.proven}/{found.checks}" if found.checks else "–",
        "–" if found.duration_s is None else format_duration(found.duration_s),
        format_count(found.requests),
        "–" if found.rps is None else format_rate(found.rps),
        "–" if error is None else format_quantity(error, Unit.RATIO),
        *("–" if ms is None else format_quantity(ms, Unit.MS) for ms in latencies),
        bar(found.p95_ms, most_ms),
        commit,
        _notes(run),
    )


def bar(value: float | None, most: float) -> str:
    """A bar of eighths of a character, as long as a value's share of the most."""
    if value is None or most <= 0:
        return ""
    eighths = max(1, round(8 * _BAR * value / most))
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def _notes(run: PastRun) -> str:
    found = []
    if run.judgement is not None and run.judgement.drift_ratio is not None:
        found.append(f"drift {100 * run.judgement.drift_ratio:+.1f} %".replace("-", "−"))
    found += [run.limit_text] if run.limit_text else []
    found += ["rehearsal"] if run.meta.rehearsal else []
    found += ["faults"] if run.meta.faults else []
    return ", ".join(found)


def _commit(commit: str) -> str:
    """The first digits of a commit, with its mark for uncommitted changes."""
    head, dash, rest = commit.partition("-")
    return head[:7] + (dash + rest if rest == "dirty" else "")


def symbol(run: PastRun) -> str:
    """The mark of what became of a run."""
    return "·" if run.judgement is None else _SYMBOLS.get(run.judgement.outcome, "?")


def _content(run: PastRun) -> dict[str, Any]:
    found: Judgement | None = run.judgement
    return {
        "run": run.name,
        "scenario": run.meta.scenario,
        "start": run.meta.start_s,
        "complete": run.meta.complete,
        "rehearsal": str(run.meta.rehearsal) if run.meta.rehearsal else None,
        "faults": list(run.meta.faults),
        "target": dict(run.meta.target),
        "git_commit": run.meta.git_commit or None,
        "limit": None if run.limit is None else run.limit[0],
        "limit_unit": None if run.limit is None else run.limit[1],
        "judgement": None if found is None else {**asdict(found), "error_ratio": found.error_ratio},
        "not_judged": run.not_judged or None,
    }
