"""The open model: arrivals on a planned schedule, taken by whichever user is free.

`curve` says when the arrivals are due, `course` which of them a process takes, `desk` hands them to
its users and counts.
"""

from otaload.arrivals.counts import Counts
from otaload.arrivals.course import Course
from otaload.arrivals.curve import Curve, Stretch, spliced
from otaload.arrivals.desk import Desk
from otaload.arrivals.turns import Turns

__all__ = ["Counts", "Course", "Curve", "Desk", "Stretch", "Turns", "spliced"]
