"""`index.html` of a reports directory: read from verdicts, written whole or not at all."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from analysis.history import read_history
from analysis.render import index_page
from otaload.errors import ConfigurationError

INDEX = "index.html"
REPORT = "report.html"
MOST_RUNS = 500
LOCK_WAIT_S = 5.0
"""How long another process may take that writes the same index."""


def write_index(reports_dir: Path) -> Path:
    """Write the index anew and answer with its path.

    Raises `ConfigurationError` where there is no run, the directory cannot be written, or the page
    of that name is not one of ours.
    """
    path = reports_dir / INDEX
    try:
        with _alone(reports_dir):
            # Read under the lock: who waited for it sees the run that the other has just judged.
            history = read_history(reports_dir, limit=MOST_RUNS)
            if not _is_ours(path):
                raise ConfigurationError(
                    f"{path}: is not an index that otaload wrote; move it away to have one"
                )
            names = [run.name for run in history.runs]
            reported = frozenset(n for n in names if (reports_dir / n / REPORT).is_file())
            _write(path, index_page.html(history, with_report=reported))
    except OSError as error:
        raise ConfigurationError(
            f"{path}: cannot be written ({error.strerror or error}); "
            "free space there or make it writable"
        ) from error
    return path


@contextmanager
def _alone(reports_dir: Path) -> Iterator[None]:
    """Keep other processes from writing the index meanwhile, as far as the file system can."""
    if not reports_dir.is_dir():
        yield  # which reading then tells in its own words
        return
    directory = os.open(reports_dir, os.O_RDONLY)
    try:
        deadline = time.monotonic() + LOCK_WAIT_S
        while not _locked(directory) and time.monotonic() < deadline:
            time.sleep(0.05)
        yield
    finally:
        os.close(directory)


def _locked(directory: int) -> bool:
    """Whether the lock is ours, or there can be none on this file system."""
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _is_ours(path: Path) -> bool:
    try:
        return index_page.MADE_BY in path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return True


def _write(path: Path, content: str) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    try:
        draft.write_text(content, encoding="utf-8")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
