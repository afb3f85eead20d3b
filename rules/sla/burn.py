"""How fast an error budget is being used: at a rate of 1 it lasts for exactly its period, at 14.4 for two days of 30.

An alert needs two windows. The long one says that it matters, by how much of the budget is gone; the short one that it
goes on, so that the alert ends soon after the trouble does.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from msgspec import Struct

from rules.sla.budget import counted_ms, down_ms
from rules.sla.model import ServiceOptions, Tally

MINUTE_MS = 60_000
WINDOWS: dict[str, int] = {
    "5m": 5 * MINUTE_MS,
    "30m": 30 * MINUTE_MS,
    "1h": 60 * MINUTE_MS,
    "6h": 360 * MINUTE_MS,
    "3d": 4_320 * MINUTE_MS,
}
PAIRS = (("1h", "5m", 14.4), ("6h", "30m", 6.0), ("3d", "6h", 1.0))
"""Long, short, and from which rate on they tell: then 2, 5 and 10 % of thirty days' budget are gone."""


class Rates(Struct, frozen=True):
    """Burn rates by window; None where nothing that counts is known of it."""

    by_window: dict[str, float | None]

    def both(self, long: str, short: str) -> float | None:
        """The rate that both windows reach; an alert on it is one on both."""
        rates = self.by_window[long], self.by_window[short]
        return None if rates[0] is None or rates[1] is None else min(rates[0], rates[1])

    @property
    def worst(self) -> float | None:
        """One number for all pairs, to be held against all of their rates: so one problem is one alert.

        It lies above a pair's rate only where that pair or a graver one tells. None where nothing is known of any.
        """
        reached = [
            (rate, self.both(long, short), graver)
            for (long, short, rate), graver in zip(PAIRS, (inf, *(pair[2] for pair in PAIRS)), strict=False)
        ]
        known = [(rate, both, graver) for rate, both, graver in reached if both is not None]
        if not known:
            return None
        telling = [min(both, graver) for rate, both, graver in known if both > rate]
        return max(telling, default=min(1.0, max(both for _, both, _ in known)))


def burn_rate(service: ServiceOptions, tally: Tally) -> float | None:
    """How long it was down in a window, by how long it may be; None where there is no promise, or nothing that counts.

    Time of which nothing is known stays in the window: a service that is watched for a minute has not used up the
    budget of a month in it.
    """
    if service.objective_pct is None or not counted_ms(tally, service):
        return None
    window_ms = tally.whole - tally.maintenance - tally.outside
    return down_ms(tally, service) / window_ms / ((100 - service.objective_pct) / 100)


def rates(service: ServiceOptions, now: int, tally: Callable[[int, int], Tally]) -> Rates:
    """`tally` is asked for what was from a time until before another."""
    return Rates({name: burn_rate(service, tally(now - ms, now)) for name, ms in WINDOWS.items()})
