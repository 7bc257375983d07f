"""`verdict.json`: the verdict for programs; its `format` is raised when a field changes meaning."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import orjson

from analysis.limits import Bound
from analysis.render.breakpoint_json import breakpoint_content
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
        "reasons": list(verdict.reasons),
        "notes": [*verdict.caveats, *verdict.notes],
        "endpoints": [
            {"endpoint": row.endpoint, **asdict(row.figures)} for row in verdict.endpoints
        ],
        "failures_by_cause": [asdict(cause) for cause in verdict.causes],
        "breakpoint": breakpoint_content(verdict.breakpoint),
        "checks": [_check_content(check) for check in verdict.checks],
    }


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
        "limits": {
            "pass_below": _bound_content(check.limits.pass_below),
            "warning_below": _bound_content(check.limits.warning_below),
            "fail_above": _bound_content(check.limits.fail_above),
        },
    }


def _bound_content(bound: Bound | None) -> dict[str, Any] | None:
    return None if bound is None else {"value": bound.value, "origin": bound.origin}
