"""The HTTP/1.1 client of one user: requests in, responses and Locust `request` events out.

One event for each hop that was sent. Its `response_time` is the whole hop as the user lived it, in
milliseconds: name lookup, connect, TLS, sending, waiting and receiving; the event's
`response.timings` says how much of it was what. On a kept connection connect and TLS are 0.
Its `response_length` is `response.body_bytes`: what came on the wire, before content decoding.
"""

from collections.abc import Collection, Mapping
from time import perf_counter, time
from typing import Any, Protocol, TypedDict, Unpack

from locust import User

from otaload.http import causes
from otaload.http.body import Sink, new_hash
from otaload.http.causes import RequestError, cause_of_status
from otaload.http.head import pairs_of
from otaload.http.message import REDIRECTS, Data, compose, encode_body, prepare, prepare_anew
from otaload.http.pool import ConnectGuard, Pool, Settings
from otaload.http.response import Response
from otaload.http.target import (
    LONGEST_REMEMBERED,
    Params,
    Target,
    follow,
    locate,
    parse_url,
    with_params,
)

Expect = int | Collection[int]


class RequestOptions(TypedDict, total=False):
    """The keyword arguments of a request."""

    name: str | None
    params: Params | None
    headers: Mapping[str, str] | None
    json: Any
    data: Data | None
    expect: Expect | None
    follow_redirects: bool
    catch_response: bool
    keep_body: bool
    digest: str | None
    credentials: Collection[str]
    context: dict[str, Any] | None
    timeout_s: float | None


class ResponseCounter(Protocol):
    """A listener of the `request` event that can take a response as it is.

    While `listener` is the only one of the event, `count` is called in its place: that saves the
    1.7 µs in which nine arguments are spelled out, passed on and put together again. An environment
    has it as `response_counter`.
    """

    listener: Any

    def count(self, response: Response, name: str) -> None:
        """Do what `listener` would do with the event."""


class HttpClient:
    """The client of one user; safe for one greenlet at a time.

    Several greenlets may share it, too: each request then has a connection of its own, and one for
    each origin is kept. At most 16 origins are remembered.
    """

    __slots__ = ("_base", "_context", "_counter", "_event", "_pool", "_settings")

    def __init__(
        self,
        user: User,
        base_url: str,
        settings: Settings,
        guards: tuple[ConnectGuard, ...] = (),
    ) -> None:
        self._event = user.environment.events.request
        self._counter: ResponseCounter | None = getattr(user.environment, "response_counter", None)
        # Locust's own returns an empty dictionary.
        self._context = None if type(user).context is User.context else user.context
        self._base = parse_url(base_url).url.rstrip("/")
        self._settings = settings
        self._pool = Pool(settings, guards)

    @property
    def connects(self) -> int:
        """How many connections were begun."""
        return self._pool.connects

    @property
    def retried(self) -> int:
        """How many requests were sent again because a kept connection had been closed."""
        return self._pool.retried

    def request(
        self,
        method: str,
        url: str,
        *,
        name: str | None = None,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        data: Data | None = None,
        expect: Expect | None = None,
        follow_redirects: bool = True,
        catch_response: bool = False,
        keep_body: bool = True,
        digest: str | None = None,
        credentials: Collection[str] = (),
        context: dict[str, Any] | None = None,
        timeout_s: float | None = None,
    ) -> Response:
        """Send a request and return its response; what the network does never raises.

        `url` is absolute or a path appended to the base URL. `expect` is the status, or the set of
        them, that is a success (None: 200 to 399); an expected redirect is not followed. `digest`
        hashes the body as it comes, whether or not it is kept. `authorization`, `cookie` and the
        headers in `credentials` are left out once a redirect leads to another origin. `timeout_s`
        replaces the total timeout of the call, redirects included.

        Raises ValueError or TypeError for arguments that cannot be sent, ProxyNotSupportedError,
        and whatever a connect guard raises: all of these before a byte is sent to that origin.
        """
        start_time = time()
        started = perf_counter()
        settings = self._settings
        pool = self._pool
        pairs = pairs_of(headers) if headers else ()
        body, media = (None, "") if json is None and data is None else encode_body(json, data)
        if params:
            target = with_params(locate(self._base, url), params)
            message = compose(method, target, pairs, media)
        else:
            message = (prepare if len(url) <= LONGEST_REMEMBERED else prepare_anew)(
                method, self._base, url, pairs, media
            )
        deadline = started + (settings.total_timeout_s if timeout_s is None else timeout_s)
        if (
            deadline <= started
            or digest is not None
            or expect is not None
            or (credentials and isinstance(credentials, str))
        ):
            _check(timeout_s, digest, expect, credentials)
        if self._context is not None:
            context = {**self._context(), **(context or {})}
        name = name or url
        history: tuple[Response, ...] = ()
        while True:
            response = Response(
                message,
                name,
                context or {},
                start_time,
                started,
                deadline,
                settings.max_kept_bytes,
            )
            sink = None
            if not keep_body or digest is not None or message.decodes:
                sink = Sink(keep=keep_body, digest=digest, max_kept_bytes=settings.max_kept_bytes)
                response.decodes = message.decodes
            if history:
                response.history = history
            slot = pool.slot(message.target.origin)
            payload = message.bare if body is None else message.payload(body)
            try:
                pool.perform(slot, payload, response, sink)
            except BaseException:
                self._interrupted(response)
                raise
            status = response.status_code
            if response.cause is not None or (200 <= status < 300 and expect is None):
                break
            following = self._judge(response, expect, follow_redirects=follow_redirects)
            if following is None:
                break
            self.report(response, f"{name} (redirect)")
            history = (*history, response)
            message = message.redirected(status, following, credentials)
            body = body if message.media else None
            start_time = time()
            started = perf_counter()
        if catch_response:
            response.reporter = self
        else:
            self.report(response, name)
        return response

    def get(self, url: str, **options: Unpack[RequestOptions]) -> Response:
        """Send a GET."""
        return self.request("GET", url, **options)

    def post(self, url: str, **options: Unpack[RequestOptions]) -> Response:
        """Send a POST."""
        return self.request("POST", url, **options)

    def put(self, url: str, **options: Unpack[RequestOptions]) -> Response:
        """Send a PUT."""
        return self.request("PUT", url, **options)

    def patch(self, url: str, **options: Unpack[RequestOptions]) -> Response:
        """Send a PATCH."""
        return self.request("PATCH", url, **options)

    def delete(self, url: str, **options: Unpack[RequestOptions]) -> Response:
        """Send a DELETE."""
        return self.request("DELETE", url, **options)

    def head(self, url: str, **options: Unpack[RequestOptions]) -> Response:
        """Send a HEAD."""
        return self.request("HEAD", url, **options)

    def options(self, url: str, **options: Unpack[RequestOptions]) -> Response:
        """Send an OPTIONS."""
        return self.request("OPTIONS", url, **options)

    def close(self) -> None:
        """Close the kept connections; the client can be used again."""
        self._pool.close()

    def report(self, response: Response, name: str) -> None:
        """Fire Locust's `request` event for one hop."""
        cause = response.cause
        if cause is not None and response.exception is None:
            response.exception = RequestError(cause)
        counter = self._counter
        if counter is not None:
            listeners = self._event._handlers
            if len(listeners) == 1 and listeners[0] is counter.listener:
                counter.count(response, name)
                return
        message = response.message
        self._event.fire(
            request_type=message.method,
            name=name,
            response_time=response.total_s * 1000.0,
            response_length=response.body_bytes,
            response=response,
            context=response.context,
            exception=response.exception,
            start_time=response.start_time,
            url=message.target.url,
        )

    def _interrupted(self, response: Response) -> None:
        # Killed, or timed out by the caller: the server may well have got it, so it counts.
        response.cause = causes.INTERRUPTED
        response.total_s = perf_counter() - response.started
        self.report(response, response.name)

    def _judge(
        self, response: Response, expect: Expect | None, *, follow_redirects: bool
    ) -> Target | None:
        """Where to go from here; None at the end, with a cause if it is a failure."""
        status = response.status_code
        expected = 200 <= status < 400 if expect is None else is_expected(status, expect)
        if status in REDIRECTS and follow_redirects and (expect is None or not expected):
            return self._next_target(response)
        if not expected:
            response.cause = cause_of_status(status)
        return None

    def _next_target(self, response: Response) -> Target | None:
        """Where a redirect leads; None, with a cause, when it cannot be followed."""
        location = response.headers.get("location")
        if not location:
            response.cause = causes.REDIRECT_WITHOUT_LOCATION
        elif len(response.history) >= self._settings.max_redirects:
            response.cause = causes.TOO_MANY_REDIRECTS
        else:
            try:
                return follow(response.url, location)
            except ValueError:
                response.cause = causes.REDIRECT_BAD_LOCATION
        return None


def is_expected(status: int, expect: Expect) -> bool:
    """Whether a status is the expected one or among them."""
    return status == expect if isinstance(expect, int) else status in expect


def _check(
    timeout_s: float | None,
    digest: str | None,
    expect: Expect | None,
    credentials: Collection[str],
) -> None:
    if timeout_s is not None and timeout_s <= 0:
        raise ValueError(f"timeout_s {timeout_s!r}: must be above 0")
    if digest is not None:
        new_hash(digest)
    if isinstance(expect, str | bytes):
        raise TypeError(f"expect {expect!r}: must be a status or a collection of them, such as 200")
    if isinstance(credentials, str):
        raise TypeError(f"credentials {credentials!r}: must be a collection of header names")
