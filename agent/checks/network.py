"""How much goes through each network interface, what was lost, and whether it is up.

Rates are since the last tick. A counter that went backwards (it wrapped, or the interface is a new one of the old name)
says nothing about that time, which is left as a gap.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import psutil
from msgspec import Struct

from agent.checks import CheckOptions, Measured, chosen
from agent.checks._kernel import read
from agent.wire import series_name

SYS_NET = Path("/sys/class/net")
VIRTUAL = "lo veth* docker* br-* virbr* vnet* lxc* lxd* cni* cali* cilium* flannel* podman* ifb* dummy*"
IFF_UP = 0x1
SERIES = {
    "net_up": "1 when a network interface is up, else 0.",
    "net_rx_bytes_per_s": "How much a network interface received.",
    "net_tx_bytes_per_s": "How much a network interface sent.",
    "net_errors_per_s": "How many packets a network interface received or sent broken.",
    "net_drops_per_s": "How many packets a network interface let fall, in either direction.",
}


class Options(CheckOptions, kw_only=True, frozen=True):
    """
    include_nics: patterns of the interfaces to look at and no others; when left out, all that are not excluded
    exclude_nics: patterns of interfaces to leave out, unless some are included; by default those of containers
    """

    include_nics: tuple[str, ...] = ()
    exclude_nics: tuple[str, ...] = tuple(VIRTUAL.split())

    by_default: ClassVar[bool] = True


class Counted(Struct, frozen=True):
    """What an interface had counted at a time."""

    at_s: float
    rx_bytes: int
    tx_bytes: int
    errors: int
    drops: int


class Check:
    def __init__(self, options: Options) -> None:
        self._options = options
        self._before: dict[str, Counted] = {}

    def measure(self, at_s: float) -> Measured:
        now = {
            nic: Counted(at_s, c.bytes_recv, c.bytes_sent, c.errin + c.errout, c.dropin + c.dropout)
            for nic, c in psutil.net_io_counters(pernic=True, nowrap=False).items()
            if chosen(nic, self._options.include_nics, self._options.exclude_nics)
        }
        samples: dict[str, float | None] = {}
        for nic, counted in now.items():
            label = {"nic": nic}
            samples[series_name("net_up", label)] = is_up(SYS_NET / nic)
            if nic in self._before:
                for what, rate in rates(self._before[nic], counted).items():
                    samples[series_name(f"net_{what}_per_s", label)] = rate
        self._before = now
        return Measured(samples)


def rates(before: Counted, now: Counted) -> dict[str, float]:
    """What passed per second; nothing at all if any counter went backwards."""
    seconds = now.at_s - before.at_s
    passed = {
        name: getattr(now, name) - getattr(before, name)
        for name in ("rx_bytes", "tx_bytes", "errors", "drops")
    }
    if seconds <= 0 or min(passed.values()) < 0:
        return {}
    return {name: count / seconds for name, count in passed.items()}


def is_up(folder: Path) -> float | None:
    """1 or 0; None when the interface went away meanwhile."""
    try:
        state = read(f"{folder}/operstate").strip()
        if state != "unknown":
            return float(state == "up")
        # Tunnels and other drivers that do not know: what the administrator set has to do.
        return float(int(read(f"{folder}/flags"), 16) & IFF_UP)
    except OSError:
        return None
