"""What each channel is owed of one problem as it stands, what is kept from it and why, and when to look again.

Asked again at the same time, after what was owed is written down, the answer is: nothing. So it does not matter how
often it is asked, only that it is asked when the time has come.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from rules.model import RANK, ChannelView, Incident, Reason, Severity, Told, Withheld, worst
from rules.policy.flapping import restless_until
from rules.policy.matching import Trouble
from rules.policy.muting import Mute

if TYPE_CHECKING:
    from rules.policy.policy import Policy

QUIET = "quiet hours"
DIGEST_MS = 10 * 60_000
"""So long at most waits what is told together with others."""


class Case(Struct, frozen=True):
    """A problem as it stands: `troubles` are its own alerts that stand, or all of its own where none does."""

    incident: Incident
    troubles: tuple[Trouble, ...]
    channels: tuple[ChannelView, ...]


class Owed(Struct, frozen=True):
    """A channel is to be told. What has the same `bundle` is told in one message, for which it may wait `wait_ms`;
    `after_ms` is how long nobody had acknowledged it, where that is why."""

    channel: str
    reason: Reason
    severity: Severity
    bundle: str = ""
    wait_ms: int = 0
    after_ms: int = 0


class Decision(Struct, frozen=True):
    """What follows now. `look_again_at` is when time alone may change it, once what is owed is written down."""

    owed: list[Owed] = []
    withheld: list[Withheld] = []
    look_again_at: int | None = None


class Reach(Struct, frozen=True):
    """How a channel comes to hear of it: by the route of a place, and by a step that is due after so long."""

    place: int
    after_ms: int = 0


def decide(case: Case, policy: Policy, now: int) -> Decision:
    if case.incident.resolved_at is not None:
        return _of_its_end(case, policy, now)
    mutes = [policy.mute(trouble, case.incident.services, now) for trouble in case.troubles]
    audible = [trouble for trouble, mute in zip(case.troubles, mutes, strict=True) if mute is None]
    muted = [mute for mute in mutes if mute is not None]
    if not audible:
        return _muted(muted)
    return _Standing(case, policy, audible, now).decision(muted)


def _muted(mutes: Sequence[Mute]) -> Decision:
    """All is kept quiet, until the first of it may be told."""
    first = min(mutes, key=lambda mute: mute.until or 2**62)
    return Decision([], [Withheld("", first.why, first.until, first.detail)], first.until)


class _Standing:
    """Deciding about a problem that is not over. `audible` is what may be told of it."""

    def __init__(self, case: Case, policy: Policy, audible: Sequence[Trouble], now: int) -> None:
        self.case, self.policy, self.audible, self.now = case, policy, audible, now
        self.incident = case.incident
        self.severity = worst(*(trouble.severity for trouble in audible)) or self.incident.severity
        self.looks: list[int | None] = []
        self.places, change = policy.taken(audible, case.incident.services, now)
        self.looks.append(change)

    def decision(self, muted: Sequence[Mute]) -> Decision:
        owed: list[Owed] = []
        withheld: list[Withheld] = []
        reached = self._reached()
        for channel in self.case.channels:
            if channel.name in reached and RANK[self.severity] >= RANK[channel.from_severity]:
                word = self._word(channel.name, reached[channel.name])
                if isinstance(word, Owed):
                    owed.append(word)
                elif word is not None:
                    withheld.append(word)
        if not self.places:
            withheld.append(Withheld("", "no route"))
        ends = [*self.looks, *(mute.until for mute in muted), *(entry.until for entry in withheld)]
        return Decision(owed, withheld, min((at for at in ends if at is not None), default=None))

    # --- who it reaches ---

    def _reached(self) -> dict[str, Reach]:
        """Every channel that it reaches now, with the step that went furthest."""
        reached: dict[str, Reach] = {}
        told_at = min((told.since for told in self.incident.told.values()), default=None)
        for place in self.places:
            route = self.policy.routes[place]
            for name in self._named(route.channels):
                reached.setdefault(name, Reach(place))
            if told_at is None or self._hush() is not None:
                continue
            for step in route.escalate:
                if told_at + step.after_ms > self.now:
                    self.looks.append(told_at + step.after_ms)
                    continue
                for name in self._named(step.channels):
                    if name not in reached or reached[name].after_ms < step.after_ms:
                        reached[name] = Reach(place, step.after_ms)
        return reached

    def _named(self, names: Sequence[str]) -> Sequence[str]:
        self.looks.append(self.policy.hand_over(names, self.now))
        return list(self.policy.named(names, self.case.channels, self.now))

    # --- what it hears ---

    def _word(self, channel: str, reach: Reach) -> Owed | Withheld | None:
        told = self.incident.told.get(channel)
        reason = self._reason(told, reach)
        if reason is None:
            return None
        hush = self._hush()
        if hush is not None:
            return Withheld(channel, hush.why, hush.until, hush.detail) if reason == "first" else None
        quiet_until = self.policy.quiet_until(reach.place, self.severity, self.now)
        if quiet_until is not None and reason == "repeat":
            self.looks.append(quiet_until)
            return None
        if quiet_until is not None:
            return Withheld(channel, "quiet hours", quiet_until, bundle=QUIET)
        bundle, wait_ms = group(self.policy, reach.place, self.audible)
        return Owed(channel, reason, self.severity, bundle, wait_ms, reach.after_ms)

    def _reason(self, told: Told | None, reach: Reach) -> Reason | None:
        if told is None:
            return "first"
        if RANK[self.severity] > RANK[told.severity] or reach.after_ms > told.after_ms:
            return "escalated"
        if self._hush() is not None:
            return None
        due = self._repeat_at(told, reach)
        if due is None:
            return None
        if due <= self.now:
            return "repeat"
        self.looks.append(due)
        return None

    def _repeat_at(self, told: Told, reach: Reach) -> int | None:
        """When it is told again: after a while, and when a time ends for which somebody wanted to hear no more."""
        repeat_ms = self.policy.routes[reach.place].repeat_ms(self.severity)
        due = None if repeat_ms is None else told.at + repeat_ms
        woken_at = self.incident.snoozed_until
        if woken_at is not None and told.at < woken_at:
            due = woken_at if due is None else min(due, woken_at)
        return due

    def _hush(self) -> Mute | None:
        """Somebody knows of it, and it is not graver than it was then."""
        incident = self.incident
        if RANK[self.severity] > RANK[incident.noted]:
            return None
        if incident.acknowledged_at is not None:
            return Mute("acknowledged", None, incident.acknowledged_by)
        if incident.snoozed_until is not None and self.now < incident.snoozed_until:
            self.looks.append(incident.snoozed_until)
            return Mute("snoozed", incident.snoozed_until)
        return None


def _of_its_end(case: Case, policy: Policy, now: int) -> Decision:
    """Whoever was told hears of the end, whatever silences or acknowledgements say."""
    incident = case.incident
    owed: list[Owed] = []
    withheld: list[Withheld] = []
    places = _places(case, policy, now)
    restless = restless_until(incident)
    for channel in case.channels:
        told = incident.told.get(channel.name)
        if told is None:
            continue
        place = places.get(channel.name)
        quiet_until = policy.quiet_until(place, told.severity, now)
        if restless is not None and now < restless:
            withheld.append(Withheld(channel.name, "flapping", restless))
        elif quiet_until is not None:
            withheld.append(Withheld(channel.name, "quiet hours", quiet_until, bundle=QUIET))
        else:
            bundle, wait_ms = group(policy, place, case.troubles)
            wait_ms = wait_ms if bundle else DIGEST_MS
            owed.append(Owed(channel.name, "resolved", told.severity, bundle or told.bundle, wait_ms))
    ends = (entry.until for entry in withheld)
    return Decision(owed, withheld, min((at for at in ends if at is not None), default=None))


def _places(case: Case, policy: Policy, now: int) -> dict[str, int]:
    """By which route each channel hears of it now, or would after a while."""
    found: dict[str, int] = {}
    places, _ = policy.taken(case.troubles, case.incident.services, now)
    for place in places:
        route = policy.routes[place]
        names = [*route.channels, *(name for step in route.escalate for name in step.channels)]
        for name in policy.named(names, case.channels, now):
            found.setdefault(name, place)
    return found


def group(policy: Policy, place: int | None, troubles: Sequence[Trouble]) -> tuple[str, int]:
    """What it is told together with on that route, and how long it may wait for that; "" and 0 for nothing."""
    route = policy.routes[place] if place is not None else None
    if route is None or not route.group_by or not route.group_wait_ms:
        return "", 0
    labels = troubles[0].labels
    said = ", ".join(f"{label}={labels.get(label, '')}" for label in route.group_by)
    return f"{route.name or place}: {said}", route.group_wait_ms
