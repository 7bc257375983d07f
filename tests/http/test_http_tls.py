"""TLS: verified unless it is said otherwise, named causes, and the same bodies as without it."""

import hashlib
import ssl

import gevent
import pytest
from http_peers import OK, answering, no_leaks, read_request, reset

from otaload.http.tls import tls_context

LARGE = bytes(range(256)) * 8192  # 2 MiB


@pytest.fixture
def secure(certificates, serve):
    """Serves with a certificate by its name; returns the URL with a host name in it."""

    def make(handler, name="good"):
        url = serve(handler, ssl_context=certificates.server(name))
        return url.replace("127.0.0.1", "localhost")

    return make


@pytest.fixture
def trusting(certificates, lean):
    """A client that trusts the test authority."""

    def make(base, **attributes):
        return lean(base, **{"tls_ca_file": str(certificates.ca), **attributes})

    return make


def test_a_verified_connection_is_kept_and_its_handshake_is_timed_once(secure, trusting):
    user = trusting(secure(answering(OK)))
    first, second = user.client.get("/"), user.client.get("/")
    assert (first.cause, first.content) == (None, b"ok")
    assert first.timings.connect_s > 0
    assert first.timings.tls_s > 0
    assert first.timings.total_s > first.timings.first_byte_s > first.timings.tls_s
    assert second.reused
    assert (second.timings.connect_s, second.timings.tls_s) == (0, 0)


@pytest.mark.parametrize(
    ("certificate", "cause"),
    [
        ("expired", "tls: certificate expired"),
        ("early", "tls: certificate not yet valid"),
        ("selfsigned", "tls: self-signed certificate"),
        ("elsewhere", "tls: host name mismatch"),
    ],
)
def test_a_bad_certificate_is_a_failure_that_says_why(certificate, cause, secure, trusting):
    served = []

    def handler(sock):
        served.append(read_request(sock))

    user = trusting(secure(handler, certificate))
    with no_leaks():
        response = user.client.get("/")
        assert (response.status_code, response.cause) == (0, cause)
    assert user.causes == [cause]
    assert served in ([], [(b"", b"")])


def test_an_authority_that_is_not_trusted_is_a_failure(secure, lean):
    user = lean(secure(answering(OK)))
    assert user.client.get("/").cause == "tls: unknown issuer"


def test_a_wrong_address_is_a_host_name_mismatch(secure, trusting):
    user = trusting(secure(answering(OK), "elsewhere").replace("localhost", "127.0.0.1"))
    assert user.client.get("/").cause == "tls: host name mismatch"


def test_an_address_in_the_certificate_is_accepted(secure, trusting):
    user = trusting(secure(answering(OK)).replace("localhost", "127.0.0.1"))
    assert user.client.get("/").cause is None


@pytest.mark.parametrize("certificate", ["expired", "selfsigned", "elsewhere"])
def test_verification_can_be_switched_off(certificate, secure, lean):
    user = lean(secure(answering(OK), certificate), tls_verify=False)
    assert user.client.get("/").cause is None


def test_the_server_is_told_the_host_name(certificates, serve, trusting):
    names = []
    context = certificates.server("good")
    context.sni_callback = lambda _sock, name, _context: names.append(name)
    base = serve(answering(OK), ssl_context=context)
    trusting(base.replace("127.0.0.1", "localhost")).client.get("/")
    assert names == ["localhost"]


def test_a_server_that_speaks_no_tls_is_named(serve, lean):
    def handler(sock):
        sock.recv(1000)
        sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    user = lean(serve(handler).replace("http:", "https:"))
    assert user.client.get("/").cause == "tls: the server does not speak TLS here"


@pytest.mark.parametrize(
    ("ending", "cause"),
    [
        (lambda sock: sock.close(), "tls: connection closed in the handshake"),
        (reset, "connection reset"),
    ],
)
def test_an_end_within_the_handshake_is_named(ending, cause, serve, lean):
    def handler(sock):
        sock.recv(1000)
        ending(sock)

    user = lean(serve(handler).replace("http:", "https:"))
    with no_leaks():
        assert user.client.get("/").cause == cause


def test_a_silent_handshake_ends_at_the_connect_timeout(serve, lean):
    base = serve(lambda sock: gevent.sleep(1.0)).replace("http:", "https:")
    user = lean(base, connect_timeout_s=0.1)
    with no_leaks():
        response = user.client.get("/")
        assert response.cause == "timeout: tls"
        assert 0.1 <= response.timings.total_s < 0.6


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("digest", [None, "sha256"])
def test_a_large_body_arrives_whole_over_tls(keep, digest, secure, trusting):
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(LARGE) + LARGE
    user = trusting(secure(answering(answer)))
    for _ in range(2):
        response = user.client.get("/", keep_body=keep, digest=digest)
        assert (response.cause, response.body_bytes) == (None, len(LARGE))
        assert response.content == (LARGE if keep else b"")
        assert response.digest == (hashlib.sha256(LARGE).hexdigest() if digest else None)
    assert user.client.connects == 1


def test_a_large_request_is_sent_whole_over_tls(secure, trusting):
    received = []

    def handler(sock):
        gevent.sleep(0.02)
        received.append(read_request(sock)[1])
        sock.sendall(OK)

    user = trusting(secure(handler))
    assert user.client.post("/", data=LARGE * 2).cause is None
    assert received == [LARGE * 2]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_kept_connection_closed_by_the_peer_is_seen(
    version, method, certificates, serve, trusting
):
    context = certificates.server("good")
    context.minimum_version = context.maximum_version = version

    def handler(sock):
        read_request(sock)
        sock.sendall(OK)

    base = serve(handler, ssl_context=context)
    user = trusting(base)
    assert user.client.get("/").cause is None
    gevent.sleep(0.03)
    response = user.client.request(method, "/")
    assert (response.cause, response.reused, response.retried) == (None, False, 0)


def test_a_truncated_body_over_tls_is_truncated(secure, trusting):
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf"
    user = trusting(secure(answering(answer, close=True)))
    assert user.client.get("/").cause == "body truncated"


@pytest.mark.parametrize(("says_goodbye", "cause"), [(True, None), (False, "body truncated")])
def test_a_body_that_ends_with_its_connection_needs_the_goodbye_of_tls(
    says_goodbye, cause, secure, trusting
):
    def handler(sock):
        read_request(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\nmaybe all")
        if says_goodbye:
            sock.unwrap()

    assert trusting(secure(handler)).client.get("/").cause == cause


def test_users_of_one_configuration_share_one_context(certificates):
    one = tls_context(verify=True, ca_file=str(certificates.ca))
    assert tls_context(verify=True, ca_file=str(certificates.ca)) is one
    assert tls_context(verify=False, ca_file=None) is not one


def test_a_missing_authority_file_is_an_error_before_anything_is_sent(secure, lean):
    user = lean(secure(answering(OK)), tls_ca_file="/nowhere/ca.pem")
    with pytest.raises(FileNotFoundError, match=r"tls_ca_file '/nowhere/ca\.pem'"):
        user.client.get("/")
    assert user.events == []


def test_an_authority_file_without_a_certificate_is_an_error(secure, lean, tmp_path):
    (tmp_path / "ca.pem").write_text("nothing\n")
    user = lean(secure(answering(OK)), tls_ca_file=str(tmp_path / "ca.pem"))
    with pytest.raises(OSError, match="not a PEM file of certificates"):
        user.client.get("/")
