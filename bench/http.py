"""The lean client against Locust's own, and wrk, autocannon and k6 where they are installed.

All generators are on core 0 and nginx is on core 1. Those in Python take turns of half a second,
the others follow; rounds are interleaved, so that a slow minute of the machine hits all alike. A
ratio is the median of the rounds' ratios. The figure is requests per CPU second of the generator,
which does not depend on how fast the target is.
"""

import json
import math
import os
import re
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.target import Target, nginx, on_path
from bench.turns import take_turns

NAMES = {"lean": "**LeanHttpUser**", "fast": "FastHttpUser", "http": "HttpUser"}
GENERATOR_CORE, TARGET_CORE = 0, 1

K6_CHECK = """export default () => check(http.get(__ENV.TARGET),
  { ok: (r) => r.status === 200 && r.json("updateAvailable") === false });"""
K6_DROPPED = """export default () => check(http.get(__ENV.TARGET, { responseType: "none" }),
  { ok: (r) => r.status === 200 });"""

Run = Callable[[], dict[str, Any]]
Command = Callable[[int], list[str]]
"""A generator's command line for so many whole seconds."""


@dataclass
class Case:
    """One table: what is done, by whom, and the ratio that we want to see."""

    title: str
    turns: dict[str, list[str]]
    """The command lines of those that take turns."""
    runs: dict[str, Run]
    aim: str = ""
    figures: dict[str, list[float]] = field(default_factory=dict)
    busy: dict[str, list[float]] = field(default_factory=dict)


def benchmark(*, rounds: int, seconds: float) -> str:
    """Run everything; returns the report in Markdown."""
    with tempfile.TemporaryDirectory() as folder, nginx(Path(folder) / "n", TARGET_CORE) as target:
        cases = throughput_cases(target, seconds, Path(folder))
        for number in range(rounds):
            for case in cases:
                results = take_turns(case.turns, seconds)
                results |= {name: run() for name, run in case.runs.items()}
                for name, result in results.items():
                    if result.get("failures"):
                        say(f"  {name}: {result['failures']} failures")
                    figure = result["per_cpu_s"]
                    case.figures.setdefault(name, []).append(figure)
                    case.busy.setdefault(name, []).append(result["cpu_s"] / result["wall_s"])
                    say(f"round {number + 1}: {case.title}: {name}: {figure:,.0f} per CPU second")
        return "\n".join([*head(), *map(throughput_table, cases), *scale_table(target)])


def throughput_cases(target: Target, seconds: float, folder: Path) -> list[Case]:
    """The cases that are repeated."""
    plain = ["--url", target.url]
    # FastHttpUser loads the authorities once for each user, 25–40 ms each, before it begins.
    tls = ["--url", target.tls_url, "--ca-file", target.ca_file, "--warm-up", 4]
    few = [*plain, "--users", 4]
    both = ("lean", "fast")

    def k6_with(name: str, body: str, url: str, *, users: int) -> dict[str, Run]:
        return k6(target, seconds, folder / f"{name}.js", body, url, users=users)

    return [
        Case(
            "GET + JSON check, 50 users",
            by_turns(NAMES, "check", plain),
            peers(target.url, seconds)
            | k6_with("check", K6_CHECK, f"{target.url}/check", users=50),
            "at least 5.5 × FastHttpUser",
        ),
        Case(
            "The same over TLS, kept connections",
            by_turns(NAMES, "check", tls),
            k6_with("tls", K6_CHECK, f"{target.tls_url}/check", users=50),
            "at least 6 × FastHttpUser",
        ),
        Case("2 MiB body, kept, 4 users", by_turns(both, "kept", few), {}),
        Case(
            "2 MiB body, dropped, 4 users",
            by_turns(both, "dropped", few),
            k6_with("dropped", K6_DROPPED, f"{target.url}/bundle.js", users=4),
            "at least 3 × its streaming",
        ),
    ]


def by_turns(kinds: Iterable[str], case: str, arguments: list[Any]) -> dict[str, list[str]]:
    """The command lines of generators that take turns."""
    return {NAMES[kind]: command_of(kind, case, *arguments, "--turns") for kind in kinds}


def command_of(kind: str, case: str, *arguments: Any) -> list[str]:
    """A generator's command line, pinned."""
    return pinned([sys.executable, "-m", "bench.generator", kind, case, *map(str, arguments)])


def generator(kind: str, case: str, *arguments: Any) -> Run:
    """A generator to be run alone."""

    def run() -> dict[str, Any]:
        command = command_of(kind, case, *arguments)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode or not done.stdout:
            raise RuntimeError(f"{' '.join(command)} failed: {done.stderr[-2000:]}")
        result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        if result["failures"]:
            say(f"  {kind} {case}: {result['failures']} failures")
        return result

    return run


def k6(
    target: Target, seconds: float, script: Path, body: str, url: str, *, users: int
) -> dict[str, Run]:
    """k6 with a script, where it is installed; it verifies the target's certificate as we do."""
    script.write_text(f'import http from "k6/http"; import {{ check }} from "k6";\n{body}\n')

    def command(whole: int) -> list[str]:
        options = ["--quiet", "--no-usage-report", "--vus", str(users), "--duration", f"{whole}s"]
        return ["k6", "run", *options, "--env", f"TARGET={url}", str(script)]

    environment = {**os.environ, "SSL_CERT_FILE": str(target.ca_file)}
    pattern = r"http_reqs[.: ]+(\d+)"
    return {name: peer(command, pattern, seconds, environment) for name in on_path("k6")}


def peers(url: str, seconds: float) -> dict[str, Run]:
    """Other load generators that are installed; none of these can look into the JSON."""
    commands: dict[str, tuple[Command, str]] = {
        "wrk": (
            lambda whole: ["wrk", "-t1", "-c50", f"-d{whole}s", f"{url}/check"],
            r"(\d+) requests in",
        ),
        "autocannon": (
            lambda whole: ["autocannon", "-c", "50", "-d", str(whole), "-j", f"{url}/check"],
            r'"requests":\{.*?"total":(\d+)',
        ),
    }
    return {name: peer(*commands[name], seconds) for name in on_path(*commands)}


def peer(
    command: Command,
    requests_pattern: str,
    seconds: float,
    environment: dict[str, str] | None = None,
) -> Run:
    """A foreign generator to be run, pinned, its CPU time taken from the kernel.

    `command` is given a whole number of seconds. Starting, connecting and summing up are no part of
    our own figures, so a run of one second is taken from a longer one.
    """

    def measured(whole: int) -> tuple[int, float, float]:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        started = time.perf_counter()
        done = subprocess.run(
            pinned(command(whole)), capture_output=True, text=True, check=True, env=environment
        )
        wall = time.perf_counter() - started
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        found = re.search(requests_pattern, done.stdout + done.stderr)
        if found is None:
            raise RuntimeError(f"{command(whole)[0]} did not say how many requests it made")
        return int(found.group(1)), cpu, wall

    def run() -> dict[str, Any]:
        short, long = measured(1), measured(1 + math.ceil(seconds))
        requests, cpu, wall = (more - less for more, less in zip(long, short, strict=True))
        return {"per_cpu_s": requests / cpu, "cpu_s": cpu, "wall_s": wall}

    return run


def pinned(command: list[str]) -> list[str]:
    """The command on the generator's core."""
    return ["taskset", "-c", str(GENERATOR_CORE), *command]


def scale_table(target: Target) -> list[str]:
    """What is measured once: memory, latency and connecting at 1,000 and 10,000 users."""
    paced = ["--url", target.url, "--users", 1000, "--period", 1, "--warm-up", 4]
    tls = ["--url", target.tls_url, "--ca-file", target.ca_file, "--users", 1000]
    say("1,000 users at 1/s")
    true_p50_ms, true_p99_ms = true_latency_ms(target.url)
    lean = generator("lean", "check", *paced)()
    fast = generator("fast", "check", *paced)()
    say("1,000 users over TLS")
    secure = generator("lean", "check", *tls, "--period", 1, "--warm-up", 4)()
    at_once = generator("lean", "check", *tls, "--period", 5, "--at-once", "--warm-up", 4)()
    say("10,000 users")
    many = generator(
        *("lean", "check", "--url", target.url, "--users", 10000),
        *("--period", 10, "--warm-up", 14, "--seconds", 5),
    )()
    rows = [
        ("memory of a user, plain", f"{lean['kb_per_user']:.1f} KB", "≤ 25 KB"),
        ("memory of a user, FastHttpUser", f"{fast['kb_per_user']:.1f} KB", ""),
        ("memory of a user, TLS", f"{secure['kb_per_user']:.1f} KB", "≤ 45 KB"),
        ("1,000 verified TLS users answered", f"{at_once['all_answered_s']:.2f} s", "≤ 2 s"),
        ("10,000 users in one process", f"{many['rss_mb']:.0f} MB", "≤ 250 MB"),
        ("their first requests all answered after", f"{many['all_answered_s']:.1f} s", "≤ 15 s"),
        ("their p50 off the truth by", f"{many['p50_ms'] - true_p50_ms:+.2f} ms", "≤ 0.5 ms"),
        ("p50 / p99 by one bare socket, alone", f"{true_p50_ms:.2f} / {true_p99_ms:.2f} ms", ""),
        ("p50 / p99 reported", f"{lean['p50_ms']:.2f} / {lean['p99_ms']:.2f} ms", ""),
        ("p50 off the truth by", f"{lean['p50_ms'] - true_p50_ms:+.2f} ms", "≤ 0.3 ms"),
        ("p99 off the truth by", f"{lean['p99_ms'] - true_p99_ms:+.2f} ms", "≤ 3 ms"),
        (
            "p50 / p99 of FastHttpUser, constant_pacing",
            f"{fast['p50_ms']:.2f} / {fast['p99_ms']:.2f} ms",
            "",
        ),
    ]
    return [
        "## 1,000 users, one request a second each",
        "",
        "| | Measured | Aim |",
        "|---|---|---|",
        *(f"| {what} | {measured} | {aim} |" for what, measured, aim in rows),
        "",
    ]


def true_latency_ms(url: str) -> tuple[float, float]:
    """p50 and p99 of 1,000 requests by one blocking socket, 5 ms apart, with nobody else about."""
    host, _, port = url.removeprefix("http://").partition(":")
    request = f"GET /check HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    times = []
    with socket.create_connection((host, int(port))) as sock:
        for _ in range(1000):
            started = time.perf_counter()
            sock.sendall(request)
            sock.recv(65536)
            times.append(time.perf_counter() - started)
            time.sleep(0.005)
    times.sort()
    return times[len(times) // 2] * 1e3, times[int(len(times) * 0.99)] * 1e3


def throughput_table(case: Case) -> str:
    """One case in Markdown: the median figure of each, and its ratio to FastHttpUser's."""
    base = case.figures[NAMES["fast"]]
    lines = [f"## {case.title}", ""]
    if case.aim:
        lines += [f"Aim: {case.aim}.", ""]
    lines += [
        "| Generator | per CPU second | ratio, median of rounds (range) | core busy |",
        "|---|---|---|---|",
    ]
    for name, figures in case.figures.items():
        ratios = [ours / theirs for ours, theirs in zip(figures, base, strict=True)]
        lines.append(
            f"| {name} | {statistics.median(figures):,.0f} "
            f"| {statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f}) "
            f"| {min(case.busy[name]):.0%} |"
        )
    if "k6" in case.figures:
        ours = zip(case.figures[NAMES["lean"]], case.figures["k6"], strict=True)
        ratios = [mine / theirs for mine, theirs in ours]
        against = f"{statistics.median(ratios):.2f} × k6 ({min(ratios):.2f}–{max(ratios):.2f})"
        lines += ["", f"LeanHttpUser does {against}."]
    return "\n".join([*lines, ""])


def head() -> list[str]:
    """What the figures were measured on."""
    load = os.getloadavg()[0]
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    return [
        "# HTTP client benchmark",
        "",
        f"Measured {when} on {os.cpu_count()} cores, Python {sys.version.split()[0]}, "
        f"load average {load:.1f} at the end.",
        f"Generators pinned to core {GENERATOR_CORE}, nginx to core {TARGET_CORE}; those in Python "
        "take turns of half a second.",
        "Ratios compare; absolute figures belong to this machine and minute.",
        "`core busy` is the least of the rounds: well below 100 %, the target or another process "
        "held the generator up, and each wake-up then costs it more.",
        "",
    ]


def say(text: str) -> None:
    """Progress, apart from the report."""
    print(text, file=sys.stderr, flush=True)
