"""Takes secrets out of every text that leaves the process: reports, run directories, logs.

A service may echo a header in its error message, an exception of the test code may have the key in
its text, and a redirect may carry a signature. So what is known to be secret is looked for wherever
text enters, and so is what looks like one: a user in a URL, a token in a query, a credential after
`Bearer`.
"""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Mapping
from typing import Any

REDACTED = "[redacted]"
MIN_LENGTH = 8
"""A shorter value is as likely a word of the text as a secret; it is left alone."""
MAX_SECRETS = 100_000
"""Tokens of devices that are remembered; a fleet has far fewer."""
FEW = 50
"""So many secrets are looked for one by one, which is faster than character by character."""

_NAMES = ("LOAD_TEST_API_KEY", "SLACK_WEBHOOK_URL", "API_KEY")
_ENDINGS = ("_TOKEN", "_SECRET", "_PASSWORD", "_PASSWD", "_API_KEY", "_WEBHOOK_URL", "_ACCESS_KEY")
_TELLING = r"(?:[\w.-]*(?:token|secret|signature|password|passwd|api[_-]?key|credential)|sig|key)"
# Each begins with what is rare in a text, since a text without a secret must be cheap to look at.
_LOOKS = (
    (re.compile(r"(://)[^/\s@\"'<>]+(?=@)"), rf"\1{REDACTED}"),
    (re.compile(rf"(?i)([?&;]{_TELLING}=)[^&\s\"'<>#]+"), rf"\1{REDACTED}"),
    (re.compile(rf"(?i)([\"']{_TELLING}[\"']\s*:\s*[\"'])[^\"']+"), rf"\1{REDACTED}"),
    (re.compile(r"\b([Bb]earer|BEARER|[Bb]asic)([ \t]+)[\w.~+/=-]{8,}"), rf"\1\2{REDACTED}"),
)


class Secrets:
    """What must not be told, and how to take it out of a text.

    Secrets are found by their first characters, so that the tokens of a large fleet cost a text no
    more than one of them.
    """

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._by_head: dict[str, list[str]] = {}
        self._known: set[str] = set()
        for name, value in (environ or {}).items():
            if name in _NAMES or name.endswith(_ENDINGS):
                self.add(value.strip())

    def add(self, secret: str) -> None:
        """Learn a secret, as it stands and as a URL or JSON would spell it."""
        if len(secret) < MIN_LENGTH or secret in self._known or len(self._known) >= MAX_SECRETS:
            return
        self._known.add(secret)
        spellings = {secret, urllib.parse.quote(secret, safe=""), json.dumps(secret)[1:-1]}
        for spelling in spellings:
            found = self._by_head.setdefault(spelling[:MIN_LENGTH], [])
            found.append(spelling)
            found.sort(key=len, reverse=True)

    def redact(self, text: str) -> str:
        """The text without any secret; one that was cut off at its end is found as well."""
        if self._by_head:
            text = self._without_known(text)
        for pattern, put in _LOOKS:
            text = pattern.sub(put, text)
        return text

    def redact_all(self, value: Any) -> Any:
        """Plain data with every text in it redacted."""
        if isinstance(value, str):
            return self.redact(value)
        if isinstance(value, Mapping):
            return {self.redact_all(key): self.redact_all(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.redact_all(item) for item in value]
        return value

    def _without_known(self, text: str) -> str:
        parts: list[str] = []
        taken = at = 0
        last = len(text) - MIN_LENGTH
        heads = self._by_head
        if len(heads) <= FEW and not any(head in text for head in heads):
            return text
        while at <= last:
            found = heads.get(text[at : at + MIN_LENGTH])
            length = self._length_at(text, at, found) if found else 0
            if length:
                parts += (text[taken:at], REDACTED)
                taken = at = at + length
            else:
                at += 1
        return "".join((*parts, text[taken:])) if parts else text

    @staticmethod
    def _length_at(text: str, at: int, candidates: list[str]) -> int:
        for secret in candidates:
            if text.startswith(secret, at):
                return len(secret)
        rest = text[at:].rstrip("….")
        return len(rest) if any(secret.startswith(rest) for secret in candidates) else 0
