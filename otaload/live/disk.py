"""Keeps a run safe on its disk while it is recorded: synced now and then, and still where it was.

Every second's lines are handed to the kernel, which a killed process does not undo; a power cut
does. So the files are synced every ten seconds, by a thread, since a slow disk must not make the
generator late.
"""

from __future__ import annotations

import errno

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
