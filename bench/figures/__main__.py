"""`python -m bench.figures`: draw every picture of docs/statistics.md into docs/images/."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from matplotlib.figure import Figure

from bench.figures import certainty, loads, soaks
from bench.figures.picture import picture

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
PICTURES: dict[str, tuple[str, Callable[[], Figure]]] = {
    "percentile-interval": (
        "p99 of twelve runs each of 400, 4,000 and 40,000 requests, with bounds",
        certainty.percentile_interval,
    ),
    "errors-needed": (
        "upper bound of the error rate by number of requests",
        certainty.errors_needed,
    ),
    "tiers": ("values with bounds in the tiers of p95", certainty.tiers),
    "drift-levels": ("a soak with an incident, judged by levels and pooled", soaks.drift_levels),
    "drift-errors": ("what levels and pooled hours call without drift", soaks.drift_errors),
    "early-stop": ("looks at a soak whose p99 triples and at one without drift", soaks.early_stop),
    "breakpoint": (
        "throughput and p95 by users, with limit and saturation",
        loads.breakpoint_limit,
    ),
    "recovery": ("p95 around a burst, with the baseline's band", loads.recovery),
    "omission": ("planned and measured requests of one user during a stall", loads.omission),
    "health": ("latency as measured by a generator that is late", loads.health),
    "compare": ("p95 of five runs before and five after a change", loads.compare),
}


def main() -> None:
    """Write the pictures."""
    IMAGES.mkdir(exist_ok=True)
    for name, (title, draw) in PICTURES.items():
        (IMAGES / f"{name}.svg").write_text(picture(name, title, draw), encoding="utf-8")
        print(f"docs/images/{name}.svg")


if __name__ == "__main__":
    main()
