"""Network namespaces: hosts with networks of their own on one machine, joined by a bridge. Needs root and `ip`."""

from __future__ import annotations

import ctypes
import os
import secrets
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

CLONE_NEWNET = 0x40000000
NAMESPACES = Path("/run/netns")


class Network:
    """Namespaces of one run, all removed by `remove`. Their names begin with a tag that no other run has."""

    def __init__(self) -> None:
        self._tag = f"wk-{os.getpid()}-{secrets.token_hex(2)}"
        self._made: list[str] = []

    def full_name(self, host: str) -> str:
        return f"{self._tag}-{host}"

    def add(self, host: str) -> None:
        """A namespace with nothing but loopback."""
        name = self.full_name(host)
        ip("netns", "add", name)
        self._made.append(name)
        ip("-n", name, "link", "set", "lo", "up")

    def add_bridge(self, host: str) -> None:
        """A namespace that joins others, like a switch."""
        self.add(host)
        ip("-n", self.full_name(host), "link", "add", "br0", "type", "bridge")
        ip("-n", self.full_name(host), "link", "set", "br0", "up")

    def plug(self, host: str, address: str, bridge: str) -> None:
        """A cable from `host` (eth0) to a bridge."""
        self.cable(host, "eth0", address, bridge, host)
        ip("-n", self.full_name(bridge), "link", "set", host, "master", "br0")

    def cable(
        self, host: str, nic: str, address: str, other: str, other_nic: str, other_address: str = ""
    ) -> None:
        one, two = self.full_name(host), self.full_name(other)
        ip("link", "add", nic, "netns", one, "type", "veth", "peer", "name", other_nic, "netns", two)
        for name, end, its_address in ((one, nic, address), (two, other_nic, other_address)):
            if its_address:
                ip("-n", name, "addr", "add", f"{its_address}/24", "dev", end)
            ip("-n", name, "link", "set", end, "up")

    def route(self, host: str, to: str, via: str) -> None:
        ip("-n", self.full_name(host), "route", "add", to, "via", via)

    def forward(self, host: str) -> None:
        """Make a router of it."""
        self.inside(host, lambda: Path("/proc/sys/net/ipv4/ip_forward").write_text("1"))

    def link(self, host: str, nic: str, state: str) -> None:
        """state: up or down."""
        ip("-n", self.full_name(host), "link", "set", nic, state)

    def prefix(self, host: str, *, mounts: str = "") -> list[str]:
        """What to put before a command so that it runs there, under that host's name, with its own `mounts`."""
        script = f'hostname {host}; {mounts or ":"}; exec "$@"'
        enter = ["ip", "netns", "exec", self.full_name(host)]
        return [*enter, "unshare", "--uts", "--mount", "sh", "-ec", script, "sh"]

    def inside(self, host: str, work: Callable[[], T]) -> T:
        """Do `work` in that namespace and return what it returns: a thread of its own moves there for it."""
        results: list[T] = []
        errors: list[BaseException] = []

        def move_and_work() -> None:
            try:
                with (NAMESPACES / self.full_name(host)).open() as namespace:
                    if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET):
                        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
                results.append(work())
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=move_and_work)
        thread.start()
        thread.join()
        if errors:
            raise errors[0]
        return results[0]

    def remove(self) -> None:
        for name in self._made:
            subprocess.run(["ip", "netns", "del", name], check=False)
        self._made.clear()


def ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, timeout=10, check=False)
    if done.returncode:
        raise RuntimeError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


def is_possible() -> bool:
    """Whether this process may make namespaces and mount in them."""
    if os.geteuid() != 0:
        return False
    network = Network()
    try:
        network.add("probe")
        command = [*network.prefix("probe", mounts="mount -t tmpfs none /srv"), "true"]
        return subprocess.run(command, capture_output=True, timeout=10, check=False).returncode == 0
    except (OSError, RuntimeError):
        return False
    finally:
        network.remove()
