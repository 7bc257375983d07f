"""Recording: latency histograms in one-second windows, appended to a run directory.

`Histogram` and `Window` are commutative monoids under `+`, so workers' reports, repeated lines of
one key and parts of a run merge in any order to the same totals.
"""

from otaload.record.histogram import Histogram, bucket_bounds_us, bucket_index, bucket_value_us
from otaload.record.names import OTHER, Names
from otaload.record.recorder import Recorder
from otaload.record.rundir import FORMAT_VERSION, RunDirectory
from otaload.record.window import (
    Window,
    WindowKey,
    histogram_from_json,
    window_from_json,
    window_to_json,
)

__all__ = [
    "FORMAT_VERSION",
    "OTHER",
    "Histogram",
    "Names",
    "Recorder",
    "RunDirectory",
    "Window",
    "WindowKey",
    "bucket_bounds_us",
    "bucket_index",
    "bucket_value_us",
    "histogram_from_json",
    "window_from_json",
    "window_to_json",
]
