"""A run whose process is killed, or whose disk gives out: what was flushed is there, and judged."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from staging.launch import StagingProcess, start
from tests.e2e.foreign import asking
from tests.e2e.running import Bench, Ended

USERS = 4
PER_S = USERS * 10
"""Requests a second of a locustfile that asks."""
LOST_S = 4
"""What a busy machine may take for the two seconds that a killed run loses at most."""
UNPRIVILEGED = "-dac_override,-dac_read_search"
TMPFS = """\
mount -t tmpfs -o size=20k none "$1" || exit 77
shift
"$@"
code=$?
cp -R "$KEPT_IN/." "$KEPT_IN-kept"
exit $code
"""
MANY_NAMES = "[self.client.post('/updates/check', json=DEVICE, name=f'/{n}') for n in range(6)]"
"""Fills a disk faster."""


def served(service: StagingProcess) -> int:
    """How many requests the service has counted."""
    return int(service.counters()["total"]["requests"])


def recorded(ended: Ended) -> int:
    """How many requests are in whole lines of the run."""
    data = (ended.path / "windows.jsonl").read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    (ended.path / "windows.jsonl").write_bytes(whole)
    count = sum(entry.requests for entry in ended.totals().values())
    (ended.path / "windows.jsonl").write_bytes(data)
    return count


def begin(
    bench: Bench, service: StagingProcess, path: Path, *, within=(), env=None
) -> subprocess.Popen[bytes]:
    """Start a run without an end against a service that outlives it."""
    options = bench.options(path, "--users", str(USERS), "--spawn-rate", str(USERS))
    process = bench.start(*options, "--host", service.base_url, within=within, env=env)
    bench.await_line("recording to")
    return process


def test_a_killed_run_is_inconclusive_and_has_all_but_its_last_seconds(
    bench: Bench, otaload
) -> None:
    with start(faults="") as service:
        process = begin(bench, service, asking(bench))
        time.sleep(5)
        process.send_signal(signal.SIGKILL)
        ended = bench.wait(process)
        bench.assert_no_orphans()
        # The kernel may have been given a part of a line, too.
        with (ended.path / "windows.jsonl").open("ab") as file:
            file.write(b'{"second":17950000')

        assert ended.code == -signal.SIGKILL
        assert 0 < served(service) - LOST_S * PER_S <= recorded(ended) <= served(service)
    judged = otaload("judge", str(ended.path))
    assert judged.returncode == 91, judged.stdout + judged.stderr
    assert "the run is incomplete" in judged.stdout
    assert "the last line was torn off" in judged.stdout
    partial = otaload("judge", "--partial", str(ended.path))
    assert partial.returncode == 0, partial.stdout + partial.stderr
    assert ended.verdict["partial"] is True
    assert ended.verdict["requests"] == recorded(ended)


def test_an_embedded_service_ends_by_itself_when_its_run_is_killed(bench: Bench, otaload) -> None:
    process = bench.start(*bench.options("smoke"))
    bench.await_line("recording to")
    time.sleep(4)
    process.send_signal(signal.SIGKILL)
    ended = bench.wait(process)

    bench.assert_no_orphans()
    assert recorded(ended) > 0
    assert otaload("judge", str(ended.path)).returncode == 91


def test_a_killed_run_whose_test_code_had_raised_is_no_pass_in_part_either(
    bench: Bench, otaload
) -> None:
    with start(faults="") as service:
        process = begin(bench, service, asking(bench, task="raise KeyError('before')"))
        time.sleep(4)
        process.send_signal(signal.SIGKILL)
        ended = bench.wait(process)
        assert recorded(ended) >= served(service) - LOST_S * PER_S
    bench.assert_no_orphans()

    assert "before" in ended.meta["crashes"]["first"]
    assert otaload("judge", "--partial", str(ended.path)).returncode == 107


def test_a_full_disk_ends_the_run_at_once_and_what_fitted_is_judged(bench: Bench, otaload) -> None:
    bench.reports.mkdir()
    kept = Path(f"{bench.reports}-kept")
    kept.mkdir()
    within = ("unshare", "-r", "-m", "sh", "-c", TMPFS, "sh", str(bench.reports))
    probe = ["unshare", "-r", "-m", "mount", "-t", "tmpfs", "none", str(bench.reports)]
    if not shutil.which("unshare") or subprocess.run(probe, check=False).returncode:
        pytest.skip("no mount namespaces here, so no disk can be made full")
    with start(faults="") as service:
        path = asking(bench, task=MANY_NAMES)
        process = begin(bench, service, path, within=within, env={"KEPT_IN": str(bench.reports)})
        code = process.wait(60)
        output = (bench.folder / "log").read_text()
        ended = Ended(code, output, next(kept.glob("2*")))
        bench.assert_no_orphans()

        assert code == 91, output
        assert "cannot be written (No space left on device)" in output
        assert "Traceback" not in output
        lost = served(service) - recorded(ended)
        assert 0 <= lost <= LOST_S * PER_S * 7
    assert (ended.path / "windows.jsonl").read_bytes().endswith(b"\n")
    assert otaload("judge", str(ended.path)).returncode == 91
    assert otaload("judge", "--partial", str(ended.path)).returncode == 0


def test_a_run_directory_that_is_removed_ends_the_run_at_once(bench: Bench) -> None:
    with start(faults="") as service:
        process = begin(bench, service, asking(bench))
        time.sleep(2)
        shutil.rmtree(bench.reports)
        process.wait(60)
        ended = bench.wait(process)
        assert served(service) > 0
    bench.assert_no_orphans()

    assert ended.code == 91, ended.output
    assert "it was removed or replaced" in ended.output
    assert "Traceback" not in ended.output
    assert not bench.reports.exists()


@pytest.mark.parametrize("way", ["no permission", "something in its place"])
def test_a_run_that_cannot_be_closed_keeps_its_measurements_and_is_no_pass(
    bench: Bench, otaload, way: str
) -> None:
    within: tuple[str, ...] = ()
    if way == "no permission" and os.geteuid() == 0:
        if not shutil.which("setpriv"):
            pytest.skip("root may write anywhere, and there is no setpriv to take that from it")
        within = ("setpriv", f"--bounding-set={UNPRIVILEGED}", f"--inh-caps={UNPRIVILEGED}")
    with start(faults="") as service:
        options = bench.options(asking(bench), "--users", str(USERS), "--run-time", "4")
        process = bench.start(*options, "--host", service.base_url, within=within)
        bench.await_line("recording to")
        (run,) = bench.reports.glob("2*")
        if way == "no permission":
            run.chmod(0o500)
        else:
            (run / "run.json.draft").mkdir()
        ended = bench.wait(process)
        run.chmod(0o700)
        bench.assert_no_orphans()

        assert ended.code == 91, ended.output
        assert "cannot be written" in ended.output
        assert "Traceback" not in ended.output
        assert recorded(ended) == served(service)
    assert otaload("judge", str(ended.path)).returncode == 91
    assert otaload("judge", "--partial", str(ended.path)).returncode == 0
