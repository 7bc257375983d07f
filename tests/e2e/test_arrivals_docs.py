"""The scenario that docs/scenarios.md shows runs as it stands."""

from __future__ import annotations

import re

from tests.e2e.running import ROOT, Bench, assert_reconciled


def test_the_arrival_rates_of_the_docs_run_as_shown(bench: Bench) -> None:
    page = (ROOT / "docs" / "scenarios.md").read_text()
    (code,) = [
        block
        for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL)
        if "ArrivalHold" in block
    ]
    file = bench.folder / "checks.py"
    file.write_text(code)
    ended = bench.run(file, "--time-scale", "0.002", "--user-scale", "0.2")

    assert ended.code == 0, ended.output
    assert ended.meta["title"].startswith("Checks as they come")
    # 1,800 s at 50, 300 s from 50 to 200 and 600 s at 200 a second, each scale applied.
    assert ended.verdict["arrivals"]["planned"] == round((90_000 + 37_500 + 120_000) * 0.002 * 0.2)
    assert ended.verdict["arrivals"]["missed"] == 0
    assert_reconciled(ended)
