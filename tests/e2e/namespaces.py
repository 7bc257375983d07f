"""Two machines and the two cables between them, as network namespaces of this one.

One cable is for the master and its worker to talk, and is pulled by the tests; the load goes over
the other. Making them needs root and iproute2.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

MASTER_IP, SERVICE_IP = "10.77.1.1", "10.77.2.1"
_NEW_NETWORK = 0x40000000  # CLONE_NEWNET of <linux/sched.h>


class Machines:
    """The namespaces `near` (master and service) and `far` (worker)."""

    def __init__(self) -> None:
        name = uuid.uuid4().hex[:6]
        self.near, self.far = f"near-{name}", f"far-{name}"
        self._talk, self._load = f"talk-{name}", f"load-{name}"

    def make(self) -> None:
        """Make both, with a cable each for talk and load."""
        for machine in (self.near, self.far):
            ip("netns", "add", machine)
            ip("-n", machine, "link", "set", "lo", "up")
        for number, cable in ((1, self._talk), (2, self._load)):
            ends = ("type", "veth", "peer", "name", cable, "netns", self.far)
            ip("-n", self.near, "link", "add", cable, *ends)
            for place, machine in ((1, self.near), (2, self.far)):
                ip("-n", machine, "addr", "add", f"10.77.{number}.{place}/24", "dev", cable)
                ip("-n", machine, "link", "set", cable, "up")

    def unmake(self) -> None:
        """Take them away; what is not there is no matter."""
        for machine in (self.near, self.far):
            ip("netns", "del", machine, check=False)

    def pull(self) -> None:
        """Pull the cable between master and worker; nobody is told."""
        ip("-n", self.near, "link", "set", self._talk, "down")

    def plug_in(self) -> None:
        """Mend it."""
        ip("-n", self.near, "link", "set", self._talk, "up")

    @contextmanager
    def on(self, machine: str) -> Iterator[None]:
        """What this thread starts in the meantime is started there."""
        with Path("/proc/self/ns/net").open() as home:
            with Path(f"/run/netns/{machine}").open() as there:
                _enter(there.fileno())
            try:
                yield
            finally:
                _enter(home.fileno())


def why_not() -> str | None:
    """What keeps this machine from making namespaces; None where nothing does."""
    if shutil.which("ip") is None:
        return "iproute2 is not installed"
    if os.geteuid() != 0:
        return "making network namespaces needs root"
    machines = Machines()
    try:
        machines.make()
    except subprocess.CalledProcessError as error:
        return f"network namespaces cannot be made: {error.stderr.strip()}"
    finally:
        machines.unmake()
    return None


@contextmanager
def two_machines() -> Iterator[Machines]:
    """Both for a while; a test is skipped with the reason where they cannot be made."""
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    machines = Machines()
    try:
        machines.make()
        yield machines
    finally:
        machines.unmake()


def ip(*arguments: str, check: bool = True) -> None:
    """Run `ip`."""
    subprocess.run(["ip", *arguments], check=check, capture_output=True, text=True)


def _enter(namespace: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, _NEW_NETWORK):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
