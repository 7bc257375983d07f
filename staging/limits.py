"""Limits that the real service has: requests a minute for each device, and devices in a month."""

import time
from collections.abc import Callable, Iterable

# Forget expired windows once this many keys are held, so that a flood of ids costs bounded memory.
_SWEEP_AT = 50_000


class RateLimit:
    """At most `count` requests in a fixed window of `period_s`, which a key's first one opens."""

    def __init__(
        self, count: int, period_s: float, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.count = count
        self.period_s = period_s
        self._clock = clock
        self._windows: dict[str, tuple[float, int]] = {}

    def retry_after_s(self, key: str) -> float | None:
        """Take one for `key`: None when it may pass, else the seconds until it may."""
        now_s = self._clock()
        ends_s, taken = self._windows.get(key, (0.0, 0))
        if now_s >= ends_s:
            if len(self._windows) >= _SWEEP_AT:
                self._windows = {k: w for k, w in self._windows.items() if w[0] > now_s}
            self._windows[key] = (now_s + self.period_s, 1)
            return None
        if taken >= self.count:
            return ends_s - now_s
        self._windows[key] = (ends_s, taken + 1)
        return None


class ActiveDevices:
    """The distinct devices seen; beyond `limit`, new ones are refused and known ones are not."""

    def __init__(self, limit: int, known: Iterable[tuple[str, str]] = ()) -> None:
        self.limit = limit
        self._seen = set(known)

    def admits(self, app_id: str, device_id: str) -> bool:
        """Whether this device is known or there is room for it."""
        if (app_id, device_id) in self._seen:
            return True
        if len(self._seen) >= self.limit:
            return False
        self._seen.add((app_id, device_id))
        return True
