"""The names of endpoints and the texts of failures that are told apart, which are bounded."""

from __future__ import annotations

from typing import Final

OTHER: Final = "other"
"""The name under which endpoints and causes beyond the bounds are counted together."""

MAX_ENDPOINTS = 500
MAX_CAUSES = 100


class Names:
    """At most so many distinct endpoints and failure texts; further ones are "other".

    `folded` says how many requests that were.
    """

    def __init__(self, *, max_endpoints: int = MAX_ENDPOINTS, max_causes: int = MAX_CAUSES) -> None:
        self.folded = 0
        self._endpoints: set[tuple[str, str]] = set()
        self._causes: set[str] = set()
        self._max_endpoints = max_endpoints
        self._max_causes = max_causes

    def endpoint(self, method: str, name: str, requests: int = 1) -> tuple[str, str]:
        """What so many requests of an endpoint are counted under."""
        found = (method, name)
        if found in self._endpoints or found == (OTHER, OTHER):
            return found
        if len(self._endpoints) < self._max_endpoints:
            self._endpoints.add(found)
            return found
        self.folded += requests
        return OTHER, OTHER

    def cause(self, text: str, failures: int = 1) -> str:
        """What so many failures with a text are counted under."""
        if text in self._causes or text == OTHER:
            return text
        if len(self._causes) < self._max_causes:
            self._causes.add(text)
            return text
        self.folded += failures
        return OTHER
