"""Judging the past again, when batches came late: the very same engine over the stored rows, in their order.

What began and ended in the past becomes transitions, marked late, and wakes nobody. What is still bad stands as it
would had every batch come in order, and its alert is dated from the first bad sample.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from rules.judging.engine import NEW_ALERT, Key, Sample, Track, matters
from rules.judging.record import Recorder
from rules.memory.host import Memory
from rules.memory.watch import Watch
from rules.memory.windows import Row, upto_newest
from rules.model import HOLDS, RANK, Change, Outcome, RuleState

QUIET_TICKS = 2
"""A host is repaired when no late batch has come for so many of its intervals ..."""
WAIT_MS_MAX = 30_000
"""... or so long after the first, as a long backlog keeps coming."""
REPAIRS_MAX = 20
"""At most so many hosts at one time: a fleet that comes back is repaired over some seconds."""


def repairs_due(watch: Watch, now: int) -> list[tuple[int, int]]:
    """Hosts to be judged again, each with the sample time from which on its rows are needed."""
    due: list[tuple[int, int, int]] = []
    for number in watch.late:
        memory = watch.hosts[number]
        late, begin = memory.late, memory.repair_from()
        if late is None or begin is None:
            continue
        more_may_come = 0 <= now - late.last_noted_at < QUIET_TICKS * memory.host.every_ms
        if not more_may_come or now - late.first_noted_at >= WAIT_MS_MAX:
            due.append((late.first_noted_at, number, begin - _lead_ms(memory)))
    return [(number, start) for _, number, start in sorted(due)[:REPAIRS_MAX]]


def repair(watch: Watch, host: int, rows: Sequence[Row], now: int) -> Outcome:
    """Judge a host again over `rows`, all that are stored from the start that `repairs_due` gave, in order.

    No batch of the host may have been judged since the rows were read. Rows that end before the host's newest sample
    were cut off: then nothing is decided upon them.
    """
    memory = watch.hosts[host]
    outcome = Outcome(repaired=host, judged_at=now)
    begin = memory.repair_from()
    rows = upto_newest(rows, memory)
    if begin is None or not rows:
        return outcome
    track, replayed = _replay(watch, memory, rows, begin)
    outcome.replayed = replayed
    outcome.windows = track.windows if track.windows or memory.track.windows else None
    recorder = Recorder(watch, outcome, late=True)
    opened = _settle(memory, track, replayed, recorder)
    known = {_mark(change) for change in memory.undo if matters(change)}
    for change in replayed:
        if matters(change) and _mark(change) not in known:
            recorder.transition(_numbered(change, opened))
    _correct_ends(memory, replayed, recorder)
    return recorder.finish()


def _lead_ms(memory: Memory) -> int:
    """So much before the first row to be judged, rows tell that there was no hole before it, and fill its windows."""
    return int(HOLDS * memory.host.every_ms) + 1 + memory.track.plan.looks_back_ms


def _replay(watch: Watch, memory: Memory, rows: Sequence[Row], begin: int) -> tuple[Track, list[Change]]:
    """All steps of the host's rules from `begin` on, and where they lead."""
    labels = memory.host.binding_labels
    track = Track(memory.track.plan, memory.host.id, memory.states_before(begin))
    changes: list[Change] = []
    layout: tuple[str, ...] | None = None
    before_at = begin - _lead_ms(memory)
    for row in rows:
        if row.layout is not layout:
            layout = row.layout
            track = track.onto(watch.plans.plan(layout, labels))
        sample = Sample(row.at, row.every_ms, before_at)
        windows = track.slid(row.values, sample) if track.plan.windowed else None
        if row.at >= begin and (found := track.look(row.values, sample, windows)):
            track.write(found)
            changes += found
        track.windows = track.windows if windows is None else windows
        before_at = row.at
    return track, changes


def _mark(change: Change) -> tuple[object, ...]:
    after = change.after
    return (change.rule, change.series, change.at, after and after.state, after and after.severity)


def _settle(
    memory: Memory, track: Track, replayed: Sequence[Change], recorder: Recorder
) -> dict[Key, tuple[int, int]]:
    """Bring each rule from where it stands to where it would stand had all come in order.

    Returns, for each rule whose alert began in the replay and still stands, when it fired and the alert's number.
    """
    last: dict[Key, Change] = {}
    fired_at: dict[Key, int] = {}
    for change in replayed:
        key = (change.rule, change.series)
        last[key] = change
        if _fires(change):
            fired_at[key] = change.at
    opened: dict[Key, tuple[int, int]] = {}
    for key in [*track.states, *(key for key in memory.track.states if key not in track.states)]:
        before, after = memory.track.states.get(key), track.states.get(key)
        if before and after and after.alert is not None:
            after = _known(before, after)
        if before != after:
            leap = _leap(memory, key, after, last.get(key))
            after = recorder.state(leap, fired_at.get(key, leap.at)).after
        if after and after.alert is not None and key in fired_at:
            opened[key] = fired_at[key], after.alert
    return opened


def _known(before: RuleState, after: RuleState) -> RuleState:
    """Where the replay ends, with the alert that stands, or with none where a person has resolved it."""
    if before.alert is not None:
        return replace(after, alert=before.alert)
    if RANK[after.severity] <= RANK[before.hushed]:
        return replace(after, alert=None, hushed=before.hushed)
    return after


def _fires(change: Change) -> bool:
    """Whether this step of the replay opens an alert."""
    was = change.before.alert if change.before else None
    return was is None and change.after is not None and change.after.alert == NEW_ALERT


def _leap(memory: Memory, key: Key, after: RuleState | None, last: Change | None) -> Change:
    """From where a rule stands to where the replay ends, dated and explained as the last step of the replay."""
    before = memory.track.states.get(key)
    if last is None:
        return Change(memory.host.id, *key, before, after, memory.host.last_at or 0)
    return Change(memory.host.id, *key, before, after, last.at, last.value, last.why)


def _numbered(change: Change, opened: dict[Key, tuple[int, int]]) -> Change:
    """A step of the replay with the number of the alert it belongs to, if that came to stand."""
    fired_at, number = opened.get((change.rule, change.series), (0, NEW_ALERT))
    if number == NEW_ALERT or change.at < fired_at or change.after is None or change.after.alert is None:
        return change
    return replace(change, after=replace(change.after, alert=number))


def _correct_ends(memory: Memory, replayed: Sequence[Change], recorder: Recorder) -> None:
    """An alert that ended while nobody could tell us is dated by the sample that ended it."""
    standing = {state.alert for state in memory.track.states.values()}
    for change in replayed:
        number = change.before.alert if change.before else None
        if number is None or number == NEW_ALERT or number in standing:
            continue
        if change.after is None or change.after.alert is None:
            recorder.draft.ended_earlier(number, change.at)
