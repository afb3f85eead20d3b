"""A house in which a year passes from event to event: nothing is computed for the hours in which nothing happens.

Hosts that are alive are heard all the time, as the judge is told by `listen_from`; a tick comes whenever one is due.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from rules.judging.acts import Acknowledge, act
from rules.judging.engine import Rule
from rules.judging.judge import Watch, apply, judge, tick
from rules.model import Arrival, ChannelView, Host, Notice, Outcome
from rules.policy import Policy, Silence
from tests.rules.house import T0, remembered, stored

EVERY_MS = 10_000
MINUTE, HOUR = 60_000, 3_600_000
BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
Event = tuple[int, Callable[[], None]]


def at(day: date, clock: str, zone: ZoneInfo = BERLIN) -> int:
    """When a clock there shows `clock`; 26:30 is half past two of the day after."""
    hour, minute = map(int, clock.split(":"))
    shown = datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(hours=hour, minutes=minute)
    return round(shown.timestamp()) * 1000


def days(year: int = 2026) -> Iterator[date]:
    first = date(year, 1, 1)
    return (first + timedelta(days=ahead) for ahead in range((date(year + 1, 1, 1) - first).days))


class Year:
    def __init__(
        self,
        rules: Sequence[Rule],
        hosts: Sequence[Host],
        channels: Sequence[ChannelView],
        policy: Callable[[Sequence[Silence]], Policy],
        start: int,
    ) -> None:
        self.rules, self.channels, self._policy = rules, channels, policy
        self.now, self.silences = start, list[Silence]()
        self.notices: list[Notice] = []
        self.restarts = self.ticks = 0
        self.dead: set[int] = set()
        self._seq: Counter[int] = Counter()
        self._ids = {host.name: host.id for host in hosts}
        self.watch: Watch = remembered(rules, channels=channels, policy=policy([]), hosts=hosts)
        for host in hosts:
            self.says(host.name, {"load1": 1.0})

    # --- what happens ---

    def says(self, name: str, values: Mapping[str, float]) -> None:
        """A batch of a host that has been heard all the time."""
        host = self._ids[name]
        self._seq[host] += 1
        numbers = np.array(list(values.values()))
        arrival = Arrival(
            host, "a" * 32, self._seq[host], 0, self.now, self.now, EVERY_MS, 0, tuple(values), numbers
        )
        self._take(judge(self.watch, arrival, self.now))

    def dies(self, names: Sequence[str]) -> None:
        self.dead |= {self._ids[name] for name in names}

    def is_back(self, names: Sequence[str]) -> None:
        self.dead -= {self._ids[name] for name in names}
        for name in names:
            self.says(name, {"load1": 1.0})

    def silence(self, name: str, until: int) -> None:
        self.silences.append(Silence(where={"host": name}, start=self.now, end=until, by="ada"))
        self.watch.replace_policy(self._policy(self.silences))

    def acknowledge_all(self) -> None:
        for incident in [one for one in self.watch.incidents.values() if one.resolved_at is None]:
            self._take(act(self.watch, Acknowledge(incident.id, "ada"), self.now))

    def restart(self) -> None:
        self.restarts += 1
        self.watch = remembered(
            self.rules,
            channels=self.channels,
            policy=self._policy(self.silences),
            rest=stored(self.watch),
            started_s=(self.now - T0) / 1000,
        )

    # --- how time passes ---

    def live(self, events: Sequence[Event]) -> None:
        for when, happens in sorted(events, key=lambda event: event[0]):
            self.until(when)
            happens()

    def until(self, when: int) -> None:
        """Tick whenever something is due, and every few seconds while somebody has not been heard."""
        while self.now < when:
            due = self.watch.looks._heap[0][0] if self.watch.looks._heap else when
            steps = [when, max(due, self.now + 1)]
            if self.dead or any(memory.absence for memory in self.watch.hosts.values()):
                steps.append(self.now + EVERY_MS)
            self.now = min(steps)
            for number, memory in self.watch.hosts.items():
                if number not in self.dead:
                    memory.listen_from(self.now)
            self.ticks += 1
            self._take(tick(self.watch, self.now))

    def _take(self, outcome: Outcome) -> None:
        apply(self.watch, outcome)
        self.notices += outcome.notices

    def counts(self) -> dict[tuple[str, str], int]:
        return dict(Counter((notice.channel, notice.reason) for notice in self.notices))
