"""The service as a process: it starts, says so, ends, and leaves nothing behind."""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest

from staging.admin import is_loopback
from staging.errors import LaunchError, StagingError
from staging.launch import start
from staging.seed import Status, check
from staging.server import main

PROJECT = Path(__file__).resolve().parents[2]


def alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until(condition, timeout_s=5):
    deadline_s = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < deadline_s:
        time.sleep(0.02)
    return condition()


def foreground(*options, **environ):
    return subprocess.Popen(
        [sys.executable, "-m", "staging", *options],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **environ},
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_quickly_and_its_temporary_data_goes_too(number):
    with foreground("--bundle-bytes=10B") as process:
        ready = json.loads(process.stdout.readline())
        assert ready["ready"] is True
        assert ready["pid"] == process.pid
        assert Path(ready["data_dir"]).is_dir()
        began_s = time.monotonic()
        process.send_signal(number)
        out, err = process.communicate(timeout=5)
    assert (process.returncode, out, err) == (0, b"", b"")
    assert time.monotonic() - began_s < 1
    assert not Path(ready["data_dir"]).exists()


def test_a_hung_client_does_not_hold_up_the_end(client_of):
    staging = start(faults="hang:; latency:ms=60000", bundle_bytes=10)
    client = client_of(staging)
    host, _, port = client.netloc.partition(":")
    with socket.create_connection((host, int(port))) as sock:
        sock.sendall(b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n")
        began_s = time.monotonic()
        staging.stop()
        assert time.monotonic() - began_s < 2
    assert staging._process.returncode == 0


def test_faults_come_from_the_environment_and_the_option_wins(monkeypatch):
    monkeypatch.setenv("OTALOAD_FAULTS", "error:p=50%")
    with start(bundle_bytes=10) as staging:
        assert staging.faults()["spec"] == "error:p=50%"
    with start(faults="", bundle_bytes=10) as staging:
        assert staging.faults()["spec"] == ""


def test_a_data_directory_is_kept_and_used_again(tmp_path, client_of):
    with start(faults="", data_dir=tmp_path, bundle_bytes=10) as staging:
        token = client_of(staging).register().json()["accessToken"]
    with start(faults="", data_dir=tmp_path, bundle_bytes=10) as staging:
        assert staging.state()["devices"] == 1
        answer = client_of(staging).check({"Authorization": f"Bearer {token}"})
        assert answer.status == 200
    assert (tmp_path / "staging.sqlite3").exists()


@pytest.mark.parametrize("patch", ["", "from gevent import monkey; monkey.patch_all()"])
def test_it_ends_with_its_parent_whether_gevent_patched_it_or_not(patch):
    code = f"""
{patch}
import os, sys
from staging.launch import start
staging = start(faults="", bundle_bytes=10)
assert staging.counters()["total"]["requests"] == 0
print(staging.pid, staging.data_dir, flush=True)
os.kill(os.getpid(), 9)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, check=False, timeout=20
    )
    assert done.returncode == -9, done.stderr
    pid, data_dir = done.stdout.decode().split()
    assert wait_until(lambda: not alive(int(pid)))
    assert not Path(data_dir).exists()


def test_a_forked_worker_does_not_stop_its_parents_service(staging):
    code = """
import os
from staging.launch import start
with start(faults="", bundle_bytes=10) as staging:
    child = os.fork()
    if child == 0:
        staging.stop()
        os._exit(0)
    os.waitpid(child, 0)
    staging.counters()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, check=False, timeout=20
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_stopping_twice_does_no_harm_and_a_stopped_service_says_so():
    staging = start(faults="", bundle_bytes=10)
    staging.stop()
    staging.stop()
    assert not staging.running
    assert not staging.data_dir.exists()
    with pytest.raises(LaunchError, match="the service ended with code 0"):
        staging.counters()


def test_it_does_not_get_the_terminals_ctrl_c(staging):
    assert os.getsid(staging.pid) != os.getsid(0)


def test_a_port_in_use_is_named_with_the_remedy(staging):
    port = staging.base_url.rpartition(":")[2]
    with pytest.raises(LaunchError) as caught:
        start(faults="", port=int(port))
    assert str(caught.value) == (
        f"the staging service ended with code 104: otaload staging: --port {port}: "
        f"cannot listen on 127.0.0.1:{port} (Address already in use); "
        "choose another port, or 0 for a free one"
    )


def test_a_bad_spec_over_the_admin_page_is_an_error_with_its_column(staging):
    with pytest.raises(StagingError, match=r"^faults, column 1: no fault is called 'eror'"):
        staging.set_faults("eror:")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--port", "70000"], "argument --port: '70000' is not a port from 0 to 65535"),
        (["--faults", "eror:"], "faults, column 1: no fault is called 'eror'"),
        (["--bundle-bytes", "2"], "'2' has no unit"),
        (["--bundle-bytes", "0B"], "do not fit"),
        (["--bundle-bytes", "1B,2B,3B"], "3 sizes for 2 releases"),
        (["--base-path", "v1"], "must begin with a slash"),
        (["--redirect-downloads", "away"], "neither path, host nor an origin"),
        (["--tls-cert", "x.pem"], "--tls-cert and --tls-key belong together"),
        (["--tls-cert", "x.pem", "--tls-key", "x.pem"], "--tls-cert x.pem: no such file"),
        (["--tls-cert", __file__, "--tls-key", __file__], "give a PEM certificate"),
        (["--data-dir", "/proc/nothing"], "choose a writable directory"),
        (["--mau-limit", "0"], "'0' is not a whole number from 1 on"),
        (["--prot", "1"], "unrecognized arguments: --prot"),
        (["--host", "203.0.113.7"], "cannot listen on 203.0.113.7"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_104(options, words, capsys):
    assert main(options) == 104
    error = capsys.readouterr().err
    assert error.startswith("otaload staging: ")
    assert error.count("\n") == 1
    assert words in error


def test_every_option_has_help(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert "--exit-with-parent" in shown
    assert "==SUPPRESS==" not in shown


@pytest.mark.parametrize(
    ("client", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("10.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("", False),
        ("localhost", False),
    ],
)
def test_only_loopback_peers_are_this_machine(client, loopback):
    assert is_loopback(client) is loopback


def test_https_is_served_with_a_certificate(tmp_path):
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-keyout", str(key), "-out", str(cert), "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
    )
    with start(faults="", bundle_bytes=600_000, tls_cert=cert, tls_key=key) as staging:
        tls = ssl.create_default_context(cafile=str(cert))
        findings = check(
            staging.base_url, staging.api_key, staging.app_id, staging.release_id, tls=tls
        )
        assert staging.base_url.startswith("https://127.0.0.1:")
        assert {finding.status for finding in findings} == {Status.OK}
        assert staging.counters()["endpoints"]["/bundles/download"]["bytes_out"] == 600_000
