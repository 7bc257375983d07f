"""A reports directory: which runs it holds, and which of them is meant by a name."""

from __future__ import annotations

from pathlib import Path

from otaload.errors import RunUnreadableError
from otaload.record.rundir import RUN

LATEST = "latest"
VERDICT = "verdict.json"


def find_run(reports_dir: Path, name: str = LATEST) -> Path:
    """The directory of a run: the word `latest`, a name under the reports directory, or a path.

    Raises `RunUnreadableError` where there is none.
    """
    if name == LATEST:
        return _latest(reports_dir)
    for path in (reports_dir / name, Path(name)):
        if (path / RUN).is_file():
            return path
    path = Path(name) if Path(name).is_dir() else reports_dir / name
    if path.is_dir():
        raise RunUnreadableError(f"{path}: not a run directory (it has no {RUN}); name another")
    known = [known.name for known in list_runs(reports_dir)][-3:]
    hint = f"; the last ones are {', '.join(known)}" if known else ""
    raise RunUnreadableError(f"{name}: there is no such run under {reports_dir}{hint}")


def _latest(reports_dir: Path) -> Path:
    runs = list_runs(reports_dir)
    if not runs:
        raise RunUnreadableError(
            f"{reports_dir}: holds no run yet; start one or name its directory with --reports-dir"
        )
    return runs[-1]


def list_runs(reports_dir: Path) -> list[Path]:
    """The runs of a reports directory, by their start, which is how their names begin."""
    try:
        found = [path for path in reports_dir.iterdir() if (path / RUN).is_file()]
    except OSError:
        return []
    return sorted(found, key=_by_start)


def _by_start(path: Path) -> tuple[str, int, str]:
    # A second run in the same second ends in -2, and -10 comes after -9.
    stem, _, last = path.name.rpartition("-")
    return (stem, int(last), "") if last.isdigit() and len(last) < 4 else (path.name, 1, "")
