"""`python -m bench`: run the benchmarks, print the tables, write them as Markdown."""

import argparse
from pathlib import Path

from bench.http import benchmark
from bench.target import on_path


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="interleaved repetitions (5)")
    parser.add_argument("--seconds", type=float, default=3.0, help="seconds of each run (3)")
    parser.add_argument(
        "--output", type=Path, default=Path("bench/http-results.md"), help="Markdown file"
    )
    arguments = parser.parse_args()
    missing = {"nginx", "openssl", "taskset"} - set(on_path("nginx", "openssl", "taskset"))
    if missing:
        parser.error(f"not installed: {', '.join(sorted(missing))}; the target needs them")
    report = benchmark(rounds=arguments.rounds, seconds=arguments.seconds)
    print(report)
    arguments.output.write_text(report)


if __name__ == "__main__":
    main()
