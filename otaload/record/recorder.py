"""Turns finished requests into windows.

`Recorder.record` is on the path of every request: it looks a window up, counts one value and
returns. `take` hands over what has gathered and starts anew, so that nothing is counted twice and a
crash costs only what has not been taken yet.
"""

from __future__ import annotations

from collections.abc import Callable

from otaload.record.names import MAX_CAUSES, MAX_ENDPOINTS, OTHER, Names
from otaload.record.text import as_text
from otaload.record.window import Window, WindowKey

MAX_TEXT_LENGTH = 200
MAX_CLEANED_LENGTH = 1000
"""Of a long text as much is looked through as a secret at the end of what is shown may have."""
MAX_TEXTS = 1000
"""Failure texts of which it is remembered what they are shown as."""
AHEAD_S = 60


class Recorder:
    """Gathers the windows of one process.

    Names are bounded: beyond `max_endpoints` distinct endpoints and `max_causes` distinct failure
    texts, further ones are counted as "other", and `folded` says how many requests that were; long
    ones are cut. `clean` is asked for what to write in place of a name or text, so that what must
    not be told never gets further than here.
    """

    def __init__(
        self,
        *,
        max_endpoints: int = MAX_ENDPOINTS,
        max_causes: int = MAX_CAUSES,
        clean: Callable[[str], str] = str,
    ) -> None:
        self._clean = clean
        self._open: dict[tuple[int, str, str], Window] = {}
        self._names = Names(max_endpoints=max_endpoints, max_causes=max_causes)
        self._texts: dict[str, str] = {}
        self.recorded = 0

    @property
    def folded(self) -> int:
        """How many requests have a name or text beyond the bounds."""
        return self._names.folded

    def record(
        self,
        method: str,
        endpoint: str,
        start_s: float,
        latency_ms: float,
        bytes_in: int,
        cause: str | None = None,
        *,
        retry: bool = False,
        connect_s: float = 0.0,
        tls_s: float = 0.0,
        resent: int = 0,
    ) -> None:
        """Count one finished request; `start_s` is Unix time, `cause` is None for a success.

        `connect_s` and `tls_s` are above 0 where it opened a connection.
        """
        key = (int(start_s), method, endpoint)
        window = self._open.get(key)
        if window is None:
            window = self._open_window(key)
        window.bytes_in += bytes_in
        if cause is None:
            window.successes.record(int(latency_ms * 1000.0))
        else:
            window.failures.record(int(latency_ms * 1000.0))
            text = self._bounded_cause(cause)
            window.causes[text] = window.causes.get(text, 0) + 1
        if retry:
            window.retries += 1
        if connect_s:
            window.connects.record(int(connect_s * 1e6))
            if tls_s:
                window.handshakes.record(int(tls_s * 1e6))
        if resent:
            window.resent += resent
        self.recorded += 1

    def record_success(
        self, method: str, endpoint: str, start_s: float, latency_s: float, bytes_in: int
    ) -> None:
        """Count what nearly every request is: a success on a kept connection, no retry.

        `record` does the same and asks after everything else, which costs as much again.
        """
        key = (int(start_s), method, endpoint)
        window = self._open.get(key)
        if window is None:
            window = self._open_window(key)
        window.bytes_in += bytes_in
        # Rounded as `record` does it, by way of the event's milliseconds.
        window.successes.record(int(latency_s * 1000.0 * 1000.0))
        self.recorded += 1

    def take(self, *, before_second: int | None = None) -> list[tuple[WindowKey, Window]]:
        """Hand over the windows gathered (those before a second, if given) and forget them here.

        A client whose clock is ahead would otherwise have them pile up until its time comes.
        """
        if before_second is None:
            taken, self._open = self._open, {}
        else:
            absurd = before_second + AHEAD_S
            taken = {k: w for k, w in self._open.items() if not before_second <= k[0] < absurd}
            for key in taken:
                del self._open[key]
        return [(WindowKey(*key), window) for key, window in taken.items()]

    def _open_window(self, key: tuple[int, str, str]) -> Window:
        second, method, endpoint = key
        name = self._names.endpoint(self._shown(method), self._shown(endpoint))
        return self._open.setdefault((second, *name), Window())

    def _bounded_cause(self, cause: str) -> str:
        known = self._texts.get(cause)
        if known is not None:
            return known
        text = self._names.cause(self._shown(cause))
        if text != OTHER and len(self._texts) < MAX_TEXTS and len(cause) <= MAX_CLEANED_LENGTH:
            self._texts[cause] = text
        return text

    def _shown(self, text: str) -> str:
        """A name as it is written: cleaned, then cut, so that no part of a secret is left."""
        text = self._clean(as_text(text[:MAX_CLEANED_LENGTH]))
        return text if len(text) <= MAX_TEXT_LENGTH else text[: MAX_TEXT_LENGTH - 1] + "…"
