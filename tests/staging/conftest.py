"""One service for all tests that do not need their own options, and a client that hides nothing."""

import http.client
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

from staging.launch import StagingProcess, start

BUNDLE_BYTES = 300_000


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    took_ms: float

    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """One request on one connection each, with nothing retried, followed or decoded."""

    def __init__(self, staging: StagingProcess) -> None:
        self.staging = staging
        parts = urlsplit(staging.base_url)
        self.netloc = parts.netloc
        self.base_path = parts.path
        self.check_in = {
            "appId": staging.app_id,
            "deviceId": "device-1",
            "platform": "ios",
            "appVersion": "1.0.0",
        }
        self.key = {"Authorization": f"Bearer {staging.api_key}"}
        self.fixed = f"/bundles/download?appId={staging.app_id}&releaseId={staging.release_id}"
        self.template = f"/bundles/{staging.app_id}/{staging.release_id}/bundle.js"

    def request(
        self,
        method: str,
        path: str,
        body: bytes | dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        *,
        base: str | None = None,
        timeout_s: float = 10,
    ) -> Answer:
        connection = http.client.HTTPConnection(self.netloc, timeout=timeout_s)
        raw = json.dumps(body).encode() if isinstance(body, dict) else body
        began_s = time.perf_counter()
        try:
            base = self.base_path if base is None else base
            connection.request(method, base + path, body=raw, headers=headers or {})
            response = connection.getresponse()
            content = response.read()
            took_ms = (time.perf_counter() - began_s) * 1000
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, content, took_ms)
        finally:
            connection.close()

    def check(self, headers: dict[str, str] | None = None, **changes: Any) -> Answer:
        body = {k: v for k, v in {**self.check_in, **changes}.items() if v is not ...}
        return self.request("POST", "/updates/check", body, headers)

    def register(self, headers: dict[str, str] | None = None, **changes: Any) -> Answer:
        return self.request("POST", "/devices/register", {**self.check_in, **changes}, headers)

    def download(self, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.request("GET", self.fixed, headers={**self.key, **named})

    def at_once(self, count: int, call: Callable[[int], Any]) -> list[Any]:
        """Call `call(0)` to `call(count - 1)`, all at the same time."""
        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(call, range(count)))

    def counts(self, endpoint: str) -> dict[str, Any]:
        found: dict[str, Any] = self.staging.counters()["endpoints"][endpoint]
        return found

    def settled(self, endpoint: str) -> dict[str, Any]:
        """The counts once nothing is in flight any more."""
        deadline_s = time.monotonic() + 5
        while (counts := self.counts(endpoint))["in_flight"] and time.monotonic() < deadline_s:
            time.sleep(0.01)
        return counts


@pytest.fixture(scope="session")
def shared_service() -> Iterator[StagingProcess]:
    with start(faults="", bundle_bytes=[BUNDLE_BYTES - 1, BUNDLE_BYTES]) as staging:
        yield staging


@pytest.fixture
def staging(shared_service: StagingProcess) -> Iterator[StagingProcess]:
    shared_service.set_faults("")
    shared_service.reset_counters()
    yield shared_service
    shared_service.set_faults("")


@pytest.fixture
def client(staging: StagingProcess) -> Client:
    return Client(staging)


@pytest.fixture
def client_of() -> Callable[[StagingProcess], Client]:
    return Client
