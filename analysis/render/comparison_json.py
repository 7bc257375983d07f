"""A comparison for programs; its `format` is raised when a field changes meaning."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import orjson

from analysis.compare import Difference
from analysis.comparison import COMPARISON_FORMAT, Comparison
from analysis.run_groups import Group


def json(comparison: Comparison) -> str:
    """The comparison as indented JSON; latencies in ms, ratios and changes as 0.05 for 5 %."""
    content = orjson.dumps(comparison_content(comparison), option=orjson.OPT_INDENT_2)
    return content.decode() + "\n"


def comparison_content(comparison: Comparison) -> dict[str, Any]:
    """The comparison as plain data."""
    return {
        "format": COMPARISON_FORMAT,
        "finding": comparison.finding.value,
        "exit_code": comparison.exit_code,
        "headline": comparison.headline,
        "figures": [_figure(difference) for difference in comparison.differences.all],
        "groups": [_group(group) for group in (comparison.before, comparison.after)],
        "notes": list(comparison.notes),
    }


def _figure(difference: Difference) -> dict[str, Any]:
    metric = difference.metric
    return {
        **asdict(difference),
        "metric": metric.name,
        "unit": metric.unit.value,
        "finding": difference.finding.value,
        "is_small": difference.is_small,
    }


def _group(group: Group) -> dict[str, Any]:
    return {
        "label": group.label,
        "runs": [
            {
                "run": run.name,
                "start": run.start_s,
                "git_commit": run.meta.git_commit or None,
                "trouble": run.trouble or None,
                "all_requests": asdict(run.figures.all_requests),
                "endpoints": [
                    {"endpoint": endpoint, **asdict(figures)}
                    for endpoint, figures in run.figures.endpoints.items()
                ],
            }
            for run in group.runs
        ],
        "left_out": [asdict(run) for run in group.left_out],
    }
