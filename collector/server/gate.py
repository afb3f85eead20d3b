"""Who may come in: how many at once, how many from one place, and how long each may take."""

from __future__ import annotations

from collections import Counter as Tally

from msgspec import Struct
from prometheus_client import CollectorRegistry, Counter, Gauge

from collector.who import LOOPBACK


class Limits(Struct, frozen=True, kw_only=True):
    """What one peer, and all of them together, may ask of the server."""

    connections_max: int = 4_096
    connections_per_network_max: int | None = None
    """From one IPv4 address or IPv6 /64; by default half of all. Loopback is exempt: a proxy there speaks for many."""
    head_timeout_s: float = 10.0
    head_bytes_max: int = 32 * 1024
    body_timeout_s: float = 30.0
    idle_timeout_s: float = 90.0
    """Longer than agents usually wait between two pushes, so that they need not connect anew for each."""
    stall_timeout_s: float = 30.0
    """An answer of which the peer took nothing for so long is given up."""
    linger_s: float = 2.0
    """For so long the rest of a refused body is read and dropped: closing at once would reset the answer away."""
    stop_timeout_s: float = 10.0


class Metrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self.open = Gauge("watchkeeper_http_connections", "Connections that are open", registry=registry)
        self.turned_away = _by_why(
            registry, "turned_away", "Connections refused", ("full", "network", "files")
        )
        self.cut = _by_why(registry, "cut", "Connections ended by a limit", ("head", "body", "stall", "tls"))
        self.refused = _by_why(registry, "refused", "Requests that made no sense", ("not_http",))
        self.errors = Counter(
            "watchkeeper_http_errors", "Requests that failed on our side", registry=registry
        )


def _by_why(registry: CollectorRegistry, name: str, text: str, whys: tuple[str, ...]) -> dict[str, Counter]:
    counter = Counter(f"watchkeeper_http_{name}", text, ["why"], registry=registry)
    return {why: counter.labels(why) for why in whys}


class Gate:
    """Counts who is in. `connections_max` may be lowered to what the system allows."""

    def __init__(self, limits: Limits, registry: CollectorRegistry) -> None:
        self.limits = limits
        self.metrics = Metrics(registry)
        self.connections_max = limits.connections_max
        self.open = 0
        self._open_by_network: Tally[str] = Tally()

    def enter(self, network: str) -> bool:
        """Whether there is room for one more from there. Who is let in must `leave` once."""
        per_network_max = self.limits.connections_per_network_max or max(1, self.connections_max // 2)
        if self.open >= self.connections_max:
            self.metrics.turned_away["full"].inc()
            return False
        if network != LOOPBACK and self._open_by_network[network] >= per_network_max:
            self.metrics.turned_away["network"].inc()
            return False
        self._open_by_network[network] += 1
        self._count(+1)
        return True

    def leave(self, network: str) -> None:
        self._open_by_network[network] -= 1
        if not self._open_by_network[network]:
            del self._open_by_network[network]
        self._count(-1)

    def _count(self, change: int) -> None:
        self.open += change
        self.metrics.open.set(self.open)
