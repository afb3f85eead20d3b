"""A house in which people do things to incidents."""

from __future__ import annotations

from rules.judging.acts import Act, act
from rules.model import ChannelView, Host, Incident
from tests.rules.house import T0, House, limit, silence

CPU = limit("cpu", "cpu_used_pct", above={"warning": 80.0, "critical": 95.0})
CHANNELS = (ChannelView("mail", "info"),)
NOW = T0 + 60_000
HOUR = 3_600_000


def house(*values: float, hosts: int = 1) -> House:
    """Hosts that report every ten seconds; each value in turn, on the first of them."""
    made = House([CPU, silence()], hosts=[Host(n, f"h{n}") for n in range(1, hosts + 1)], channels=CHANNELS)
    for turn, value in enumerate(values):
        made.batch(10 * turn, {"cpu_used_pct": value})
    return made


def do(house: House, what: Act, at: int = NOW) -> Incident:
    outcome = house._take(lambda: act(house.watch, what, at))
    return outcome.incidents[0]


def remarks(house: House) -> list[tuple[str, str, str]]:
    return [(one.by, one.kind, one.text) for outcome in house.outcomes for one in outcome.remarks]


def reasons(house: House) -> list[str]:
    return [notice.reason for notice in house.notices]
