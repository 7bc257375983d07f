"""The report's section on where the load went, and whether production was among it."""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

from analysis.quantities import Unit, format_count, format_quantity
from analysis.render.markup import Markup, element, joined, table
from analysis.runs import Run

PRODUCTION = "production"
GUARDED = ("embedded", "loopback", "staging")
"""Kinds of target that the rules of targets.yaml were asked about, and did not call production."""
UNTOUCHED = "no production host was contacted"
_USERINFO = re.compile(r"//[^/@\s]+@")
_PORT = re.compile(r":\d+$")


def without_user(url: str) -> str:
    """A URL without the name and password that it may hold."""
    return _USERINFO.sub("//…@", url)


def production_sentence(run: Run) -> str:
    """Whether production was contacted, as far as the run knows."""
    if run.meta.target.get("kind") == PRODUCTION:
        return "the target is production, which only the health scenario may contact"
    if not run.meta.hosts:
        return UNTOUCHED if not run.totals[0] else "not known: the hosts were not recorded"
    strangers = unguarded_hosts(run)
    if not strangers:
        return UNTOUCHED
    return f"not known: nothing held {', '.join(strangers)} against the rules of targets.yaml"


def unguarded_hosts(run: Run) -> list[str]:
    """The hosts of which nobody asked whether they are production, in the order of the alphabet.

    The target was asked about before the start, and the machine itself needs no asking. The lean
    client asks about every host before it connects; Locust's own clients follow a redirect to
    wherever it leads. That the lean one was at work shows in the set-up times that it alone tells.
    """
    asked = run.meta.target.get("kind") in GUARDED
    if asked and run.setups:
        return []
    own = _host_of(run.meta.target.get("base_url", "")) if asked else ""
    return sorted(
        host for host in run.meta.hosts if not is_loopback(host) and _PORT.sub("", host) != own
    )


def _host_of(url: str) -> str:
    address = url if "//" in url else f"//{url}"
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def is_loopback(host: str) -> bool:
    """Whether a host, with or without its port, is the machine itself."""
    name = _PORT.sub("", host).strip("[]")
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def hosts_section(run: Run) -> Markup:
    """The sentence and what it rests on, and each host with its requests."""
    told = production_sentence(run)
    parts = [element("p", element("strong", f"{told[:1].upper()}{told[1:]}."), " ", _why(run))]
    total = sum(run.meta.hosts.values())
    rows = [
        (
            host,
            "this machine" if is_loopback(host) else "elsewhere",
            format_count(n),
            format_quantity(n / total, Unit.RATIO),
        )
        for host, n in sorted(run.meta.hosts.items(), key=lambda item: -item[1])
    ]
    if rows:
        caption = "Every host that a request was sent to, redirects included."
        parts.append(
            table(("Host", "Where", "Requests", "Share"), rows, numeric=(2, 3), caption=caption)
        )
    return joined(parts)


def _why(run: Run) -> str:
    hosts = run.meta.hosts
    if run.meta.target.get("kind") == PRODUCTION or not hosts or unguarded_hosts(run):
        return ""
    if all(is_loopback(host) for host in hosts):
        return "Every request stayed on the machine that made the load."
    return (
        "The target and every other host are held against the production rules of targets.yaml "
        "before they are asked; one that matches is refused."
    )
