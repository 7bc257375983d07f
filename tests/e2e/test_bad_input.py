"""Bad input ends with 104 and a sentence, before the load starts; nothing half-written stays."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.running import ROOT, THRESHOLDS, Bench, free_ports

BROKEN_THRESHOLDS = {
    "broken YAML": ("global: { p95: [", "not valid YAML"),
    "an unknown key": ("global:\n  p59x: { pass: 1 s, fail: 2 s }\n", "p59x"),
    "a wrong unit": ("global:\n  p95: { pass: 5 %, fail: 2 s }\n", "5 %"),
    "no unit": ("global:\n  p95: { pass: 800, fail: 2 s }\n", "no unit"),
    "fail below pass": ("global:\n  p95: { pass: 2 s, fail: 1 s }\n", "below"),
    "nothing": ("", "empty"),
    "an unknown endpoint": (
        "global:\n  p95: { pass: 1 s, fail: 2 s }\n"
        "endpoints:\n  /updates/chekc: { p95: { pass: 1 s } }\n",
        "did you mean /updates/check?",
    ),
}
BROKEN_OPTIONS = {
    "a negative scale": (("--time-scale", "-1"), "--time-scale"),
    "a scale of zero": (("--user-scale", "0"), "--user-scale"),
    "a scale that is a word": (("--time-scale", "half"), "--time-scale"),
    "too few users for the mix": (("--user-scale", "0.1"), "--user-scale"),
    "a malformed fault": (("--faults", "latncy:ms=5"), "did you mean"),
    "a fault without its unit": (("--faults", "capacity:c=4,s=20"), "unit"),
    "a seed that is a word": (("--seed", "x"), "--seed"),
    "users of a scenario that plans them": (("--users", "5"), "--user-scale"),
    "an option that does not exist": (("--no-such-option",), "no-such-option"),
    "a host that is no URL": (("--host", "staging.example.com"), "https://"),
    "faults for a foreign target": (
        ("--host", "http://127.0.0.1:9", "--faults", "error:p=1"),
        "--faults",
    ),
    "a missing targets file": (("--targets", "/nowhere/targets.yaml"), "no such file"),
}


def refused(bench: Bench, *options: str) -> str:
    """Run, and check that it was refused as bad input is; answers with the message."""
    ended = bench.run("smoke", *options, env={"LOAD_TEST_API_KEY": "a-key"})
    assert ended.code == 104, ended.output
    assert "Traceback" not in ended.output
    assert "otaload: error: " in ended.output
    assert not list(bench.reports.glob("*")), "a run directory was left behind"
    return ended.output


@pytest.mark.parametrize("kind", BROKEN_THRESHOLDS)
def test_broken_thresholds_are_told_with_their_file(bench: Bench, kind: str) -> None:
    text, expected = BROKEN_THRESHOLDS[kind]
    bench.thresholds.write_text(text)

    output = refused(bench)

    assert expected in output
    assert "thresholds.yaml:" in output


@pytest.mark.parametrize("kind", BROKEN_OPTIONS)
def test_a_broken_option_is_told_with_its_name(bench: Bench, kind: str) -> None:
    options, expected = BROKEN_OPTIONS[kind]

    assert expected in refused(bench, *options)


def test_an_unreachable_target_is_told_before_the_load_starts(bench: Bench) -> None:
    port = free_ports(1)[0]

    output = refused(bench, "--host", f"http://127.0.0.1:{port}")

    assert "cannot be reached" in output
    assert str(port) in output


def test_a_reports_directory_that_cannot_be_made_is_told(bench: Bench) -> None:
    blocker = bench.folder / "reports"
    blocker.write_text("a file stands where the folder should be")

    ended = bench.run("smoke")

    assert ended.code == 104, ended.output
    assert "--reports-dir" in ended.output
    assert "Traceback" not in ended.output


def test_a_thresholds_file_that_is_a_directory_is_told(bench: Bench) -> None:
    bench.thresholds.unlink()
    bench.thresholds.mkdir()

    assert "is a directory" in refused(bench)


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        ("production: []\nendpoints:\n  chekc: { path: /x }\n", 3, "did you mean check?"),
        ("production: []\nendpoints:\n  download: { mode: ftp }\n", 3, "follow"),
        ("production: []\ntimeouts: { total: -1 }\n", 2, "at least"),
        ("endpoints: {}\n", 1, "production: missing"),
        ("production: []\nproduction: []\n", 2, "given twice"),
        ("production: []\ndevices: { platforms: { windows: 1 } }\n", 2, "neither ios nor android"),
        ("production: []\nendpoints: { check: { path: updates } }\n", 2, "must begin with /"),
        ("production: []\nendpoints: { check: { expect: [42x] } }\n", 2, "not an HTTP status"),
    ],
)
def test_broken_targets_are_told_with_file_line_and_key(
    bench: Bench, text: str, line: int, expected: str
) -> None:
    bench.targets.write_text(text)

    output = refused(bench)

    assert expected in output
    assert f"targets.yaml:{line}: " in output


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("run", "smok"), "did you mean smoke?"),
        (("run", "nowhere/at_all.py"), "no such locustfile"),
        (("judge", "no-such-run"), "no-such-run"),
        (("judge",), "required"),
        (("frobnicate",), "invalid choice"),
        (("check", "--thresholds", "/nowhere.yaml"), "no such file"),
        (("seed", "--bundle-bytes", "2XB", "--data-dir", "/nowhere/x"), "--bundle-bytes"),
        (("seed", "--check"), "--host"),
        (("staging", "--port", "99999"), "99999"),
    ],
)
def test_the_command_refuses_what_it_cannot_do(
    otaload, tmp_path: Path, arguments: tuple[str, ...], expected: str
) -> None:
    done = otaload(*arguments)

    assert done.returncode == 104, done.stdout + done.stderr
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unreadable_thresholds_file_is_told(bench: Bench, tmp_path: Path) -> None:
    # Root may read everything, so a file that is no text stands in for one that may not be read.
    bench.thresholds.write_bytes(b"global:\n  p95: \xff\xfe\n")

    assert "UTF-8" in refused(bench)


def test_an_unknown_endpoint_in_a_fault_is_told(bench: Bench) -> None:
    assert "/updates/chekc" in refused(bench, "--faults", "latency@/updates/chekc:ms=5")


def test_the_shipped_configuration_is_accepted_and_shown(otaload) -> None:
    done = otaload("check")

    assert done.returncode == 0, done.stderr
    for text in ("/bundles/download", "2000 ms", "0.01 %", "api.bundlenudge.com"):
        assert text in done.stdout


def test_thresholds_given_for_a_second_judgement_replace_the_runs_own(
    bench: Bench, otaload
) -> None:
    ended = bench.run("smoke", "--time-scale", "0.05")
    strict = bench.folder / "strict.yaml"
    strict.write_text(
        THRESHOLDS.replace("fail: 4 s", "fail: 3 s")
        .replace("2 s", "0.01 ms")
        .replace("warning: 3 s, fail: 3 s", "warning: 0.02 ms, fail: 0.03 ms")
    )

    assert otaload("judge", str(ended.path)).returncode == 0
    done = otaload("judge", str(ended.path), "--thresholds", str(strict))
    assert done.returncode == 99, done.stdout + done.stderr


def test_the_module_can_be_run_without_an_installed_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "otaload", "--version"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.startswith("otaload ")
