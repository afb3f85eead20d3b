"""`watchkeeper rules explain HOST`: which rule looks at which of its series, by which limit, and where it stands."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from collector.cli import Commands, House, add_config
from collector.cli.rules.whom import tells
from collector.cli.tables import table
from collector.config import WrittenRule, written_rules
from collector.config.policy import policy_of
from collector.config.runtime import laid_under
from collector.store import Latest, Store, StoreError
from rules import words
from rules.engine import Key, Plan, Plans, Rule, has_window
from rules.kinds import ArrivalRule, BatchRule
from rules.memory import Memory, binding_labels
from rules.model import ChannelView, Host, RuleState, Severity, State, Window
from rules.policy import Policy
from rules.windows import slid_over

ROWS_MAX = 20_000


class Said(Struct, frozen=True):
    """What one rule says of one series, or of the host itself where `series` is empty.

    `value` is what is held against the limits: the newest sample, or what the rule makes of a while of them; None
    where there is no answer, or too few samples to tell. `tells` has for each severity the channels that would hear of
    it at once, and `not_told` why others would not.
    """

    rule: str
    file: str
    line: int
    series: str
    limits: dict[Severity, float]
    limits_said: str
    for_s: float
    value: float | None
    value_said: str
    state: State
    since: int | None
    takes_the_place_of: str = ""
    tells: dict[Severity, list[str]] = {}
    not_told: list[str] = []


class Explained(Struct, frozen=True):
    """All rules about a host; `idle` are those that are about it but none of whose series it has now, `others` how many
    are about other hosts, `off` those that are switched off."""

    host: str
    labels: dict[str, str]
    says: list[Said]
    idle: list[str]
    others: int
    off: list[str]


def add_to(commands: Commands, house: House) -> None:
    explain = commands.add_parser(
        "explain",
        help="which rules are about a host, by which limits, and how they stand (a collector may be at work)",
    )
    explain.add_argument("host", metavar="HOST")
    explain.add_argument("--json", action="store_true", help="for programs")
    add_config(explain)
    explain.set_defaults(command=partial(_explain, house))


def _explain(house: House, arguments: argparse.Namespace) -> int:
    files = house.load(arguments.config)

    async def show() -> int:
        store = await house.open_store(files, "tool")
        try:
            settings = await store.settings.all()
            loaded = laid_under(files, {one.key: msgspec.json.decode(one.value) for one in settings})
            written = written_rules(loaded)
            latest = await _latest(store, arguments.host)
            states = (await store.remember(house.now_ms())).states
            windows = await _windows(store, [one.rule for one in written if one.rule.enabled], latest.host)
            silences, planned = await store.policy.silences(), await store.policy.maintenance()
        finally:
            await store.close()
        found = explained(written, latest, [s for s in states if _host_of(s) == latest.host.subject], windows)
        policy = policy_of(loaded.config, silences, planned)
        found = _with_whom(found, written, latest.host, policy, loaded.config.channel_views, house.now_ms())
        print(as_json(found) if arguments.json else as_text(found))
        return 0

    return house.run(show())


async def _latest(store: Store, name: str) -> Latest:
    hosts = await store.hosts.all()
    host = next((host for host in hosts if host.name == name), None)
    latest = await store.samples.latest(host.id) if host else None
    if latest is None:
        raise StoreError(f'there is no host "{name:.100}"; `watchkeeper host list` names them', passing=False)
    return latest


async def _windows(store: Store, rules: Sequence[Rule], host: Host) -> Mapping[Key, Window]:
    """What rules that look at a while of samples see now, out of what is stored."""
    plans = Plans(rules)
    memory = Memory(host, plans)
    looks_back_ms = memory.track.plan.looks_back_ms
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
) -> Explained:
    """`states` are those of the host."""
    host, labels, values = latest.host, binding_labels(latest.host), latest.values
    enabled = [one for one in written if one.rule.enabled]
    about = {one.rule.name: one for one in enabled if one.rule.concerns(labels)}
    by_key = {(state.rule, state.subject): state for state in states}
    batch = [rule for one in about.values() if (rule := one.rule).cadence == "batch"]
    plan = Plan(list(values), batch)
    says = list(_silence(about, host, by_key))
    for rule, name in plan.bound:
        state = by_key.get((rule.name, host.series_subject(name)))
        value = values[name]
        if has_window(rule):
            window = windows.get((rule.name, name))
            reading = rule.reading(window) if window else None
            value = math.nan if reading is None else reading
        says.append(_about_series(about[rule.name], rule, name, value, state))
    for (name, series), combining in plan.combining.items():
        state = by_key.get((name, host.series_subject(series)))
        value = state.value if state and state.value is not None else math.nan
        says.append(_about_series(about[name], combining, series, value, state))
    spoken = {said.rule for said in says}
    return Explained(
        host=host.name,
        labels=host.labels,
        says=says,
        idle=[name for name in about if name not in spoken],
        others=len(enabled) - len(about),
        off=[one.rule.name for one in written if not one.rule.enabled],
    )


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
        for severity in said.limits:
            told[severity], why_not = tells(rules[said.rule], severity, host, subject, policy, channels, now)
            sentences += why_not
        says.append(replace(said, tells=told, not_told=list(dict.fromkeys(sentences))))
    return replace(found, says=says)


def _silence(
    about: Mapping[str, WrittenRule], host: Host, states: Mapping[tuple[str, str], RuleState]
) -> Iterator[Said]:
    for written in about.values():
        rule = written.rule
        if rule.cadence == "arrival":
            yield _about_silence(written, rule, host, states.get((rule.name, host.subject)))


def _about_silence(written: WrittenRule, rule: ArrivalRule, host: Host, state: RuleState | None) -> Said:
    patience_s = rule.patience_ms(host.every_ms) / 1000
    said = f"{rule.severity}: silent for {words.duration(patience_s * 1000)}"
    return _said(written, "", {rule.severity: patience_s}, said, None, "", state)


def _about_series(
    written: WrittenRule, rule: BatchRule, name: str, value: float, state: RuleState | None
) -> Said:
    limits: dict[Severity, float] = {}
    for severity in rule.severities:
        if (limit := rule.limit(severity)) is not None:
            limits[severity] = limit
    said = ", ".join(f"{severity} {rule.compares} {rule.says(limit)}" for severity, limit in limits.items())
    if math.isnan(value):
        return _said(written, name, limits, said, None, "", state)
    return _said(written, name, limits, said, value, rule.says(value), state)


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
        takes_the_place_of=written.instead_of.place if written.instead_of else "",
    )


# --- how it is said ---------------------------------------------------------------------------------------------------


def as_json(found: Explained) -> str:
    return msgspec.json.format(msgspec.json.encode(found), indent=2).decode()


def as_text(found: Explained) -> str:
    labels = " ".join(f"{name}={value}" for name, value in sorted(found.labels.items()))
    lines = [f"{found.host}  {labels}".rstrip(), ""]
    rows = [(*_row(said), f"{said.file}:{said.line}") for said in found.says]
    lines += table(("RULE", "LOOKS AT", "NOW", "LIMIT", "FOR", "STATE", "TELLS", "WRITTEN IN"), rows)
    replaced = {said.rule: said.takes_the_place_of for said in found.says if said.takes_the_place_of}
    lines += ["", *(f"{rule} takes the place of the rule in {place}" for rule, place in replaced.items())]
    lines += dict.fromkeys(sentence for said in found.says for sentence in said.not_told)
    if found.idle:
        lines.append(f"About it, but it has no such series now: {', '.join(found.idle)}")
    if found.others:
        lines.append(f"About other hosts: {found.others}")
    if found.off:
        lines.append(f"Switched off: {', '.join(found.off)}")
    return "\n".join(lines).rstrip()


def _row(said: Said) -> tuple[str, ...]:
    state = said.state if said.since is None else f"{said.state} since {words.moment(said.since)}"
    return (
        said.rule,
        said.series or "whether it is heard",
        said.value_said or ("?" if said.series else ""),
        said.limits_said,
        words.duration(said.for_s * 1000) if said.for_s else "at once",
        state,
        _whom(said),
    )


def _whom(said: Said) -> str:
    """Once where it is the same for all severities."""
    told = {severity: ", ".join(channels) or "nobody" for severity, channels in said.tells.items()}
    if len(set(told.values())) == 1:
        return next(iter(told.values()))
    return "; ".join(f"{severity}: {channels}" for severity, channels in told.items())
