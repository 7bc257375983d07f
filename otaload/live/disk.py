"""Keeps a run safe on its disk while it is recorded: synced now and then, and still where it was.

Every second's lines are handed to the kernel, which a killed process does not undo; a power cut
does. So the files are synced every ten seconds. `run.json` is synced whenever it is written. Both
are done by a thread while the load runs, since a slow disk must not make the generator late.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import gevent

from otaload.record import RunDirectory

SYNC_S = 10.0
"""At most this much, and the second that is being counted, is lost when the power is cut."""


class DiskWatch:
    """Syncs a run directory every `SYNC_S`; `failed` is set once it could not be written."""

    def __init__(self, run: RunDirectory, *, sync_s: float = SYNC_S) -> None:
        self.failed = False
        self._run = run
        self._sync_s = sync_s
        self._next_s = 0.0
        self._syncing: gevent.Greenlet[[], OSError | None] | None = None

    def watch(self, now_s: float) -> OSError | None:
        """Sync if it is time (Unix seconds); answers with what is wrong with the disk, if any."""
        if self.failed:
            return None
        if not self._run.is_in_place():
            # Its files are open still, and what is written to them would be gone at the end.
            return FileNotFoundError(errno.ENOENT, "it was removed or replaced")
        found = self._finished()
        if now_s >= self._next_s and self._syncing is None:
            self._next_s = now_s + self._sync_s
            self._syncing = gevent.spawn(self._sync)
        return found

    def close(self) -> None:
        """Wait for a sync that is under way; the run's end is synced by itself."""
        if self._syncing is not None:
            self._syncing.join()
            self._syncing = None

    def _finished(self) -> OSError | None:
        if self._syncing is None or not self._syncing.ready():
            return None
        found, self._syncing = self._syncing.value, None
        return found if isinstance(found, OSError) else None

    def _sync(self) -> OSError | None:
        try:
            gevent.get_hub().threadpool.apply(self._run.sync)
        except OSError as error:
            return error
        return None


class MetaWrites:
    """Writes `run.json` while the load runs: in the order asked for, and never twice at once.

    `on_error` is called with what is wrong with the disk.
    """

    def __init__(self, run: RunDirectory, on_error: Callable[[OSError], None]) -> None:
        self._run = run
        self._on_error = on_error
        self._waiting: dict[str, Any] = {}
        self._writing: gevent.Greenlet[[], None] | None = None

    def write(self, **changes: Any) -> None:
        """Have some fields written soon; they are not to be changed any more."""
        self._waiting.update(changes)
        if self._writing is None or self._writing.dead:
            self._writing = gevent.spawn(self._write)

    def close(self) -> None:
        """Wait until all is written, so that whoever writes next has the last word."""
        if self._writing is not None:
            self._writing.join()

    def _write(self) -> None:
        while self._waiting:
            changes, self._waiting = self._waiting, {}
            try:
                gevent.get_hub().threadpool.apply(self._run.write_meta, kwds=changes)
            except OSError as error:
                self._on_error(error)
