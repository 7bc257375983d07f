"""The report's section on where the load went, and whether production was among it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

from analysis.meta import REFUSED
from analysis.quantities import Unit, format_count, format_quantity, plural
from analysis.render.markup import Markup, element, joined, table
from analysis.runs import Run

PRODUCTION, HEALTH = "production", "health"
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
    if run.meta.production_hosts:
        return _contacted(run, run.meta.production_hosts)
    if run.meta.target.get("kind") == PRODUCTION:
        return "the target is production, which only the health scenario may contact"
    if not run.meta.hosts:
        return UNTOUCHED if not run.totals[0] else "not known: the hosts were not recorded"
    strangers = unguarded_hosts(run)
    if not strangers:
        return UNTOUCHED
    return f"not known: nothing held {', '.join(strangers)} against the rules of targets.yaml"


def _contacted(run: Run, hosts: Sequence[str]) -> str:
    named = ", ".join(
        f"{host} ({format_count(n)} {plural(n, 'request')})"
        if (n := run.meta.hosts.get(host))
        else host
        for host in hosts
    )
    who = "a production host was" if len(hosts) == 1 else "production hosts were"
    if run.meta.ended == REFUSED:
        return f"{who} contacted: {named}; the run was ended"
    if run.meta.scenario == HEALTH:
        return f"{who} contacted, as the health scenario may: {named}"
    return f"{who} contacted: {named}"


def unguarded_hosts(run: Run) -> list[str]:
    """The hosts of which nobody asked whether they are production, in the order of the alphabet.

    A run that names its production hosts, be it none, has asked about every one. An older run had
    its target asked about before the start, and the machine itself needs no asking.
    """
    if run.meta.production_hosts is not None:
        return []
    asked = run.meta.target.get("kind") in GUARDED
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
            _where(host, production=host in (run.meta.production_hosts or ())),
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


def _where(host: str, *, production: bool) -> str:
    place = "this machine" if is_loopback(host) else "elsewhere"
    return f"{place}, {PRODUCTION}" if production else place


def _why(run: Run) -> str:
    hosts = run.meta.hosts
    known = run.meta.production_hosts
    if known:
        return (
            "The lean client asks about a host before it connects; Locust's own clients do not, "
            "and what they reach is held against the production rules of targets.yaml at once."
        )
    if run.meta.target.get("kind") == PRODUCTION or not hosts or unguarded_hosts(run):
        return ""
    if all(is_loopback(host) for host in hosts):
        return "Every request stayed on the machine that made the load."
    if known is None:
        return (
            "The target was held against the production rules of targets.yaml before the start, "
            "and nothing but the machine itself was contacted beside it."
        )
    return (
        "The target and every host that was contacted were held against the production rules of "
        "targets.yaml, and none matched."
    )
