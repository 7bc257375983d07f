"""The admin pages, for this machine only: faults, counters, state.

GET /__admin/state      what runs here, for a person or a check of the seed
GET|DELETE /__admin/counters      read, or begin a new generation
GET|PUT|DELETE /__admin/faults    read, replace (the body is a spec, plain text) or end
"""

import ipaddress
import os
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from staging.fault_spec import FaultSpecError
from staging.faults import describe
from staging.messages import Response, error_response, json_response

if TYPE_CHECKING:
    from staging.service import Request, Service

SERVICE_NAME = "otaload staging"


class Admin:
    """Answers the admin pages of one service."""

    def __init__(self, service: "Service") -> None:
        self._service = service
        self._pages = {
            ("GET", "/__admin/state"): self._state,
            ("GET", "/__admin/counters"): self._counters,
            ("DELETE", "/__admin/counters"): self._reset_counters,
            ("GET", "/__admin/faults"): self._faults,
            ("PUT", "/__admin/faults"): self._set_faults,
            ("DELETE", "/__admin/faults"): self._clear_faults,
        }

    def handle(self, request: "Request") -> Response:
        if not is_loopback(request.client):
            return error_response(403, "FORBIDDEN", "admin pages answer this machine only")
        page = self._pages.get((request.method, request.path))
        if page is None:
            known = ", ".join(f"{method} {path}" for method, path in self._pages)
            return error_response(404, "NOT_FOUND", f"admin pages: {known}")
        return page(request)

    def _state(self, _: "Request") -> Response:
        service = self._service
        return json_response(
            200,
            {
                "service": SERVICE_NAME,
                "pid": os.getpid(),
                "uptime_s": round(time.time() - service.started_s, 3),
                "rss_bytes": rss_bytes(),
                "hosts": service.addresses,
                "app_id": service.seeded.app_id,
                "release_id": service.seeded.release_id,
                "releases": service.seeded.releases,
                "users": service.store.count("users"),
                "devices": service.store.count("devices"),
                "faults": service.fault_spec,
            },
        )

    def _counters(self, _: "Request") -> Response:
        return json_response(200, self._service.counters.as_json())

    def _reset_counters(self, request: "Request") -> Response:
        self._service.reset()
        return self._counters(request)

    def _faults(self, _: "Request") -> Response:
        return json_response(200, self._faults_page())

    def _faults_page(self) -> dict[str, Any]:
        injector = self._service.injector
        if injector is None:
            return {"spec": "", "elapsed_s": None, "faults": []}
        return {
            "spec": self._service.fault_spec,
            "elapsed_s": injector.elapsed_s,
            "faults": [
                {"fault": fault.name, "text": text, "applied": injector.applied[number]}
                for number, (fault, text) in enumerate(
                    zip(injector.faults, describe(injector.faults), strict=True)
                )
            ],
        }

    def _set_faults(self, request: "Request") -> Response:
        try:
            self._service.set_faults(request.body.decode())
        except (FaultSpecError, UnicodeDecodeError) as error:
            return error_response(400, "BAD_FAULT_SPEC", str(error))
        return self._faults(request)

    def _clear_faults(self, request: "Request") -> Response:
        self._service.set_faults("")
        return self._faults(request)


def is_loopback(client: str) -> bool:
    """Whether a peer's address is this machine's own loopback."""
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def rss_bytes() -> int:
    """The process's resident memory; its peak where the current one cannot be read."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
