"""The report's section on coordinated omission: what users that waited did not measure."""

from __future__ import annotations

from analysis.omission import Omission
from analysis.quantities import Unit, format_count, format_quantity
from analysis.render.markup import Markup, element, joined, table
from analysis.render.section import section

TITLE = "Coordinated omission"
COLUMNS = ("Endpoint", "n", "p50", "p95", "p99", "n corrected", "p50", "p95", "p99", "p99 ratio")


def omission_section(omission: Omission | None) -> Markup:
    """Raw percentiles beside corrected ones, or with think times the lost load."""
    if omission is None:
        return Markup("")
    if omission.pacing_s is None:
        account = element("p", _account(omission)) if omission.iterations else Markup("")
        return section(TITLE, account, _lost_load(omission))
    rows = [
        (
            row.endpoint,
            format_count(row.n),
            *(format_quantity(ms, Unit.MS) for ms in (row.p50_ms, row.p95_ms, row.p99_ms)),
            format_count(row.n_corrected),
            *(
                format_quantity(ms, Unit.MS)
                for ms in (row.p50_corrected_ms, row.p95_corrected_ms, row.p99_corrected_ms)
            ),
            f"{row.correction:.3g}",
        )
        for row in omission.rows
    ]
    caption = "Measured, then corrected for the requests that waiting users did not send."
    shown = table(COLUMNS, rows, numeric=range(1, len(COLUMNS)), caption=caption)
    return section(TITLE, element("p", _account(omission)), shown)


def _account(omission: Omission) -> str:
    planned = omission.iterations + omission.lost
    every = "" if omission.pacing_s is None else f", one every {omission.pacing_s:g} s"
    return (
        f"Users started iterations on a schedule{every}: "
        f"{format_count(omission.iterations)} of {format_count(planned)} planned ones, "
        f"{format_count(omission.lost)} ({format_quantity(omission.lost_ratio, Unit.RATIO)}) were "
        f"lost; those that started were {format_quantity(omission.late_mean_ms, Unit.MS)} late on "
        f"average and {format_quantity(omission.late_max_ms, Unit.MS)} at most."
    )


def _lost_load(omission: Omission) -> Markup:
    why = (
        "The scenario has no pacing that could tell what was not sent: the latencies are those of "
        "the requests that were."
    )
    ratio = omission.lost_load_ratio
    told = "The lost load is unknown: it takes two stages with enough requests to tell."
    if ratio is not None:
        told = (
            f"Lost load: {format_quantity(ratio, Unit.RATIO)} of the users' time went into "
            "waiting for longer than at the stage at which the service was fastest."
        )
    return joined((element("p", why), element("p", told)))
