"""What rules say of a host, for people and for programs: what is not well first, then a line for each rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from collector.cli.tables import table
from collector.config import PACKS
from rules import words
from rules.judging.engine import series_of
from rules.model import RANK, Severity, State

COLUMNS = ("RULE", "LOOKS AT", "NOW", "LIMIT", "FOR", "TELLS", "WRITTEN IN")


class Said(Struct, frozen=True):
    """What one rule says of one series, or of the host itself where `series` is empty.

    `value` is what is held against the limits: the newest sample, or what the rule makes of those of a while; None
    where there is no answer, too few samples to tell, or nothing to foretell. `tells` has for each severity the
    channels that would hear of it at once, and `not_told` why others would not. `observe`: it is only being tried.
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
    severity: Severity | None = None
    takes_the_place_of: str = ""
    observe: bool = False
    tells: dict[Severity, list[str]] = {}
    not_told: list[str] = []


class Explained(Struct, frozen=True):
    """All rules about a host.

    `idle` are those that are about it but none of whose series it has now, `others` how many are about other hosts,
    `off` those that are switched off. `counted` are the rules that count it together with others, each with what it is
    counted to, and `shared` the checks that are judged over all hosts that run them.
    """

    host: str
    labels: dict[str, str]
    says: list[Said]
    idle: list[str]
    others: int
    off: list[str]
    counted: dict[str, str] = {}
    shared: list[str] = []


def as_json(found: Explained) -> str:
    return msgspec.json.format(msgspec.json.encode(found), indent=2).decode()


def as_text(found: Explained, now: int, *, every_series: bool = False) -> str:
    """Of a rule that finds all well only the series nearest to its limit is named, unless `every_series`."""
    labels = " ".join(f"{name}={value}" for name, value in sorted(found.labels.items()))
    troubled = [said for said in found.says if said.state != "ok"]
    well = [said for said in found.says if said.state == "ok"]
    usual = Counter(map(_whom, found.says)).most_common(1)
    most = usual[0][0] if usual else ""
    lines = [f"{found.host}  {labels}".rstrip(), "", *_troubles(troubled, now)]
    if well:
        groups = [[said] for said in well] if every_series else list(_by_rule(well))
        lines += [f"Well: {len(groups)} {'series' if every_series else 'rules'}", ""]
        lines += _without_empty(COLUMNS, [_row(group, most) for group in groups])
        lines.append("")
    if most:
        lines.append(f"Told at once, where nothing else is said: {most}")
    lines += _footnotes(found)
    return "\n".join(lines).rstrip()


def _troubles(troubled: Sequence[Said], now: int) -> Iterator[str]:
    """The gravest first, what is unknown last."""
    if not troubled:
        return
    yield f"Not well: {len(troubled)}"
    yield ""
    order = sorted(
        troubled, key=lambda said: (said.state == "unknown", -RANK[said.severity], said.since or 0)
    )
    head = ("STATE", "RULE", "LOOKS AT", "NOW", "LIMIT", "FOR", "TELLS", "WRITTEN IN")
    rows = [(_state(said, now), *_row([said], "")) for said in order]
    yield from table(head, rows)
    yield ""


def _without_empty(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table, without columns in which nothing stands."""
    said = [place for place in range(len(head)) if any(row[place] for row in rows)]
    return table([head[place] for place in said], [[row[place] for place in said] for row in rows])


def _state(said: Said, now: int) -> str:
    grave = said.severity or "" if said.state == "firing" else said.state
    return grave if said.since is None else f"{grave} for {words.duration(now - said.since)}"


def _by_rule(says: Sequence[Said]) -> Iterator[list[Said]]:
    groups: dict[str, list[Said]] = {}
    for said in says:
        groups.setdefault(said.rule, []).append(said)
    yield from groups.values()


def _row(group: Sequence[Said], usual: str) -> tuple[str, ...]:
    said = _nearest(group)
    looks_at = said.series or "whether it is heard"
    if len(group) > 1:
        looks_at = f"{len(group)} series, nearest {_told_apart(said.series)}"
    whom = _whom(said)
    return (
        f"{said.rule} (only tried)" if said.observe else said.rule,
        looks_at,
        said.value_said or ("?" if said.series else ""),
        said.limits_said,
        words.duration(said.for_s * 1000) if said.for_s else "at once",
        "" if whom == usual else whom,
        _place(said),
    )


def _nearest(group: Sequence[Said]) -> Said:
    """The one whose value lies nearest to its limit; where none has a value, the first."""
    known = [said for said in group if said.value is not None and said.limits]
    if not known:
        return group[0]
    return min(known, key=lambda said: abs(next(iter(said.limits.values())) - (said.value or 0.0)))


def _told_apart(name: str) -> str:
    series = series_of(name)
    return " ".join(series.labels.values()) or name


def _whom(said: Said) -> str:
    """Once where it is the same for all severities."""
    told = {severity: ", ".join(channels) or "nobody" for severity, channels in said.tells.items()}
    if len(set(told.values())) == 1:
        return next(iter(told.values()))
    return "; ".join(f"{severity}: {channels}" for severity, channels in told.items())


def _place(said: Said) -> str:
    """A pack by its name, a file of one's own by its path."""
    file = Path(said.file)
    return f"pack {file.stem}:{said.line}" if file.parent == PACKS else f"{said.file}:{said.line}"


def _footnotes(found: Explained) -> Iterator[str]:
    replaced = {said.rule: said.takes_the_place_of for said in found.says if said.takes_the_place_of}
    yield from (f"{rule} takes the place of the rule in {place}" for rule, place in replaced.items())
    yield from dict.fromkeys(sentence for said in found.says for sentence in said.not_told)
    if found.counted:
        said = (f"{rule} ({subject.partition(':')[2]})" for rule, subject in found.counted.items())
        yield f"Counted together with other hosts by: {', '.join(said)}"
    if found.shared:
        yield f"Judged over all hosts that run them, not here alone: {', '.join(found.shared)}"
    if found.idle:
        yield f"About it, but it has no such series now: {', '.join(found.idle)}"
    if found.others:
        yield f"About other hosts: {found.others}"
    if found.off:
        yield f"Switched off: {', '.join(found.off)}"
