"""The test data: one app, its releases with bundles, an API key and a test user.

Everything is derived from constants and a seed, so two machines get the same bytes and hashes, and
seeding twice changes nothing.
"""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass

from staging.errors import StagingError
from staging.store import Release, Store
from staging.verification import Endpoints, Finding, Status, check

__all__ = [
    "APP_ID",
    "DEFAULT_API_KEY",
    "DEFAULT_BUNDLE_BYTES",
    "Endpoints",
    "Finding",
    "Seeded",
    "Status",
    "bundle_content",
    "check",
    "environment",
    "release_id_of",
    "seed",
]

APP_ID = "test-app-001"
DEFAULT_BUNDLE_BYTES = 2 << 20
USER_EMAIL = "load-test@example.com"

# Public on purpose and readable as such: it opens nothing but the embedded service.
DEFAULT_API_KEY = "otaload-embedded-key"
DEFAULT_PASSWORD = "otaload-embedded-password"  # noqa: S105 - public, as the key above

# 2026-01-01T00:00:00Z; each release is one day newer than the one before.
_EPOCH_MS = 1_767_225_600_000
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Seeded:
    """What is in the store now; `releases` from the oldest to the newest."""

    app_id: str
    api_key: str
    releases: tuple[str, ...]
    changed: bool

    @property
    def release_id(self) -> str:
        """The newest release: the one that is offered."""
        return self.releases[-1]


def release_id_of(number: int) -> str:
    """The id of the `number`th release, counted from 1."""
    return f"test-release-{number:03d}"


def bundle_content(release_id: str, size_bytes: int, *, content_seed: int = 1) -> bytes:
    """Bytes that look random and compress to nothing, the same ones on every machine."""
    return random.Random(f"{content_seed}:{release_id}").randbytes(size_bytes)


def seed(
    store: Store,
    *,
    app_id: str = APP_ID,
    api_key: str = DEFAULT_API_KEY,
    bundle_bytes: int | Sequence[int] = DEFAULT_BUNDLE_BYTES,
    releases: int = 2,
    user_email: str = USER_EMAIL,
    password: str = DEFAULT_PASSWORD,
    content_seed: int = 1,
) -> Seeded:
    """Create the test data that is not there yet.

    `bundle_bytes` is the size of every bundle, or one size for each release from the oldest on.
    """
    sizes = [bundle_bytes] * releases if isinstance(bundle_bytes, int) else list(bundle_bytes)
    if releases < 1 or len(sizes) != releases or min(sizes) < 1:
        raise StagingError(
            f"seed: {releases} releases and bundle sizes {sizes} do not fit; give one size of at "
            "least 1 byte for all or one for each release"
        )
    if not store.has_user(user_email):
        store.add_user(
            user_email,
            name="Load Test",
            password_hash=_hash_password(user_email, password),
            created_at_ms=_EPOCH_MS,
        )
    store.add_app(app_id, owner_email=user_email, name="Load test app", created_at_ms=_EPOCH_MS)
    store.add_api_key(api_key, app_id, name="load test", created_at_ms=_EPOCH_MS)
    changed = False
    for number, size in enumerate(sizes, start=1):
        changed |= store.put_release(
            Release(
                app_id=app_id,
                release_id=release_id_of(number),
                version=f"1.0.{number}",
                content=bundle_content(release_id_of(number), size, content_seed=content_seed),
                notes=f"Test release {number}",
                created_at_ms=_EPOCH_MS + number * _DAY_MS,
            )
        )
    ids = tuple(release_id_of(number) for number in range(1, releases + 1))
    return Seeded(app_id=app_id, api_key=api_key, releases=ids, changed=changed)


def environment(
    *,
    base_url: str,
    api_key: str = DEFAULT_API_KEY,
    app_id: str = APP_ID,
    release_id: str = release_id_of(2),
) -> dict[str, str]:
    """The variables to export so that a load test finds this test data."""
    return {
        "API_BASE_URL": base_url,
        "LOAD_TEST_API_KEY": api_key,
        "LOAD_TEST_APP_ID": app_id,
        "LOAD_TEST_RELEASE_ID": release_id,
    }


def _hash_password(email: str, password: str) -> str:
    salt = hashlib.sha256(email.encode()).digest()[:16]
    digest = hashlib.scrypt(password.encode(), salt=salt, n=2**12, r=8, p=1)
    return f"scrypt$4096$8$1${salt.hex()}${digest.hex()}"
