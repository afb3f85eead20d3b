"""So many messages an hour and no more: what is beyond that, and what belongs together, is told in one.

What is held back has its bundle and the time when that is due written down beside the incident, so a restart changes
nothing. The end of what was told in a message of its own is told in one, too, however many there were.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable

from rules.model import ChannelView, Incident, Notice, Severity, Withheld
from rules.policy.deciding import DIGEST_MS, Owed

HOUR_MS = 3_600_000
COUNTED_MAX = 1_000
"""No cap is higher."""
DUE_MAX = 10_000
CAP = "cap"


class Ledger:
    """What was sent to each channel within the hour, and when each bundle is due. What is critical is counted apart, so
    that no storm of warnings holds it back."""

    def __init__(self) -> None:
        self._sent: dict[tuple[str, bool], list[int]] = {}
        self.due: dict[tuple[str, str], int] = {}

    def sent_within_the_hour(self, channel: str, severity: Severity, now: int) -> int:
        """What bears a time after `now` was sent before our clock was set back, and is not counted."""
        sent = self._sent.get((channel, severity == "critical"), [])
        return bisect_right(sent, now) - bisect_right(sent, now - HOUR_MS)

    def take(self, notices: Iterable[Notice], incidents: Iterable[Incident]) -> None:
        for notice in notices:
            if notice.reason != "resolved":
                self.count(notice.channel, notice.severity, notice.created_at)
        for incident in incidents:
            self.expect(incident.withheld)

    def count(self, channel: str, severity: Severity, at: int) -> None:
        sent = self._sent.setdefault((channel, severity == "critical"), [])
        insort(sent, at)
        del sent[: bisect_right(sent, at - HOUR_MS)], sent[:-COUNTED_MAX]

    def expect(self, withheld: Iterable[Withheld]) -> None:
        for entry in withheld:
            if entry.bundle and entry.until is not None:
                self.due[entry.channel, entry.bundle] = entry.until

    def forget_before(self, now: int) -> None:
        if len(self.due) > DUE_MAX:
            self.due = {bundle: until for bundle, until in self.due.items() if until > now}


class Room:
    """What there is room for at one moment. It reads the ledger, and keeps to itself what is taken from it."""

    def __init__(self, ledger: Ledger, channels: Iterable[ChannelView], now: int) -> None:
        self._ledger, self._now = ledger, now
        self._views = {channel.name: channel for channel in channels}
        self._sent: dict[tuple[str, bool], int] = {}
        self._due: dict[tuple[str, str], int] = {}
        self._leaving: set[tuple[str, str]] = set()

    def ration(self, incident: Incident, owed: Owed) -> Owed | Withheld:
        """What is owed, with the bundle that it leaves in now ("" for a message of its own), or how it waits."""
        held = self._released(incident, owed.channel)
        if held is not None:
            owed = _with_bundle(owed, held.bundle)
            if held.bundle == CAP or self._may_leave(owed):
                return owed
        elif owed.bundle:
            return self._wait(owed, owed.bundle, owed.wait_ms)
        elif owed.reason == "resolved" or self._may_leave(owed):
            return owed
        return self._wait(owed, CAP, DIGEST_MS)

    def _released(self, incident: Incident, channel: str) -> Withheld | None:
        """What was held back until now, to be told together with others."""
        for entry in incident.withheld:
            if entry.channel == channel and entry.bundle and (entry.until or 0) <= self._now:
                return entry
        return None

    def _may_leave(self, owed: Owed) -> bool:
        """Whether the cap lets it out; a bundle counts once."""
        key = (owed.channel, owed.bundle)
        if owed.bundle and key in self._leaving:
            return True
        per_hour = self._views[owed.channel].per_hour
        kind = (owed.channel, owed.severity == "critical")
        sent = self._sent.get(kind, 0)
        if per_hour is not None and owed.reason != "resolved":
            if self._ledger.sent_within_the_hour(owed.channel, owed.severity, self._now) + sent >= per_hour:
                return False
            self._sent[kind] = sent + 1
        self._leaving.add(key)
        return True

    def _wait(self, owed: Owed, bundle: str, wait_ms: int) -> Withheld:
        key = (owed.channel, bundle)
        due = self._due.get(key) or self._ledger.due.get(key, 0)
        if not self._now < due <= self._now + wait_ms:  # it was told already, or our clock was set back
            due = self._now + wait_ms
        self._due[key] = due
        return Withheld(owed.channel, "cap" if bundle == CAP else "group", due, bundle=bundle)


def _with_bundle(owed: Owed, bundle: str) -> Owed:
    return Owed(owed.channel, owed.reason, owed.severity, bundle, owed.wait_ms, owed.after_ms)
