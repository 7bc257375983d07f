"""One row of the acceptance table."""

from typing import NamedTuple


class Row(NamedTuple):
    """What was checked, what was wanted, what was measured on simulated runs."""

    check: str
    target: str
    measured: str
    met: bool
    runs: int
