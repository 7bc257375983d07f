"""The files of the judging half: where runs are found, judged, and their outputs written."""

from __future__ import annotations

from pathlib import Path

from analysis import render
from analysis.judge import judge
from analysis.runs import Run, load_run
from analysis.thresholds import Thresholds, load_thresholds
from analysis.verdict import Verdict
from otaload.errors import ConfigurationError, RunUnreadableError
from otaload.record.rundir import RUN, THRESHOLDS

LATEST = "latest"
VERDICT, REPORT, JUNIT, SUMMARY = "verdict.json", "report.html", "junit.xml", "summary.md"


def judge_directory(
    path: Path,
    *,
    thresholds_path: Path | None = None,
    fail_on_warning: bool = False,
    partial: bool = False,
) -> Verdict:
    """The verdict on a run directory, by its own copy of the thresholds unless another is named."""
    run = load_run(path)
    return judge(
        run, thresholds_for(path, thresholds_path), fail_on_warning=fail_on_warning, partial=partial
    )


def report_directory(
    path: Path,
    *,
    thresholds_path: Path | None = None,
    fail_on_warning: bool = False,
    partial: bool = False,
) -> Verdict:
    """Judge a run directory and write its outputs into it; the verdict is returned."""
    run = load_run(path)
    thresholds = thresholds_for(path, thresholds_path)
    verdict = judge(run, thresholds, fail_on_warning=fail_on_warning, partial=partial)
    write_outputs(run, verdict, thresholds)
    return verdict


def thresholds_for(path: Path, thresholds_path: Path | None = None) -> Thresholds:
    """The thresholds that a run is judged by; raises `ConfigurationError` where there are none."""
    if thresholds_path is not None:
        return load_thresholds(thresholds_path)
    if not (path / THRESHOLDS).exists():
        raise ConfigurationError(
            f"{path / THRESHOLDS}: the run has no copy of its thresholds; "
            "name a file with --thresholds"
        )
    return load_thresholds(path / THRESHOLDS)


def write_outputs(run: Run, verdict: Verdict, thresholds: Thresholds) -> list[Path]:
    """Write verdict.json, report.html, junit.xml and summary.md into the run's directory.

    Each appears whole or not at all; returns their paths.
    Raises `ConfigurationError` where the directory cannot be written.
    """
    contents = {
        VERDICT: render.json(verdict),
        JUNIT: render.junit(verdict),
        SUMMARY: render.markdown(verdict),
        REPORT: render.html(run, verdict, thresholds),
    }
    try:
        return [_write(run.path / name, content) for name, content in contents.items()]
    except OSError as error:
        raise ConfigurationError(
            f"{run.path}: the outputs cannot be written ({error.strerror or error}); "
            "free space there or make it writable"
        ) from error


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
    known = [known.name for known in _runs(reports_dir)][-3:]
    hint = f"; the last ones are {', '.join(known)}" if known else ""
    raise RunUnreadableError(f"{name}: there is no such run under {reports_dir}{hint}")


def _latest(reports_dir: Path) -> Path:
    runs = _runs(reports_dir)
    if not runs:
        raise RunUnreadableError(
            f"{reports_dir}: holds no run yet; start one or name its directory with --reports-dir"
        )
    return runs[-1]


def _runs(reports_dir: Path) -> list[Path]:
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


def _write(path: Path, content: str) -> Path:
    draft = path.with_name(path.name + ".draft")
    draft.write_text(content, encoding="utf-8")
    draft.replace(path)
    return path
