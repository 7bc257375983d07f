"""Recovery and coordinated omission as plain data, for `verdict.json`."""

from __future__ import annotations

import math
from dataclasses import asdict, fields
from typing import Any

from analysis.omission import Omission
from analysis.recovery import Recovery

_SERIES = ("burst", "t_s", "p95_ms")


def recovery_content(recovery: Recovery | None) -> dict[str, Any] | None:
    """A recovery without the seconds that it was read from."""
    if recovery is None:
        return None
    names = (field.name for field in fields(recovery) if field.name not in _SERIES)
    burst = asdict(recovery.burst)
    return {
        "sentence": recovery.sentence,
        **{name: getattr(recovery, name) for name in names},
        "peak_ratio": recovery.peak_ratio,
        "burst": {name: None if math.isinf(at) else at for name, at in burst.items()},
    }


def omission_content(omission: Omission | None) -> dict[str, Any] | None:
    """What users did not measure; `endpoints` holds raw beside corrected percentiles."""
    if omission is None:
        return None
    return {
        "pacing_s": omission.pacing_s,
        "iterations": omission.iterations,
        "lost": omission.lost,
        "lost_ratio": omission.lost_ratio,
        "late_mean_ms": omission.late_mean_ms,
        "late_max_ms": omission.late_max_ms,
        "lost_load_ratio": omission.lost_load_ratio,
        "endpoints": [asdict(row) for row in omission.rows],
    }
