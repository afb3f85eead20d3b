"""How a host stands: one answer for pages, the API, commands and metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, get_args

from rules.memory.host import RESTART_MS
from rules.model import Alert, Host

if TYPE_CHECKING:
    from rules.memory.watch import Watch

HostState = Literal["heard", "silent", "restarting", "stopped", "never_heard", "quiet"]
HOST_STATES: tuple[HostState, ...] = get_args(HostState)
OF_HOSTS = tuple(state for state in HOST_STATES if state != "quiet")
"""Those in which a host can be that is no service."""
SILENT_INTERVALS = 3
SILENT_MS_MIN = 3_000


def is_silent(host: Host, now: int) -> bool:
    """Not heard for so long that its last values say nothing about now. Never heard counts too."""
    if host.arrived_at is None:
        return True
    return now - host.arrived_at > max(SILENT_MS_MIN, SILENT_INTERVALS * host.every_ms)


def silent_hosts(alerts: Iterable[Alert]) -> frozenset[int]:
    """Those about which an open alert says that they are silent."""
    return frozenset(alert.host for alert in alerts if alert.subject == f"host:{alert.host}")


def state_of(host: Host, now: int, *, is_missed: bool = False) -> HostState:
    """`is_missed`: an open alert says that it is silent, which a rule may find before this does. A service that posts
    metrics does so when there is work: it is quiet then, and nobody wonders."""
    if host.arrived_at is None:
        return "never_heard"
    if host.flags and host.has_stopped:  # few hosts have any, and ten thousand are asked at once
        return "stopped"
    if host.flags and host.bye == "restart" and now - host.arrived_at <= RESTART_MS:
        return "restarting"
    if is_missed or is_silent(host, now):
        return "quiet" if host.is_service else "silent"
    return "heard"


def hosts_by_state(watch: Watch, now: int) -> dict[str, int]:
    """How many hosts stand how; services are none."""
    states = Counter(
        state_of(memory.host, now, is_missed=bool(memory.absence))
        for memory in watch.hosts.values()
        if not memory.host.is_service
    )
    return {state: states[state] for state in OF_HOSTS}
