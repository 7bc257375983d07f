"""Fixtures of the HTTP tests."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from http_peers import Certificates, Handler, Lean, lean_user, make_certificates, serving


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of the test run has no say."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def lean() -> Iterator[Callable[..., Lean]]:
    """Makes clients, and closes them at the end."""
    made: list[Lean] = []

    def make(base: str, **attributes: Any) -> Lean:
        made.append(lean_user(base, **attributes))
        return made[-1]

    yield make
    for one in made:
        one.client.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Makes servers in this process, and stops them at the end."""
    with ExitStack() as stack:

        def make(handler: Handler, **options: Any) -> str:
            return stack.enter_context(serving(handler, **options))

        yield make


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Made with the openssl command."""
    if shutil.which("openssl") is None:
        pytest.skip("the openssl command is not installed: no certificates to test TLS with")
    return make_certificates(tmp_path_factory.mktemp("certificates"))
