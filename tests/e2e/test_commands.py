"""The subcommands beside `run` and `judge`, as a newcomer meets them."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from staging.launch import start
from tests.e2e.running import ROOT, Bench, assert_reconciled, free_ports


def exported(output: str) -> dict[str, str]:
    """The variables that a command printed for export."""
    lines = [line.removeprefix("export ") for line in output.splitlines()]
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def test_seeded_data_is_served_and_found_by_the_check(otaload, tmp_path: Path) -> None:
    port = str(free_ports(1)[0])
    data = tmp_path / "data"
    seeded = otaload("seed", "--data-dir", str(data), "--port", port, "--bundle-bytes", "64KiB")
    assert seeded.returncode == 0, seeded.stderr
    variables = exported(seeded.stdout)
    assert set(variables) == {
        "API_BASE_URL",
        "LOAD_TEST_API_KEY",
        "LOAD_TEST_APP_ID",
        "LOAD_TEST_RELEASE_ID",
    }

    again = otaload("seed", "--data-dir", str(data), "--port", port, "--bundle-bytes", "64KiB")
    assert "already there" in again.stdout
    assert exported(again.stdout) == variables

    service = subprocess.Popen(
        [sys.executable, "-m", "otaload", "staging", "--data-dir", str(data), "--port", port],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert service.stdout is not None
        assert '"ready":true' in service.stdout.readline()
        found = otaload("seed", "--check", env=variables)
        assert found.returncode == 0, found.stdout
        assert [line.split(":")[0] for line in found.stdout.splitlines()] == [
            "health",
            "app",
            "release",
            "user",
        ]
        wrong = otaload("seed", "--check", env={**variables, "LOAD_TEST_API_KEY": "wrong"})
        assert wrong.returncode == 104
        assert "release: failed" in wrong.stdout
        unknown = otaload("seed", "--check", env={**variables, "LOAD_TEST_APP_ID": "nobody"})
        assert unknown.returncode == 104
        assert "app: failed" in unknown.stdout
    finally:
        service.send_signal(signal.SIGINT)
        assert service.wait(10) == 0
        service.stdout.close()


def test_latest_is_the_newest_run_and_report_writes_it_anew(bench: Bench, otaload) -> None:
    first = bench.run("smoke", "--time-scale", "0.04")
    time.sleep(1)
    second = bench.run("smoke", "--time-scale", "0.04")
    report = second.path / "report.html"
    for name in ("report.html", "verdict.json", "junit.xml", "summary.md", "metrics.txt"):
        (second.path / name).unlink()

    done = otaload("report", "latest", "--reports-dir", str(bench.reports))

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(report)
    for name in ("report.html", "verdict.json", "junit.xml", "summary.md", "metrics.txt"):
        assert (second.path / name).stat().st_size > 100
    by_name = otaload("judge", first.path.name, "--reports-dir", str(bench.reports))
    assert by_name.returncode == 0, by_name.stdout + by_name.stderr
    assert by_name.stdout.count(first.path.name) >= 1


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1 and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl to make a certificate with")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-keyout", str(key), "-out", str(cert), "-subj", "/CN=127.0.0.1"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
    )
    return cert, key


def test_a_private_certificate_is_refused_unless_its_authority_is_named(
    bench: Bench, certificate: tuple[Path, Path]
) -> None:
    cert, key = certificate
    with start(faults="", tls_cert=cert, tls_key=key) as service:
        options = ("--time-scale", "0.06", "--host", service.base_url)
        env = {"LOAD_TEST_API_KEY": service.api_key}
        refused = bench.run("smoke", *options, env=env)
        assert refused.code == 104, refused.output
        assert "tls_ca_file" in refused.output
        assert not list(bench.reports.glob("*"))

        bench.targets.write_text(f"target: {{ tls_ca_file: {cert} }}\nproduction: []\n")
        service.reset_counters()
        ended = bench.run("smoke", *options, env=env)
        counters = service.counters()

    assert ended.code == 0, ended.output
    assert_reconciled(ended, counters)


def test_the_key_of_a_foreign_target_is_in_no_file_and_no_output(bench: Bench) -> None:
    secret = "sk-live-0123456789abcdef"
    with start(faults="", api_key=secret) as service:
        ended = bench.run(
            "smoke",
            *("--time-scale", "0.06", "--host", service.base_url),
            env={"LOAD_TEST_API_KEY": secret},
        )

    assert ended.code == 0, ended.output
    assert secret not in ended.output
    for path in ended.path.iterdir():
        assert secret.encode() not in path.read_bytes(), path
