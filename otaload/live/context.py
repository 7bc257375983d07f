"""What the user classes of one process share during a run; Locust's environment carries it."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import Any, TypeVar

from locust.env import Environment

from otaload.errors import ConfigurationError
from otaload.redaction import Secrets
from otaload.targets import Targets

T = TypeVar("T")
_ATTRIBUTE = "otaload_context"
_SECRETS = "otaload_secrets"


class RunContext:
    """The target, the seed and what the users of one process learn from each other.

    `think_s` is the range of seconds between iterations; with `pacing_s` they start on a schedule
    in its place. What users learn that must not be told, they add to `secrets`, a device's token
    with `add_token`. `current_release` is the release that the service last offered; `refused` is
    set when a target turned out to be forbidden.
    """

    def __init__(
        self,
        targets: Targets,
        *,
        seed: int,
        worker_index: int = 0,
        worker_count: int = 1,
        think_s: tuple[float, float] = (1.0, 3.0),
        pacing_s: float | None = None,
        release_day: bool = False,
        verify_hook: Callable[[Any], str | None] | None = None,
        secrets: Secrets | None = None,
    ) -> None:
        self.targets = targets
        self.secrets = secrets or Secrets()
        self.seed = seed
        self.worker_index = worker_index
        self.worker_count = worker_count
        self.think_s = think_s
        self.pacing_s = pacing_s
        self.release_day = release_day
        self.verify_hook = verify_hook
        self.current_release: Any = None
        self.refused: str | None = None
        self.on_refusal: Callable[[str], None] | None = None
        self._shared: dict[str, Any] = {}
        self._spawned: dict[str, int] = {}

    def shared(self, key: str, make: Callable[[], T]) -> T:
        """One object for all users of this process, made at its first use."""
        if key not in self._shared:
            self._shared[key] = make()
        found: T = self._shared[key]
        return found

    def next_seed(self, name: str) -> str:
        """A seed for the next user of a class: the same run gives the same seeds in turn."""
        n = self._spawned[name] = self._spawned.get(name, -1) + 1
        return f"{self.seed}/{name}/{self.worker_index}/{n}"

    def refuse(self, reason: str) -> None:
        """Note that a forbidden target was about to be contacted; the run ends."""
        if self.refused is None:
            self.refused = reason
            if self.on_refusal is not None:
                self.on_refusal(reason)


def secrets_of(environment: Environment) -> Secrets:
    """What must not be told by the process of an environment; made at its first use."""
    found = getattr(environment, _SECRETS, None)
    if not isinstance(found, Secrets):
        found = Secrets(os.environ)
        setattr(environment, _SECRETS, found)
    return found


def attach(
    environment: Environment, context: RunContext, connect_guard: Callable[[str, int], None]
) -> None:
    """Make a context the environment's own, and have the HTTP client ask the guard."""
    setattr(environment, _ATTRIBUTE, context)
    environment.connect_guard = connect_guard  # type: ignore[attr-defined]  # read by LeanHttpUser


def context_of(environment: Environment) -> RunContext:
    """The context of the run that an environment is in."""
    context = getattr(environment, _ATTRIBUTE, None)
    if not isinstance(context, RunContext):
        raise ConfigurationError(
            "device users need otaload's plugin: add `import otaload.plugin` to the locustfile"
        )
    return context


def load_hook(spec: str) -> Callable[[Any], str | None]:
    """The function named by `package.module:function`.

    It is called with the response of a finished download, body kept, and answers None or a short
    text that says what is wrong. Raises `ConfigurationError` where it cannot be imported.
    """
    module_name, _, function_name = spec.partition(":")
    try:
        hook = getattr(importlib.import_module(module_name), function_name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(
            f"endpoints.download.verify_hook: {spec!r} cannot be imported ({error}); "
            "write package.module:function"
        ) from error
    if not callable(hook):
        raise ConfigurationError(f"endpoints.download.verify_hook: {spec!r} is not a function")
    found: Callable[[Any], str | None] = hook
    return found
