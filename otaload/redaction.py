"""Takes secrets out of every text that leaves the process: reports, run directories, logs.

A service may echo a header in its error message, an exception of the test code may have the key in
its text, and a redirect may carry a signature. So what is known to be secret is looked for wherever
text enters, and so is what looks like one: a user in a URL, a token in a query, a credential after
`Bearer`.
"""

from __future__ import annotations

import base64
import html
import json
import re
import urllib.parse
from collections.abc import Mapping
from typing import Any

REDACTED = "[redacted]"
MIN_LENGTH = 8
"""A shorter value is as likely a word of the text as a secret; it is left alone."""
MAX_SECRETS = 100
"""Secrets that are known whole; an environment has far fewer."""
MAX_HEADS = 20_000
"""Beginnings of tokens that are remembered, the latest ones; never fewer than half as many, which
is as many as there are devices in a fleet."""
FEW = 50
"""So many beginnings are looked for one by one, which is faster than character by character."""

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
_TOKEN_END = re.compile(r"[\s\"'<>&,;()\[\]{}]")
_ESCAPE = re.compile("%[0-9A-F]{2}")
_URL_SAFE = str.maketrans("+/", "-_")

_SPELT_ALIKE = re.compile(r"[A-Za-z0-9._~-]+")
"""What URLs, JSON, Python and HTML all leave as it stands."""


class Secrets:
    """What must not be told, and how to take it out of a text.

    Secrets are found by their first characters, so that many of them cost a text no more than one.
    A few, `add`ed, are known whole. The tokens of a fleet, of which every registration brings a
    new one, are known by their beginning alone: all that stands together from there on is taken
    out. Tokens mostly begin alike, so that is little to keep.
    """

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._by_head: dict[str, list[str]] = {}
        # Two generations: the elder is forgotten whole once the younger is full. To forget one by
        # one, in their order, costs a dict a walk over all that was deleted before.
        self._token_heads: set[str] = set()
        self._elder_heads: set[str] = set()
        self._known: set[str] = set()
        for name, value in (environ or {}).items():
            if name in _NAMES or name.endswith(_ENDINGS):
                self.add(value.strip())

    def add(self, secret: str) -> None:
        """Learn a secret, as it stands and as URLs, JSON, HTML or a Basic credential spell it.

        Beyond `MAX_SECRETS`, a further one is known as a token is.
        """
        if len(secret) < MIN_LENGTH or secret in self._known:
            return
        if len(self._known) >= MAX_SECRETS:
            self.add_token(secret)
            return
        self._known.add(secret)
        for spelling in _spellings(secret) | _in_base64(secret):
            found = self._by_head.setdefault(spelling[:MIN_LENGTH], [])
            if spelling not in found:
                found.append(spelling)
                found.sort(key=len, reverse=True)

    def add_token(self, token: str) -> None:
        """Learn a token, which has neither white space nor quotes in it, by its beginning."""
        if len(token) < MIN_LENGTH:
            return
        begins = token[:MIN_LENGTH]
        # Nearly every token: to spell it in ten ways that are one costs 60 µs.
        alike = _SPELT_ALIKE.fullmatch(begins)
        for spelling in (begins,) if alike else _spellings(begins):
            self._token_heads.add(spelling[:MIN_LENGTH])
        if len(self._token_heads) > MAX_HEADS // 2:
            # Those that were not heard of for longest: their devices have other tokens since.
            self._elder_heads, self._token_heads = self._token_heads, set()

    def redact(self, text: str) -> str:
        """The text without any secret; one that was cut off at its end is found as well."""
        if self._by_head or self._token_heads or self._elder_heads:
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
        secrets, tokens, elder = self._by_head, self._token_heads, self._elder_heads
        if len(secrets) + len(tokens) + len(elder) <= FEW and not any(
            head in text for heads in (secrets, tokens, elder) for head in heads
        ):
            return text
        while at <= last:
            head = text[at : at + MIN_LENGTH]
            found = secrets.get(head)
            length = self._length_at(text, at, found) if found else 0
            if not length and (head in tokens or head in elder):
                length = _length_of_token(text, at)
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


def _length_of_token(text: str, at: int) -> int:
    end = _TOKEN_END.search(text, at + MIN_LENGTH)
    return (end.start() if end else len(text)) - at


def _spellings(secret: str) -> set[str]:
    """A secret as it stands, and as URLs, JSON, Python and HTML have it."""
    quoted = {urllib.parse.quote(secret, safe=safe) for safe in ("", "/")}
    quoted |= {urllib.parse.quote_plus(secret)}
    quoted |= {_ESCAPE.sub(lambda found: found[0].lower(), spelling) for spelling in quoted}
    escaped = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    escaped |= {repr(secret)[1:-1], html.escape(secret), html.escape(secret, quote=False)}
    return {secret} | quoted | escaped


def _in_base64(secret: str) -> set[str]:
    """What a secret looks like within anything in base64, `user:secret` for one.

    It depends on how many bytes are before it; the letters that it shares with its neighbours are
    left out.
    """
    data = secret.encode("utf-8", "replace")
    found = {base64.b64encode(data).decode()}
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + data).decode()
        found.add(encoded[-(-before * 8 // 6) : (before + len(data)) * 8 // 6])
    return found | {spelling.translate(_URL_SAFE) for spelling in found}
