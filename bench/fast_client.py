"""FastHttpUser's client behind what the devices use of ours, as a good user would write it.

Bundles are streamed in 256 KiB chunks and hashed as they come, never kept; JSON is read by orjson.
"""

import hashlib
import time
from collections.abc import Collection
from typing import Any, Self

import orjson
from locust import User
from locust.contrib.fasthttp import FastHttpSession

_CHUNK_BYTES = 256 * 1024


class FastAnswer:
    """A response with the attributes that devices look at."""

    def __init__(self, inner: Any, expect: Collection[int]) -> None:
        self._inner = inner
        self.status_code: int = inner.status_code
        self.cause = None if self.status_code in expect else f"status {self.status_code}"
        if not self.status_code:
            self.cause = str(inner.request_meta["exception"])
        self.body_bytes: int = inner.request_meta["response_length"]
        self.digest: str | None = None

    def hash(self, name: str, started: float) -> None:
        """Receive the streamed body, and correct what Locust would report of it."""
        body = hashlib.new(name, usedforsecurity=False)
        size = 0
        for chunk in self._inner.iter_content(_CHUNK_BYTES, decode_content=False):
            body.update(chunk)
            size += len(chunk)
        self.digest, self.body_bytes = body.hexdigest(), size
        self._inner.request_meta["response_length"] = size
        self._inner.request_meta["response_time"] = (time.perf_counter() - started) * 1000

    def json(self) -> Any:
        """The body as JSON."""
        return orjson.loads(self._inner.content or b"")

    def failure(self, reason: str) -> None:
        """Count the request as failed."""
        self._inner.failure(reason)

    def __enter__(self) -> Self:
        self._inner.__enter__()
        return self

    def __exit__(self, *error: object) -> Any:
        return self._inner.__exit__(*error)


class FastClient:
    """As much of `otaload.http.HttpClient` as the devices call."""

    def __init__(self, user: User) -> None:
        self._session = FastHttpSession(
            base_url=(user.host or "").rstrip("/"),
            request_event=user.environment.events.request,
            user=user,
            concurrency=1,
        )

    def request(
        self,
        method: str,
        url: str,
        *,
        name: str,
        expect: Collection[int],
        headers: dict[str, str] | None = None,
        json: Any = None,
        digest: str | None = None,
        context: dict[str, Any] | None = None,
        **_unused: Any,
    ) -> FastAnswer:
        """Send a request; a body that is to be hashed is streamed."""
        options: dict[str, Any] = {}
        if json is not None:
            options["data"] = orjson.dumps(json)
            headers = {
                **(headers or {}),
                "Content-Type": "application/json",
                "Accept": "application/json",
            }
        if digest is not None:
            options["stream"] = True
        started = time.perf_counter()
        inner = self._session.request(
            method,
            url,
            name=name,
            headers=headers,
            catch_response=True,
            context=context or {},
            **options,
        )
        answer = FastAnswer(inner, expect)
        if digest is not None and answer.cause is None:
            answer.hash(digest, started)
        return answer

    def close(self) -> None:
        """Close the kept connections."""
        self._session.client.close()
