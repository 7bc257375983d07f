"""`python -m bench.soak`: a night of fourteen million requests, judged and reported.

28,800 seconds of four endpoints are written as a run leaves them, and `otaload judge` and
`otaload report` are run on them as the processes that they are; one process more tells where the
time goes, and another what recording such a night costs the live one.
"""

import argparse
import cProfile
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.machine import PROJECT, head, own_time, table

AIM_WALL_S, AIM_RSS_MB, AIM_PAGE_MB = 10, 500, 2
PHASES, PROFILE, RECORDING = "phases", "profile", "recording"


@dataclass(frozen=True)
class Spent:
    """What a process took."""

    wall_s: float
    cpu_s: float
    rss_mb: float


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="of each command (3)")
    parser.add_argument("--seconds", type=int, default=28_800, help="of the soak (28800)")
    parser.add_argument("--rps", type=float, default=121.6, help="an endpoint (121.6)")
    parser.add_argument(
        "--output", type=Path, default=Path("bench/soak-results.md"), help="Markdown file"
    )
    parser.add_argument("--part", choices=(PHASES, PROFILE, RECORDING), help=argparse.SUPPRESS)
    parser.add_argument("--run", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part == RECORDING:
        print(json.dumps(_recording(arguments.run, arguments.seconds, arguments.rps)))
    elif arguments.part:
        print(json.dumps(_profile(arguments.run, phases=arguments.part == PHASES)))
    else:
        page = benchmark(arguments.rounds, arguments.seconds, arguments.rps)
        print(page)
        arguments.output.write_text(page, encoding="utf-8")


def benchmark(rounds: int, seconds: int, rps: float) -> str:
    """Write a soak, measure all there is to measure of it, and tell it in Markdown."""
    from bench.soak_run import write_soak  # noqa: PLC0415 -- its numpy is not to be imported twice

    with tempfile.TemporaryDirectory() as folder:
        say("writing the run")
        run = write_soak(Path(folder), seconds=seconds, rps=rps)
        spent: dict[str, list[Spent]] = {"judge": [], "report": []}
        for number in range(rounds):
            for command, found in spent.items():
                found.append(_measure([sys.executable, "-m", "otaload", command, str(run)]))
                say(f"round {number + 1}: {command}: {found[-1].wall_s:.2f} s")
        verdict = json.loads((run / "verdict.json").read_bytes())
        sizes_mb = {
            name: (run / name).stat().st_size / 1e6
            for name in ("windows.jsonl", "users.jsonl", "report.html")
        }
        say("phases and profile")
        phases = [_part(PHASES, run) for _ in range(rounds)]
        profile = _part(PROFILE, run)
        say("recording a night")
        night = _part(RECORDING, Path(folder), "--seconds", str(seconds), "--rps", str(rps))
    about = (
        f"{verdict['requests']:,} requests over {len(verdict['endpoints']) - 1} endpoints in "
        f"{seconds / 3600:g} h; verdict: {verdict['outcome']}.",
        f"`windows.jsonl` has {sizes_mb['windows.jsonl']:.0f} MB, "
        f"`users.jsonl` {sizes_mb['users.jsonl']:.1f} MB.",
    )
    return "\n".join(
        [
            *head("A night, judged", *about),
            *_commands(spent, sizes_mb["report.html"]),
            "## Where the time goes",
            "",
            "In one process, without a profiler; the median of the rounds, and the memory after.",
            "",
            *_phases(phases),
            "By the profiler, of reading, judging and drawing together.",
            "",
            *table(("Function, its own time", "Calls", "Share"), [tuple(row) for row in profile]),
            "## While it is recorded",
            "",
            "The same night through recorder, live memory and run directory, on a clock that does "
            "not wait.",
            "",
            *table(("", "Measured", "Aim"), [tuple(row) for row in night]),
        ]
    )


def _commands(spent: dict[str, list[Spent]], page_mb: float) -> list[str]:
    rows: list[tuple[str, ...]] = []
    for command, found in spent.items():
        walls = [one.wall_s for one in found]
        rows += [
            (
                f"`otaload {command}`, wall",
                f"{statistics.median(walls):.2f} s ({min(walls):.2f}–{max(walls):.2f})",
                f"≤ {AIM_WALL_S} s",
            ),
            (
                f"`otaload {command}`, CPU",
                f"{statistics.median(one.cpu_s for one in found):.2f} s",
                "",
            ),
            (
                f"`otaload {command}`, peak memory",
                f"{max(one.rss_mb for one in found):.0f} MB",
                f"≤ {AIM_RSS_MB} MB",
            ),
        ]
    rows.append(("`report.html`", f"{page_mb:.2f} MB", f"≤ {AIM_PAGE_MB} MB"))
    return table(("", "Measured, median of rounds (range)", "Aim"), rows)


def _phases(rounds: list[list[list[Any]]]) -> list[str]:
    rows = [
        (name, f"{statistics.median(r[i][1] for r in rounds):.2f} s", f"{rounds[0][i][2]:.0f} MB")
        for i, (name, _, _) in enumerate(rounds[0])
    ]
    total_s = statistics.median(sum(seconds for _, seconds, _ in r) for r in rounds)
    return table(("Phase", "Seconds", "Memory"), [*rows, ("all", f"{total_s:.2f} s", "")])


def _measure(command: list[str]) -> Spent:
    """Run a command of ours; its memory is its own peak, as the kernel counted it."""
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    # ru_maxrss counts kilobytes on Linux and bytes on macOS.
    unit = 1e6 if sys.platform == "darwin" else 1e3
    return Spent(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit)


def _part(part: str, path: Path, *more: str) -> Any:
    """What a process of this module found out."""
    command = [sys.executable, "-m", "bench.soak", "--part", part, "--run", str(path), *more]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def _profile(path: Path, *, phases: bool) -> list[Any]:
    """Judge and report a run: the seconds of each phase, or the functions that took the most."""
    found: list[Any] = []

    def phase(name: str, work: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        answer = work()
        memory_mb = psutil.Process().memory_info().rss / 1e6
        found.append((name, time.perf_counter() - began, memory_mb))
        return answer

    began = time.perf_counter()
    import psutil  # noqa: PLC0415 -- imports are a phase

    from analysis import outputs, render  # noqa: PLC0415
    from analysis.judge import judge  # noqa: PLC0415
    from analysis.runs import load_run  # noqa: PLC0415

    found.append(("import", time.perf_counter() - began, psutil.Process().memory_info().rss / 1e6))
    profile = cProfile.Profile()
    if not phases:
        profile.enable()
    run = phase("load", lambda: load_run(path))
    thresholds = outputs.thresholds_for(path)
    verdict = phase("judge", lambda: judge(run, thresholds))
    phase("render verdict.json", lambda: render.json(verdict))
    phase("render junit.xml", lambda: render.junit(verdict))
    phase("render summary.md", lambda: render.markdown(verdict))
    phase("render the console's text", lambda: render.text(verdict, colour=False))
    phase("render report.html", lambda: render.html(run, verdict, thresholds))
    if phases:
        return found
    profile.disable()
    return own_time(profile)


def _recording(folder: Path, seconds: int, rps: float) -> list[Any]:
    from bench.recording import describe, record_night, record_us  # noqa: PLC0415

    night = record_night(folder, seconds=seconds, rps=rps)
    return describe(night, record_us())


def say(text: str) -> None:
    """Progress, apart from the page."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
