"""Turns finished requests into windows.

`Recorder.record` is on the path of every request: it looks a window up, counts one value and
returns. `take` hands over what has gathered and starts anew, so that nothing is counted twice and a
crash costs only what has not been taken yet.
"""

from __future__ import annotations

from otaload.record.window import Window, WindowKey

OTHER = "other"
"""The name under which endpoints and causes beyond the bounds are counted together."""

MAX_ENDPOINTS = 500
MAX_CAUSES = 100
MAX_TEXT_LENGTH = 200


class Recorder:
    """Gathers the windows of one process.

    Names are bounded: beyond `max_endpoints` distinct endpoints and `max_causes` distinct failure
    texts, further ones are counted as "other", and `folded` says how many requests that were.
    """

    def __init__(self, *, max_endpoints: int = MAX_ENDPOINTS, max_causes: int = MAX_CAUSES) -> None:
        self._open: dict[tuple[int, str, str], Window] = {}
        self._endpoints: set[tuple[str, str]] = set()
        self._causes: set[str] = set()
        self._max_endpoints = max_endpoints
        self._max_causes = max_causes
        self.recorded = 0
        self.folded = 0

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

    def take(self, *, before_second: int | None = None) -> list[tuple[WindowKey, Window]]:
        """Hand over the windows gathered (those before a second, if given) and forget them here."""
        if before_second is None:
            taken, self._open = self._open, {}
        else:
            taken = {key: w for key, w in self._open.items() if key[0] < before_second}
            for key in taken:
                del self._open[key]
        return [(WindowKey(*key), window) for key, window in taken.items()]

    def _open_window(self, key: tuple[int, str, str]) -> Window:
        second, method, endpoint = key
        if not _is_text(method) or not _is_text(endpoint):
            # A lone surrogate fits into no file; the name is shown with a question mark instead.
            return self._open_window((second, _as_text(method), _as_text(endpoint)))
        if (method, endpoint) not in self._endpoints:
            if len(self._endpoints) >= self._max_endpoints:
                self.folded += 1
                key = (second, OTHER, OTHER)
                return self._open.setdefault(key, Window())
            self._endpoints.add((method, endpoint))
        return self._open.setdefault(key, Window())

    def _bounded_cause(self, cause: str) -> str:
        if cause in self._causes:
            return cause
        text = _as_text(cause)
        text = text if len(text) <= MAX_TEXT_LENGTH else text[: MAX_TEXT_LENGTH - 1] + "…"
        if text not in self._causes:
            if len(self._causes) >= self._max_causes:
                self.folded += 1
                return OTHER
            self._causes.add(text)
        return text


def _is_text(text: str) -> bool:
    return text.isascii() or _as_text(text) == text


def _as_text(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
