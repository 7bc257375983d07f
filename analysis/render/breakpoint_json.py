"""The part of `verdict.json` that says what a breakpoint run found."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from analysis.breakpoint import Breakpoint, HoldFigures


def breakpoint_content(found: Breakpoint | None) -> dict[str, Any] | None:
    """The search as plain data; None for a run without one."""
    if found is None:
        return None
    return {
        "outcome": found.outcome,
        "unit": found.unit,
        "limit": found.limit,
        "too_much": found.too_much,
        "limit_rps": found.limit_rps,
        "rps_low": found.rps_low,
        "rps_high": found.rps_high,
        "endpoint": found.endpoint or None,
        "reason": found.reason or None,
        "short_of_users": found.short_of_users,
        "saturation": None if found.saturation is None else asdict(found.saturation),
        "holds": [_hold_content(one) for one in found.holds],
    }


def _hold_content(one: HoldFigures) -> dict[str, Any]:
    return {
        **asdict(one.hold),
        "users": one.users,
        "busy_users": one.busy_users,
        "little_gap_ratio": one.little_gap_ratio,
        "goodput_rps": one.goodput_rps,
        **asdict(one.figures),
    }
