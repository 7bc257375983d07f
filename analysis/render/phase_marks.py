"""The phases of a run as shades and names behind a chart over time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from analysis.meta import Stage
from analysis.render.chart_style import GRID, QUIET, WARNING
from otaload.phase import Phase

SHADES = {Phase.RAMP_UP: (GRID, 0.45), Phase.RAMP_DOWN: (GRID, 0.45), Phase.BURST: (WARNING, 0.13)}
MOST_LINES = 12
LETTER_SHARE = 0.0165
"""The width of a letter of a phase's name, as a share of the axes."""
RAISED = 0.075
"""How far the names lift the legend that stands above them."""


@dataclass(frozen=True)
class PhaseSpan:
    """Neighbouring stages of one phase, in seconds after the start."""

    phase: Phase
    start_s: float
    end_s: float


def phase_spans(stages: Sequence[Stage], duration_s: float) -> tuple[PhaseSpan, ...]:
    """The phases of a run that lasted so long, neighbours of a kind joined."""
    spans: list[PhaseSpan] = []
    for stage in stages:
        end_s = min(stage.end_s if math.isfinite(stage.end_s) else duration_s, duration_s)
        if stage.start_s >= end_s:
            continue
        if spans and spans[-1].phase is stage.phase:
            spans[-1] = PhaseSpan(stage.phase, spans[-1].start_s, end_s)
        else:
            spans.append(PhaseSpan(stage.phase, stage.start_s, end_s))
    return tuple(spans)


def shade_phases(axes: Axes, stages: Sequence[Stage], duration_s: float) -> None:
    """Shade ramps and bursts, and draw a line where each of not too many stages begins."""
    for span in phase_spans(stages, duration_s):
        if span.phase in SHADES:
            colour, alpha = SHADES[span.phase]
            axes.axvspan(
                span.start_s, span.end_s, color=colour, alpha=alpha, linewidth=0, zorder=0.1
            )
    for stage in stages[1:] if len(stages) <= MOST_LINES else ():
        axes.axvline(stage.start_s, color=GRID, linewidth=1.4, zorder=0.5)


def name_phases(axes: Axes, stages: Sequence[Stage], duration_s: float) -> float:
    """Name the phases above the axes, where they have room; how far that lifts the legend."""
    spans = phase_spans(stages, duration_s)
    if len(spans) < 2:
        return 0.0
    named = 0.0
    for span in spans:
        if (span.end_s - span.start_s) / duration_s < LETTER_SHARE * len(span.phase.value):
            continue
        middle = (span.start_s + span.end_s) / 2
        place = axes.get_xaxis_transform()
        axes.text(
            middle, 1.015, span.phase.value, transform=place, ha="center", fontsize=10, color=QUIET
        )
        named = RAISED
    return named
