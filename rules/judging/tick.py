"""What follows from the passing of time: hosts that fell silent, rules that are gone, alerts that outlive their cause.

A pending rule does not fire here: that takes a sample. So nothing is said of a host that nobody heard but that it is
not heard.
"""

from __future__ import annotations

from rules.fleet.gathering import gather
from rules.fleet.neighbours import is_awaited
from rules.fleet.presence import ancestors, at_once, is_over
from rules.judging.engine import Sample, settled
from rules.judging.record import Recorder
from rules.memory.host import NEVER, Memory
from rules.memory.watch import Watch
from rules.model import Change, Outcome
from rules.telling.incidents import RELEASE_MS
from rules.telling.topics import is_own


def tick(watch: Watch, now: int) -> Outcome:
    """What is due by now. Meant to be called about once a second; an empty outcome is to be applied, and not stored."""
    outcome = Outcome(judged_at=now)
    recorder = Recorder(watch, outcome)
    silent: list[Memory] = []
    for memory in watch.hosts.values():
        is_silent = now - memory.quiet_since > memory.patience_ms
        if is_silent and len(memory.absence) < len(memory.absence_rules):
            silent.append(memory)
        if memory.is_odd or (memory.host_rules and memory.aside):
            _look_at_host(memory, recorder, now)
        if memory.absence or memory.track.missing or memory.aside:
            _clear_unbound(watch, memory, recorder, now)
    if silent:
        _call_silent(watch, silent, recorder, now)
    for state in watch.together.values():
        if is_over(watch, state, now):
            recorder.heard(state, now, "most of them are heard again")
    gather(watch, recorder, now)
    _release(watch, recorder, now)
    return recorder.finish()


def _look_at_host(memory: Memory, recorder: Recorder, now: int) -> None:
    """What is odd about it, by rules that look at that. While it is silent nobody knows better."""
    sample = Sample(now, memory.host.every_ms, None)
    for name, rule in memory.host_rules.items():
        before, verdict = memory.aside.get((name, rule.series)), rule.verdict_on(memory.host)
        value = float(verdict.state == "bad")
        after = settled(rule, memory.host.series_subject(rule.series), before, verdict, value, sample)
        if after is not before:
            recorder.change(Change(memory.host.id, name, rule.series, before, after, now, value))


# --- silence ----------------------------------------------------------------------------------------------------------


def _call_silent(watch: Watch, silent: list[Memory], recorder: Recorder, now: int) -> None:
    """Those that others are reached through come first, so that the others find their cause."""
    groups, waited_for = at_once(watch, now)
    for group in groups:
        recorder.silent_together(group)
    chains = {memory.host.id: list(ancestors(watch, memory.host.id)) for memory in silent}
    for memory in sorted(silent, key=lambda memory: len(chains[memory.host.id])):
        if memory.host.id in waited_for or is_awaited(watch, memory, now):
            continue
        if _may_be_behind(watch, memory, chains[memory.host.id], recorder, now):
            continue
        since = memory.quiet_since
        for rule in memory.absence_rules:
            if rule.name not in memory.absence and now - since > memory.patience_of(rule):
                recorder.silent(memory, rule, since)


def _may_be_behind(watch: Watch, memory: Memory, chain: list[int], recorder: Recorder, now: int) -> bool:
    """Whether a host that this one is reached through may be the cause but is not found silent yet.

    It has not been heard since this one fell silent, and its own time is not over: later we know. One that was shut
    down as planned is never found silent, so it is not waited for.
    """
    fell_silent_at = memory.quiet_since + memory.host.every_ms
    for ancestor in chain:
        above = watch.hosts[ancestor]
        waiting = above.quiet_since < fell_silent_at and now - above.quiet_since <= above.patience_ms
        if waiting and above.patience_ms < NEVER and not recorder.draft.is_down(ancestor):
            return True
    return False


# --- rules that are gone, causes that are over ------------------------------------------------------------------------


def _clear_unbound(watch: Watch, memory: Memory, recorder: Recorder, now: int) -> None:
    """End what was said by rules that were removed or no longer apply to the host."""
    for key in memory.track.missing:
        if not memory.track.plan.applies(key):
            state = memory.track.states[key]
            recorder.change(Change(memory.host.id, *key, state, None, now, None, _why(watch, key[0])))
    for key, state in memory.aside.items():
        if not memory.is_aside(key[0]):
            recorder.change(Change(memory.host.id, *key, state, None, now, None, _why(watch, key[0])))
    held = {rule.name for rule in memory.absence_rules}
    for state in memory.absence.values():
        if state.rule not in held:
            recorder.heard(state, now, _why(watch, state.rule))


def _why(watch: Watch, rule: str) -> str:
    return "the rule no longer applies to it" if rule in watch.rules else "rule removed"


def _release(watch: Watch, recorder: Recorder, now: int) -> None:
    """Give alerts that were held back a voice of their own once their cause has been over for a while."""
    for incident in watch.incidents.values():
        if incident.resolved_at is not None or len(watch.members[incident.id]) < 2:
            continue
        alerts = [recorder.draft.alert(number) for number in watch.members[incident.id]]
        own = [alert for alert in alerts if is_own(alert, incident.key)]
        if any(alert.resolved_at is None or now - alert.resolved_at < RELEASE_MS for alert in own):
            continue
        for alert in alerts:
            if alert.resolved_at is None and not is_own(alert, incident.key):
                recorder.draft.release(alert.id)
