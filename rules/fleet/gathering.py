"""What is judged over many hosts at once: rules that count hosts, and checks that several hosts run.

It is counted anew at every tick from where each host stands, so there is nothing to be kept in step. What follows has
no host: its subject is `group:…`, `service:…` or `check:…`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from msgspec import Struct

from rules import words
from rules.fleet.presence import is_group
from rules.fleet.shared import METRIC, VALUES, Answers, SharedCheck, named
from rules.judging.engine import Key, Sample, has_window, is_combining, series_of, settled, step
from rules.judging.record import Recorder
from rules.kinds import BatchRule, FleetRule, GradedRule
from rules.memory.host import Memory
from rules.memory.watch import NO_HOST, Watch
from rules.model import HOLDS, Change, CheckState, Host, RuleState

EVERY_MS = 60_000
"""Two and a half times as long may nothing be known before a `for` begins anew."""


def is_about_many(subject: str) -> bool:
    """Whether it is what many hosts have in common."""
    return is_group(subject) or subject.startswith(("group:", "service:", "check:"))


def gather(watch: Watch, recorder: Recorder, now: int) -> None:
    """Write into an outcome what changes."""
    if not (watch.plans.fleet or watch.shared or watch.gathered):
        return
    judged = {*_count(watch, recorder, now), *_ask(watch, recorder, now)}
    for key, before in watch.gathered.items():
        if key not in judged:
            why = "no host is a part of it any more" if key[0] in watch.rules else "rule removed"
            recorder.change(Change(NO_HOST, *key, before, None, now, None, why))


# --- rules that count hosts -------------------------------------------------------------------------------------------


class Counted(Struct):
    """The hosts of one group."""

    size: int = 0
    bad: list[str] = []
    unknown: int = 0


def _count(watch: Watch, recorder: Recorder, now: int) -> Iterator[Key]:
    counted: dict[Key, Counted] = {}
    rules = watch.plans.fleet
    for memory in watch.hosts.values():
        for rule, subject in memory.groups:
            if (word := _word(rule, memory, now)) is not None:
                if (group := counted.get((rule.name, subject))) is None:
                    group = counted[rule.name, subject] = Counted()
                group.size += 1
                if word != "ok":
                    group.unknown += word == "unknown"
                    group.bad += [memory.host.name] if word == "bad" else []
    for key, group in counted.items():
        _judge_group(watch, recorder, rules[key[0]], key[1], group, now)
        yield key


def _judge_group(
    watch: Watch, recorder: Recorder, rule: FleetRule, subject: str, group: Counted, now: int
) -> None:
    before = watch.gathered.get((rule.name, subject))
    verdict = rule.verdict(len(group.bad), group.unknown, group.size)
    if before is None and verdict.state == "ok":
        return
    value = rule.value(len(group.bad), group.size)
    after = settled(rule, subject, before, verdict, value, Sample(now, EVERY_MS, None))
    if after is before:
        return
    of = subject.partition(":")[2]
    whose = "" if of == "all" else f" of {of}"
    said = f"{len(group.bad)} of {group.size} hosts{whose} bad ({rule.made_bad_by}): {named(group.bad)}"
    summary = _summary(rule, of, {}, after, said, now=now, zone=watch.policy.zone)
    recorder.change(Change(NO_HOST, rule.name, subject, before, after, now, value), summary)


def _word(rule: FleetRule, memory: Memory, now: int) -> str | None:
    """What a host is; None when it is not counted."""
    if (memory.host.flags and memory.host.has_stopped) or not memory.ever_heard:
        return None
    if _is_away(memory, now):
        return None if _may_be_away(memory) else rule.word(memory.absence.keys(), rule.looks_at)
    if not (memory.track.states or memory.aside):
        return "ok"
    states = list(memory.states())
    firing = {state.rule for state in states if state.state == "firing"}
    return rule.word(firing, {state.rule for state in states if state.state == "unknown"})


def _is_away(memory: Memory, now: int) -> bool:
    return bool(memory.absence) or now - memory.quiet_since > HOLDS * memory.host.every_ms


def _may_be_away(memory: Memory) -> bool:
    """Whether nobody is to wonder that it is silent."""
    return memory.host.is_service or memory.host.is_ephemeral


# --- checks that several hosts run ------------------------------------------------------------------------------------


def _ask(watch: Watch, recorder: Recorder, now: int) -> Iterator[Key]:
    if not watch.shared:
        return
    answers = {check.id: Answers() for check in watch.shared}
    waiting: set[str] = set()
    for memory in watch.hosts.values():
        if memory.shared:
            _take_answers(memory, answers, waiting, now)
    for check in watch.shared:
        if check.id in waiting:
            yield from (key for key in watch.gathered if key[1] == check.subject)
            continue
        for rule in _about(watch, check, answers[check.id]):
            _judge_check(watch, recorder, rule, check, answers[check.id], now)
            yield rule.name, check.subject


def _take_answers(memory: Memory, answers: Mapping[str, Answers], waiting: set[str], now: int) -> None:
    """What a host says of the checks that it runs. One that was not heard since our start is waited for, and one that
    is silent knows nothing."""
    is_away = _is_away(memory, now)
    if (memory.host.flags and memory.host.has_stopped) or not memory.ever_heard:
        return
    if is_away and _may_be_away(memory):
        return
    if not memory.layout and not is_away:
        waiting.update(memory.shared)
    for check, series in memory.track.plan.shared.items():
        newest = None if is_away else memory.checks.get(check)
        said: tuple[CheckState, str] = (newest.state, newest.detail) if newest else ("unknown", "")
        answers[check].said[memory.host.name] = said
        answers[check].away |= {memory.host.name} if is_away else set()
        answers[check].series = answers[check].series or series


def _about(watch: Watch, check: SharedCheck, answers: Answers) -> Iterator[BatchRule]:
    """The rules that look at it: those about the state of checks that are not for some hosts only."""
    if not answers.series:
        return
    series = series_of(answers.series)
    for rule in watch.rules.values():
        if rule.cadence != "batch" or rule.metric != METRIC or has_window(rule) or is_combining(rule):
            continue
        if rule.binds(series) and rule.concerns(check.labels):
            yield rule


def _judge_check(
    watch: Watch, recorder: Recorder, rule: BatchRule, check: SharedCheck, answers: Answers, now: int
) -> None:
    before = watch.gathered.get((rule.name, check.subject))
    if rule.verdict(math.nan).state == "bad":  # that nothing is known is its very matter
        answers = answers.at_hand
    state: CheckState = answers.state(check.need) if answers.said else "ok"
    after = step(rule, check.subject, before, VALUES[state], Sample(now, EVERY_MS, None))
    if after is before:
        return
    said = answers.sentence(check.id, series_of(answers.series).labels.get("kind", ""), state)
    summary = _summary(rule, check.id, check.labels, after, said, now=now, zone=watch.policy.zone)
    value = None if state == "unknown" else VALUES[state]
    recorder.change(Change(NO_HOST, rule.name, check.subject, before, after, now, value), summary)


def _summary(
    rule: GradedRule,
    name: str,
    labels: Mapping[str, str],
    state: RuleState | None,
    said: str,
    *,
    now: int,
    zone: str,
) -> str:
    """The words of an alert; `{{detail}}` are those that are said where the rule brings none of its own."""
    if not rule.options.summary or state is None:
        return said
    limit = rule.limit(state.severity) if state.severity else None
    given = {
        "value": words.number(state.value or 0),
        "limit": "?" if limit is None else words.number(limit),
        "for": words.duration(now - state.since),
        "since": words.clock(state.since, now, zone),
        "series": name,
        "severity": state.severity or "",
        "detail": said,
    }
    return words.fill(rule.options.summary, Host(NO_HOST, name, dict(labels)), given, None)
