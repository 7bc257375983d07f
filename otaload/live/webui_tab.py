"""A tab on Locust's page: how each threshold stands while a run is under way, then its verdict.

Locust's page shows tables that come along with its own statistics, and asks for them for as long as
a run goes on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from locust.web import WebUI

from analysis.limits import Tier, metric_named
from analysis.quantities import Unit, format_count, format_limit, format_quantity, printable
from otaload.live.progress import tier_text
from otaload.live.session import Session
from otaload.live.standing import SYMBOLS, Standing, worst_tier

KEY = "thresholds"
VERDICT = "verdict.json"
THE_RUN = "the run"
COLUMNS = {
    "tier": "Tier",
    "endpoint": "Endpoint",
    "metric": "Metric",
    "value": "Value",
    "limits": "Pass, warning, fail",
    "n": "Requests",
}

Row = dict[str, str]


def add_tab(web_ui: WebUI) -> None:
    """Put the tab on Locust's page, beside those that a locustfile may have put there."""
    structure = [{"key": key, "title": title} for key, title in COLUMNS.items()]
    _append(web_ui.template_args, "extended_tabs", {"title": "Thresholds", "key": KEY})
    _append(web_ui.template_args, "extended_tables", {"key": KEY, "structure": structure})


def with_rows(statistics: dict[str, Any], session: Session, *, page: str) -> dict[str, Any]:
    """Locust's statistics with the rows of the tab."""
    extended = list(statistics.get("extended_stats") or [])
    # The page sorts by a name unless it is told otherwise by a click.
    data = [{"name": f"{i:04}", **row} for i, row in enumerate(rows(session, page=page))]
    extended.append({"key": KEY, "data": data})
    return {**statistics, "extended_stats": extended}


def rows(session: Session, *, page: str) -> list[Row]:
    """What the tab shows at this moment; the report is at `page`."""
    if session.running:
        standings = session.standings()
        told = tier_text(standings) or "a search for the limit has its verdict at the end"
        head = _row(THE_RUN, tier=_tier_cell(worst_tier(standings)), value=told)
        return [head, *(_standing_row(one) for one in standings)]
    run = session.last
    if run is None:
        return [_row(THE_RUN, value="none has begun yet")]
    if run.code is None:
        return [_row(THE_RUN, value=f"is being judged; its verdict will be at {page}")]
    return _verdict_rows(run.path, page)


def _append(arguments: dict[str, Any], key: str, entry: Mapping[str, Any]) -> None:
    arguments[key] = [*(arguments.get(key) or []), entry]


def _row(endpoint: str, **cells: str) -> Row:
    return {**dict.fromkeys(COLUMNS, ""), "endpoint": printable(endpoint), **cells}


def _standing_row(one: Standing) -> Row:
    limits = one.threshold.limits
    warning = None if limits.warning_below is None else limits.warning_below.value
    return _row(
        one.endpoint,
        tier=_tier_cell(one.tier),
        metric=one.metric_text,
        value=one.value_text,
        limits=_limits_cell(
            limits.pass_below.value, warning, limits.fail_above.value, one.threshold.metric.unit
        ),
        n=format_count(one.n),
    )


def _tier_cell(tier: Tier | None) -> str:
    return _unbroken(f"{SYMBOLS[tier]} {'no data' if tier is None else tier.value}")


def _limits_cell(passes: float, warning: float | None, fails: float, unit: Unit) -> str:
    told = "–" if warning is None else f"< {format_limit(warning, unit)}"
    texts = (f"< {format_limit(passes, unit)}", told, f"> {format_limit(fails, unit)}")
    return ", ".join(_unbroken(text) for text in texts)


def _unbroken(text: str) -> str:
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def _verdict_rows(path: Path, page: str) -> list[Row]:
    """The verdict of a run that was judged, from its file."""
    try:
        verdict = json.loads((path / VERDICT).read_text(encoding="utf-8"))
        symbol = SYMBOLS[Tier(verdict["tier"])]
        head = _row(
            THE_RUN,
            tier=_unbroken(f"{symbol} {verdict['outcome']}"),
            metric="verdict",
            value=f"{printable(verdict['headline'])} The report is at {page}.",
            n=format_count(verdict["requests"]),
        )
        return [head, *(_check_row(check) for check in verdict["checks"])]
    except (OSError, ValueError, KeyError, TypeError):
        # Its directory may have been moved away meanwhile.
        return [_row(THE_RUN, value=f"{path} has no verdict that could be shown")]


def _check_row(check: Mapping[str, Any]) -> Row:
    metric = metric_named(check["metric"])
    if metric is None:
        raise ValueError(check["metric"])
    limits, middle = check["limits"], check["limits"]["warning_below"]
    passes, fails = limits["pass_below"]["value"], limits["fail_above"]["value"]
    warning = None if middle is None else middle["value"]
    known = [limit for limit in (passes, warning, fails) if limit is not None]
    value = check["value"]
    shown = "no data" if value is None else format_quantity(value, metric.unit, apart_from=known)
    return _row(
        check["endpoint"],
        tier=_tier_cell(Tier(check["tier"])),
        metric=metric.name + (f" in {check['phase']}" if check["phase"] else ""),
        value=shown,
        limits=_limits_cell(passes, warning, fails, metric.unit),
        n=format_count(check["n"]),
    )
