"""A run's directory: made before the load starts, appended to while it runs, read by all the rest.

    run.json          what was run: format version, scenario, target, versions, start, end, …
    windows.jsonl     the truth: one line for a (second, method, endpoint); repeated keys are added
    users.jsonl       one line for a second and process: users, CPU, event-loop lag; planned users
    thresholds.yaml   the copy that the run is judged by

Everything else in it is derived and can be made anew.
A line is written whole and flushed to the kernel; a process that is killed loses at most what it
had not flushed, and a torn last line is recognised because it does not end in a newline. `sync` has
it survive a power cut as well; `run.json` always does.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import orjson

from otaload.errors import ConfigurationError, RunUnreadableError
from otaload.record.text import dump_json
from otaload.record.window import Window, WindowKey, window_to_json

FORMAT_VERSION = 1
"""Of a run directory; raised when an older reader would misread a newer one."""

RUN, WINDOWS, USERS, THRESHOLDS = "run.json", "windows.jsonl", "users.jsonl", "thresholds.yaml"


class RunDirectory:
    """The writing side of a run; one process writes it."""

    def __init__(self, path: Path, meta: dict[str, Any]) -> None:
        self.path = path
        self.meta = meta
        self._requests = 0
        self._failures = 0
        self._windows = self._append(WINDOWS)
        self._users = self._append(USERS)

    @classmethod
    def create(
        cls,
        parent: Path,
        *,
        scenario: str,
        start_s: float,
        meta: Mapping[str, Any],
        thresholds: str | None = None,
    ) -> Self:
        """Make the directory of a run that is about to start, with a copy of its thresholds.

        Its name is the start in UTC and the scenario; a second run in the same second gets `-2`.
        Raises `ConfigurationError` where it cannot be made or written.
        """
        stamp = datetime.fromtimestamp(start_s, UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
        name = f"{stamp}-{re.sub(r'[^A-Za-z0-9_.-]+', '-', scenario)}"
        try:
            parent.mkdir(parents=True, exist_ok=True)
            path = _make_new(parent, name)
            run = cls(path, {"format": FORMAT_VERSION, **meta, "complete": False})
            if thresholds is not None:
                _write_synced(path / THRESHOLDS, thresholds.encode())
            run.write_meta()
        except OSError as error:
            raise ConfigurationError(
                f"{parent}: the run's directory cannot be written ({error.strerror or error}); "
                "free space there or name another place with --reports-dir"
            ) from error
        return run

    def append_windows(self, windows: Iterable[tuple[WindowKey, Window]]) -> None:
        """Append windows, one line each, and hand them to the kernel.

        They are counted as recorded only once they are written, all of them or none.
        """
        lines, requests, failures = [], 0, 0
        for key, window in windows:
            lines.append(orjson.dumps(window_to_json(key, window), option=_LINE))
            requests += window.n
            failures += window.failures.n
        self._write(self._windows, lines)
        self._requests += requests
        self._failures += failures

    def append_users(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Append the rows of users and generator health, one line each."""
        self._write(self._users, [dump_json(row, _LINE) for row in rows])

    def write_meta(self, **changes: Any) -> None:
        """Write `run.json` anew, whole or not at all."""
        self.meta.update(changes)
        write_json(self.path / RUN, self.meta)

    @property
    def recorded(self) -> dict[str, int]:
        """What was appended, for `run.json`: by it a reader sees that a line has gone missing."""
        return {"requests": self._requests, "failures": self._failures}

    def sync(self) -> None:
        """Have everything that was appended survive a power cut; takes as long as the disk does."""
        for file in (self._windows, self._users):
            if not file.closed:
                os.fsync(file.fileno())

    def is_in_place(self) -> bool:
        """Whether the directory still holds the files that are being written."""
        for name, file in ((WINDOWS, self._windows), (USERS, self._users)):
            try:
                found = (self.path / name).stat()
            except OSError:
                return False
            if not os.path.samestat(found, os.fstat(file.fileno())):
                return False
        return True

    def discard(self) -> None:
        """Remove a run that was made and never begun."""
        self.close()
        shutil.rmtree(self.path)

    def close(self) -> None:
        """Close the files; what was appended stays."""
        self._windows.close()
        self._users.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _append(self, name: str) -> IO[bytes]:
        return (self.path / name).open("ab", buffering=0)

    def _write(self, file: IO[bytes], lines: list[bytes]) -> None:
        if not lines:
            return
        data = memoryview(b"".join(lines))
        before = os.fstat(file.fileno()).st_size
        try:
            while data:  # an unbuffered write may take only a part, when a disk fills up for one
                data = data[file.write(data) or 0 :]
        except OSError:
            # A part of a line would spoil the next one, should there be room again.
            os.ftruncate(file.fileno(), before)
            raise


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file so that a reader sees the old one or the new one, never a part.

    That holds after a power cut as well, so it takes as long as the disk does.
    """
    draft = path.with_name(path.name + ".draft")
    _write_synced(draft, dump_json(content, orjson.OPT_INDENT_2 | _LINE))
    draft.replace(path)
    _sync_directory(path.parent)


def read_meta(path: Path) -> dict[str, Any]:
    """The content of a run's `run.json`.

    Raises `RunUnreadableError` where there is none, or it is not one this version can read.
    """
    file = path / RUN
    try:
        meta: dict[str, Any] = orjson.loads(file.read_bytes())
    except FileNotFoundError:
        raise RunUnreadableError(
            f"{path}: not a run directory (it has no {RUN}); name a folder under reports/"
        ) from None
    except OSError as error:
        raise RunUnreadableError(f"{file}: cannot be read ({error.strerror})") from error
    except orjson.JSONDecodeError as error:
        raise RunUnreadableError(f"{file}: not valid JSON ({error})") from error
    version = meta.get("format") if isinstance(meta, dict) else None
    if type(version) is not int or not 1 <= version <= FORMAT_VERSION:
        raise RunUnreadableError(
            f"{file}: format {version!r} is not known to this version "
            f"(it reads 1 to {FORMAT_VERSION}); use a newer otaload"
        )
    return meta


def _make_new(parent: Path, name: str) -> Path:
    for n in range(1, 1000):
        path = parent / (name if n == 1 else f"{name}-{n}")
        try:
            path.mkdir()
        except FileExistsError:
            continue
        _sync_directory(parent)  # the name outlives a power cut only once the parent knows of it
        return path
    raise ConfigurationError(f"{parent / name}: a thousand runs bear this name; clear {parent}")


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


_LINE = orjson.OPT_APPEND_NEWLINE
