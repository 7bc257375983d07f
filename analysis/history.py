"""Past runs with their figures, from what their directories say already: nothing is judged anew.

A run's `verdict.json` has its figures; a run without one that can be used is listed as not judged.
Reading needs neither windows nor pandas, so that hundreds of runs are listed at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from analysis.limits import ALL_REQUESTS, DRIFT
from analysis.meta import RunMeta, read_run_meta
from analysis.reports import VERDICT, list_runs
from analysis.verdict import VERDICT_FORMAT, Outcome
from otaload.errors import ConfigurationError, RunUnreadableError
from otaload.record.rundir import RUN, WINDOWS, read_meta
from otaload.yamlfile import did_you_mean

STALE_S = 60.0
"""How much later than its verdict a run may have been written to, as copying changes times."""


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What a `verdict.json` says about a run; figures are None where it has none.

    `checks` are those that decide, `proven` how many of them are.
    """

    outcome: Outcome
    checks: int
    proven: int
    duration_s: float | None
    requests: int
    failures: int
    rps: float | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    drift_ratio: float | None

    @property
    def error_ratio(self) -> float | None:
        """Failures among requests; None without any."""
        return self.failures / self.requests if self.requests else None


@dataclass(frozen=True, kw_only=True)
class PastRun:
    """A run and its judgement, or why it has none."""

    name: str
    meta: RunMeta
    judgement: Judgement | None = None
    not_judged: str = ""

    @property
    def limit(self) -> tuple[float, str] | None:
        """The limit that a breakpoint run found, and what it counts in: users or arrivals/s."""
        found = self.meta.breakpoint
        if found is None:
            return None
        limit = found.limit_users if found.limit is None else found.limit
        return None if limit is None else (limit, found.unit)

    @property
    def limit_text(self) -> str:
        """The limit in words; nothing where none was found."""
        return "limit {:g} {}".format(*self.limit) if self.limit else ""


@dataclass(frozen=True)
class History:
    """The newest runs of a reports directory, the newest last.

    `earlier` counts those that are not shown; `unreadable` names directories that are runs no
    more, with the reasons.
    """

    runs: tuple[PastRun, ...]
    earlier: int
    unreadable: tuple[tuple[str, str], ...]


def read_history(reports_dir: Path, scenario: str | None = None, *, limit: int) -> History:
    """The last `limit` runs, of all scenarios or of one.

    Raises `ConfigurationError` where there are none.
    """
    found: list[tuple[Path, RunMeta]] = []
    unreadable = [(path.name, f"it has no {RUN}") for path in _headless(reports_dir)]
    for path in list_runs(reports_dir):
        try:
            found.append((path, read_run_meta(read_meta(path))[0]))
        except RunUnreadableError as error:
            unreadable.append((path.name, str(error)))
    wanted = [(path, meta) for path, meta in found if scenario in (None, meta.scenario)]
    if not wanted and (scenario is not None or not unreadable):
        raise ConfigurationError(_nothing(reports_dir, scenario, [meta for _, meta in found]))
    runs = tuple(_past_run(path, meta) for path, meta in wanted[-limit:])
    return History(runs, len(wanted) - len(runs), tuple(sorted(unreadable)))


def _headless(reports_dir: Path) -> list[Path]:
    """Directories that have a run's measurements and not its `run.json`."""
    try:
        return [
            path
            for path in reports_dir.iterdir()
            if (path / WINDOWS).is_file() and not (path / RUN).is_file()
        ]
    except OSError:
        return []


def _nothing(reports_dir: Path, scenario: str | None, found: list[RunMeta]) -> str:
    if scenario is None or not found:
        return (
            f"{reports_dir}: holds no run yet; start one or name its directory with --reports-dir"
        )
    hint = did_you_mean(scenario, sorted({meta.scenario for meta in found}))
    return f"{scenario}: there is no run of such a scenario in {reports_dir}{hint}"


def _past_run(path: Path, meta: RunMeta) -> PastRun:
    judgement, why = _judgement(path, is_complete=meta.complete)
    return PastRun(name=path.name, meta=meta, judgement=judgement, not_judged=why)


def _judgement(path: Path, *, is_complete: bool) -> tuple[Judgement | None, str]:
    """What a run's verdict says, or why there is none that can be used."""
    try:
        content = orjson.loads((path / VERDICT).read_bytes())
        later_s = (path / RUN).stat().st_mtime - (path / VERDICT).stat().st_mtime
    except FileNotFoundError:
        return None, "there is no verdict" if is_complete else "going on, or never closed"
    except (OSError, orjson.JSONDecodeError):
        return None, "the verdict cannot be read"
    if later_s > STALE_S:
        return None, "the run was written to after its verdict"
    judgement = read_judgement(content)
    return judgement, "" if judgement else "the verdict is damaged or of another version"


def read_judgement(content: object) -> Judgement | None:
    """The meaning of a `verdict.json`; None where it is not one that this version can read."""
    if not isinstance(content, dict) or content.get("format") != VERDICT_FORMAT:
        return None
    outcome = content.get("outcome")
    requests, failures = _count(content.get("requests")), _count(content.get("failures"))
    if outcome not in list(Outcome) or requests is None or failures is None:
        return None
    checks = [check for check in _objects(content, "checks") if not check.get("informational")]
    endpoints = _objects(content, "endpoints")
    # One endpoint alone is all requests.
    rows = [row for row in endpoints if row.get("endpoint") == ALL_REQUESTS] or endpoints[:1]
    figures: Mapping[str, Any] = rows[0] if rows else {}
    drifts = [_number(check.get("value")) for check in checks if check.get("metric") == DRIFT.name]
    return Judgement(
        outcome=Outcome(outcome),
        checks=len(checks),
        proven=sum(check.get("proven") is True for check in checks),
        duration_s=_number(content.get("duration_s")),
        requests=requests,
        failures=failures,
        rps=_number(figures.get("rps")),
        p50_ms=_number(figures.get("p50_ms")),
        p95_ms=_number(figures.get("p95_ms")),
        p99_ms=_number(figures.get("p99_ms")),
        drift_ratio=next(iter(drifts), None),
    )


def _objects(content: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    found = content.get(key)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _count(value: object) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value)
