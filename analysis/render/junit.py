"""The verdict as JUnit XML, which CI systems show test by test: one test case for each check."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from xml.sax.saxutils import escape, quoteattr

from analysis.limits import Tier
from analysis.render.rows import failure_lines
from analysis.verdict import EXIT_WARNING, Caution, Check, Outcome, Verdict

_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
TROUBLED = (Outcome.REFUSED, Outcome.CRASHED, Outcome.INTERRUPTED, Outcome.INCONCLUSIVE)


def junit(verdict: Verdict) -> str:
    """One test case a check, and one that errs where the run itself cannot be judged."""
    cases = [_case(verdict, check) for check in verdict.checks]
    cases += [_caution_case(verdict, caution) for caution in verdict.cautions]
    failures = sum(_fails(verdict, check) for check in verdict.checks)
    failures += len(verdict.cautions) if verdict.exit_code == EXIT_WARNING else 0
    errors = 0
    if verdict.outcome in TROUBLED or not verdict.checks:
        errors = int(verdict.exit_code != 0)
        cases.append(_run_case(verdict))
    elif verdict.aborted is not None:
        failures += 1
        cases.append(_abort_case(verdict))
    started = datetime.fromtimestamp(verdict.start_s, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    suite = (
        f'<testsuite name={_attribute(f"otaload {verdict.scenario}")} tests="{len(cases)}" '
        f'failures="{failures}" errors="{errors}" skipped="0" '
        f'time="{verdict.duration_s}" timestamp="{started}">'
    )
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', "<testsuites>", suite]
    lines += [*_properties(verdict), *cases]
    failed = failure_lines(verdict.causes)
    if failed:
        lines.append(f"<system-out>{_text(chr(10).join(['Failures:', *failed]))}</system-out>")
    return "\n".join([*lines, "</testsuite>", "</testsuites>"]) + "\n"


def _fails(verdict: Verdict, check: Check) -> bool:
    if check.informational:
        return False
    if check.tier is Tier.WARNING:
        return verdict.exit_code == EXIT_WARNING
    return check.tier is Tier.FAIL


def _case(verdict: Verdict, check: Check) -> str:
    name = f"{check.endpoint} {check.metric_text}"
    head = (
        f"<testcase classname={_attribute(f'otaload.{verdict.scenario}')} name={_attribute(name)}"
    )
    told = f"{check.tier.value}: "
    told += check.reason if check.value is None else f"{check.value_text}, {check.reason}"
    detail = f"<system-out>{_text(f'{told}; {check.proof}')}</system-out>"
    if not _fails(verdict, check):
        return f'{head} time="0">{detail}</testcase>'
    message = f"<failure type={_attribute(check.tier.value)} message={_attribute(told)}/>"
    return f'{head} time="0">{message}{detail}</testcase>'


def _properties(verdict: Verdict) -> list[str]:
    recovery = verdict.recovery
    if recovery is None or recovery.recovery_s is None:
        return []
    seconds = f'"{recovery.recovery_s:.1f}"'
    return [f'<properties><property name="recovery_s" value={seconds}/></properties>']


def _caution_case(verdict: Verdict, caution: Caution) -> str:
    head = (
        f"<testcase classname={_attribute(f'otaload.{verdict.scenario}')} "
        f"name={_attribute(caution.name)}"
    )
    if verdict.exit_code != EXIT_WARNING:
        detail = f"<system-out>{_text(f'warning: {caution.reason}')}</system-out>"
        return f'{head} time="0">{detail}</testcase>'
    message = f'<failure type="warning" message={_attribute(caution.reason)}/>'
    return f'{head} time="0">{message}</testcase>'


def _run_case(verdict: Verdict) -> str:
    head = f'<testcase classname={_attribute(f"otaload.{verdict.scenario}")} name="the run itself"'
    if verdict.exit_code == 0:
        return f'{head} time="0"><system-out>{_text(verdict.headline)}</system-out></testcase>'
    error = (
        f"<error type={_attribute(verdict.outcome.value)} message={_attribute(verdict.headline)}/>"
    )
    return f'{head} time="0">{error}</testcase>'


def _abort_case(verdict: Verdict) -> str:
    head = f'<testcase classname={_attribute(f"otaload.{verdict.scenario}")} name="the run itself"'
    failure = f'<failure type="aborted" message={_attribute(verdict.reasons[0])}/>'
    return f'{head} time="0">{failure}</testcase>'


def _text(content: str) -> str:
    return escape(_NOT_XML.sub("�", content))


def _attribute(content: str) -> str:
    return quoteattr(_NOT_XML.sub("�", content))
