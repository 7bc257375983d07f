"""Why a request failed, as a bounded set of texts.

Every text is either a constant of this module, `status NNN`, or `socket error NAME` with an errno's
name: at most about 1,200 distinct texts can ever reach a report, whatever a server sends.
"""

import errno
import socket
import ssl
from typing import Final

from locust.exception import CatchResponseError

CONNECTION_REFUSED: Final = "connection refused"
CONNECTION_RESET: Final = "connection reset"
CLOSED_BEFORE_RESPONSE: Final = "connection closed before the response"
HEAD_TRUNCATED: Final = "connection closed inside the response head"
BODY_TRUNCATED: Final = "body truncated"
HEAD_TOO_LARGE: Final = "response head too large"
BODY_TOO_LARGE: Final = "body too large to keep"
BODY_UNDECODABLE: Final = "body not decodable"
MALFORMED_RESPONSE: Final = "malformed response"

TIMEOUT_CONNECT: Final = "timeout: connect"
TIMEOUT_TLS: Final = "timeout: tls"
TIMEOUT_FIRST_BYTE: Final = "timeout: first byte"
TIMEOUT_TOTAL: Final = "timeout: total"

DNS_NOT_FOUND: Final = "dns: name not found"
DNS_TEMPORARY: Final = "dns: temporary failure"
DNS_FAILED: Final = "dns: lookup failed"

HOST_UNREACHABLE: Final = "host unreachable"
NETWORK_UNREACHABLE: Final = "network unreachable"
NO_LOCAL_PORT: Final = "generator: no free local port"
NO_FILE_HANDLES: Final = "generator: too many open files"

TLS_EXPIRED: Final = "tls: certificate expired"
TLS_NOT_YET_VALID: Final = "tls: certificate not yet valid"
TLS_SELF_SIGNED: Final = "tls: self-signed certificate"
TLS_WRONG_HOST: Final = "tls: host name mismatch"
TLS_UNKNOWN_ISSUER: Final = "tls: unknown issuer"
TLS_REVOKED: Final = "tls: certificate revoked"
TLS_UNVERIFIED: Final = "tls: certificate not accepted"
TLS_NOT_TLS: Final = "tls: the server does not speak TLS here"
TLS_CLOSED: Final = "tls: connection closed in the handshake"
TLS_BROKEN: Final = "tls: protocol error"

TOO_MANY_REDIRECTS: Final = "too many redirects"
REDIRECT_WITHOUT_LOCATION: Final = "redirect without location"
REDIRECT_BAD_LOCATION: Final = "redirect to an unusable location"
INTERRUPTED: Final = "interrupted"

_BY_ERRNO: Final = {
    errno.ECONNREFUSED: CONNECTION_REFUSED,
    errno.ECONNRESET: CONNECTION_RESET,
    errno.EPIPE: CONNECTION_RESET,
    errno.ECONNABORTED: CONNECTION_RESET,
    errno.ETIMEDOUT: TIMEOUT_CONNECT,
    errno.EHOSTUNREACH: HOST_UNREACHABLE,
    errno.ENETUNREACH: NETWORK_UNREACHABLE,
    errno.EADDRNOTAVAIL: NO_LOCAL_PORT,
    errno.EMFILE: NO_FILE_HANDLES,
    errno.ENFILE: NO_FILE_HANDLES,
}

# X509_V_ERR_* of OpenSSL's x509_vfy.h.
_BY_VERIFY_CODE: Final = {
    9: TLS_NOT_YET_VALID,
    10: TLS_EXPIRED,
    18: TLS_SELF_SIGNED,
    19: TLS_SELF_SIGNED,
    20: TLS_UNKNOWN_ISSUER,
    21: TLS_UNKNOWN_ISSUER,
    23: TLS_REVOKED,
    62: TLS_WRONG_HOST,
    64: TLS_WRONG_HOST,
}

_NOT_TLS_REASONS: Final = frozenset(
    {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"}
)

_BY_GAI: Final = {
    socket.EAI_NONAME: DNS_NOT_FOUND,
    socket.EAI_AGAIN: DNS_TEMPORARY,
}
if hasattr(socket, "EAI_NODATA"):  # not on every platform
    _BY_GAI[socket.EAI_NODATA] = DNS_NOT_FOUND


class RequestError(CatchResponseError):
    """The `exception` of a failed request's event; its text is the cause.

    It is Locust's own class by inheritance, so that listeners written for Locust recognise it, and
    shows as the bare cause in Locust's failure table.
    """

    def __repr__(self) -> str:
        return str(self)


class ExchangeError(Exception):
    """One exchange on one connection came to nothing; never leaves `otaload.http`."""

    def __init__(self, cause: str, *, lost: bool = False) -> None:
        super().__init__(cause)
        self.cause = cause
        self.lost = lost  # the connection went away, as a half-closed idle one does


def cause_of_os_error(error: OSError) -> str:
    """The cause for an error of a socket, a TLS layer or a name lookup."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _BY_VERIFY_CODE.get(error.verify_code, TLS_UNVERIFIED)
    if isinstance(error, ssl.SSLError):
        return TLS_NOT_TLS if error.reason in _NOT_TLS_REASONS else TLS_BROKEN
    if isinstance(error, socket.gaierror):
        return _BY_GAI.get(error.errno or 0, DNS_FAILED)
    code = error.errno or 0
    return _BY_ERRNO.get(code) or f"socket error {errno.errorcode.get(code, 'unknown')}"


def cause_of_status(status_code: int) -> str:
    """The cause of a response whose status is not the expected one."""
    return f"status {status_code}"
