"""What judging remembers of one host."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from rules.judging.engine import Key, Plans, Track
from rules.kinds import ArrivalRule, HostRule, SlowRule
from rules.memory.seen import Seen
from rules.model import Arrival, Change, CheckAnswer, Host, Outcome, RuleState

NEVER = 2**62
UNDO_MAX = 64
"""Steps back that are kept for each host; a late batch from before them is judged from less exact ground."""
SPOOLS_MAX = 100
"""Spools of one host; of more, the one heard of longest ago is forgotten. An agent whose folder does not outlive it has
a new one at every start."""
GAPS_MAX = 2_000
"""In the numbering of all spools of one host together: what would open another is put off."""
RETURNS, RETURNS_MS, RETURNS_TICKS = 3, 600_000, 6
"""Two agents that push as one host each come back after the other, time and again. One that is set up anew may seem to,
by what was on its way still."""
RESTART_MS = 300_000
"""How long a host may take to be back, that said it would, before its silence counts."""
REPAIR_TICKS_MAX = 5_000
"""How far back late batches are judged again, in intervals of their host. What is older fills charts only."""


class Late(Struct, frozen=True):
    """Late batches of a host that may change how it stands: the first sample, and when the first and last came."""

    start: int
    first_noted_at: int
    last_noted_at: int


class Memory:
    """What is remembered of one host. `undo` lists the latest steps of its rules, so that the past can be judged again;
    it is complete for all that happened after `undo_from`. Its silence is counted from `quiet_since`: from when it was
    heard last, or we began to listen; that is NEVER for a host that was never heard. `aside` is where rules stand
    that batches do not touch: those about a long past, which were asked last at `looked_at`, and those about the host
    itself. `groups` are the rules that count it together with others, and `shared` the checks it runs with others;
    `is_odd` says that a rule about the host itself finds something. `said` is what its checks said in the newest batch,
    as `Arrival.said` has it: to look at each of them costs as much as all rules do."""

    __slots__ = (
        "absence", "absence_rules", "aside", "checks", "groups", "host", "host_rules", "is_odd", "late", "layout",
        "looked_at", "patience_ms", "quiet_since", "returned_at", "said", "seen", "shared", "slow_rules", "track",
        "undo", "undo_from",
    )  # fmt: skip

    def __init__(self, host: Host, plans: Plans) -> None:
        self.host = host
        self.seen: dict[str, Seen] = {}
        self.checks: dict[str, CheckAnswer] = {}
        self.said = ""
        self.returned_at: tuple[int, ...] = (host.arrived_at or 0,) * 2 if "cloned" in host.flags else ()
        self.absence: dict[str, RuleState] = {}
        self.aside: dict[Key, RuleState] = {}
        self.looked_at = 0
        self.late: Late | None = None
        self.undo: list[Change] = []
        self.undo_from = -1 if host.last_at is None else host.last_at
        self.quiet_since = NEVER if host.arrived_at is None else host.arrived_at
        self.layout: tuple[str, ...] = ()
        self.track = Track(plans.plan((), host.binding_labels), host.id, {})
        self.bind(plans)

    @property
    def ever_heard(self) -> bool:
        return self.quiet_since != NEVER

    def listen_from(self, now: int) -> None:
        if self.ever_heard:
            self.quiet_since = now

    def states(self) -> Iterator[RuleState]:
        yield from self.track.states.values()
        yield from self.aside.values()
        yield from self.absence.values()

    def series_states(self) -> dict[Key, RuleState]:
        """Where its rules about series stand, whenever they are asked."""
        return {**self.track.states, **self.aside} if self.aside else self.track.states

    def bind(self, plans: Plans) -> None:
        """Look up anew which rules apply: after a change of rules or labels."""
        labels = self.host.binding_labels
        self.track = self.track.onto(plans.plan(self.layout, labels))
        may_be_away = self.host.is_service or self.host.is_ephemeral
        self.absence_rules: list[ArrivalRule] = [] if may_be_away else plans.absence(labels)
        self.slow_rules: dict[str, SlowRule] = plans.slow(labels)
        self.host_rules: dict[str, HostRule] = plans.about_host(labels)
        self.groups, self.shared = plans.groups(labels), plans.shared(labels)
        self._look_at_host()
        self._settle_patience()

    def _look_at_host(self) -> None:
        """Note whether its own rules may have something to say, so that they are not asked at every tick."""
        verdicts = (rule.verdict_on(self.host) for rule in self.host_rules.values())
        self.is_odd = any(verdict.state != "ok" for verdict in verdicts)

    def _settle_patience(self) -> None:
        self.patience_ms = min(map(self.patience_of, self.absence_rules), default=NEVER)

    def patience_of(self, rule: ArrivalRule) -> int:
        """How long the host may be silent before that rule minds: for ever, if it said that it stops."""
        match self.host.bye:
            case None:
                return rule.patience_ms(self.host.every_ms)
            case "restart":
                return RESTART_MS + rule.patience_ms(self.host.every_ms)
            case _:
                return NEVER

    def take(self, outcome: Outcome, plans: Plans) -> None:
        """Remember what a batch told of its host."""
        host, arrival = outcome.host, outcome.arrival
        assert host is not None
        assert arrival is not None
        before = self.host
        self._know(host)
        if len(self.seen) > 1:
            self.returned_at = self._returns(arrival)
        if outcome.seen is not None:
            self._see(outcome.seen)
        if outcome.unjudged:
            self.layout = ()  # so that the next batch finds anew which rules it is for
            self._settle_patience()
            return
        for answer in outcome.checks:
            self.checks[answer.id] = answer
        if arrival.checks and not outcome.late and self.said != arrival.said:
            self.said = arrival.said
        if outcome.repair_from is not None:
            late = self.late or Late(outcome.repair_from, outcome.judged_at, outcome.judged_at)
            self.late = Late(min(late.start, outcome.repair_from), late.first_noted_at, outcome.judged_at)
        if not outcome.late and self.layout is not arrival.layout:
            self._switch(arrival.layout, plans)
        if host.labels is not before.labels and host.labels != before.labels:
            self.bind(plans)
        elif host.every_ms != before.every_ms or host.flags != before.flags:
            self._settle_patience()
        if outcome.windows is not None:
            self.track.windows = outcome.windows

    def take_word(self, host: Host, seen: Seen) -> None:
        """Remember what a host said beside its samples."""
        self._know(host)
        self._see(seen)
        self._settle_patience()

    def _see(self, seen: Seen) -> None:
        """The spool heard of last is the last of them."""
        self.seen.pop(seen.spool, None)
        self.seen[seen.spool] = seen
        if len(self.seen) > SPOOLS_MAX:
            del self.seen[next(iter(self.seen))]

    def _returns(self, arrival: Arrival) -> tuple[int, ...]:
        """When a spool was heard of again after another was, the latest few times."""
        if arrival.spool not in self.seen or next(reversed(self.seen)) == arrival.spool:
            return self.returned_at
        return (*self.returned_at, arrival.arrived_at)[-RETURNS:]

    def is_cloned(self, arrival: Arrival) -> bool:
        """Whether this batch, and those of late, show that there are two agents."""
        if len(self.seen) < 2:
            return False
        returns = self._returns(arrival)
        lately_ms = max(RETURNS_MS, RETURNS_TICKS * arrival.every_ms)
        return len(returns) == RETURNS and 0 <= arrival.arrived_at - returns[0] <= lately_ms

    def gaps(self) -> int:
        return sum(len(seen.ranges) for seen in self.seen.values())

    def _know(self, host: Host) -> None:
        """Have the host's record as it is now. Where it goes back, our own clock was set back: no step is undone over
        that."""
        last_at, before = self.host.last_at, self.host
        if last_at is not None and host.last_at is not None and host.last_at < last_at:
            self.undo, self.undo_from = [], host.last_at - 1
        self.host = host
        self.quiet_since = NEVER if host.arrived_at is None else host.arrived_at
        if self.host_rules and (host.facts is not before.facts or host.flags != before.flags):
            self._look_at_host()

    def _switch(self, layout: tuple[str, ...], plans: Plans) -> None:
        if layout != self.layout:
            self.track = self.track.onto(plans.plan(layout, self.host.binding_labels))
        self.layout = layout

    def write(self, changes: Sequence[Change]) -> None:
        self.track.write(changes)
        self._note(changes)

    def is_aside(self, rule: str) -> bool:
        """Whether batches do not touch where that rule stands."""
        return rule in self.slow_rules or rule in self.host_rules

    def put(self, change: Change) -> None:
        """A step that no batch made."""
        key = (change.rule, change.series)
        if key not in self.aside and not self.is_aside(change.rule):
            self.write([change])
        elif change.after is not None:
            self.aside[key] = change.after
        else:
            self.aside.pop(key, None)

    def restore(self, series: str | None, state: RuleState) -> None:
        """Where a rule stood when we ended."""
        if series is None:
            self.absence[state.rule] = state
        elif self.is_aside(state.rule):
            self.aside[state.rule, series] = state
        else:
            self.track.write([Change(self.host.id, state.rule, series, None, state, state.since)])

    def _note(self, changes: Sequence[Change]) -> None:
        self.undo += changes
        if (more := len(self.undo) - UNDO_MAX) > 0:
            self.undo_from = max(self.undo_from, self.undo[more - 1].at)
            del self.undo[:more]

    # --- what came late ---

    @property
    def repaired_from(self) -> int:
        """From when on late samples are judged again at all."""
        return (self.host.last_at or 0) - REPAIR_TICKS_MAX * self.host.every_ms

    def repair_from(self) -> int | None:
        """The first sample to be judged again; None when nothing calls for it.

        Where the steps back do not reach that far, it is judged from before it, by as much as the longest `for`, so
        that what was pending then is found pending.
        """
        if self.late is None or self.host.last_at is None:
            return None
        oldest = self.repaired_from
        start = max(self.late.start, oldest)
        if start > self.undo_from:
            return start
        longest_ms = max((rule.options.for_ms for rule in self.track.plan.rules.values()), default=0)
        return max(start - longest_ms, oldest)

    def states_before(self, at: int) -> dict[Key, RuleState]:
        """Where the rules stood before the sample of `at`: exactly, if that lies after `undo_from`."""
        states = dict(self.track.states)
        for change in reversed(self.undo):
            if change.at < at:
                break
            _put(states, change.rule, change.series, change.before)
        if at <= self.undo_from:
            states = {key: state for key, state in states.items() if state.since < at}
        return {key: state for key, state in states.items() if self.track.plan.applies(key)}

    def repaired(self, outcome: Outcome) -> None:
        """The past was judged again: `replayed` takes the place of what was noted then."""
        begin = self.repair_from()
        self.late = None
        self.track.write(outcome.changes)
        if outcome.windows is not None:
            self.track.windows = outcome.windows
        if begin is None or outcome.replayed is None:
            return
        self.undo_from = min(self.undo_from, begin - 1)
        self.undo = [change for change in self.undo if change.at < begin]
        self._note(outcome.replayed)

    def forget_rule(self, key: Key) -> None:
        """A rule is gone: what it said is of no use for judging the past either."""
        self.aside.pop(key, None)
        self.track.write([Change(self.host.id, *key, None, None, 0)])
        self.undo = [change for change in self.undo if (change.rule, change.series) != key]


def _put(states: dict[Key, RuleState], rule: str, series: str, state: RuleState | None) -> None:
    if state is None:
        states.pop((rule, series), None)
    else:
        states[rule, series] = state
