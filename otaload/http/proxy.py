"""Proxies are refused aloud: a proxy would be what is measured, or silently be bypassed."""

import ipaddress
from urllib import request as environment

from otaload.http.target import Origin


class ProxyNotSupportedError(RuntimeError):
    """The environment names a proxy for a target; the text says how to go without."""


def refuse_proxy(origin: Origin) -> None:
    """Raise ProxyNotSupportedError if the environment wants a proxy between us and `origin`.

    Loopback targets and those that NO_PROXY names are let through.
    """
    proxies = environment.getproxies_environment()
    variable = next((name for name in (origin.scheme, "all") if proxies.get(name)), None)
    if variable is None or _is_loopback(origin.host):
        return
    # There since Python 3.3, and unknown to typeshed.
    bypass = environment.proxy_bypass_environment  # type: ignore[attr-defined]
    if bypass(f"{origin.host}:{origin.port}", proxies):
        return
    setting = f"{variable.upper()}_PROXY"
    raise ProxyNotSupportedError(
        f"{setting} is set in the environment and applies to {origin.host}; load is only sent "
        f"directly: unset {setting} or add {origin.host} to NO_PROXY"
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
