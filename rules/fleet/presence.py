"""What a silence is about: one host, what it is reached through, or what many hosts have in common.

Half the fleet, or half a site (label `site`), and three hosts at least: when so many fall silent at once, one thing
happened and not many. There is one alert about it then, which holds back those of the hosts. Before anybody is told,
hosts that are overdue but not silent yet are waited for, two intervals at most.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from rules.memory.host import NEVER, Memory
from rules.model import Alert, Host, RuleState, Severity, worst
from rules.policy.matching import Trouble

if TYPE_CHECKING:
    from rules.memory.watch import Watch

RULE = "silent-at-once"
"""What such an alert calls its rule. It needs none to be written: it is about hosts that rules find silent."""
COLLECTOR = "collector"
SITE = "site:"
AT_LEAST = 3
OVERDUE = 1.5
"""So many intervals without a word, and a host may be about to be found silent."""
WAIT_INTERVALS = 2
LEFT_SHARE = 4
"""Of so many that fell silent one may still be silent when all is said to be back, or two of however few."""
ABOVE_MAX = 16


# --- what hosts are reached through -----------------------------------------------------------------------------------


def named_above(host: Host) -> list[str]:
    """The names of the hosts that it says it is reached through or depends on: labels `parent`, `depends_on`."""
    given = f"{host.labels.get('parent', '')},{host.labels.get('depends_on', '')}"
    return [name for part in given.split(",") if (name := part.strip())]


def ancestors(watch: Watch, host: int) -> Iterator[int]:
    """The hosts that `host` is reached through or depends on, the nearest first. A circle ends where it closes."""
    met, wave = {host}, [host]
    while wave and len(met) <= ABOVE_MAX:
        below, wave = wave, []
        for number in below:
            memory: Memory | None = watch.hosts.get(number)
            for name in named_above(memory.host) if memory is not None else ():
                above = watch.by_name.get(name)
                if above is not None and above not in met:
                    met.add(above)
                    wave.append(above)
                    yield above


# --- what they have in common -----------------------------------------------------------------------------------------


def groups_of(host: Host) -> tuple[str, ...]:
    """What its silence may be a part of, the smaller first."""
    site = host.labels.get("site")
    return (f"{SITE}{site}", COLLECTOR) if site else (COLLECTOR,)


def is_group(subject: str) -> bool:
    return subject == COLLECTOR or subject.startswith(SITE)


class Group(Struct, frozen=True):
    """Hosts that are expected to report, and those of them that are overdue."""

    subject: str
    expected: int
    missing: Sequence[Memory]

    @property
    def is_half(self) -> bool:
        return len(self.missing) >= AT_LEAST and 2 * len(self.missing) >= self.expected

    def is_ripe(self, now: int) -> bool:
        """Whether all that are overdue are silent by now, or one has been for long enough."""
        return all(_silent_ms(memory, now) > 0 for memory in self.missing) or any(
            _silent_ms(memory, now) > WAIT_INTERVALS * memory.host.every_ms for memory in self.missing
        )

    def alert(self, now: int) -> Alert:
        severities: list[Severity] = [
            rule.severity for memory in self.missing for rule in memory.absence_rules
        ]
        site = self.subject.removeprefix(SITE)
        whose, what = ("", "the collector is cut off or the site is")
        if site != self.subject:
            whose, what = f" of site {site}", "it is cut off or"
        return Alert(
            id=0,
            rule=RULE,
            subject=self.subject,
            host=0,
            severity=worst(*severities) or "critical",
            since=min(memory.quiet_since for memory in self.missing),
            fired_at=now,
            summary=f"{len(self.missing)} of {self.expected} hosts{whose} silent at once: {what} down",
            incident=0,
            value=float(len(self.missing)),
        )


def at_once(watch: Watch, now: int) -> tuple[list[Group], set[int]]:
    """Groups that are to be called silent now, and the hosts about which more is to be waited for."""
    expected = [memory for memory in watch.hosts.values() if is_expected(watch, memory)]
    missing = {memory.host.id: memory for memory in expected if is_overdue(memory, now)}
    if len(missing) < AT_LEAST:
        return [], set()
    apart = {
        host
        for host, memory in missing.items()
        if any(above in missing or above in watch.down for above in ancestors(watch, host))
        or not _is_minded(watch, memory, now)
    }
    found = _halves([memory for memory in expected if memory.host.id not in apart], missing)
    ripe = [group for group in found if group.is_ripe(now)]
    waiting = {memory.host.id for group in found if group not in ripe for memory in group.missing}
    return ripe, waiting


def _halves(expected: Sequence[Memory], missing: dict[int, Memory]) -> list[Group]:
    """Where half is missing. One site alone is that site; more than one, or all there is, is the fleet."""
    members: dict[str, list[Memory]] = {}
    for memory in expected:
        for subject in groups_of(memory.host):
            members.setdefault(subject, []).append(memory)
    groups = [
        Group(subject, len(of), [memory for memory in of if memory.host.id in missing])
        for subject, of in members.items()
    ]
    halves = [group for group in groups if group.is_half]
    sites = [group for group in halves if group.subject != COLLECTOR]
    fleet = next((group for group in halves if group.subject == COLLECTOR), None)
    if fleet is None or (len(sites) == 1 and _rest_is_well(fleet, sites[0])):
        return sites
    return [fleet]


def _rest_is_well(fleet: Group, site: Group) -> bool:
    missing = len(fleet.missing) - len(site.missing)
    return 2 * missing < fleet.expected - site.expected


def is_over(watch: Watch, state: RuleState, now: int) -> bool:
    """Whether so many are heard again that those still silent are each a matter of its own."""
    alert = watch.alerts.get(state.alert or 0)
    if alert is None:
        return True
    left = sum(
        state.subject in groups_of(memory.host) and _is_part(watch, memory, alert.incident, now)
        for memory in watch.hosts.values()
    )
    return left <= max(AT_LEAST - 1, (alert.value or 0) // LEFT_SHARE)


def _is_minded(watch: Watch, memory: Memory, now: int) -> bool:
    """Whether anybody would hear of its silence: not while it is worked on, silenced, or its rules only observe."""
    policy, host = watch.policy, memory.host
    labels = host.binding_labels
    services = policy.touched(labels, None)
    troubles = (
        Trouble(
            rule.severity,
            rule.name,
            rule.options.category,
            host.subject,
            labels,
            services,
            rule.options.observe,
        )
        for rule in memory.absence_rules
    )
    return any(policy.mute(trouble, (), now) is None for trouble in troubles)


def is_overdue(memory: Memory, now: int) -> bool:
    return now - memory.quiet_since > OVERDUE * memory.host.every_ms


def is_expected(watch: Watch, memory: Memory) -> bool:
    """Whether its word is waited for: not of one that has not joined, that said it goes, or whose silence is known."""
    if memory.absence or not memory.ever_heard or memory.patience_ms >= NEVER or memory.host.bye is not None:
        return False
    return not (watch.together and any(subject in watch.together for subject in groups_of(memory.host)))


def _is_part(watch: Watch, memory: Memory, incident: int, now: int) -> bool:
    """Whether its silence is told of in that incident, or is about to be."""
    if not memory.absence:
        return memory.patience_ms < NEVER and is_overdue(memory, now)
    numbers = (state.alert for state in memory.absence.values())
    return any(watch.alerts[number].incident == incident for number in numbers if number in watch.alerts)


def _silent_ms(memory: Memory, now: int) -> int:
    """How long it has been silent by its rules; negative while it has time left."""
    return now - memory.quiet_since - memory.patience_ms
