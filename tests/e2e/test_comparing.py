"""`otaload compare` and `otaload history` on real runs, and what they say to mistakes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.running import Bench

ROUNDS = 5


@pytest.mark.timeout(400)
def test_a_slower_service_is_a_regression_and_an_equal_one_is_not(tmp_path: Path, otaload) -> None:
    # Latencies that dwarf what else this machine is doing; one round of all three at a time.
    groups = {"before": 300, "same": 300, "slower": 600}
    benches = {name: Bench(tmp_path / name) for name in groups}
    try:
        for number in range(ROUNDS):
            started = [
                benches[name].start(
                    *benches[name].options("smoke", "--time-scale", "0.05"),
                    *("--faults", f"latency:ms={ms}", "--seed", str(number)),
                    log=f"log{number}",
                )
                for name, ms in groups.items()
            ]
            for name, process in zip(groups, started, strict=True):
                ended = benches[name].wait(process, f"log{number}")
                assert ended.code == 0, ended.output
    finally:
        for bench in benches.values():
            bench.close()
    runs = {
        name: [str(path) for path in bench.reports.glob("2*")] for name, bench in benches.items()
    }
    assert [len(paths) for paths in runs.values()] == [ROUNDS] * 3
    page = tmp_path / "compare.html"

    slower = otaload("compare", *runs["before"], "--", *runs["slower"], "--html", str(page))
    assert slower.returncode == 99, slower.stdout + slower.stderr
    assert "✗ Regression: p95 of all requests is " in slower.stdout
    assert 'the faults in the service: A has "' in slower.stdout
    assert page.read_text().count("<svg") == 3

    equal = otaload("compare", "--format", "json", *runs["before"], "--", *runs["same"])
    found = json.loads(equal.stdout)
    assert equal.returncode == found["exit_code"] != 99, equal.stdout
    assert found["finding"] in {"no difference shown", "improvement"}

    few = otaload("compare", *runs["before"][:2], "--", *runs["slower"])
    assert few.returncode == 91
    assert "Indicative only: p95 +" in few.stdout

    listed = otaload("history", "smoke", "--reports-dir", str(benches["before"].reports))
    assert listed.returncode == 0, listed.stderr
    assert listed.stdout.count("✓  pass") == ROUNDS
    assert listed.stdout.count("rehearsal, faults") == ROUNDS


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["compare"], "name two groups of runs, with -- once between them"),
        (["compare", "a", "b"], "name two groups of runs, with -- once between them"),
        (["compare", "a", "--", "b", "--", "c"], "with -- once between them"),
        (["compare", "a", "--"], "expected at least one argument"),
        (["compare", "--", "b"], "name two groups of runs"),
        (["compare", "a", "--", "b"], "a: there is no such run under"),
        (["compare", "a", "--", "b", "--format", "pdf"], "invalid choice: 'pdf'"),
        (["history"], "holds no run yet"),
        (["history", "smoke"], "holds no run yet"),
        (["history", "--limit", "0"], "--limit: 0 is too few"),
        (["history", "a", "b"], "unrecognized arguments: b"),
    ],
)
def test_mistakes_end_with_104_and_a_sentence(otaload, tmp_path, arguments, said) -> None:
    done = otaload(*arguments, "--reports-dir", str(tmp_path))
    assert done.returncode == 104, done.stdout
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_page_that_cannot_be_written_is_said_to_be_so(bench: Bench, otaload, tmp_path) -> None:
    first = bench.run("smoke", "--time-scale", "0.04").path
    second = bench.run("smoke", "--time-scale", "0.04").path
    page = tmp_path / "missing" / "page.html"
    done = otaload("compare", str(first), "--", str(second), "--html", str(page))
    assert done.returncode == 104
    assert f"--html {page}: cannot be written (No such file or directory)" in done.stderr
