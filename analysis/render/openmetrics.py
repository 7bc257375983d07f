"""The verdict as OpenMetrics text, `metrics.txt`: for GitLab, Prometheus and what else reads it.

Times are in seconds and ratios from 0 to 1, as the format wants them. What was not measured has no
sample, since NaN and 0 would both be taken for a value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from analysis.figures import Figures
from analysis.limits import Tier
from analysis.quantities import Unit
from analysis.verdict import Check, Outcome, Verdict
from otaload.record import Histogram, bucket_bounds_us

if TYPE_CHECKING:  # a run is read with pandas
    from analysis.runs import Run

BUCKETS_S = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0),
    *(10.0, 30.0, 60.0),
)
"""Upper bounds of the buckets of latencies; the limits that ship are among them."""
PERCENTILES = ("50", "90", "95", "99", "100")
Labels = Mapping[str, str]


@dataclass
class Family:
    """A metric: its name without suffixes, its type, what it says, its unit, and its samples."""

    name: str
    kind: str
    help: str
    unit: str = ""
    samples: list[str] = field(default_factory=list)

    def add(self, value: float, labels: Labels | None = None, suffix: str = "") -> None:
        """Add one sample."""
        written = ",".join(f'{key}="{_escaped(text)}"' for key, text in (labels or {}).items())
        braced = f"{{{written}}}" if written else ""
        self.samples.append(f"{self.name}{suffix}{braced} {_number(value)}")

    def add_states(self, states: type[StrEnum], now: StrEnum, labels: Labels | None = None) -> None:
        """Add every state of a set, of which one is the present one."""
        for state in states:
            self.add(float(state is now), {**(labels or {}), self.name: state.value})

    @property
    def lines(self) -> list[str]:
        """The description and the samples; nothing where there are none."""
        if not self.samples:
            return []
        unit = [f"# UNIT {self.name} {self.unit}"] if self.unit else []
        head = [f"# TYPE {self.name} {self.kind}", *unit, f"# HELP {self.name} {self.help}"]
        return [*head, *self.samples]


def openmetrics(run: Run, verdict: Verdict) -> str:
    """Verdict, checks with their limits, and totals and latencies of every endpoint."""
    families = [*_of_run(verdict), *_of_checks(verdict.checks), *_of_endpoints(run, verdict)]
    lines = [line for family in families for line in family.lines]
    return "\n".join([*lines, "# EOF"]) + "\n"


def _of_run(verdict: Verdict) -> list[Family]:
    info = Family("otaload_run", "info", "What was run.")
    labels = {
        "run": verdict.run,
        "scenario": verdict.scenario,
        "target_kind": verdict.target.get("kind", ""),
        "rehearsal": verdict.rehearsal,
        "partial": _flag(verdict.partial),
    }
    info.add(1, {key: text for key, text in labels.items() if text}, "_info")
    outcome = Family("otaload_outcome", "stateset", "What became of the run.")
    outcome.add_states(Outcome, verdict.outcome)
    tier = Family("otaload_tier", "stateset", "The worst tier of the run's checks.")
    tier.add_states(Tier, verdict.tier)
    code = Family("otaload_exit_code", "gauge", "The exit code of the run.")
    code.add(verdict.exit_code)
    start = Family("otaload_start_time_seconds", "gauge", "When the run began.", "seconds")
    start.add(verdict.start_s)
    lasted = Family("otaload_load_seconds", "gauge", "How long requests were started.", "seconds")
    lasted.add(verdict.duration_s)
    return [info, outcome, tier, code, start, lasted]


def _of_checks(checks: Sequence[Check]) -> list[Family]:
    families = []
    for suffix, unit, ours in (("seconds", "seconds", True), ("ratio", "ratio", False)):
        value = Family(f"otaload_check_value_{suffix}", "gauge", "What was measured.", unit)
        limit = Family(
            f"otaload_check_limit_{suffix}",
            "gauge",
            "The limit that a value passes below, warns below, or fails above.",
            unit,
        )
        for check in checks:
            if (check.unit is not Unit.RATIO) is ours:
                _add_check(check, value, limit)
        families += [value, limit]
    tier = Family("otaload_check_tier", "stateset", "The tier of a check.")
    proven = Family("otaload_check_proven", "gauge", "Whether the measurement proves the tier.")
    requests = Family("otaload_check_requests", "gauge", "The requests that a check rests on.")
    for check in checks:
        labels = _labels(check)
        tier.add_states(Tier, check.tier, labels)
        proven.add(float(check.proven), labels)
        requests.add(check.n, labels)
    return [*families, tier, proven, requests]


def _add_check(check: Check, value: Family, limit: Family) -> None:
    labels = _labels(check)
    factor = 1000.0 if check.unit is Unit.MS else 1.0
    if check.value is not None:
        value.add(check.value / factor, labels)
    limits = check.limits
    for name, bound in (
        ("pass", limits.pass_below),
        ("warning", limits.warning_below),
        ("fail", limits.fail_above),
    ):
        if bound is not None:
            limit.add(bound.value / factor, {**labels, "limit": name})


def _labels(check: Check) -> Labels:
    labels = {"endpoint": check.endpoint, "metric": check.metric.name}
    labels |= {"phase": check.phase} if check.phase else {}
    return {**labels, "informational": _flag(check.informational)}


def _of_endpoints(run: Run, verdict: Verdict) -> list[Family]:
    requests = Family("otaload_requests", "counter", "Completed requests.")
    failures = Family("otaload_failures", "counter", "Failed requests.")
    received = Family("otaload_received_bytes", "counter", "Bytes of bodies received.", "bytes")
    latencies = Family(
        "otaload_latency_seconds",
        "gauge",
        "Percentiles of the latencies of successful requests; 100 is the slowest.",
        "seconds",
    )
    durations = Family(
        "otaload_request_duration_seconds",
        "histogram",
        "Latencies of successful requests.",
        "seconds",
    )
    for endpoint, row in zip(run.endpoints, verdict.endpoints, strict=False):
        labels = {"method": endpoint.method, "endpoint": row.endpoint}
        requests.add(row.figures.n, labels, "_total")
        failures.add(row.figures.failures, labels, "_total")
        received.add(row.figures.bytes_in, labels, "_total")
        _add_percentiles(latencies, row.figures, labels)
        _add_histogram(durations, run.windows.of([endpoint]).histogram(), labels)
    if len(verdict.endpoints) > len(run.endpoints):
        # Only percentiles: whoever sums counters over endpoints would count all requests twice.
        whole = verdict.endpoints[-1]
        _add_percentiles(latencies, whole.figures, {"endpoint": whole.endpoint})
    return [requests, failures, received, latencies, durations]


def _add_percentiles(family: Family, figures: Figures, labels: Labels) -> None:
    values = (figures.p50_ms, figures.p90_ms, figures.p95_ms, figures.p99_ms, figures.max_ms)
    for percentile, ms in zip(PERCENTILES, values, strict=True):
        if ms is not None:
            family.add(ms / 1000, {**labels, "percentile": percentile})


def _add_histogram(family: Family, histogram: Histogram, labels: Labels) -> None:
    """Cumulative buckets; a latency counts where its histogram bucket ends below the bound."""
    ends = sorted(
        (min(bucket_bounds_us(index)[1], histogram.max_us), n)
        for index, n in histogram.counts.items()
    )
    seen = at = 0
    for bound_s in BUCKETS_S:
        while at < len(ends) and ends[at][0] <= bound_s * 1_000_000:
            seen += ends[at][1]
            at += 1
        family.add(seen, {**labels, "le": repr(bound_s)}, "_bucket")
    family.add(histogram.n, {**labels, "le": "+Inf"}, "_bucket")
    family.add(histogram.n, labels, "_count")
    family.add(histogram.sum_us / 1_000_000, labels, "_sum")


def _flag(holds: bool) -> str:  # noqa: FBT001 -- a truth value is what it writes
    return "true" if holds else "false"


def _number(value: float) -> str:
    # Rounded, or milliseconds would show what dividing them left: 0.27545549999999996.
    rounded = round(float(value), 12)
    return str(int(rounded)) if rounded.is_integer() else repr(rounded)


def _escaped(text: str) -> str:
    """A label's value; control characters stay apart, or two names would become one series."""
    shown = text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
    return "".join(c if c.isprintable() else rf"\\u{ord(c):04x}" for c in shown)
