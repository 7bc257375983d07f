"""Answers that break the rules, each in a way of its own, and ends at every stage."""

import functools
import zlib
from collections.abc import Callable
from random import Random

import brotli  # type: ignore[import-untyped]

from bench.fuzz.script import End, Reads, Script, Send
from bench.fuzz.wellformed import Answer, split

OK = b"HTTP/1.1 200 OK\r\n"
STALE = OK + b"X-Case: stale\r\nContent-Length: 5\r\n\r\nstale"
NUMBERS = (
    *(b"0", b"-1", b"+5", b" 5", b"5 ", b"0x5", b"5, 5", b"5,6", b"5;", b"", b"abc", b"5\x00"),
    *(b"4294967301", b"18446744073709551621", b"9" * 40, b"00000000005", b"1e3", b"\xb2"),
)
STATUS_LINES = (
    *(b"HTTP/1.1 200", b"HTTP/1.1 20 OK", b"HTTP/1.1 2000 OK", b"HTTP/1.1 -200 OK", b"HTTP/1.1"),
    *(
        b"HTTP/1.1 099 X",
        b"HTTP/1.1 000 X",
        b"HTTP/1.1 600 X",
        b"HTTP/1.1 999 X",
        b"HTTP/9.9 200 OK",
    ),
    *(b"HTTP/1.0 200 OK", b"HTTP/2 200 OK", b"HTTP/2.0 200 OK", b"http/1.1 200 OK", b"ICY 200 OK"),
    *(
        b"HTTP/1.1  200 OK",
        b"HTTP/1.1\t200 OK",
        b" HTTP/1.1 200 OK",
        b"GET / HTTP/1.1",
        b"\x00" * 20,
    ),
    *(b"HTTP/1.1 200 \x00", b"HTTP/1.1 2\x000 OK", b"\x16\x03\x01\x02\x00\x01", b"SSH-2.0-x", b""),
    *(
        b"HTTP/1.1 101 Switching Protocols",
        b"HTTP/1.1 199 X",
        b"HTTP/01.1 200 OK",
        b"HTTP/1.12 200 OK",
    ),
)
LINES = (
    *(
        b"A b: c",
        b": no name",
        b"no colon",
        b"A : b",
        b"A\x00: b",
        b"A: \x00",
        b"A: b\rc",
        b"A: b\nc",
    ),
    *(
        b" folded",
        b"A: b\r\n folded",
        b"A: b\r\n\tfolded",
        b"A: " + b"v" * 70_000,
        b"N" * 9000 + b": v",
    ),
    *(b"Transfer-Encoding: chunked, identity", b"Transfer-Encoding: gzip, chunked"),
    *(b"Transfer-Encoding: xchunked", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
    *(
        b"Connection: upgrade\r\nUpgrade: h2c",
        b"Connection: close",
        b"Connection: keep-alive, close",
    ),
    *(b"Content-Length : 5", b"Content-Length:\t5", b"Content-Length: 5\r\nContent-Length: 5"),
    *(
        b"Content-Length: 5\r\nContent-Length: 7",
        b"Content-Encoding: gzip",
        b"Content-Encoding: zstd",
    ),
)
CHUNKS = (
    *(
        b"5\r\nhello\r\n0\r\n\r\n",
        b"5\nhello\n0\n\n",
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
    ),
    *(
        b"5 \r\nhello\r\n0\r\n\r\n",
        b" 5\r\nhello\r\n0\r\n\r\n",
        b"\r\n5\r\nhello\r\n0\r\n\r\n",
        b"g\r\n\r\n",
    ),
    *(
        b"5\r\nhelloXX0\r\n\r\n",
        b"4\r\nhello\r\n0\r\n\r\n",
        b"6\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhello0\r\n\r\n",
    ),
    *(
        b"5;\r\nhello\r\n0\r\n\r\n",
        b"5;" + b"x" * 80_000 + b"\r\nhello\r\n0\r\n\r\n",
        b"\r\n",
        b"0\r\n",
    ),
    *(
        b"FFFFFFFFFFFFFFFFF\r\nhello",
        b"ffffffffffffffff\r\nhello",
        b"7fffffff\r\nhello",
        b"5\r\nhel",
    ),
    *(
        b"5\r\nhello\r\n0\r\nA: b\r\n\r\n",
        b"5\r\nhello\r\n0\r\nno colon\r\n\r\n",
        b"5\r\nhello\r\n0\r\n",
    ),
    *(
        b"5\r\nhello\r\n0\r\nContent-Length: 9\r\n\r\n",
        b"5\r\r\nhello\r\n0\r\n\r\n",
        b"5\x00\r\nhello\r\n",
    ),
    *(b"5\r\nhello\r\n0\r\n" + b"T: t\r\n" * 20_000 + b"\r\n", b"1\r\na\r\n" * 3000 + b"0\r\n\r\n"),
)
LOCATIONS = (
    *(
        b"",
        b"http://",
        b"http://[::1",
        b"//",
        b"ftp://127.0.0.1/",
        b"javascript:alert(1)",
        b"mailto:x",
    ),
    *(
        b"http://user:secret@127.0.0.1/",
        b"http://127.0.0.1:0/",
        b"http://127.0.0.1:99999/",
        b"/\xff\xfe",
    ),
    *(
        b"http://127.0.0.1:99x/",
        b"/a b",
        b"/" + b"a" * 30_000,
        b"http://\xff/",
        b"http:///x",
        b"/?",
        b"?",
    ),
    *(
        b"http://[v1.x]/",
        b"http://127.0.0.1%00/",
        b"https:/",
        b"/\x01",
        b"#",
        b"http://a..b/",
        b"\t",
    ),
)


def script(rng: Random, answer: Answer) -> Script:
    """A random breach of the rules; `answer` is the well-formed one that some of them spoil."""
    data = rng.choice(_WAYS)(rng, answer)
    end: End = rng.choice(("keep", "keep", "fin", "fin", "reset", "hang"))
    if answer.until_close and end == "keep":
        end = "fin"
    return Script(split(rng, data) if len(data) < 2_000_000 else (Send(data),), end)


def nothing(rng: Random, answer: Answer) -> Script:
    """An end at any stage: before the request is read, in the head, in the body."""
    stage = rng.choice((0, 0, rng.randrange(1, len(answer.stream)), len(answer.head)))
    reads: Reads = rng.choice(("all", "head", "nothing"))
    data = answer.stream[:stage]
    sends = split(rng, data) if data else ()
    return Script(sends, rng.choice(("fin", "reset", "reset", "hang")), reads)


def slow(rng: Random, answer: Answer) -> Script:
    """A byte now and then: it must end by the deadline, wherever that falls."""
    data = answer.stream
    start = rng.choice((0, len(answer.head) // 2, len(answer.head)))
    first = (Send(data[:start], 0.01),) if start else ()
    rest = data[start:][:200] or b"x"
    return Script((*first, *(Send(bytes([byte]), 0.02) for byte in rest)), "hang")


def redirect(rng: Random, number: int) -> tuple[Script, ...]:
    """A loop, or a place that cannot be gone to."""
    status = rng.choice((b"301", b"302", b"303", b"307", b"308"))
    way = rng.random()
    if way < 0.3:
        location = b"Location: /case/%d\r\n" % number  # for ever
    elif way < 0.4:
        location = b""
    else:
        location = b"Location: " + rng.choice(LOCATIONS) + b"\r\n"
    body = rng.choice((b"", b"moved"))
    head = b"HTTP/1.1 " + status + b" Moved\r\n" + location
    return (Script(split(rng, head + b"Content-Length: %d\r\n\r\n" % len(body) + body)),)


def _mutated(rng: Random, answer: Answer) -> bytes:
    data = bytearray(answer.stream[:20_000])
    for _ in range(rng.choice((1, 1, 2, 5))):
        at = rng.randrange(rng.choice((min(len(data), 60), len(data))))
        act = rng.randrange(6)
        if act == 0:
            data[at] = rng.randrange(256)
        elif act == 1:
            del data[at : at + rng.choice((1, 1, 2, 20))]
        elif act == 2:
            data[at:at] = rng.choice(
                (b"\r\n", b"\n", b"\r", b"\x00", b" ", b"\t", b":", b"0", b"-")
            )
        elif act == 3:
            data[at:at] = data[at : at + rng.randint(1, 40)]
        elif act == 4:
            data = bytearray(bytes(data).replace(b"\r\n", b"\n", rng.choice((1, 2, 100))))
        else:
            data[at] ^= 1 << rng.randrange(8)
        if not data:
            break
    return bytes(data) or b"\r\n"


def _status_line(rng: Random, _answer: Answer) -> bytes:
    return rng.choice(STATUS_LINES) + b"\r\nContent-Length: 5\r\n\r\nhello"


def _length(rng: Random, _answer: Answer) -> bytes:
    return (
        OK + b"Content-Length:" + rng.choice((b"", b" ")) + rng.choice(NUMBERS) + b"\r\n\r\nhello"
    )


def _line(rng: Random, _answer: Answer) -> bytes:
    own = rng.choice((b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b""))
    body = b"5\r\nhello\r\n0\r\n\r\n" if own.startswith(b"T") else b"hello"
    lines = [rng.choice(LINES) + b"\r\n", own]
    rng.shuffle(lines)
    return OK + b"".join(lines) + b"\r\n" + body


def _chunks(rng: Random, _answer: Answer) -> bytes:
    return OK + b"Transfer-Encoding: chunked\r\n\r\n" + rng.choice(CHUNKS)


def _endless_head(rng: Random, _answer: Answer) -> bytes:
    line = rng.choice(
        (b"X-Filler: abc\r\n", b"a:b\r\n", b"X" * 1000, b"A: " + b"b" * 500 + b"\r\n")
    )
    return OK + line * (rng.choice((60_000, 66_000, 400_000)) // len(line))


def _interim_storm(rng: Random, answer: Answer) -> bytes:
    one = rng.choice((b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 X\r\nLink: a\r\n\r\n"))
    return one * rng.choice((1, 50, 3000, 20_000)) + rng.choice((answer.stream, b""))


def _surplus(rng: Random, answer: Answer) -> bytes:
    return answer.stream + rng.choice((STALE, b"\r\n", b"x", b"\x00" * 30_000, STALE * 2000))


def _bodiless_with_body(rng: Random, _answer: Answer) -> bytes:
    status = rng.choice((b"204 No Content", b"304 Not Modified"))
    length = rng.choice((b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b""))
    return b"HTTP/1.1 " + status + b"\r\n" + length + b"\r\nhello"


def _broken_coding(rng: Random, _answer: Answer) -> bytes:
    name = rng.choice((b"gzip", b"deflate", b"br", b"gzip, gzip", b"zstd", b"br, br", b"x" * 50))
    good = {b"gzip": gzip_bomb(), b"br": brotli_bomb()}.get(name, zlib.compress(b"abc" * 99))
    data = bytearray(good[: rng.choice((5, len(good) // 2, len(good)))])
    if rng.random() < 0.5 and data:
        data[rng.randrange(len(data))] ^= 0x55
    coding = b"Content-Encoding: " + name + b"\r\n"
    return OK + coding + b"Content-Length: %d\r\n\r\n" % len(data) + bytes(data)


def _bomb(rng: Random, _answer: Answer) -> bytes:
    name, data = rng.choice(((b"gzip", gzip_bomb()), (b"br", brotli_bomb())))
    coding = b"Content-Encoding: " + name + b"\r\n"
    return OK + coding + b"Content-Length: %d\r\n\r\n" % len(data) + data


@functools.cache
def gzip_bomb(megabytes: int = 128) -> bytes:
    """A thousandth of what it decodes to."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = bytes(1 << 20)
    return b"".join(deflate.compress(zeros) for _ in range(megabytes)) + deflate.flush()


@functools.cache
def brotli_bomb(megabytes: int = 512) -> bytes:
    """A few hundred bytes in place of half a gigabyte."""
    compressor = brotli.Compressor(quality=5, lgwin=24)
    zeros = bytes(1 << 20)
    return bytes(
        b"".join(compressor.process(zeros) for _ in range(megabytes)) + compressor.finish()
    )


_WAYS: tuple[Callable[[Random, Answer], bytes], ...] = (
    *(
        _mutated,
        _mutated,
        _mutated,
        _mutated,
        _status_line,
        _length,
        _line,
        _line,
        _chunks,
        _chunks,
    ),
    *(_endless_head, _interim_storm, _surplus, _surplus, _bodiless_with_body),
    *(_broken_coding, _broken_coding, _bomb),
)
