"""What a replay counts, and how that is said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct

from collector.cli.tables import table
from collector.desks.replays import Messages, Replayed, RuleReplayed
from rules import words
from rules.judging.engine import Rule
from rules.memory.watch import NO_HOST
from rules.model import Alert, Notice, Outcome
from rules.telling.topics import is_own


class Firings(Struct):
    """How often one rule fired, about how many hosts, and for how long; `told` counts the messages that named it.

    `observe`: it is only being tried, so nobody is told.
    `late` is how often it was bad in batches that came late, when it was over already: nobody is told of that.
    """

    rule: str
    observe: bool = False
    fired: int = 0
    late: int = 0
    hosts: set[int] = msgspec.field(default_factory=set)
    lasted_ms: int = 0
    longest_ms: int = 0
    open_at_the_end: int = 0
    told: Counter[str] = msgspec.field(default_factory=Counter)

    def add(self, alert: Alert, end: int) -> None:
        """An alert that is over, or stands at the end."""
        lasted = (end if alert.resolved_at is None else alert.resolved_at) - alert.fired_at
        self.fired += 1
        if alert.host != NO_HOST:
            self.hosts.add(alert.host)
        self.lasted_ms += max(0, lasted)
        self.longest_ms = max(self.longest_ms, lasted)
        self.open_at_the_end += alert.resolved_at is None


class Tally:
    """Takes the outcomes of a replay, one by one, and remembers of the past only sums."""

    def __init__(self, rules: Iterable[Rule], start: int, end: int) -> None:
        self.start, self.end = start, end
        self.rules = {rule.name: Firings(rule.name, rule.options.observe) for rule in rules}
        self.hosts: set[int] = set()
        self.batches = 0
        self.told: Counter[tuple[str, str]] = Counter()
        self._open: dict[int, Alert] = {}

    def count(self, host: int) -> None:
        """A batch was judged."""
        self.hosts.add(host)
        self.batches += 1

    def take(self, outcome: Outcome) -> None:
        for alert in outcome.alerts:
            if alert.resolved_at is None:
                self._open[alert.id] = alert
            elif self._open.pop(alert.id, None) is not None:
                self._firings(alert.rule).add(alert, self.end)
        for step in outcome.transitions:
            if (
                step.late
                and step.alert is None
                and step.after == "firing"
                and step.before in ("ok", "pending")
            ):
                self._firings(step.rule).late += 1
        keys = {incident.id: incident.key for incident in outcome.incidents}
        for notice in outcome.notices:
            self.told[notice.channel, notice.reason] += 1
            for rule in _named(notice, keys[notice.incident]):
                self._firings(rule).told[notice.channel] += 1

    def finish(self) -> None:
        """There is no more: what is open stands at the end."""
        for alert in self._open.values():
            self._firings(alert.rule).add(alert, self.end)
        self._open.clear()

    def _firings(self, rule: str) -> Firings:
        """Also of what no rule is written for, such as many hosts that are silent at once."""
        return self.rules.setdefault(rule, Firings(rule))


def _named(notice: Notice, key: str) -> set[str]:
    """The rules whose alerts a message is about; those it holds back have no message."""
    return {alert.rule for alert in notice.alerts if notice.about or is_own(alert, key)}


# --- for programs -----------------------------------------------------------------------------------------------------


def as_json(tally: Tally) -> str:
    messages = [Messages(channel, reason, count) for (channel, reason), count in sorted(tally.told.items())]
    replayed = Replayed(
        tally.start,
        tally.end,
        len(tally.hosts),
        tally.batches,
        [_replayed(firings) for firings in _ranked(tally)],
        messages,
    )
    return msgspec.json.format(msgspec.json.encode(replayed), indent=2).decode()


def _replayed(firings: Firings) -> RuleReplayed:
    return RuleReplayed(
        rule=firings.rule,
        observe=firings.observe,
        fired=firings.fired,
        late=firings.late,
        hosts=len(firings.hosts),
        lasted_ms=firings.lasted_ms,
        longest_ms=firings.longest_ms,
        open_at_the_end=firings.open_at_the_end,
        told=dict(firings.told),
    )


# --- for people -------------------------------------------------------------------------------------------------------

HEAD = ("RULE", "FIRED", "HOSTS", "IN ALL", "LONGEST", "STANDS", "LATE", "MESSAGES")


def as_text(tally: Tally) -> str:
    span = f"{words.moment(tally.start)} to {words.moment(tally.end)}"
    lines = [f"{span}: {tally.batches:,} batches of {len(tally.hosts):,} hosts", ""]
    ranked = _ranked(tally)
    fired = [firings for firings in ranked if firings.fired or firings.late]
    if fired:
        lines += table(HEAD, [_row(firings) for firings in fired], {"FIRED", "HOSTS", "STANDS", "LATE"})
        lines.append("")
    quiet = [firings.rule for firings in ranked if firings not in fired]
    if quiet:
        lines.append(f"Never fired: {', '.join(quiet)}")
    lines.append(_messages(tally))
    if any(firings.late for firings in fired):
        lines.append("LATE: bad in batches that came when it was over already, so nobody is told.")
    return "\n".join(lines)


def _ranked(tally: Tally) -> list[Firings]:
    return sorted(tally.rules.values(), key=lambda firings: (-firings.fired, firings.rule))


def _row(firings: Firings) -> Sequence[str]:
    told = ", ".join(f"{channel} {count:,}" for channel, count in sorted(firings.told.items()))
    return (
        f"{firings.rule} (only tried)" if firings.observe else firings.rule,
        f"{firings.fired:,}",
        f"{len(firings.hosts):,}",
        words.duration(firings.lasted_ms),
        words.duration(firings.longest_ms),
        str(firings.open_at_the_end or ""),
        str(firings.late or ""),
        told or "none",
    )


def _messages(tally: Tally) -> str:
    if not tally.told:
        return "Nobody would have been told anything."
    channels = sorted({channel for channel, _ in tally.told})
    parts = []
    for channel in channels:
        reasons = {reason: count for (name, reason), count in sorted(tally.told.items()) if name == channel}
        said = ", ".join(f"{count:,} {reason}" for reason, count in reasons.items())
        parts.append(f"{channel} {sum(reasons.values()):,} ({said})")
    return f"Messages: {'; '.join(parts)}"
