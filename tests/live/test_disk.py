"""A run is synced now and then, beside the load, and a disk that is not there is noticed."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest
from gevent import monkey

from otaload.live.disk import SYNC_S, DiskWatch, MetaWrites
from otaload.record import RunDirectory, Window, WindowKey
from otaload.record.rundir import read_meta

START_S = 1_795_000_000.0
thread = monkey.get_original("_thread", "get_ident")
"""The thread of the machine, and not of gevent, that this runs in."""


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


def test_fields_are_written_in_the_order_that_was_asked_for(run: RunDirectory) -> None:
    writes = MetaWrites(run, pytest.fail)
    for number in range(50):
        writes.write(last=number, **{f"field{number}": number})
        gevent.sleep(0.001 * (number % 3))
    writes.close()
    written = read_meta(run.path)

    assert written["last"] == 49
    assert all(written[f"field{number}"] == number for number in range(50))


def test_no_field_is_written_by_the_thread_that_makes_the_load(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (threads.append(thread()), fsync(handle)))
    writes = MetaWrites(run, pytest.fail)
    writes.write(told=True)
    writes.close()

    assert threads
    assert thread() not in threads


def test_what_is_wrong_with_the_disk_is_told_of_fields_as_well(run: RunDirectory) -> None:
    shutil.rmtree(run.path)
    errors: list[OSError] = []
    writes = MetaWrites(run, errors.append)
    writes.write(told=True)
    writes.close()

    assert [error.errno for error in errors] == [errno.ENOENT]
