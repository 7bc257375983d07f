"""Signed texts that the service hands out and recognises: device tokens and redirect targets."""

import base64
import hmac
import time

DEVICE_TOKEN_LIFETIME_MS = 30 * 86_400_000
SIGNED_URL_LIFETIME_S = 3600


def issue_device_token(secret: bytes, app_id: str, device_id: str) -> tuple[str, int]:
    """A device's token and the moment (Unix milliseconds) at which it expires."""
    expires_ms = int(time.time() * 1000) + DEVICE_TOKEN_LIFETIME_MS
    payload = base64.urlsafe_b64encode(f"{expires_ms}\n{app_id}\n{device_id}".encode()).decode()
    return f"{payload}.{sign(secret, payload)}", expires_ms


def is_device_token(secret: bytes, token: str) -> bool:
    """Whether this service issued the token and it is still valid."""
    payload, _, signature = token.partition(".")
    if not hmac.compare_digest(signature.encode(), sign(secret, payload).encode()):
        return False
    expires_ms = int(base64.urlsafe_b64decode(payload).split(b"\n", 1)[0])
    return expires_ms > time.time() * 1000


def sign(secret: bytes, text: str) -> str:
    """The signature of a text under the store's secret."""
    return hmac.digest(secret, text.encode(), "sha256").hex()[:32]
