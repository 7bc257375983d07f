"""A night in minutes, here in seconds: everything that was recorded is on disk and is judged."""

import dataclasses

from bench.longrun import misses, record, report


def test_a_short_night_is_on_disk_as_a_whole_and_passes(tmp_path):
    night = record(tmp_path, seconds=700, rate=60)

    assert night.requests == night.on_disk[0] == 42_000
    assert misses(night) == []
    assert "| requests on disk | 42,000 | the same |" in report(night, rate=60)


def test_what_is_missed_is_said(tmp_path):
    night = record(tmp_path, seconds=2, rate=20)
    worse = dataclasses.replace(night, on_disk=(39, 0), highest_mb=51.0, judged=99)

    assert misses(worse) == [
        "1 requests are not on disk",
        "memory rose by 51.0 MB",
        "judging ended with 99",
    ]
