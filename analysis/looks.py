"""When a soak is looked at while it is under way: plain arithmetic, for generator and judge alike.

Before 3.25 of 8 hours the first and the last hour are too near to each other, and half hours too
few. A rehearsal is looked at in the same places of its length, though not more often than every
ten seconds: a look takes about a second of processor time.
"""

from __future__ import annotations

LOOK_FROM = 3.25 / 8
LOOK_EVERY = 0.25 / 8
"""As shares of the planned length of a soak."""
LEAST_EVERY_S = 10.0
LEAST_PLANNED_S = 60.0
"""Below this no look would find enough windows, which are never shorter than a second."""
LOOKS_IN_ROW = 2
"""So many looks in a row must find the drift above its fail limit: one may fall on an incident."""


def look_times_s(planned_s: float) -> list[float]:
    """Seconds after the start at which to look at a soak that is planned to last so long."""
    if planned_s < LEAST_PLANNED_S:
        return []
    every_s = max(LEAST_EVERY_S, LOOK_EVERY * planned_s)
    count = int((1 - LOOK_FROM) * planned_s / every_s + 1e-9)
    times = [LOOK_FROM * planned_s + i * every_s for i in range(count + 1)]
    return [time_s for time_s in times if time_s < planned_s]
