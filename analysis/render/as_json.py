"""`verdict.json`: the verdict for programs; its `format` is raised when a field changes meaning."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import orjson

from analysis.arrivals import ArrivalFigures
from analysis.figures import StageFigures
from analysis.limits import Bound
from analysis.render.breakpoint_json import breakpoint_content
from analysis.render.findings_json import omission_content, recovery_content
from analysis.verdict import VERDICT_FORMAT, Check, Verdict


def json(verdict: Verdict) -> str:
    """The verdict as indented JSON; latencies in ms, ratios from 0 to 1, times in Unix seconds."""
    content = orjson.dumps(verdict_content(verdict), option=orjson.OPT_INDENT_2)
    return content.decode() + "\n"


def verdict_content(verdict: Verdict) -> dict[str, Any]:
    """The verdict as plain data."""
    return {
        "format": VERDICT_FORMAT,
        "outcome": verdict.outcome.value,
        "tier": verdict.tier.value,
        "exit_code": verdict.exit_code,
        "headline": verdict.headline,
        "run": verdict.run,
        "scenario": verdict.scenario,
        "title": verdict.title,
        "target": dict(verdict.target),
        "rehearsal": verdict.rehearsal or None,
        "partial": verdict.partial,
        "faults": list(verdict.faults),
        "start": verdict.start_s,
        "duration_s": verdict.duration_s,
        "drain_s": verdict.drain_s,
        "requests": verdict.requests,
        "failures": verdict.failures,
        "thresholds": verdict.thresholds,
        "aborted": None if verdict.aborted is None else asdict(verdict.aborted),
        "reasons": list(verdict.reasons),
        "notes": [*verdict.caveats, *verdict.notes],
        "endpoints": [
            {"endpoint": row.endpoint, **asdict(row.figures)} for row in verdict.endpoints
        ],
        "connections": [asdict(row) for row in verdict.connections],
        "phases": [_stage_content(stage) for stage in verdict.stages],
        "failures_by_cause": [asdict(cause) for cause in verdict.causes],
        "arrivals": None if verdict.arrivals is None else _arrivals_content(verdict.arrivals),
        "cautions": [asdict(caution) for caution in verdict.cautions],
        "recovery": recovery_content(verdict.recovery),
        "omission": omission_content(verdict.omission),
        "breakpoint": breakpoint_content(verdict.breakpoint),
        "checks": [_check_content(check) for check in verdict.checks],
    }


def _stage_content(stage: StageFigures) -> dict[str, Any]:
    n, failures = stage.figures.n, stage.figures.failures
    return {
        "phase": stage.phase.value,
        "stage": stage.name,
        "start_s": stage.start_s,
        "end_s": stage.end_s,
        "users_from": stage.users_from,
        "users_to": stage.users_to,
        "judged": stage.judged,
        **asdict(stage.figures),
        "error_ratio": failures / n if n else None,
    }


def _arrivals_content(figures: ArrivalFigures) -> dict[str, Any]:
    return {**asdict(figures), "missed_ratio": figures.missed_ratio}


def _check_content(check: Check) -> dict[str, Any]:
    return {
        "endpoint": check.endpoint,
        "metric": check.metric.name,
        "unit": check.unit.value,
        "tier": check.tier.value,
        "gap": check.gap,
        "value": check.value,
        "n": check.n,
        "low": check.low,
        "high": check.high,
        "proven": check.proven,
        "n_needed": check.n_needed,
        "reason": check.reason,
        "proof": check.proof,
        "indicative": check.indicative,
        "informational": check.informational,
        "phases": list(check.phases),
        "phase": check.phase or None,
        "limits": {
            "pass_below": _bound_content(check.limits.pass_below),
            "warning_below": _bound_content(check.limits.warning_below),
            "fail_above": _bound_content(check.limits.fail_above),
        },
    }


def _bound_content(bound: Bound | None) -> dict[str, Any] | None:
    return None if bound is None else {"value": bound.value, "origin": bound.origin}
