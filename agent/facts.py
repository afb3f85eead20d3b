"""What is known of the host itself and hardly ever changes."""

from __future__ import annotations

import os
import re
import socket
import time
from pathlib import Path

import psutil

from agent.checks import chosen, network
from agent.checks._kernel import read
from agent.clock import Moment

VERSION = "0.1.0"
DMI = Path("/sys/class/dmi/id")
DEVICE_TREE = Path("/sys/firmware/devicetree/base/model")
CPUINFO = Path("/proc/cpuinfo")
PROCESSOR = re.compile(r"^model name\s*: *(.+)$", re.MULTILINE)
ADDRESSES_MAX = 20
OS_RELEASE = (Path("/etc/os-release"), Path("/usr/lib/os-release"))
BOOTED_MOVED_MS = 5_000


class Facts:
    """Gathers the facts; they are equal as long as nothing that matters has changed."""

    def __init__(self) -> None:
        self._lasting = {"os": os_name(), **model(), **processor()}
        self._booted_ms = 0

    def gather(self, now: Moment) -> dict[str, str]:
        # The clock is forever nudged a little, and each nudge moves the time of the boot.
        if abs(now.offset_ms - self._booted_ms) > BOOTED_MOVED_MS:
            self._booted_ms = now.offset_ms
        system = os.uname()
        return {
            "hostname": system.nodename,
            "kernel": system.release,
            "arch": system.machine,
            "cores": str(os.cpu_count() or 0),
            "memory_bytes": str(psutil.virtual_memory().total),
            "booted_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(max(0, self._booted_ms) // 1000)),
            "agent_version": VERSION,
            **self._lasting,
            **own_address(),
            **addresses(),
        }


def own_address() -> dict[str, str]:
    """Where other hosts reach this one, as far as its own routes tell; nothing without a way out.

    No packet is sent: the kernel only says from which address it would be. The ones asked about are for documents.
    """
    for family, anywhere in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as sock:
                sock.connect((anywhere, 9))
                return {"address": str(sock.getsockname()[0])}
        except OSError:
            continue
    return {}


def addresses() -> dict[str, str]:
    """Where it can be reached at all: the addresses of its network cards, without those that are good on one link only
    and what containers plug in."""
    found = [
        address.address
        for nic, its in psutil.net_if_addrs().items()
        for address in its
        if address.family in (socket.AF_INET, socket.AF_INET6) and chosen(nic, (), network.VIRTUAL.split())
    ]
    beyond = [text for text in found if not text.startswith(("127.", "169.254.", "fe80:")) and text != "::1"]
    return {"addresses": ", ".join(sorted(beyond)[:ADDRESSES_MAX])} if beyond else {}


def model(dmi: Path = DMI, device_tree: Path = DEVICE_TREE) -> dict[str, str]:
    """What machine it is, as its maker calls it: 'Dell Inc. PowerEdge R640', 'Raspberry Pi 4 Model B Rev 1.4'."""
    maker, product, board = (
        _beginning(path) for path in (dmi / "sys_vendor", dmi / "product_name", device_tree)
    )
    said = board or (product if product.startswith(maker) else f"{maker} {product}".strip())
    return {"model": said} if said else {}


def processor(cpuinfo: Path = CPUINFO) -> dict[str, str]:
    """What its processors are called; not every kind of them says so."""
    said = PROCESSOR.search(_beginning(cpuinfo))
    return {"processor": " ".join(said[1].split())[:200]} if said else {}


def _beginning(path: Path) -> str:
    """How a file begins that may not be there."""
    try:
        return read(path)[:4_000].strip("\0 \n")
    except OSError:
        return ""


def os_name() -> str:
    """What the system calls itself: 'Debian GNU/Linux 12 (bookworm)'."""
    for path in OS_RELEASE:
        try:
            lines = path.read_text("utf-8", "replace")[:10_000].splitlines()
        except OSError:
            continue
        for line in lines:
            key, _, value = line.partition("=")
            if key == "PRETTY_NAME" and value:
                return value.strip("\"'")[:200]
    return os.uname().sysname


def resident_bytes() -> int:
    """The memory this process has in use."""
    return int(read("/proc/self/statm").split()[1]) * os.sysconf("SC_PAGESIZE")
