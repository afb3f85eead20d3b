"""What judging leaves behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from msgspec import Struct

from rules.memory.seen import Seen
from rules.model.arrivals import Arrival, CheckAnswer
from rules.model.hosts import Host
from rules.model.notices import Notice
from rules.model.problems import Alert, Incident, Remark
from rules.model.states import Change, RuleState, Transition, Window


class Outcome(Struct, gc=False):
    """All that follows from one batch or one tick. It is committed whole or not at all. Of most batches nothing
    follows, so what there may be of it takes no memory until there is some.

    `arrival` is None for a tick, for a word without samples and for a batch that was taken before (`repeat`); it is
    `unjudged` when a rule failed at it. States
    with state "ok" and no alert are to be forgotten by the store. Alerts and incidents are whole new versions of their
    rows. What comes after `remarks` is for the judge's own memory and is not stored: `looks` is when to look again at
    incidents though nothing happens to them, None for never; `repaired` is a host that was judged again, and `replayed`
    every step that led to where it stands now, None if that could not be done; `windows` are all that its rules keep of
    its latest samples, by rule and series, None for a host that has no such rule; `looked` is a host whose long past
    was looked at.
    """

    arrival: Arrival | None = None
    repeat: bool = False
    late: bool = False
    unjudged: bool = False
    repair_from: int | None = None
    host: Host | None = None
    seen: Seen | None = None
    checks: Sequence[CheckAnswer] = ()
    states: Sequence[RuleState] = ()
    transitions: Sequence[Transition] = ()
    alerts: Sequence[Alert] = ()
    incidents: Sequence[Incident] = ()
    notices: Sequence[Notice] = ()
    remarks: Sequence[Remark] = ()
    judged_at: int = 0
    looks: Mapping[int, int | None] = MappingProxyType({})
    changes: Sequence[Change] = ()
    repaired: int | None = None
    replayed: Sequence[Change] | None = None
    windows: dict[tuple[str, str], Window] | None = None
    looked: int | None = None

    @property
    def empty(self) -> bool:
        return (
            self.arrival is None
            and self.seen is None
            and not (self.states or self.transitions or self.alerts or self.incidents or self.notices)
            and not self.remarks
        )
