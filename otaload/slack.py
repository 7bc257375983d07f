"""Sends a message to a Slack webhook: a few attempts within a bounded time.

The webhook's URL is a secret. It is in no error, and neither is what the other side answers, which
may repeat it.
"""

from __future__ import annotations

import email.utils
import http.client
import re
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from typing import Any

from otaload.errors import OtaloadError

WEBHOOK = "SLACK_WEBHOOK_URL"
_CODE = re.compile(r"[a-z_]{2,40}")
"""What Slack's own errors look like: `invalid_payload`, `no_service`."""
_ANSWER_BYTES = 64


class NotSentError(OtaloadError):
    """The message did not get through; the text says why, and not where to."""


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long is waited: in all, for one answer, and after the first attempt (then twice that)."""

    total_s: float = 30.0
    answer_s: float = 10.0
    pause_s: float = 1.0
    attempts: int = 5


class _AgainError(Exception):
    """An attempt failed in a way that may pass; `wait_s` is what the server asked for."""

    def __init__(self, reason: str, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A webhook does not move, and a redirect would carry the message to whoever sent it."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def send(message: str, webhook: str, patience: Patience | None = None) -> None:
    """Post a JSON message to a webhook; raises `NotSentError` where it did not get through.

    It takes `patience.total_s` at most, whatever the other side does.
    """
    patience = patience or Patience()
    url = _checked(webhook)
    failures: list[Exception] = []
    done = threading.Event()

    def attempt() -> None:
        try:
            _deliver(message.encode(), url, patience)
        except Exception as error:  # handed over to the thread that waits
            failures.append(error)
        done.set()

    # Name look-ups, and answers that come a byte at a time, heed no timeout: they are left behind.
    threading.Thread(target=attempt, daemon=True, name="slack").start()
    if not done.wait(patience.total_s):
        raise NotSentError(f"Slack did not answer within {patience.total_s:g} s")
    if not failures:
        return
    if isinstance(failures[0], NotSentError):
        raise failures[0]
    # Its text may hold the URL, and so may the traceback's.
    raise NotSentError(f"Slack could not be reached ({type(failures[0]).__name__})") from None


def _checked(webhook: str) -> str:
    """The URL; raises `NotSentError` for anything but http and https."""
    url = webhook.strip()
    try:
        parts = urllib.parse.urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
        usable = usable and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable or not url.isascii() or any(c.isspace() or not c.isprintable() for c in url):
        raise NotSentError(f"{WEBHOOK} is no http or https URL; copy it anew from Slack")
    return url


def _deliver(body: bytes, url: str, patience: Patience) -> None:
    """Try until it is through, the attempts are used up, or the time is."""
    end = time.monotonic() + patience.total_s
    pause_s, attempts = patience.pause_s, 0
    while True:
        attempts += 1
        left_s = end - time.monotonic()
        try:
            return _post(body, url, max(0.1, min(patience.answer_s, left_s)))
        except _AgainError as again:
            wait_s = pause_s if again.wait_s is None else again.wait_s
            tried = f"{again}, {attempts} times" if attempts > 1 else str(again)
            if attempts >= patience.attempts:
                raise NotSentError(tried) from None
            if time.monotonic() + wait_s >= end:
                raise NotSentError(f"{tried}; there was no time left to try again") from None
        time.sleep(wait_s)
        pause_s *= 2


def _post(body: bytes, url: str, timeout_s: float) -> None:
    """One attempt; raises `NotSentError`, or `_AgainError` where another one may succeed."""
    request = urllib.request.Request(  # noqa: S310 -- the scheme has been checked
        url, data=body, headers={"Content-Type": "application/json; charset=utf-8"}
    )
    opener: Callable[..., Any] = urllib.request.build_opener(_NoRedirects()).open
    try:
        with opener(request, timeout=timeout_s) as response:
            answer = response.read(_ANSWER_BYTES)
    except urllib.error.HTTPError as error:
        with error:
            raise _refusal(error) from None
    except TimeoutError:
        raise _AgainError("Slack did not answer in time") from None
    except OSError as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, TimeoutError):
            raise _AgainError("Slack did not answer in time") from None
        raise _AgainError(f"Slack could not be reached ({type(reason).__name__})") from None
    except http.client.HTTPException as error:
        raise NotSentError(f"{WEBHOOK}: no HTTP came back ({type(error).__name__})") from None
    if answer.strip() != b"ok":
        raise NotSentError(f"{WEBHOOK}: the answer was not that of a Slack webhook")


def _refusal(error: urllib.error.HTTPError) -> Exception:
    status = error.code
    if status == 429 or status >= 500:
        return _AgainError(f"Slack answered {status}", _retry_after_s(error.headers))
    if 300 <= status < 400:
        return NotSentError(
            f"{WEBHOOK}: answered with a redirect ({status}), which is not followed"
        )
    try:
        told = error.read(_ANSWER_BYTES).decode("ascii", "replace").strip()
    except (OSError, http.client.HTTPException):
        told = ""
    why = f" ({told})" if _CODE.fullmatch(told) else ""
    return NotSentError(f"Slack answered {status}{why}; check {WEBHOOK}")


def _retry_after_s(headers: Message) -> float | None:
    """What `Retry-After` asks for, in seconds or until a date; None without a usable one."""
    written = str(headers.get("Retry-After", "")).strip()
    if re.fullmatch(r"[0-9]{1,9}", written):
        return float(written)
    try:
        until = email.utils.parsedate_to_datetime(written)
    except ValueError:
        return None
    return max(0.0, until.timestamp() - time.time())
