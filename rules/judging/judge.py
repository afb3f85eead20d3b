"""The judge: what follows from a batch, from the passing of time, and from batches that came late.

`judge`, `tick` and `repair` read a Watch and change nothing; what they return is committed and then taken into memory
by `apply`. So a batch either has all of its consequences or none.
"""

from __future__ import annotations

from msgspec.structs import replace

from rules.judging.engine import Sample, Track
from rules.judging.record import Recorder
from rules.judging.repair import repair, repairs_due
from rules.judging.tick import tick
from rules.memory.host import GAPS_MAX, Memory
from rules.memory.seen import Seen, TooManyGaps
from rules.memory.watch import Watch, apply, replace_rules
from rules.model import Arrival, Change, CheckAnswer, Host, Outcome

__all__ = ["Watch", "apply", "judge", "repair", "repairs_due", "replace_rules", "tick", "unjudged"]

AHEAD_MS_MAX = 60_000
"""Nothing is known of a host that lies so far ahead of a batch of it, however long that was on its way, but what was
dated before our own clock was set back."""
NOT_THE_AGENTS = ("parent", "depends_on", "tenant")
"""Labels that say what a host belongs to: its own word is not enough for that."""


def judge(watch: Watch, arrival: Arrival, now: int) -> Outcome:
    """What follows from one batch. TooManyGaps: it is not to be taken now, the agent must send it again later.

    The host must be known to the Watch. A batch behind its host's newest sample is late: it is kept, but decides
    nothing by itself; where it may matter, `repair_from` asks for the past to be judged again.
    """
    memory = watch.hosts[arrival.host]
    seen = _seen(memory, arrival)
    if seen is None:
        return Outcome(repeat=True, judged_at=now)
    known = _known(memory.host, arrival)
    if not (arrival.layout or arrival.checks):
        return _word(watch, memory, known, arrival, Outcome(seen=seen, judged_at=now))
    last_at = known.last_at
    outcome = Outcome(arrival=arrival, seen=seen, judged_at=now)
    if last_at is not None and arrival.at <= last_at:
        outcome.late = True
        outcome.host = _host_after_late(memory, known, arrival)
        if _may_matter(watch, memory, arrival):
            outcome.repair_from = arrival.at
        return _heard(watch, memory, arrival, outcome) if memory.absence else outcome
    outcome.host = host = _host_after(memory, known, arrival)
    if arrival.checks and not (arrival.said and arrival.said == memory.said):
        outcome.checks = _changed_checks(memory, arrival)
    track, sample = _track(watch, memory, host, arrival), Sample(arrival.at, arrival.every_ms, last_at)
    if track.plan.windowed:
        outcome.windows = track.slid(arrival.values, sample)
    changes = track.look(arrival.values, sample, outcome.windows)
    if not changes and not memory.absence:
        return outcome
    recorder = Recorder(watch, outcome)
    for change in changes:
        recorder.change(change)
    _end_silence(memory, recorder, arrival.arrived_at)
    return recorder.finish()


def unjudged(watch: Watch, arrival: Arrival, now: int) -> Outcome:
    """A batch that a rule cannot be asked about is kept all the same, and its host is heard. How its rules stand stays.

    TooManyGaps as above. What the agent says of its host counts from the next batch on that can be judged.
    """
    memory = watch.hosts[arrival.host]
    seen = _seen(memory, arrival)
    if seen is None:
        return Outcome(repeat=True, judged_at=now)
    known = _known(memory.host, arrival)
    outcome = Outcome(arrival=arrival, seen=seen, judged_at=now, unjudged=True)
    outcome.late = known.last_at is not None and arrival.at <= known.last_at
    outcome.host = (_host_after_late if outcome.late else _host_after)(memory, known, arrival)
    return outcome


# --- has it been taken before? ----------------------------------------------------------------------------------------


def _seen(memory: Memory, arrival: Arrival) -> Seen | None:
    """What is seen of the spool once this batch is taken; None when it was taken before."""
    before = memory.seen.get(arrival.spool) or Seen(arrival.host, arrival.spool)
    seen = before.after(arrival.seq, arrival.floor)
    if seen is not None and len(seen.ranges) > len(before.ranges) and memory.gaps() >= GAPS_MAX:
        raise TooManyGaps(f"host {arrival.host} has {GAPS_MAX} gaps in its numbering already")
    return seen


# --- the host ---------------------------------------------------------------------------------------------------------


def _known(host: Host, arrival: Arrival) -> Host:
    """The host's record before a batch. What it says of the future ends where the batch begins."""
    last_at, heard_at = host.last_at, host.arrived_at
    if last_at is None or heard_at is None or max(last_at, heard_at) <= arrival.arrived_at + AHEAD_MS_MAX:
        return host
    return replace(host, last_at=min(last_at, arrival.at - 1), arrived_at=min(heard_at, arrival.arrived_at))


def _host_after(memory: Memory, host: Host, arrival: Arrival) -> Host:
    """The host's record after a batch that is its newest; `host` is the one before it."""
    labels, own_labels, facts = host.labels, host.own_labels, host.facts
    facts_at = min(host.facts_at, host.last_at or 0)
    if arrival.at >= facts_at and not (arrival.labels is None and arrival.facts is None):
        facts_at = arrival.at
        if arrival.labels is not None:
            labels, own_labels = _merged(host, arrival.labels)
        if arrival.facts is not None:
            facts = arrival.facts
    heard_before = host.arrived_at or 0
    return Host(
        host.id,
        host.name,
        labels,
        facts,
        host.enrolled_at,
        arrival.arrived_at if arrival.arrived_at > heard_before else heard_before,
        arrival.at,
        arrival.every_ms,
        arrival.skew_ms,
        _flags_after(memory, host, arrival),
        own_labels,
        facts_at,
    )


def _flags_after(memory: Memory, host: Host, arrival: Arrival) -> tuple[str, ...]:
    """What is odd about the host then. A bye stands until there is a sample from after it was heard."""
    flags = (*arrival.flags, "cloned") if memory.is_cloned(arrival) else arrival.flags
    if host.flags and host.bye is not None and arrival.at <= (host.arrived_at or 0):
        return (*flags, host.bye)
    return flags


def _host_after_late(memory: Memory, host: Host, arrival: Arrival) -> Host:
    """A late batch shows that the host is there; how it is, newer ones have said."""
    new = _host_after(memory, host, arrival)
    new.last_at, new.every_ms, new.skew_ms, new.flags = host.last_at, host.every_ms, host.skew_ms, host.flags
    return new


def _merged(host: Host, told: dict[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """All labels and the names of the agent's own: what was set at enrolment or by an admin stands over its word."""
    given = {label: value for label, value in host.labels.items() if label not in host.own_labels}
    own = {label: told[label] for label in told if label not in given and label not in NOT_THE_AGENTS}
    labels = {**given, **own}
    return (host.labels if labels == host.labels else labels), tuple(sorted(own))


def _word(watch: Watch, memory: Memory, host: Host, arrival: Arrival, outcome: Outcome) -> Outcome:
    """What an agent says beside its samples: that it is there, or that it stops. Said before a sample, it is over."""
    if host.last_at is None:
        return outcome
    flags = arrival.flags if arrival.at >= host.last_at else host.flags
    heard_at = max(arrival.arrived_at, host.arrived_at or 0)
    outcome.host = replace(host, arrived_at=heard_at, flags=flags)
    if outcome.host.bye != "uninstall":
        return _heard(watch, memory, arrival, outcome)
    recorder = Recorder(watch, outcome)
    _end_silence(memory, recorder, arrival.arrived_at)
    for (rule, series), state in memory.series_states().items():
        recorder.change(
            Change(host.id, rule, series, state, None, arrival.at, None, "the agent was uninstalled")
        )
    return recorder.finish()


def _changed_checks(memory: Memory, arrival: Arrival) -> list[CheckAnswer]:
    changed = []
    for said in arrival.checks:
        before = memory.checks.get(said.id)
        if before is None or before.state != said.state or before.detail != said.detail:
            changed.append(CheckAnswer(said.id, said.kind, said.state, arrival.at, said.ms, said.detail))
    return changed


# --- the rules --------------------------------------------------------------------------------------------------------


def _track(watch: Watch, memory: Memory, host: Host, arrival: Arrival) -> Track:
    """Where the host's rules stand, bound to the series of this batch."""
    same_layout = arrival.layout is memory.layout or arrival.layout == memory.layout
    if same_layout and host.labels is memory.host.labels:
        return memory.track
    return memory.track.onto(watch.plans.plan(arrival.layout, host.binding_labels))


def _may_matter(watch: Watch, memory: Memory, arrival: Arrival) -> bool:
    """Whether a late batch might have changed anything, had it come in its turn."""
    if arrival.at < memory.repaired_from:
        return False
    if memory.track.states or (memory.undo and memory.undo[-1].at >= arrival.at):
        return True
    plan = watch.plans.plan(arrival.layout, memory.host.binding_labels)
    return bool(plan.windowed) or not plan.all_calm(arrival.values)


def _heard(watch: Watch, memory: Memory, arrival: Arrival, outcome: Outcome) -> Outcome:
    recorder = Recorder(watch, outcome)
    _end_silence(memory, recorder, arrival.arrived_at)
    return recorder.finish()


def _end_silence(memory: Memory, recorder: Recorder, at: int) -> None:
    for state in memory.absence.values():
        recorder.heard(state, at)
