"""The run directory: made first, appended to whole lines at a time, read back by version."""

from __future__ import annotations

import json
import os
import resource

import pytest

from otaload.errors import ConfigurationError, RunUnreadableError
from otaload.record import FORMAT_VERSION, RunDirectory, Window, WindowKey, window_from_json
from otaload.record.rundir import read_meta, write_json

START_S = 1_795_000_000


def new_run(parent, **meta):
    return RunDirectory.create(parent, scenario="smoke", start_s=START_S, meta=meta)


def test_a_run_is_named_by_its_start_and_scenario(tmp_path):
    with new_run(tmp_path / "reports") as run:
        assert run.path == tmp_path / "reports" / "2026-11-18T11-06-40Z-smoke"


def test_a_second_run_in_the_same_second_gets_a_number(tmp_path):
    with new_run(tmp_path), new_run(tmp_path) as second, new_run(tmp_path) as third:
        assert second.path.name.endswith("-smoke-2")
        assert third.path.name.endswith("-smoke-3")


def test_a_scenario_cannot_lead_out_of_the_directory(tmp_path):
    with RunDirectory.create(tmp_path, scenario="../../x y", start_s=START_S, meta={}) as run:
        assert run.path.parent == tmp_path
        assert "/" not in run.path.name


def test_a_run_is_incomplete_until_it_says_otherwise(tmp_path):
    with new_run(tmp_path, complete=True) as run:
        assert read_meta(run.path) == {"format": FORMAT_VERSION, "complete": False}
        run.write_meta(complete=True, ended="finished")
    assert read_meta(run.path)["complete"] is True


def test_what_was_appended_is_on_disk_before_the_run_is_closed(tmp_path):
    window = Window()
    window.successes.record(1234)
    key = WindowKey(START_S, "GET", "/x")
    with new_run(tmp_path) as run:
        run.append_windows([(key, window), (key, window)])
        run.append_users([{"second": START_S, "planned": 1, "users": 1}])
        lines = (run.path / "windows.jsonl").read_bytes().splitlines()
        assert [window_from_json(json.loads(line)) for line in lines] == [(key, window)] * 2
        assert (run.path / "users.jsonl").read_bytes().endswith(b"\n")


def test_a_torn_last_line_is_the_one_without_a_newline(tmp_path):
    key = WindowKey(START_S, "GET", "/x")
    with new_run(tmp_path) as run:
        run.append_windows([(key, Window()), (key, Window())])
    file = run.path / "windows.jsonl"
    file.write_bytes(file.read_bytes()[:-4])
    whole, torn = file.read_bytes().splitlines(keepends=True)
    assert whole.endswith(b"\n")
    assert not torn.endswith(b"\n")


def test_a_line_break_in_a_name_does_not_break_a_line(tmp_path):
    with new_run(tmp_path) as run:
        run.append_windows([(WindowKey(START_S, "GET", "/a\nb"), Window())])
    assert (run.path / "windows.jsonl").read_bytes().count(b"\n") == 1


@pytest.mark.parametrize("parent", ["file", "file/below"])
def test_a_place_that_cannot_be_written_fails_at_once(tmp_path, parent):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="the run's directory cannot be written"):
        new_run(tmp_path / parent)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_place_fails_at_once(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigurationError):
        new_run(tmp_path)


def test_a_json_file_is_replaced_whole(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert json.loads(path.read_bytes()) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("version", [0, FORMAT_VERSION + 1, None, "1", True, 1.0])
def test_an_unknown_format_is_refused(tmp_path, version):
    (tmp_path / "run.json").write_text(json.dumps({"format": version}))
    with pytest.raises(RunUnreadableError, match="is not known to this version"):
        read_meta(tmp_path)


def test_what_is_no_run_is_named_with_a_remedy(tmp_path):
    with pytest.raises(RunUnreadableError) as caught:
        read_meta(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: not a run directory (it has no run.json); name a folder under reports/"
    )
    (tmp_path / "run.json").write_bytes(b"\xff{")
    with pytest.raises(RunUnreadableError, match="not valid JSON"):
        read_meta(tmp_path)


def test_a_write_that_fails_leaves_no_part_of_a_line_and_is_not_counted(tmp_path, monkeypatch):
    key, window = WindowKey(START_S, "GET", "/x"), Window()
    window.successes.record(5)
    with new_run(tmp_path) as run:
        run.append_windows([(key, window)])
        whole = (run.path / "windows.jsonl").read_bytes()
        (soft, hard) = resource.getrlimit(resource.RLIMIT_FSIZE)
        # The kernel takes as much as fits, and then no more: as a disk does that is full.
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + 20, hard))
        try:
            with pytest.raises(OSError, match="File too large"):
                run.append_windows([(key, window)])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert (run.path / "windows.jsonl").read_bytes() == whole
        assert run.recorded == {"requests": 1, "failures": 0}
        run.append_windows([(key, window)])
    assert (run.path / "windows.jsonl").read_bytes() == whole * 2
