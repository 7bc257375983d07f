"""A bundle as an HTTP answer: whole, in part (206), or unchanged (304)."""

import re

from staging.messages import Headers, Response
from staging.store import Bundle

IMMUTABLE = (b"cache-control", b"public, max-age=31536000, immutable")

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def bundle_response(bundle: Bundle, headers: dict[bytes, bytes]) -> Response:
    """What a GET with these request headers gets."""
    etag = bundle.etag.encode()
    base: Headers = [IMMUTABLE, (b"etag", etag), (b"accept-ranges", b"bytes")]
    if _matches(headers.get(b"if-none-match", b""), etag):
        return Response(304, base)
    base.append((b"content-type", b"application/javascript"))
    size = len(bundle.content)
    asked = headers.get(b"range")
    if asked is None or headers.get(b"if-range", etag) != etag:
        return _content(200, base, bundle.content)
    match = _RANGE.fullmatch(asked.decode("latin-1"))
    if match is None or match.groups() == ("", ""):
        # Several ranges, or none that we know: the whole is always a right answer.
        return _content(200, base, bundle.content)
    first, last = _span(match[1], match[2], size)
    if first > last:
        headers_416 = [(b"content-range", b"bytes */%d" % size), (b"content-length", b"0")]
        return Response(416, headers_416)
    base.append((b"content-range", b"bytes %d-%d/%d" % (first, last, size)))
    return _content(206, base, bundle.content[first : last + 1])


def _content(status: int, headers: Headers, content: bytes) -> Response:
    return Response(status, [*headers, (b"content-length", b"%d" % len(content))], content)


def _span(first: str, last: str, size: int) -> tuple[int, int]:
    if not first:
        return max(0, size - int(last)), size - 1 if int(last) else -1
    return int(first), min(int(last), size - 1) if last else size - 1


def _matches(if_none_match: bytes, etag: bytes) -> bool:
    if not if_none_match:
        return False
    tags = [tag.strip().removeprefix(b"W/") for tag in if_none_match.split(b",")]
    return etag in tags or b"*" in tags
