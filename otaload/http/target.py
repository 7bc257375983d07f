"""Where a request goes: URLs taken apart."""

import contextlib
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import quote, urlencode, urljoin, urlsplit

Params = Mapping[str, object] | Sequence[tuple[str, object]] | str

LONGEST_REMEMBERED: Final = 512
"""Characters of a URL; longer ones are unique as a rule, and would fill memory for nothing."""
_ABSOLUTE: Final = re.compile(r"https?://", re.IGNORECASE)
_CONTROL: Final = re.compile(r"[\x00-\x20\x7f]")
# RFC 3986's reserved and unreserved characters and `%`: what is already encoded stays as it is.
_SAFE: Final = "!#$%&'()*+,/:;=?@[]~"
# RFC 3986's registered names, without regard to case; what urlsplit lets pass besides is no host.
_HOST: Final = re.compile(r"[0-9a-z._~!$&'()*+,;=%-]+", re.IGNORECASE)
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class Origin(NamedTuple):
    """Scheme, host and port: what shares a connection, and what credentials are for."""

    scheme: str
    host: str  # ASCII, lower case, an IPv6 address without its brackets
    port: int


class Target(NamedTuple):
    """One URL, ready to be sent."""

    origin: Origin
    path: str  # path and query as they go on the wire
    host_header: str
    url: str


def parse_url(url: str) -> Target:
    """Take an absolute http(s) URL apart; ValueError says what is wrong with it."""
    if _CONTROL.search(url.strip(" ")):
        if re.search(r"[\x00-\x1f\x7f]", url):
            raise ValueError(f"URL {url!r}: control characters are not allowed in a URL")
        url = url.strip(" ").replace(" ", "%20")
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    if scheme not in _DEFAULT_PORTS:
        raise ValueError(f"URL {url!r}: the scheme must be http or https")
    if "@" in parts.netloc:
        raise ValueError(
            f"URL with credentials for host {parts.hostname!r}: pass them as a header instead"
        )
    host = _ascii_host(parts.hostname or "", url)
    try:
        port = parts.port if parts.port is not None else _DEFAULT_PORTS[scheme]
    except ValueError:
        raise ValueError(f"URL {url!r}: the port must be a number from 1 to 65535") from None
    if port == 0:
        raise ValueError(f"URL {url!r}: the port must be a number from 1 to 65535")
    path = quote(parts.path, safe=_SAFE) or "/"
    if parts.query:
        path += "?" + quote(parts.query, safe=_SAFE)
    shown = f"[{host}]" if ":" in host else host
    host_header = shown if port == _DEFAULT_PORTS[scheme] else f"{shown}:{port}"
    return Target(Origin(scheme, host, port), path, host_header, f"{scheme}://{host_header}{path}")


def locate(base: str, url: str) -> Target:
    """The target of `url`: absolute, or a path that is appended to `base`.

    It is remembered unless the URL is long.
    """
    return (_locate if len(url) > LONGEST_REMEMBERED else _remembered)(base, url)


def _locate(base: str, url: str) -> Target:
    if _ABSOLUTE.match(url):
        return parse_url(url)
    if not url:
        return parse_url(base)
    if url[0] == "?":
        return parse_url(base + url)
    return parse_url(f"{base.rstrip('/')}/{url.lstrip('/')}")


def with_params(target: Target, params: Params) -> Target:
    """The same target with query parameters appended; a sequence as value is repeated."""
    query = params.lstrip("?") if isinstance(params, str) else urlencode(params, doseq=True)
    if not query:
        return target
    extra = ("&" if "?" in target.path else "?") + quote(query, safe=_SAFE)
    return target._replace(path=target.path + extra, url=target.url + extra)


_remembered = lru_cache(maxsize=1024)(_locate)


def follow(url: str, location: str) -> Target:
    """Where a redirect leads from `url`; ValueError when it leads nowhere we can go.

    `location` holds the header's bytes as Latin-1; servers that do not encode them mean UTF-8.
    """
    long = len(url) + len(location) > LONGEST_REMEMBERED
    return (_follow if long else _remembered_follow)(url, location)


def _follow(url: str, location: str) -> Target:
    with contextlib.suppress(UnicodeError):
        location = location.encode("latin-1").decode()
    return parse_url(urljoin(url, location.strip()))


_remembered_follow = lru_cache(maxsize=1024)(_follow)


def _ascii_host(host: str, url: str) -> str:
    if not host:
        raise ValueError(f"URL {url!r}: there is no host in it")
    if ":" in host:
        return host
    try:
        encoded = host if host.isascii() else _idna(host)
    except UnicodeError:
        raise ValueError(f"URL {url!r}: the host name cannot be encoded") from None
    if not _HOST.fullmatch(encoded):  # IDNA makes spaces of wide ones
        raise ValueError(f"URL {url!r}: the host has characters that no host name has")
    return encoded


def _idna(host: str) -> str:
    return host.encode("idna").decode("ascii")
