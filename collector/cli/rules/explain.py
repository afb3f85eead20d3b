"""`watchkeeper rules explain HOST`: which rule looks at which of its series, by which limit, and where it stands."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from msgspec.structs import replace

from collector.cli import Commands, House, add_config
from collector.cli.rules.explained import Explained, Said, as_json, as_text
from collector.cli.rules.whom import tells
from collector.config import WrittenRule, written_rules
from collector.config.policy import policy_of
from collector.config.runtime import as_it_holds
from collector.store import Latest, Store, StoreError
from collector.store.pasts import pasts_of
from rules import words
from rules.capacity.forecast import Forecast
from rules.fleet.shared import SharedCheck
from rules.judging.engine import Key, Plan, Plans, Rule, has_window, series_of
from rules.judging.slow import asked, foretell
from rules.kinds import ArrivalRule, SeriesRule
from rules.memory.host import Memory
from rules.memory.windows import slid_over
from rules.model import ChannelView, Host, RuleState, Severity, Window
from rules.policy import Policy

ROWS_MAX = 20_000


def add_to(commands: Commands, house: House) -> None:
    explain = commands.add_parser(
        "explain",
        help="which rules are about a host, by which limits, and how they stand (a collector may be at work)",
    )
    explain.add_argument("host", metavar="HOST")
    explain.add_argument("--all", action="store_true", help="each series on a line of its own")
    explain.add_argument("--json", action="store_true", help="for programs")
    add_config(explain)
    explain.set_defaults(command=partial(_explain, house))


def _explain(house: House, arguments: argparse.Namespace) -> int:
    files = house.load(arguments.config)

    async def show() -> int:
        async with house.store(files) as store:
            loaded = await as_it_holds(files, store.settings)
            written = written_rules(loaded)
            latest = await _latest(store, arguments.host)
            states = (await store.remember(house.now_ms())).states
            plans = Plans([one.rule for one in written if one.rule.enabled])
            memory = Memory(latest.host, plans)
            memory.layout = tuple(latest.names)
            windows = await _windows(store, memory, plans)
            forecasts = await _forecasts(store, memory, latest.values, house.now_ms())
            silences, planned = await store.policy.silences(), await store.policy.maintenance()
        theirs = [state for state in states if _host_of(state) == latest.host.subject]
        found = explained(written, latest, theirs, windows, forecasts, loaded.shared)
        policy = policy_of(loaded.config, silences, planned)
        found = _with_whom(found, written, latest.host, policy, loaded.config.channel_views, house.now_ms())
        now = house.now_ms()
        print(as_json(found) if arguments.json else as_text(found, now, every_series=arguments.all))
        return 0

    return house.run(show())


async def _latest(store: Store, name: str) -> Latest:
    hosts = await store.hosts.all()
    host = next((host for host in hosts if host.name == name), None)
    latest = await store.samples.latest(host.id) if host else None
    if latest is None:
        raise StoreError(f'there is no host "{name:.100}"; `watchkeeper hosts` names them', passing=False)
    return latest


async def _forecasts(
    store: Store, memory: Memory, newest: Mapping[str, float], now: int
) -> Mapping[Key, Forecast]:
    """What rules that look at a long past foretell now."""
    wanted = asked(memory, newest)
    names = list(dict.fromkeys(name for _, name in wanted))
    return foretell(wanted, await pasts_of(store.samples, memory.host.id, names, now), now)


async def _windows(store: Store, memory: Memory, plans: Plans) -> Mapping[Key, Window]:
    """What rules that look at a while of samples see now, out of what is stored."""
    host, looks_back_ms = memory.host, memory.track.plan.looks_back_ms
    if not looks_back_ms or host.last_at is None:
        return {}
    rows = await store.samples.rows(host.id, host.last_at - looks_back_ms, host.last_at + 1, ROWS_MAX)
    return slid_over(plans, memory, rows).windows


def _host_of(state: RuleState) -> str:
    return state.subject.partition("/")[0]


# --- what is so -------------------------------------------------------------------------------------------------------


def explained(
    written: Sequence[WrittenRule],
    latest: Latest,
    states: Sequence[RuleState],
    windows: Mapping[Key, Window],
    forecasts: Mapping[Key, Forecast],
    shared: Sequence[SharedCheck] = (),
) -> Explained:
    """`states` are those of the host."""
    host, labels, values = latest.host, latest.host.binding_labels, latest.values
    enabled = [one for one in written if one.rule.enabled]
    about = {one.rule.name: one for one in enabled if one.rule.concerns(labels)}
    by_key = {(state.rule, state.subject): state for state in states}
    batch = [rule for one in about.values() if (rule := one.rule).cadence == "batch"]
    plan = Plan(list(values), batch, [check.id for check in shared if check.concerns(labels)])
    says = [*_silence(about, host, by_key), *_itself(about, host, by_key)]
    for rule, name in plan.bound:
        state = by_key.get((rule.name, host.series_subject(name)))
        value = _looked_at(rule, windows.get((rule.name, name)), values[name])
        says.append(_about_series(about[rule.name], rule, name, value, state))
    for (name, series), combining in plan.combining.items():
        state = by_key.get((name, host.series_subject(series)))
        value = state.value if state and state.value is not None else math.nan
        says.append(_about_series(about[name], combining, series, value, state))
    for name in values:
        says += _ahead(about, host, name, by_key, forecasts)
    spoken = {said.rule for said in says}
    counting = _counting(about, labels)
    return Explained(
        host=host.name,
        labels=host.labels,
        says=says,
        idle=[name for name in about if name not in spoken and name not in counting],
        counted=counting,
        shared=sorted(plan.shared),
        others=len(enabled) - len(about),
        off=[one.rule.name for one in written if not one.rule.enabled],
    )


def _looked_at(rule: Rule, window: Window | None, newest: float) -> float:
    """The number that a rule judges: the newest, or what it makes of the latest few; NaN where that is nothing yet."""
    if not has_window(rule):
        return newest
    reading = rule.reading(window) if window else None
    return math.nan if reading is None else reading


def _counting(about: Mapping[str, WrittenRule], labels: Mapping[str, str]) -> dict[str, str]:
    """The rules that count the host together with others, and as what."""
    return {
        name: subject
        for name, one in about.items()
        if one.rule.cadence == "fleet" and (subject := one.rule.subject(labels)) is not None
    }


def _with_whom(
    found: Explained,
    written: Sequence[WrittenRule],
    host: Host,
    policy: Policy,
    channels: Sequence[ChannelView],
    now: int,
) -> Explained:
    rules = {one.rule.name: one.rule for one in written}
    says = []
    for said in found.says:
        told: dict[Severity, list[str]] = {}
        sentences: list[str] = []
        subject = host.series_subject(said.series) if said.series else host.subject
        for severity in severities_of(rules[said.rule]):
            told[severity], why_not = tells(rules[said.rule], severity, host, subject, policy, channels, now)
            sentences += why_not
        says.append(replace(said, tells=told, not_told=list(dict.fromkeys(sentences))))
    return replace(found, says=says)


def severities_of(rule: Rule) -> tuple[Severity, ...]:
    return (rule.severity,) if rule.cadence == "arrival" else rule.severities


def _silence(
    about: Mapping[str, WrittenRule], host: Host, states: Mapping[tuple[str, str], RuleState]
) -> Iterator[Said]:
    for written in about.values():
        rule = written.rule
        if rule.cadence == "arrival":
            yield _about_silence(written, rule, host, states.get((rule.name, host.subject)))


def _ahead(
    about: Mapping[str, WrittenRule],
    host: Host,
    series: str,
    states: Mapping[tuple[str, str], RuleState],
    forecasts: Mapping[Key, Forecast],
) -> Iterator[Said]:
    """What rules that look at a long past say of a series. What is not foretold was not worth it."""
    for written in about.values():
        rule = written.rule
        if rule.cadence == "slow" and rule.binds(series_of(series)):
            found = forecasts.get((rule.name, series))
            value = math.inf if found is None else rule.value_of(found)
            state = states.get((rule.name, host.series_subject(series)))
            yield _about_series(written, rule, series, value, state)


def _itself(
    about: Mapping[str, WrittenRule], host: Host, states: Mapping[tuple[str, str], RuleState]
) -> Iterator[Said]:
    """What rules about the host itself say."""
    for written in about.values():
        rule = written.rule
        if rule.cadence == "host":
            state = states.get((rule.name, host.series_subject(rule.series)))
            bad = float(rule.verdict_on(host).state == "bad")
            yield _about_series(written, rule, rule.series, bad, state)


def _about_silence(written: WrittenRule, rule: ArrivalRule, host: Host, state: RuleState | None) -> Said:
    patience_s = rule.patience_ms(host.every_ms) / 1000
    said = f"{rule.severity}: silent for {words.duration(patience_s * 1000)}"
    return _said(written, "", {rule.severity: patience_s}, said, None, "", state)


def _about_series(
    written: WrittenRule, rule: SeriesRule, name: str, value: float, state: RuleState | None
) -> Said:
    limits: dict[Severity, float] = {}
    for severity in rule.severities:
        if (limit := rule.limit(severity)) is not None:
            limits[severity] = limit
    said = ", ".join(f"{severity} {rule.compares} {rule.says(limit)}" for severity, limit in limits.items())
    said = said or ", ".join(rule.severities)
    if math.isnan(value):
        return _said(written, name, limits, said, None, "", state)
    return _said(
        written, name, limits, said, value if math.isfinite(value) else None, rule.says(value), state
    )


def _said(
    written: WrittenRule,
    series: str,
    limits: dict[Severity, float],
    limits_said: str,
    value: float | None,
    value_said: str,
    state: RuleState | None,
) -> Said:
    return Said(
        rule=written.rule.name,
        file=str(written.file),
        line=written.line,
        series=series,
        limits=limits,
        limits_said=limits_said,
        for_s=written.rule.options.for_s,
        value=value,
        value_said=value_said,
        state=state.state if state else "ok",
        since=state.since if state else None,
        severity=state.severity if state else None,
        takes_the_place_of=written.instead_of.place if written.instead_of else "",
        observe=written.rule.options.observe,
    )
