"""From a URL to a connected socket: targets, names, proxies, several addresses."""

import socket
import time
from types import SimpleNamespace

import gevent
import pytest
from gevent.server import StreamServer
from http_peers import OK, answering, no_leaks
from hypothesis import given
from hypothesis import strategies as st

from otaload.http import ProxyNotSupportedError, target
from otaload.http.resolve import KEEP_S, MAX_NAMES, LookupTimedOutError, Resolver
from otaload.http.target import LONGEST_REMEMBERED, Origin, locate, parse_url, with_params

V4, V6 = socket.AF_INET, socket.AF_INET6


@pytest.mark.parametrize(
    ("base", "url", "origin", "path", "host_header"),
    [
        ("https://a.example", "/x", ("https", "a.example", 443), "/x", "a.example"),
        ("https://a.example/v1", "/x?a=b", ("https", "a.example", 443), "/v1/x?a=b", "a.example"),
        ("https://a.example/v1/", "x", ("https", "a.example", 443), "/v1/x", "a.example"),
        ("https://a.example/v1", "", ("https", "a.example", 443), "/v1", "a.example"),
        ("https://a.example", "?q=1", ("https", "a.example", 443), "/?q=1", "a.example"),
        ("http://A.Example:80", "/", ("http", "a.example", 80), "/", "a.example"),
        ("http://a.example:8080", "/", ("http", "a.example", 8080), "/", "a.example:8080"),
        ("http://[::1]:9", "/", ("http", "::1", 9), "/", "[::1]:9"),
        ("http://b", "HTTPS://c.example/y#z", ("https", "c.example", 443), "/y", "c.example"),
        ("http://münchen.example", "/ü", ("http", "xn--mnchen-3ya.example", 80), "/%C3%BC", None),
        ("http://a", "/a b/%20", ("http", "a", 80), "/a%20b/%20", "a"),
    ],
)
def test_a_url_is_absolute_or_below_the_base(base, url, origin, path, host_header):
    target = locate(base, url)
    assert target.origin == Origin(*origin)
    assert target.path == path
    assert host_header in {None, target.host_header}


@pytest.mark.parametrize(
    ("params", "path"),
    [
        ({"a": 1, "b": "x y"}, "/p?z=0&a=1&b=x+y"),
        ({"a": ["1", "2"]}, "/p?z=0&a=1&a=2"),
        ([("a", "ü")], "/p?z=0&a=%C3%BC"),
        ("?raw=1", "/p?z=0&raw=1"),
        ({}, "/p?z=0"),
    ],
)
def test_parameters_are_appended(params, path):
    assert with_params(parse_url("http://h/p?z=0"), params).path == path


@given(st.text(max_size=40))
def test_any_path_is_one_line_of_ascii_or_a_value_error(path):
    try:
        target = locate("http://h", path)
    except ValueError:
        return
    assert target.path.isascii()
    assert not any(character <= " " for character in target.path)


def info(family, address, port=80):
    sockaddr = (address, port) if family == V4 else (address, port, 0, 0)
    return (family, socket.SOCK_STREAM, 6, "", sockaddr)


class Lookup:
    """A lookup that counts its calls and answers from a table."""

    def __init__(self, table, takes_s=0.0):
        self.table = table
        self.takes_s = takes_s
        self.calls = 0

    def __call__(self, host, port, family, kind):
        self.calls += 1
        gevent.sleep(self.takes_s)
        found = self.table[host]
        if isinstance(found, Exception):
            raise found
        return found


def test_an_address_is_not_looked_up():
    lookup = Lookup({})
    resolver = Resolver(lookup)
    assert resolver.addresses("127.0.0.1", 80, 1)[0].family == V4
    assert resolver.addresses("::1", 80, 1)[0].family == V6
    assert lookup.calls == 0


def test_long_urls_are_not_remembered():
    before = target._remembered.cache_info().currsize
    for n in range(50):
        found = locate("http://a.test", f"/{n}?token={'x' * LONGEST_REMEMBERED}")
        assert found.path.startswith(f"/{n}?token=x")
    assert target._remembered.cache_info().currsize == before


def test_a_name_is_looked_up_once_until_it_is_too_old():
    clock = SimpleNamespace(now=0.0)
    lookup = Lookup({"h": [info(V4, "10.0.0.1")]})
    resolver = Resolver(lookup, lambda: clock.now)
    for _ in range(3):
        assert resolver.addresses("h", 80, 1)[0].sockaddr == ("10.0.0.1", 80)
    assert lookup.calls == 1
    clock.now = KEEP_S + 1
    resolver.addresses("h", 80, 1)
    assert lookup.calls == 2


@pytest.mark.parametrize("name", ["a..b", "a" * 64 + ".example"])
def test_what_cannot_be_a_name_is_not_looked_up(name):
    lookup = Lookup({})
    with pytest.raises(socket.gaierror):
        Resolver(lookup).addresses(name, 80, 1)
    assert lookup.calls == 0


def test_users_that_ask_at_once_share_one_lookup():
    lookup = Lookup({"h": [info(V4, "10.0.0.1")]}, takes_s=0.02)
    resolver = Resolver(lookup)
    jobs = [gevent.spawn(resolver.addresses, "h", 80, 1) for _ in range(100)]
    gevent.joinall(jobs, raise_error=True)
    assert lookup.calls == 1


def test_the_user_that_asked_first_may_be_killed_while_others_wait():
    resolver = Resolver(Lookup({"h": [info(V4, "10.0.0.1")]}, takes_s=0.03))
    jobs = [gevent.spawn(resolver.addresses, "h", 80, 1) for _ in range(3)]
    gevent.sleep(0.01)
    jobs[0].kill()
    gevent.joinall(jobs)
    assert [len(job.value) for job in jobs[1:]] == [1, 1]


def test_a_failure_is_told_to_all_who_wait_and_not_kept():
    lookup = Lookup({"h": socket.gaierror(socket.EAI_NONAME, "no")}, takes_s=0.01)
    resolver = Resolver(lookup)
    jobs = [gevent.spawn(_error_of, resolver, "h") for _ in range(3)]
    gevent.joinall(jobs, raise_error=True)
    assert [type(job.value) for job in jobs] == [socket.gaierror] * 3
    _error_of(resolver, "h")
    assert lookup.calls == 2


def _error_of(resolver, host):
    with pytest.raises(OSError) as caught:
        resolver.addresses(host, 80, 1)
    return caught.value


def test_a_slow_lookup_ends_in_time_and_leaves_others_waiting():
    resolver = Resolver(Lookup({"h": [info(V4, "10.0.0.1")]}, takes_s=0.6))
    patient = gevent.spawn(resolver.addresses, "h", 80, 1)
    started = time.perf_counter()
    with pytest.raises(LookupTimedOutError):
        resolver.addresses("h", 80, 0.03)
    assert time.perf_counter() - started < 0.5
    assert len(patient.get()) == 1


def test_the_number_of_known_names_is_bounded():
    lookup = Lookup({f"h{n}": [info(V4, "10.0.0.1")] for n in range(MAX_NAMES + 10)})
    resolver = Resolver(lookup)
    for host in lookup.table:
        resolver.addresses(host, 80, 1)
        assert len(resolver._known) <= MAX_NAMES


def test_addresses_take_turns_within_the_first_family():
    found = [info(V6, "::1"), info(V6, "::2"), info(V4, "10.0.0.1"), info(V6, "::2")]
    resolver = Resolver(Lookup({"h": found}))
    orders = [[address.sockaddr[0] for address in resolver.addresses("h", 80, 1)] for _ in range(4)]
    assert sorted(order[0] for order in orders) == ["::1", "::1", "::2", "::2"]
    assert all(order[2:] == ["10.0.0.1"] for order in orders)


@pytest.fixture
def names(monkeypatch):
    """A table of names for the resolver of this process."""
    table = {}
    monkeypatch.setattr(
        "otaload.http.reactor.Resolver", lambda: Resolver(lambda host, *_: _found(table, host))
    )
    monkeypatch.setattr("otaload.http.reactor._reactors", {})
    return table


def _found(table, host):
    if isinstance(table[host], Exception):
        raise table[host]
    return table[host]


def test_the_next_address_is_tried_when_one_refuses(names, serve, lean):
    port = int(serve(answering(OK)).rpartition(":")[2])
    names["several.test"] = [
        info(V6, "::1", port),
        info(V4, "127.0.0.2", port),
        info(V4, "127.0.0.1", port),
    ]
    user = lean(f"http://several.test:{port}")
    with no_leaks():
        assert user.client.get("/").cause is None
        user.client.close()
    assert user.causes == [None]


def test_one_silent_address_does_not_hide_the_others(names, serve, lean):
    port = int(serve(answering(OK)).rpartition(":")[2])
    with socket.socket() as listener:
        listener.bind(("127.0.0.2", port))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(3)]
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.2", port))
        names["several.test"] = [info(V4, "127.0.0.2", port), info(V4, "127.0.0.1", port)]
        users = [lean(f"http://several.test:{port}", connect_timeout_s=1.0) for _ in range(2)]
        responses = [user.client.get("/") for user in users]
        for sock in waiting:
            sock.close()
    assert [response.cause for response in responses] == [None, None]
    # One of the two began with the silent address and gave it half of the time.
    assert 0.5 <= max(response.timings.connect_s for response in responses) < 0.95


def test_all_addresses_refusing_is_connection_refused(names, lean):
    names["several.test"] = [info(V4, "127.0.0.1", 1), info(V4, "127.0.0.2", 1)]
    assert lean("http://several.test:1").client.get("/").cause == "connection refused"


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (socket.gaierror(socket.EAI_NONAME, "x"), "dns: name not found"),
        (socket.gaierror(socket.EAI_AGAIN, "x"), "dns: temporary failure"),
        (socket.gaierror(socket.EAI_FAIL, "x"), "dns: lookup failed"),
        (UnicodeError("label too long"), "dns: name not found"),
    ],
)
def test_a_failed_lookup_is_a_failure_with_a_cause(error, cause, names, lean):
    names["gone.test"] = error
    user = lean("http://gone.test")
    response = user.client.get("/")
    assert (response.status_code, response.cause) == (0, cause)
    assert user.causes == [cause]


def test_a_slow_lookup_ends_at_the_connect_timeout(monkeypatch, lean):
    lookup = Lookup({"slow.test": [info(V4, "127.0.0.1")]}, takes_s=1.0)
    monkeypatch.setattr("otaload.http.reactor.Resolver", lambda: Resolver(lookup))
    monkeypatch.setattr("otaload.http.reactor._reactors", {})
    response = lean("http://slow.test", connect_timeout_s=0.1).client.get("/")
    assert response.cause == "timeout: connect"
    assert 0.1 <= response.timings.total_s < 0.6


def test_localhost_is_found_by_gevent_s_resolver(serve, lean):
    base = serve(answering(OK)).replace("127.0.0.1", "localhost")
    assert lean(base).client.get("/").cause is None


def test_an_ipv6_target_is_reached(lean):
    def handle(sock, _address):
        answering(OK)(sock)

    try:
        server = StreamServer(("::1", 0), handle)
        server.start()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    try:
        user = lean(f"http://[::1]:{server.server_port}")
        assert user.client.get("/").cause is None
        user.client.close()
    finally:
        server.stop(timeout=0)


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "ALL_PROXY"])
def test_a_proxy_in_the_environment_is_refused_aloud(name, monkeypatch, lean):
    monkeypatch.setenv(name, "http://127.0.0.1:3128")
    user = lean("http://staging.test")
    with pytest.raises(ProxyNotSupportedError, match=f"{name.upper()} is set .* NO_PROXY"):
        user.client.get("/")
    assert user.events == []


def test_a_proxy_for_another_scheme_is_none_of_ours(monkeypatch, names, lean):
    names["staging.test"] = socket.gaierror(socket.EAI_NONAME, "x")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:3128")
    assert lean("http://staging.test").client.get("/").cause == "dns: name not found"


def test_no_proxy_lets_a_target_through(monkeypatch, names, lean):
    names["staging.test"] = socket.gaierror(socket.EAI_NONAME, "x")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:3128")
    monkeypatch.setenv("NO_PROXY", "other.test,.test")
    assert lean("http://staging.test").client.get("/").cause == "dns: name not found"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_loopback_needs_no_proxy(host, monkeypatch, serve, lean):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:3128")
    base = serve(answering(OK)).replace("127.0.0.1", host)
    assert lean(base).client.get("/").cause is None


@pytest.mark.parametrize("host", ["\u3000", "a\u3000b", "a\\b", 'a"b', "<a>", "a|b"])
def test_a_host_with_characters_that_no_host_has_is_an_error(host):
    with pytest.raises(ValueError, match="characters that no host name has"):
        parse_url(f"http://{host}/")


@pytest.mark.parametrize(
    "host", ["my_host", "a-b.example.", "bücher.example", "127.0.0.1", "[::1]"]
)
def test_a_host_that_may_be_one_is_taken(host):
    target = parse_url(f"http://{host}:8080/")
    assert parse_url(target.url) == target
