"""From decisions to messages: for all incidents of one moment, who is told what, and in how many messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from rules.model import Incident, Notice, Told, Withheld, worst
from rules.policy.deciding import Case, Decision, Owed, decide
from rules.policy.rationing import Room
from rules.telling import digests, notices

if TYPE_CHECKING:
    from rules.memory.watch import Watch

ABOUT_MAX = 500
"""Problems that one message is about; of more there is another one."""

Storyteller = Callable[[Incident], notices.Story]


class _Asked(Struct):
    """What was decided about one incident, and what of it leaves now."""

    case: Case
    decision: Decision
    leaving: list[Owed] = []
    withheld: list[Withheld] = []

    @property
    def incident(self) -> Incident:
        return self.case.incident


class Telling:
    """Reads a Watch and changes nothing. After `tell`, `incidents` are those of the cases with what they know now, and
    `looks` says when to look at each again."""

    def __init__(self, watch: Watch, now: int) -> None:
        self._watch, self._now = watch, now
        self.incidents: dict[int, Incident] = {}
        self.looks: dict[int, int | None] = {}

    def tell(self, cases: Sequence[Case], story: Storyteller) -> list[Notice]:
        """The messages that are owed. `story` makes the words of one incident."""
        room = Room(self._watch.ledger, self._watch.channels, self._now)
        asked = [self._ask(case, room) for case in cases]
        bundles = _bundles(asked)
        written: list[Notice] = []
        for one in asked:
            alone = [owed for owed in one.leaving if (owed.channel, owed.bundle) not in bundles]
            if alone:
                said = story(one.incident)
                written += [notices.write(said, owed, self._watch.instance) for owed in alone]
        for (channel, _), lines in bundles.items():
            stories = [(story(one.incident), owed) for one, owed in lines]
            for begin in range(0, len(stories), ABOUT_MAX):
                part = stories[begin : begin + ABOUT_MAX]
                written.append(digests.write(part, channel, self._watch.instance))
        for one in asked:
            self._note(one, bundles)
        return written

    def _ask(self, case: Case, room: Room) -> _Asked:
        decision = decide(case, self._watch.policy, self._now)
        asked = _Asked(case, decision, [], list(decision.withheld))
        for owed in decision.owed:
            word = room.ration(case.incident, owed)
            if isinstance(word, Owed):
                asked.leaving.append(word)
            else:
                asked.withheld.append(word)
        return asked

    def _note(self, asked: _Asked, bundles: Mapping[tuple[str, str], object]) -> None:
        """What the incident knows from now on, and when to look at it again."""
        incident = asked.incident
        told = dict(incident.told)
        if incident.resolved_at is not None:  # a channel that is no more hears of no end
            names = {channel.name for channel in self._watch.channels}
            told = {channel: said for channel, said in told.items() if channel in names}
        for owed in asked.leaving:
            if owed.reason == "resolved":
                del told[owed.channel]
            else:
                bundle = owed.bundle if (owed.channel, owed.bundle) in bundles else ""
                told[owed.channel] = _told(told.get(owed.channel), owed, bundle, self._now)
        incident = replace(incident, told=told, withheld=tuple(asked.withheld))
        self.incidents[incident.id] = incident
        look = asked.decision.look_again_at
        if asked.leaving:
            look = decide(replace(asked.case, incident=incident), self._watch.policy, self._now).look_again_at
        looks = [look, *(entry.until for entry in asked.withheld)]
        self.looks[incident.id] = min((at for at in looks if at is not None), default=None)


def _told(before: Told | None, owed: Owed, bundle: str, now: int) -> Told:
    if before is None:
        return Told(owed.severity, now, now, 1, owed.after_ms, bundle)
    return Told(
        severity=worst(before.severity, owed.severity) or owed.severity,
        since=before.since,
        at=now,
        count=before.count + 1,
        after_ms=max(before.after_ms, owed.after_ms),
        bundle=bundle,
    )


def _bundles(asked: Sequence[_Asked]) -> dict[tuple[str, str], list[tuple[_Asked, Owed]]]:
    """What goes together in one message; one alone has a message of its own."""
    found: dict[tuple[str, str], list[tuple[_Asked, Owed]]] = {}
    for one in asked:
        for owed in one.leaving:
            if owed.bundle:
                found.setdefault((owed.channel, owed.bundle), []).append((one, owed))
    return {bundle: lines for bundle, lines in found.items() if len(lines) > 1}
