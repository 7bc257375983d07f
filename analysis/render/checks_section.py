"""The report's table of checks: the worst first, each with its margin, the reasons folded away."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.limits import Tier
from analysis.quantities import format_count
from analysis.render.console import SYMBOLS, limits_text, tier_text
from analysis.render.margin import margin_bar
from analysis.render.markup import Markup, element, joined, table
from analysis.render.rows import NO_REQUESTS
from analysis.render.wording import sentence, spoken
from analysis.verdict import Check, Verdict

COLUMNS = ("Tier", "Endpoint", "Metric", "Value", "Margin", "n", "Proven", "Why")
CAPTION = (
    "The worst first, over the phases that are judged. Each bar runs from pass over warning to "
    "fail, the taller the worse, striped in the gap; the diamond is the value, the line through it "
    "its 95 % interval."
)
NO_VERDICT = "The run does not count: these tiers are no verdict on the service."


def checks_section(verdict: Verdict) -> Markup:
    """The table, or in one sentence why there is none."""
    if not verdict.requests:
        return element("p", sentence(NO_REQUESTS))
    if not verdict.checks:
        return element("p", "No threshold applies to this run.")
    rows = [_row(check) for check in verdict.checks]
    caption = CAPTION
    if verdict.tier is Tier.INCONCLUSIVE:
        caption = f"{NO_VERDICT} {CAPTION}"
    shown = table(COLUMNS, rows, numeric=(5,), caption=caption, heading=1)
    return element("div", shown, class_="checks")


def proven_sentence(verdict: Verdict) -> str:
    """Whether the checks that made the verdict are proven; nothing where there are none."""
    deciding = [check for check in verdict.checks if not check.informational]
    measured = [check for check in deciding if check.value is not None]
    if not measured or verdict.tier is Tier.INCONCLUSIVE:
        return ""
    if verdict.tier is Tier.PASS:
        unproven = [check for check in deciding if not check.proven]
        if not unproven:
            return "Proven: every check lies within its limits at 95 % confidence."
        return (
            f"Not fully proven: {len(unproven)} of {len(deciding)} checks rest on too few "
            "independent requests to be 95 % sure."
        )
    worst = [check for check in measured if check.tier is verdict.tier]
    if not worst:
        return ""
    proven = sum(check.proven for check in worst)
    kind = "fail" if verdict.tier is Tier.FAIL else "warn"
    if not proven and len(worst) == 1:
        return f"Not proven: the check that {kind}s may, at 95 % confidence, be of another tier."
    if not proven:
        return (
            f"Not proven: each of the {len(worst)} checks that {kind} may, at 95 % confidence, be "
            "of another tier."
        )
    if len(worst) == 1:
        return f"Proven: the check that {kind}s does so at 95 % confidence."
    return f"Proven at 95 % confidence: {proven} of the {len(worst)} checks that {kind}."


def _row(check: Check) -> tuple[str, ...]:
    word = f"{SYMBOLS[check.tier]} {check.tier.value}"
    mark: Markup = element("span", word, class_=f"mark {check.tier.value}")
    qualified = tier_text(check).removeprefix(check.tier.value).strip(" ()")
    if qualified:
        mark = joined((mark, " ", element("span", qualified, class_="quiet qualified")))
    limits = element("span", limits_text(check.limits, check.unit), class_="quiet limits")
    value: Markup = element("strong", check.value_text)
    if check.interval_text:
        value = joined((value, element("span", check.interval_text, class_="quiet interval")))
    return (
        mark,
        check.endpoint,
        spoken(check.metric_text),
        value,
        joined((margin_bar(check), limits)),
        format_count(check.n),
        _proven(check),
        _why(check),
    )


def _proven(check: Check) -> Markup:
    if check.value is None:
        return element("span", "–", class_="quiet")
    if check.proven:
        return element("span", "yes")
    needed = "" if check.n_needed is None else f"; needs {format_count(check.n_needed)}"
    return element("span", f"no{needed}")


def _why(check: Check) -> Markup:
    """The reason in its line, and what it rests on below it when it is opened."""
    more = joined(element("p", part) for part in _grounds(check))
    return element("details", element("summary", sentence(check.reason)), more)


def _grounds(check: Check) -> Iterator[str]:
    if check.proof:
        yield sentence(check.proof)
    if check.interval_text:
        yield f"95 % bounds: {check.interval_text}."
    if check.phases:
        yield f"Judged in {', '.join(check.phases)}."
