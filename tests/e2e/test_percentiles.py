"""What is recorded is what happened: percentiles against the exact ones of the same requests."""

from __future__ import annotations

import json
import math

from tests.e2e.running import Bench

KEEPING = """\
import atexit
import json
import os

from locust import events
from locustfiles.load import *  # noqa: F403

raw = {{}}


@events.request.add_listener
def keep(name, response_time, exception, **_):
    if exception is None:
        raw.setdefault(name, []).append(response_time)


@events.quit.add_listener
def write(**_):
    with open({path!r}, "w") as file:
        json.dump(raw, file)
"""


QUANTILES = {0.5: "p50", 0.9: "p90", 0.95: "p95", 0.99: "p99"}


def test_recorded_percentiles_lie_within_half_a_percent_of_the_exact_ones(bench: Bench) -> None:
    row = "{ pass: 30 s, fail: 60 s }"
    metrics = ", ".join(f"{metric}: {row}" for metric in QUANTILES.values())
    bench.thresholds.write_text(
        # The warm-up too: it may have a whole second, or none, as the start falls.
        f"global: {{ phases: [ramp-up, steady], {metrics} }}\n"
        f"endpoints:\n  /updates/check: {{ {metrics} }}\n"
        f"  /bundles/download: {{ {metrics} }}\n  /devices/register: {{ {metrics} }}\n"
        "generator: { lag: 10 s, cpu: 1000 % }\n"
    )
    raw_path = bench.folder / "raw.json"
    locustfile = bench.folder / "keeping.py"
    locustfile.write_text(KEEPING.format(path=str(raw_path)))
    ended = bench.run(
        locustfile,
        *("--time-scale", "0.012", "--user-scale", "0.3"),
        *("--faults", "latency:dist=lognormal,median=60ms,sigma=0.8,seed=5"),
    )
    raw = json.loads(raw_path.read_text())

    assert ended.code == 0, ended.output
    assert set(raw) == {"/updates/check", "/bundles/download", "/devices/register"}
    for endpoint, values in raw.items():
        values.sort()
        for q, metric in QUANTILES.items():
            check = ended.check(metric, endpoint)
            exact_ms = values[math.ceil(q * len(values)) - 1]
            assert check["n"] == len(values)
            assert abs(check["value"] / exact_ms - 1) <= 0.005, (endpoint, metric)
