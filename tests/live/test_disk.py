"""A run is synced now and then, beside the load, and a disk that is not there is noticed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest

from otaload.live.disk import SYNC_S, DiskWatch
from otaload.record import RunDirectory, Window, WindowKey

START_S = 1_795_000_000.0


@pytest.fixture
def run(tmp_path: Path) -> Iterator[RunDirectory]:
    parent = tmp_path / "reports"
    with RunDirectory.create(parent, scenario="x", start_s=START_S, meta={}) as run:
        yield run


@pytest.fixture
def synced(monkeypatch) -> list[int]:
    """The size of each file at each of its syncs."""
    sizes: list[int] = []
    fsync = os.fsync

    def see(handle: int) -> None:
        fsync(handle)
        sizes.append(os.fstat(handle).st_size)

    monkeypatch.setattr(os, "fsync", see)
    return sizes


def watch(disk: DiskWatch, now_s: float) -> OSError | None:
    """Watch, and let a sync that was begun come to its end."""
    found = disk.watch(now_s)
    gevent.sleep(0.2)
    return found


def test_everything_is_synced_at_most_so_many_seconds_after_it_was_written(run, synced) -> None:
    disk = DiskWatch(run)
    unsynced_s = []
    last_s = START_S
    for second in range(int(3 * SYNC_S)):
        run.append_windows([(WindowKey(second, "GET", "/x"), Window())])
        size = (run.path / "windows.jsonl").stat().st_size
        disk.watch(START_S + second)
        gevent.sleep(0.02)
        disk.close()
        if size in synced:
            last_s = START_S + second
        unsynced_s.append(START_S + second - last_s)

    assert max(unsynced_s) < SYNC_S
    assert unsynced_s.count(0.0) == 3  # not each second: a sync is work for the disk


def test_a_disk_that_cannot_sync_is_told_once_it_is_known(run, monkeypatch) -> None:
    def fail() -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(run, "sync", fail)
    disk = DiskWatch(run)

    assert watch(disk, START_S) is None
    found = watch(disk, START_S + 1)
    assert found is not None
    assert found.strerror == "Input/output error"


@pytest.mark.parametrize("how", ["removed", "replaced", "a file of it removed"])
def test_a_directory_that_is_not_there_any_more_is_noticed_at_once(run, how: str) -> None:
    disk = DiskWatch(run)
    assert watch(disk, START_S) is None
    if how == "a file of it removed":
        (run.path / "users.jsonl").unlink()
    else:
        shutil.rmtree(run.path)
    if how == "replaced":
        run.path.mkdir()
        (run.path / "windows.jsonl").touch()
        (run.path / "users.jsonl").touch()

    found = watch(disk, START_S + 1)
    assert found is not None
    assert "removed or replaced" in str(found)
    disk.failed = True
    assert watch(disk, START_S + 2) is None  # said once
