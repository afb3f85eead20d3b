"""Settings that are changed while the collector runs: which may be, how they lie below the file, and what holds in all.

Order: default < run time < file < environment. So what stands in a file stays as it stands there, whoever clicks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from agent.options import ConfigError, Node, parse_yaml
from agent.options.describe import as_yaml, describe
from agent.options.yamlnode import nearest
from collector.config import CollectorConfig, Loaded, WrittenRule, loaded_of, written_rules
from collector.config.kinds import kind_of
from collector.config.thresholds import Thresholds
from collector.store.settings import Setting, Settings
from rules.judging.engine import Rule

WHILE_IT_RAN = "set while it ran"
"""Stands for a file's name where a setting is in none."""
CHANGEABLE = frozenset(
    ("packs", "checks", "keep", "keep_rollups", "keep_history", "disk_budget", "thresholds")
)
FLAT = {
    "cpu_warning_threshold": "thresholds.cpu_warning_pct",
    "cpu_critical_threshold": "thresholds.cpu_critical_pct",
    "memory_warning_threshold": "thresholds.memory_warning_pct",
    "memory_critical_threshold": "thresholds.memory_critical_pct",
    "response_time_warning_threshold": "thresholds.response_time_warning",
    "response_time_critical_threshold": "thresholds.response_time_critical",
    "uptime_target": "thresholds.uptime_target_pct",
    "response_time_target": "thresholds.response_time_target",
}
"""What programs may say instead: percents and milliseconds, as numbers."""
HIDDEN = "****"

Source = Literal["default", "run time", "file", "environment"]


class SettingError(Exception):
    """A change that cannot be: `code` is `unknown`, `only_in_files` or `held`."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class Line(Struct, frozen=True):
    """A key, what holds, and where from: `where` is file and line, a variable's name, or nothing for a default."""

    key: str
    value: Any
    source: Source
    where: str
    changeable: bool
    help: str


class Held(Struct, frozen=True):
    """A config that holds, with the rules that it names, those that are switched off among them."""

    loaded: Loaded
    written: list[WrittenRule]

    @property
    def config(self) -> CollectorConfig:
        return self.loaded.config

    @property
    def rules(self) -> list[Rule]:
        """Those that are judged by."""
        return [written.rule for written in self.written if written.rule.enabled]


def with_rules(loaded: Loaded) -> Held:
    """ConfigError when there is a mistake in a rule."""
    return Held(loaded, written_rules(loaded))


# --- what is asked for ------------------------------------------------------------------------------------------------


def flattened(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """A change by keys as they are kept: flat words replaced, what is nested taken apart. SettingError."""
    found: dict[str, Any] = {}
    for key, value in wanted.items():
        path = FLAT.get(key, key)
        if isinstance(value, dict) and path == "thresholds":
            inner = {f"{path}.{name}": below for name, below in value.items()}
        else:
            inner = {path: _with_unit(key, value)}
        for name, below in inner.items():
            _see_that_it_may_be(name)
            found[name] = below
    return found


def _with_unit(key: str, value: Any) -> Any:
    """Of the flat words, those that count milliseconds are numbers, as programs have them."""
    in_ms = key in FLAT and "response_time" in key and isinstance(value, int | float)
    return f"{value:.15g}ms" if in_ms and not isinstance(value, bool) else value


def _see_that_it_may_be(key: str) -> None:
    known = [line.key for line in describe(CollectorConfig)]
    changeable = [name for name in known if name.partition(".")[0] in CHANGEABLE]
    if key in changeable:
        return
    top = key.partition(".")[0]
    if top not in CHANGEABLE and top in {name.partition(".")[0].partition("[")[0] for name in known}:
        raise SettingError("only_in_files", f"{key[:100]} can be set in the collector's file only")
    raise SettingError("unknown", f"there is no setting {key[:100]!r}; {nearest(key, [*FLAT, *changeable])}")


def refuse_what_is_held(loaded: Loaded, keys: Mapping[str, Any]) -> None:
    """What a file or the environment says cannot be changed here. `loaded` is without what was set while it ran.
    SettingError names file and line."""
    for key in keys:
        node = _node_at(loaded.section, key)
        if node is not None:
            where = _where(node)
            raise SettingError("held", f"{key} stands in {where}, which holds; change it there")


# --- laid below the file ----------------------------------------------------------------------------------------------


async def as_it_holds(files: Loaded, settings: Settings) -> Loaded:
    """With what somebody set on a page or by the API, such as a threshold; where that does not fit, the files alone,
    as the collector has it. StoreError."""
    try:
        return laid_under(files, values_of(await settings.all()))
    except ConfigError:
        return files


def values_of(settings: Iterable[Setting]) -> dict[str, Any]:
    """What is set, by its key."""
    return {one.key: msgspec.json.decode(one.value) for one in settings}


def laid_under(loaded: Loaded, settings: Mapping[str, Any]) -> Loaded:
    """The config with what was set while it ran, for keys that neither file nor environment have. ConfigError."""
    if not settings:
        return loaded
    tree: dict[str, Any] = {}
    for key, value in settings.items():
        *above, last = key.split(".")
        place = tree
        for name in above:
            place = place.setdefault(name, {})
        place[last] = value
    text = msgspec.json.encode({"collector": tree}).decode()
    below = _without_lines(parse_yaml(text, file=WHILE_IT_RAN).get("collector"))
    return loaded_of(_merged(loaded.section, below), loaded.folder)


def _without_lines(node: Node) -> Node:
    match node.value:
        case dict():
            children: Any = {key: _without_lines(child) for key, child in node.value.items()}
        case list():
            children = [_without_lines(child) for child in node.value]
        case _:
            children = node.value
    return replace(node, value=children, line=None)


def _merged(above: Node, below: Node) -> Node:
    if not isinstance(above.value, dict | None) or not isinstance(below.value, dict):
        return above
    entries = dict(above.value or {})
    for key, child in below.value.items():
        entries[key] = _merged(entries[key], child) if key in entries else child
    return replace(above, value=entries)


# --- what holds in all ------------------------------------------------------------------------------------------------


def lines(loaded: Loaded) -> list[Line]:
    """Every key with what holds and where that is from; of what may hold a secret only its shape."""
    return list(_lines(loaded))


def _lines(loaded: Loaded) -> Iterator[Line]:
    helps = {line.key: line.help for line in describe(CollectorConfig)}
    for key, value in as_yaml(loaded.config).items():
        shown = _without_secrets(key, value, loaded)
        if isinstance(shown, dict) and any(name.startswith(f"{key}.") for name in helps):
            for name, below in shown.items():
                yield _line(loaded, f"{key}.{name}", below, helps)
        else:
            yield _line(loaded, key, shown, helps)


def _line(loaded: Loaded, key: str, value: Any, helps: Mapping[str, str]) -> Line:
    node = _node_at(loaded.section, key)
    source: Source = "default"
    if node is not None:
        if node.file == WHILE_IT_RAN:
            source = "run time"
        else:
            source = "environment" if node.line is None else "file"
    held = source in ("file", "environment")
    where = _where(node) if node is not None and held else ""
    changeable = key.partition(".")[0] in CHANGEABLE and not held
    return Line(key, value, source, where, changeable, helps.get(key, ""))


def _without_secrets(key: str, value: Any, loaded: Loaded) -> Any:
    match key:
        case "channels":
            kinds = [kind_of(options) for options in loaded.config.channels]
            return [{"kind": kind, **options} for kind, options in zip(kinds, value, strict=True)]
        case "checks":  # which keys of a check hold a secret only an agent knows
            shown = ("kind", "id", "from", "about", "need")
            return [{name: one[name] for name in shown if name in one} for one in value]
        case _:
            return value


def flat(loaded: Loaded) -> dict[str, float]:
    """What holds for the flat words, as numbers."""
    thresholds = loaded.config.thresholds
    fields = {field.removesuffix("_pct").removesuffix("_ms"): field for field in Thresholds.__struct_fields__}
    found = {}
    for word, key in FLAT.items():
        name = key.partition(".")[2].removesuffix("_pct")
        found[word] = float(getattr(thresholds, fields[name]))
    return found


def _node_at(section: Node, key: str) -> Node | None:
    node = section
    for name in key.split("."):
        if not isinstance(node.value, dict) or name not in node.value:
            return None
        node = node.value[name]
    return node


def _where(node: Node) -> str:
    return node.file if node.line is None else f"{node.file}:{node.line}"
