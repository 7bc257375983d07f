"""Production gets the health scenario and nothing else."""

from __future__ import annotations

import pytest

from otaload.errors import RefusedError
from otaload.live.guard import connect_guard, kind_of, refuse_production
from otaload.targets import DEFAULT_PATH, load_targets

TARGETS = load_targets(DEFAULT_PATH, {})


@pytest.mark.parametrize(
    ("hostname", "kind"),
    [
        ("api.bundlenudge.com", "production"),
        ("API.BundleNudge.COM", "production"),
        ("api.bundlenudge.com.", "production"),
        ("bundlenudge-api.acme.workers.dev", "production"),
        ("eu.bundlenudge-api.acme.workers.dev", "production"),
        ("bundlenudge-api-staging.acme.workers.dev", "staging"),
        ("api-staging.bundlenudge.com", "staging"),
        ("staging.example.com", "staging"),
        ("127.0.0.1", "loopback"),
        ("localhost", "loopback"),
        ("::1", "loopback"),
    ],
)
def test_a_host_is_known_for_what_it_is(hostname: str, kind: str) -> None:
    assert kind_of(TARGETS, hostname) == kind


def test_load_on_production_is_refused_with_source_and_remedy() -> None:
    with pytest.raises(RefusedError) as caught:
        refuse_production(
            TARGETS,
            "https://api.bundlenudge.com/v1",
            scenario="load",
            allowed=False,
            source="API_BASE_URL",
        )

    assert caught.value.exit_code == 92
    for part in ("api.bundlenudge.com", "API_BASE_URL", "load", "--host"):
        assert part in str(caught.value)


def test_health_may_look_at_production() -> None:
    refuse_production(
        TARGETS, "https://api.bundlenudge.com", scenario="health", allowed=True, source="--host"
    )
    connect_guard(TARGETS, scenario="health", allowed=True)("api.bundlenudge.com", 443)


def test_a_connection_to_production_is_refused_wherever_its_name_came_from() -> None:
    guard = connect_guard(TARGETS, scenario="load", allowed=False)

    guard("cdn.example.com", 443)
    with pytest.raises(RefusedError, match="an answer of the service leads to"):
        guard("api.bundlenudge.com", 443)
