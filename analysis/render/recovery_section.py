"""The report's section on how a spike was recovered from."""

from __future__ import annotations

from analysis.quantities import Unit, format_count, format_duration, format_quantity
from analysis.recovery import HOLD_S, Recovery
from analysis.render.figure_element import figure_element
from analysis.render.markup import Markup, element, pairs
from analysis.render.recovery_chart import recovery_figure
from analysis.render.section import section

IN_FLIGHT = (
    "Here a request counts in every second in which it was in flight, so that a slow one weighs "
    "more than in the checks and the other tables, which count it once."
)


def recovery_section(recovery: Recovery | None) -> Markup:
    """The figures, and a chart zoomed on the burst; nothing for a run without one."""
    if recovery is None:
        return Markup("")
    sentence = f"{recovery.sentence[:1].upper()}{recovery.sentence[1:]}."
    parts = [element("p", sentence)]
    if not recovery.insufficient:
        text = "of the requests in flight in each second"
        if recovery.pool_s > 1:
            text += f" and the {recovery.pool_s - 1} s after it"
        chart = figure_element(
            "recovery", "p95 around the burst", text, lambda: recovery_figure(recovery)
        )
        listed = element("div", pairs(_entries(recovery)), element("p", IN_FLIGHT, class_="quiet"))
        parts.append(element("div", chart, listed, class_="charts"))
    return section("Recovery", *parts)


def _entries(recovery: Recovery) -> list[tuple[str, str]]:
    burst = recovery.burst
    observed = format_duration(recovery.observed_s)
    time, after = f"not within {observed} observed", "–"
    if recovery.recovery_s is not None and recovery.after_load_s is not None:
        time = f"{_seconds(recovery.recovery_s)} after the end of the burst, ± 1 s"
        after = f"{_seconds(recovery.after_load_s)} after it"
    baseline = format_duration(burst.begins_s - recovery.baseline_from_s)
    peak = "–"
    if recovery.peak_ms is not None and recovery.peak_ratio is not None:
        peak = f"{format_quantity(recovery.peak_ms, Unit.MS)}, {recovery.peak_ratio:.3g} × baseline"
    band = f"p95 up to {format_quantity(recovery.band_ms, Unit.MS)}, errors up to "
    entries = [
        ("Recovery", time),
        ("Load back at the baseline's level", f"{_seconds(burst.back_s - burst.ends_s)} after it"),
        ("Recovery after that", after.removesuffix(" after it")),
        ("Peak of p95 in flight", peak),
        ("Failures until then", format_count(recovery.failures)),
        ("Area above the band", f"{recovery.area_ms_s:,.0f} ms·s"),
        ("Baseline", f"p95 {format_quantity(recovery.baseline_p95_ms, Unit.MS)} over {baseline}"),
        ("Band", band + format_quantity(recovery.error_limit_ratio, Unit.RATIO)),
        ("Hysteresis", _hysteresis(recovery)),
        ("Clearly outside again later", format_duration(recovery.out_again_s)),
    ]
    if recovery.indicative:
        entries.append(("Indicative", "yes: a rehearsal, or less than 2 min of baseline"))
    return entries


def _hysteresis(recovery: Recovery) -> str:
    if not recovery.hysteresis:
        return "no sign of it"
    return f"suspected: back in the band for less than {HOLD_S} s and out again"


def _seconds(seconds: float) -> str:
    return format_duration(round(seconds))
