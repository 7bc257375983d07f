"""The over-the-air update service: a bare ASGI callable over the store."""

import hashlib
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import parse_qs, quote

from staging import tokens
from staging.admin import Admin
from staging.connection import SCOPE_KEY, Connection
from staging.counters import CHECK, DOWNLOAD, HEALTH, OTHER, REGISTER, Counters, EndpointCounts
from staging.delivery import deliver
from staging.downloads import bundle_response
from staging.fault_spec import parse
from staging.injection import Injector
from staging.limits import ActiveDevices, RateLimit
from staging.messages import (
    MAX_BODY_BYTES,
    CheckIn,
    Receive,
    Response,
    Scope,
    Send,
    error_response,
    json_response,
    rate_limited,
    read_check_in,
)
from staging.seed import Seeded
from staging.store import Store

# What the real service allows each device.
CHECKS_PER_MIN = 60
REGISTRATIONS_PER_MIN = 10

_HEALTHY = json_response(200, {"status": "healthy"})
_NO_UPDATE = json_response(200, {"updateAvailable": False})


@dataclass(frozen=True, kw_only=True)
class ServiceOptions:
    """How the service is set up.

    `redirect_downloads` is None, `path` (302 to another path of this origin) or an origin such as
    `http://localhost:8080` (302 to that one).
    """

    base_path: str = ""
    redirect_downloads: str | None = None
    mau_limit: int | None = None
    rate_limits: bool = False


class Request(NamedTuple):
    """A request that was received completely."""

    method: str
    path: str
    query: bytes
    headers: dict[bytes, bytes]
    body: bytes
    client: str
    origin: str


class Route(NamedTuple):
    endpoint: str
    methods: tuple[str, ...]
    handle: Callable[[Request], Response]


class Service:
    """Routes, authentication and answers; faults and counters sit around them."""

    def __init__(self, store: Store, seeded: Seeded, options: ServiceOptions) -> None:
        self.store = store
        self.seeded = seeded
        self.options = options
        self.counters = Counters()
        self.fault_spec = ""
        self.injector: Injector | None = None
        self.started_s = time.time()
        self.addresses: tuple[str, ...] = ()
        self.max_body_bytes = MAX_BODY_BYTES
        self._admin = Admin(self)
        self._bundles = store.load_bundles()
        self._bundle_path = {
            (app_id, release_id): f"{options.base_path}/bundles/{_path(app_id, release_id)}"
            for app_id, release_id in self._bundles
        }
        self._app_of_key = store.api_keys()
        self._secret = store.secret()
        self._devices = (
            None
            if options.mau_limit is None
            else ActiveDevices(options.mau_limit, store.device_ids())
        )
        self._limits = (
            {CHECK: RateLimit(CHECKS_PER_MIN, 60), REGISTER: RateLimit(REGISTRATIONS_PER_MIN, 60)}
            if options.rate_limits
            else {}
        )
        base = options.base_path
        self._routes = {
            base + CHECK: Route(CHECK, ("POST",), self._check),
            base + REGISTER: Route(REGISTER, ("POST",), self._register),
            base + DOWNLOAD: Route(DOWNLOAD, ("GET", "HEAD"), self._download_by_query),
            HEALTH: Route(HEALTH, ("GET", "HEAD"), lambda _: _HEALTHY),
        }
        self._by_path = Route(DOWNLOAD, ("GET", "HEAD"), self._download_by_path)
        self._at_cdn = Route(DOWNLOAD, ("GET", "HEAD"), self._download_at_cdn)
        self._unknown = Route(OTHER, (), self._not_found)

    def set_faults(self, spec: str) -> None:
        """Replace the active faults; `FaultSpecError` leaves the old ones in place."""
        faults = parse(spec)
        if self.injector is not None:
            self.injector.close()
        self.fault_spec = spec.strip()
        self.injector = Injector(faults) if faults else None

    def reset(self) -> None:
        """Begin a new generation of counts, and start the faults over."""
        self.counters.reset()
        self.set_faults(self.fault_spec)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await self._receive_body(receive)
        if body is None:
            return
        conn: Connection = scope[SCOPE_KEY]
        request = _request(scope, body)
        if request.path.startswith("/__admin/"):
            response = self._admin.handle(request)
            await deliver(response, conn, send, EndpointCounts(), head_only=False)
            return
        route = self._route(request.path)
        counts = self.counters.by_endpoint[route.endpoint]
        counts.requests += 1
        error = None
        try:
            if self.injector is None:
                response = self._answer(route, request)
                error = await deliver(
                    response, conn, send, counts, head_only=request.method == "HEAD"
                )
            else:
                error = await self._serve_faulty(self.injector, route, request, conn, send, counts)
        finally:
            counts.ended += 1
            if error is not None:
                counts.errors[error] += 1

    async def _serve_faulty(
        self,
        injector: Injector,
        route: Route,
        request: Request,
        conn: Connection,
        send: Send,
        counts: EndpointCounts,
    ) -> str | None:
        treatment = await injector.treat(route.endpoint, conn, _limit_key(request))
        if treatment.ended is not None:
            return treatment.ended
        response = treatment.answer or self._answer(route, request)
        return await deliver(
            response,
            conn,
            send,
            counts,
            head_only=request.method == "HEAD",
            treatment=treatment,
        )

    async def _receive_body(self, receive: Receive) -> bytes | None:
        message = await receive()
        body: bytes = message.get("body", b"")
        while message.get("more_body"):
            message = await receive()
            # What is too long is thrown away, and the length alone decides the answer.
            if len(body) <= self.max_body_bytes:
                body += message.get("body", b"")
        return None if message["type"] == "http.disconnect" else body

    def _route(self, path: str) -> Route:
        route = self._routes.get(path)
        if route is not None:
            return route
        if path.startswith(f"{self.options.base_path}/bundles/") and path.endswith("/bundle.js"):
            return self._by_path
        if path.startswith("/cdn/"):
            return self._at_cdn
        return self._unknown

    def _answer(self, route: Route, request: Request) -> Response:
        if request.method not in route.methods and route.methods:
            allowed = ", ".join(route.methods)
            return error_response(
                405, "METHOD_NOT_ALLOWED", f"use {allowed}", (b"allow", allowed.encode())
            )
        if len(request.body) > self.max_body_bytes:
            return error_response(413, "PAYLOAD_TOO_LARGE", f"at most {self.max_body_bytes} bytes")
        limit = self._limits.get(route.endpoint)
        if limit is not None:
            retry_after_s = limit.retry_after_s(_limit_key(request))
            if retry_after_s is not None:
                return rate_limited(retry_after_s)
        try:
            return route.handle(request)
        except sqlite3.Error as error:
            return error_response(500, "STORE_FAILED", f"the database: {error}")

    def _check(self, request: Request) -> Response:
        token = request.headers.get(b"authorization")
        if token is not None and not self._accepts(token):
            return _unauthorized("the bearer token is neither a device's nor an API key")
        check_in = read_check_in(request.body)
        if isinstance(check_in, Response):
            return check_in
        refusal = self._over_mau_limit(check_in)
        if refusal is not None:
            return refusal
        row = self.store.newest_release(check_in.app_id, check_in.channel)
        if row is None:
            return _NO_UPDATE if self.store.has_app(check_in.app_id) else _unknown_app()
        release_id, version, bundle_bytes, sha256, notes = row
        if _has(check_in, version, sha256):
            return _NO_UPDATE
        release = {
            "version": version,
            "bundleUrl": request.origin + self._bundle_path[check_in.app_id, release_id],
            "bundleSize": bundle_bytes,
            "bundleHash": f"sha256:{sha256}",
            "releaseId": release_id,
            "releaseNotes": notes,
        }
        return json_response(200, {"updateAvailable": True, "release": release})

    def _register(self, request: Request) -> Response:
        check_in = read_check_in(request.body)
        if isinstance(check_in, Response):
            return check_in
        if not self.store.has_app(check_in.app_id):
            return _unknown_app()
        refusal = self._over_mau_limit(check_in)
        if refusal is not None:
            return refusal
        self.store.upsert_device(
            check_in.app_id,
            check_in.device_id,
            platform=check_in.platform,
            app_version=check_in.app_version,
            channel=check_in.channel,
        )
        token, expires_ms = tokens.issue_device_token(
            self._secret, check_in.app_id, check_in.device_id
        )
        return json_response(201, {"accessToken": token, "expiresAt": expires_ms})

    def _download_by_query(self, request: Request) -> Response:
        query = parse_qs(request.query.decode("latin-1"))
        return self._download(request, query.get("appId", [""])[0], query.get("releaseId", [""])[0])

    def _download_by_path(self, request: Request) -> Response:
        parts = request.path.removeprefix(self.options.base_path).split("/")
        if len(parts) != 5:
            return self._not_found(request)
        return self._download(request, parts[2], parts[3])

    def _download(self, request: Request, app_id: str, release_id: str) -> Response:
        key = _bearer(request.headers.get(b"authorization", b""))
        app_of_key = self._app_of_key.get(_key_hash(key))
        if app_of_key is None:
            return _unauthorized("a download needs Authorization: Bearer <api key>")
        bundle = self._bundles.get((app_id, release_id))
        if bundle is None:
            if not self.store.has_app(app_id):
                return _unknown_app()
            return error_response(404, "RELEASE_NOT_FOUND", "no such release of this app")
        if app_of_key != app_id:
            return error_response(403, "FORBIDDEN", "the API key belongs to another app")
        if self.options.redirect_downloads is not None:
            return self._redirect(app_id, release_id)
        return bundle_response(bundle, request.headers)

    def _redirect(self, app_id: str, release_id: str) -> Response:
        target = self.options.redirect_downloads
        origin = "" if target in (None, "path") else target
        expires = int(time.time()) + tokens.SIGNED_URL_LIFETIME_S
        path = f"/cdn/{_path(app_id, release_id)}"
        signature = tokens.sign(self._secret, f"{app_id}\n{release_id}\n{expires}")
        location = f"{origin}{path}?expires={expires}&signature={signature}"
        return Response(302, [(b"location", location.encode()), (b"content-length", b"0")])

    def _download_at_cdn(self, request: Request) -> Response:
        if b"authorization" in request.headers:
            self.counters.keys_at_cdn += 1
        parts = request.path.split("/")
        query = parse_qs(request.query.decode("latin-1"))
        expires = query.get("expires", [""])[0]
        bundle = self._bundles.get((parts[2], parts[3])) if len(parts) == 5 else None
        if bundle is None:
            return self._not_found(request)
        expected = tokens.sign(self._secret, f"{parts[2]}\n{parts[3]}\n{expires}")
        if query.get("signature", [""])[0] != expected or int(expires) < time.time():
            return error_response(403, "SIGNATURE_INVALID", "the URL is not ours or has expired")
        return bundle_response(bundle, request.headers)

    def _not_found(self, request: Request) -> Response:
        return error_response(404, "NOT_FOUND", f"no route {request.method} {request.path}")

    def _accepts(self, authorization: bytes) -> bool:
        token = _bearer(authorization)
        return tokens.is_device_token(self._secret, token) or _key_hash(token) in self._app_of_key

    def _over_mau_limit(self, check_in: CheckIn) -> Response | None:
        devices = self._devices
        if devices is None or devices.admits(check_in.app_id, check_in.device_id):
            return None
        return error_response(
            403, "MAU_LIMIT_EXCEEDED", f"more than {devices.limit} distinct devices"
        )


def _request(scope: Scope, body: bytes) -> Request:
    headers = dict(scope["headers"])
    client = scope["client"]
    host = headers.get(b"host")
    if host is None:
        server = scope["server"]
        host = f"{server[0]}:{server[1]}".encode()
    return Request(
        scope["method"],
        scope["path"],
        scope["query_string"],
        headers,
        body,
        client[0] if client else "",
        f"{scope['scheme']}://{host.decode('latin-1')}",
    )


def _path(app_id: str, release_id: str) -> str:
    return f"{quote(app_id, safe='')}/{quote(release_id, safe='')}/bundle.js"


def _limit_key(request: Request) -> str:
    """Who is limited: the device that the header names, else the address."""
    device = request.headers.get(b"x-device-id")
    return request.client if device is None else device.decode("latin-1")


def _has(check_in: CheckIn, version: str, sha256: str) -> bool:
    """Whether the device runs this release already; one that says nothing is offered it."""
    if check_in.bundle_hash is None:
        return check_in.bundle_version == version
    given = check_in.bundle_hash.lower().removeprefix("sha256:")
    return given == sha256 and check_in.bundle_version in (None, version)


def _bearer(authorization: bytes) -> str:
    scheme, _, token = authorization.decode("latin-1").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _key_hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _unauthorized(message: str) -> Response:
    return error_response(401, "UNAUTHORIZED", message, (b"www-authenticate", b"Bearer"))


def _unknown_app() -> Response:
    return error_response(404, "APP_NOT_FOUND", "no such app")
