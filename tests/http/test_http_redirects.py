"""Redirects: each hop is counted by itself, and credentials stay at home."""

import pytest
from http_peers import OK, answering, read_request


def redirect(status=302, location=b"/there", extra=b""):
    return b"HTTP/1.1 %d X\r\nLocation: %b\r\n%bContent-Length: 0\r\n\r\n" % (
        status,
        location,
        extra,
    )


@pytest.fixture
def recorded(serve):
    """A server that records request lines, headers and bodies, and answers from a list."""

    def make(*answers):
        seen = []
        left = list(answers)

        def handler(sock):
            while True:
                head, body = read_request(sock)
                if not head:
                    return
                seen.append((head, body))
                sock.sendall(left.pop(0) if left else OK)

        return serve(handler), seen

    return make


def line(request):
    return request[0].split(b"\r\n")[0]


def test_each_hop_is_an_event_of_its_own(recorded, lean):
    base, _ = recorded(redirect(302), redirect(307, b"/again"))
    user = lean(base)
    response = user.client.get("/here", name="page")
    assert user.names == ["page (redirect)", "page (redirect)", "page"]
    assert [event["url"] for event in user.events] == [
        f"{base}/here",
        f"{base}/there",
        f"{base}/again",
    ]
    assert user.causes == [None, None, None]
    assert [hop.status_code for hop in response.history] == [302, 307]
    assert response.url == f"{base}/again"
    times = [event["response_time"] for event in user.events]
    assert times == [hop.total_s * 1000 for hop in (*response.history, response)]
    starts = [event["start_time"] for event in user.events]
    assert starts == sorted(starts)


@pytest.mark.parametrize(
    ("status", "method", "follows", "has_body"),
    [
        (301, "POST", b"GET", False),
        (302, "POST", b"GET", False),
        (303, "POST", b"GET", False),
        (303, "PUT", b"GET", False),
        (301, "PUT", b"PUT", True),
        (302, "GET", b"GET", False),
        (307, "POST", b"POST", True),
        (308, "PUT", b"PUT", True),
    ],
)
def test_the_method_follows_the_status(status, method, follows, has_body, recorded, lean):
    base, seen = recorded(redirect(status))
    body = {} if method == "GET" else {"json": {"a": 1}}
    lean(base).client.request(method, "/here", **body)
    assert line(seen[1]) == follows + b" /there HTTP/1.1"
    assert seen[1][1] == (b'{"a":1}' if has_body else b"")
    assert (b"content-type" in seen[1][0].lower()) is has_body


def test_head_stays_head(recorded, lean):
    base, seen = recorded(redirect(303), b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
    lean(base).client.head("/here")
    assert line(seen[1]) == b"HEAD /there HTTP/1.1"


@pytest.mark.parametrize(
    ("location", "path"),
    [
        (b"/a?b=c", b"/a?b=c"),
        (b"other", b"/folder/other"),
        (b"../up", b"/up"),
        (b"?q=1", b"/folder/page?q=1"),
        (b"/frag#part", b"/frag"),
        (b"/with space", b"/with%20space"),
        (b"  /padded  ", b"/padded"),
    ],
)
def test_a_relative_location_is_resolved(location, path, recorded, lean):
    base, seen = recorded(redirect(302, location))
    lean(base).client.get("/folder/page")
    assert line(seen[1]) == b"GET " + path + b" HTTP/1.1"


def test_credentials_and_cookies_do_not_go_to_another_origin(recorded, lean):
    there, seen_there = recorded()
    here, seen_here = recorded(redirect(307, there.encode() + b"/x"))
    headers = {
        "Authorization": "Bearer key",
        "X-Api-Key": "key",
        "Cookie": "a=b",
        "X-Device-ID": "d1",
    }
    lean(here).client.post("/", json={}, headers=headers, credentials=("x-api-key",))
    assert seen_here[0][0].count(b"key") == 2
    left = seen_there[0][0].lower()
    assert b"key" not in left
    assert b"cookie" not in left
    assert b"x-device-id: d1" in left


def test_credentials_that_were_dropped_do_not_come_back(recorded, lean):
    there, _ = recorded()
    here, seen_here = recorded(redirect(302, there.encode() + b"/x"))
    # The second server sends back to the first one.
    again, _ = recorded(redirect(302, here.encode() + b"/home"))
    first, _ = recorded(redirect(302, again.encode() + b"/y"))
    lean(first).client.get("/", headers={"Authorization": "Bearer key"}, follow_redirects=True)
    assert all(b"Bearer" not in head for head, _ in seen_here)


def test_credentials_stay_within_their_origin(recorded, lean):
    base, seen = recorded(redirect(302))
    lean(base).client.get("/", headers={"Authorization": "Bearer key"})
    assert b"Bearer key" in seen[1][0]


def test_an_endless_redirect_ends_at_the_limit(serve, lean):
    user = lean(serve(answering(redirect(302, b"/loop"))), max_redirects=3)
    response = user.client.get("/loop", name="loop")
    assert (response.status_code, response.cause) == (302, "too many redirects")
    assert user.causes == [None, None, None, "too many redirects"]
    assert user.names == ["loop (redirect)"] * 3 + ["loop"]


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", "redirect without location"),
        (redirect(302, b"ftp://host/x"), "redirect to an unusable location"),
        (redirect(302, b"http://user:pw@host/"), "redirect to an unusable location"),
        (redirect(302, b"http://host:99999/"), "redirect to an unusable location"),
        (redirect(302, b"http://[::1/"), "redirect to an unusable location"),
    ],
)
def test_a_redirect_to_nowhere_is_a_failure(answer, cause, serve, lean):
    user = lean(serve(answering(answer)))
    assert user.client.get("/").cause == cause
    assert user.causes == [cause]


def test_a_redirect_may_be_left_alone(serve, lean):
    user = lean(serve(answering(redirect(302))))
    response = user.client.get("/", follow_redirects=False)
    assert (response.status_code, response.cause) == (302, None)
    assert len(user.events) == 1


def test_an_expected_redirect_is_not_followed(serve, lean):
    user = lean(serve(answering(redirect(302))))
    assert user.client.get("/", expect=302).cause is None
    assert user.client.get("/", expect={301, 302}).history == ()
    assert len(user.events) == 2


def test_only_the_last_hop_must_have_the_expected_status(recorded, lean):
    base, _ = recorded(redirect(302))
    user = lean(base)
    assert user.client.get("/", expect=200).cause is None
    assert user.causes == [None, None]


def test_a_guard_is_asked_before_a_redirect_is_followed_to_another_origin(recorded, lean):
    there, seen_there = recorded()
    here, _ = recorded(redirect(302, there.encode() + b"/x"))
    asked = []

    def guard(host, port):
        asked.append((host, port))
        if len(asked) > 1:
            raise RuntimeError("not this one")

    user = lean(here, connect_guard=guard)
    with pytest.raises(RuntimeError, match="not this one"):
        user.client.get("/")
    assert seen_there == []
    assert [host for host, _ in asked] == ["127.0.0.1", "127.0.0.1"]
    assert user.names == ["/ (redirect)"]


def test_the_body_of_a_redirect_is_not_the_digest(recorded, lean):
    answer = b"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 4\r\n\r\nmove"
    base, _ = recorded(answer)
    response = lean(base).client.get("/", digest="sha256")
    assert response.content == b"ok"
    assert response.digest == "2689367b205c16ce32ed4200942b8b8b1e262dfc70d9bc9fbc77c49699a4f1df"


def to_another(serve, heads: list[bytes]) -> str:
    """A server that redirects to another origin, which notes what it is asked."""

    def other(sock):
        heads.append(read_request(sock)[0])
        sock.sendall(OK)

    location = serve(other).encode()
    return serve(
        answering(
            b"HTTP/1.1 302 Found\r\nLocation: %b/\r\nContent-Length: 0\r\n\r\n" % location,
        )
    )


def test_a_host_header_of_one_s_own_is_not_sent_to_another_origin(lean, serve):
    heads: list[bytes] = []
    one = lean(to_another(serve, heads))
    one.client.get("/", headers={"Host": "cdn.example.com"})
    assert len(heads) == 1
    assert b"cdn.example.com" not in heads[0]


def test_credentials_are_not_one_text(lean):
    with pytest.raises(TypeError, match="collection of header names"):
        lean("http://127.0.0.1:1").client.get("/", credentials="x-api-key")


def test_a_location_that_is_not_encoded_is_utf_8(lean, serve):
    lines = []

    def handler(sock):
        while head := read_request(sock)[0]:
            lines.append(head.split(b"\r\n")[0])
            moved = "HTTP/1.1 302 Found\r\nLocation: /ü\r\nContent-Length: 0\r\n\r\n".encode()
            sock.sendall(moved if len(lines) == 1 else OK)

    lean(serve(handler)).client.get("/")
    assert lines == [b"GET / HTTP/1.1", b"GET /%C3%BC HTTP/1.1"]
