"""What the collector can be told, in one file: the section `collector:` of collector.yaml, and the rules it names.

Order: default < file < environment (WATCHKEEPER_COLLECTOR__LISTEN=...). A mistake is a ConfigError that names file,
line, path and what is allowed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

import collector.channels
import rules.kinds
from agent.options import (
    ConfigError,
    KindSet,
    Node,
    convert,
    discover,
    overlay_environment,
    parse_yaml,
    read_yaml,
)
from agent.wire import DEFINITION_BYTES_MAX, Text
from collector.channels import Channel, ChannelOptions
from rules.engine import Rule, is_combining
from rules.kinds import RuleOptions
from rules.model import ChannelView

DEFAULT_FILE = Path("/etc/watchkeeper/collector.yaml")
DEFAULT_PORT = 8420
DEFINITIONS_MAX = 1_000
"""Of all hosts together; how many one of them runs is in agent.wire."""
PACKS = Path(rules.kinds.__file__).parent.parent / "packs"


class CollectorConfig(Struct, kw_only=True, frozen=True):
    """Every setting of the collector.

    listen: the address and port for agents, pages and programs
    url: where people reach the pages, for the links in notices; http:// and `listen` when left out
    state: the folder for all that is kept; relative to the folder of this file
    keep: how long samples are kept as they came; two days at least, for a rollup is made of a whole day
    keep_rollups: how long they are kept in quarters of an hour, with the lowest, the highest and the mean of each
    keep_history: how long transitions, and incidents once they are resolved, are kept
    disk_budget: how much disk the store may take; when it comes near, the oldest samples go before their time
    late_max: how late a batch may come, when an agent was cut off, and still be taken
    connections_max: how many connections may be open at once
    packs: which of the rules that come with Watchkeeper hold
    rules: files of your own rules; one with the name of a pack's rule takes its place
    channels: whom to tell
    checks: what hosts are to check besides what is in their own config, each with `from`, the labels of those hosts
    """

    listen: str = f"127.0.0.1:{DEFAULT_PORT}"
    url: str = ""
    state: Path = Path("/var/lib/watchkeeper/collector")
    keep_s: Annotated[float, Meta(ge=2 * 86_400)] = 14 * 86_400
    keep_rollups_s: Annotated[float, Meta(ge=2 * 86_400)] = 400 * 86_400
    keep_history_s: Annotated[float, Meta(ge=2 * 86_400)] = 5 * 365 * 86_400
    disk_budget_bytes: Annotated[int, Meta(ge=256 * 1024 * 1024)] | None = None
    late_s_max: Annotated[float, Meta(ge=60, le=365 * 86_400)] = 7 * 86_400
    connections_max: Annotated[int, Meta(ge=8, le=1_000_000)] = 4_096
    packs: tuple[str, ...] = ("hosts", "services", "critical")
    rules: tuple[str, ...] = ("rules.d/*.yaml",)
    channels: list[ChannelOptions] = []
    checks: Annotated[list[dict[str, Any]], Meta(max_length=DEFINITIONS_MAX)] = []

    @property
    def address(self) -> tuple[str, int]:
        return parse_listen(self.listen)

    @property
    def channel_views(self) -> list[ChannelView]:
        """What deciding needs to know of the channels."""
        return [ChannelView(options.name, options.from_severity) for options in self.channels]

    @property
    def link_base(self) -> str:
        """Where people reach the pages: `url`, or else the address we listen on."""
        return self.url.rstrip("/") or f"http://{self.listen}"


class Definition(Struct, frozen=True):
    """A check that hosts with such labels are to run (as `where` of a rule: `host` is the host's name).

    Whether it is right only an agent can say, which knows the kinds; `text` is what it is sent: JSON, with each scalar
    as it was written.
    """

    id: str
    where: dict[str, str | list[str]]
    text: bytes

    def concerns(self, labels: Mapping[str, str]) -> bool:
        """Whether a host with these labels is one of those that are to run it."""
        return all(
            labels.get(label) in ([wanted] if isinstance(wanted, str) else wanted)
            for label, wanted in self.where.items()
        )


class Loaded(Struct, frozen=True):
    """The config, the folder it lies in, where relative paths start, and where each of its keys was written, for
    whoever finds a mistake later."""

    config: CollectorConfig
    folder: Path
    section: Node
    definitions: list[Definition] = []

    def error(self, key: str, problem: str) -> ConfigError:
        """A mistake in a key of the section."""
        return self.section.get(key).error(problem)

    @property
    def state(self) -> Path:
        return self.folder / self.config.state


class RuleFile(Struct, frozen=True):
    """A file of rules: a pack, or one of rules.d."""

    rules: list[RuleOptions] = []


class WrittenRule(Struct, frozen=True):
    """A rule and where it is written; `instead_of` is the one of its name, in an earlier file, whose place it takes."""

    rule: Rule
    file: Path
    line: int
    instead_of: WrittenRule | None = None

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}"


def parse_listen(text: str) -> tuple[str, int]:
    """'127.0.0.1:8420' or '[::1]:8420' as host and port. ValueError says what is allowed."""
    match = re.fullmatch(r"(?:\[([0-9a-fA-F:.]+)\]|([^\s:\[\]]+)):(\d{1,5})", text)
    if match is None or int(match[3]) > 65_535:
        raise ValueError(
            f"{text!r} is not an address to listen on; write one such as 127.0.0.1:8420 or [::]:8420"
        )
    return match[1] or match[2], int(match[3])


def load(path: Path | None, environ: Mapping[str, str]) -> Loaded:
    """The collector's config. Without a path the default file is read if it is there. Raises ConfigError."""
    if path is None and not DEFAULT_FILE.exists():
        root = parse_yaml("", file=str(DEFAULT_FILE))
    else:
        root = read_yaml(path or DEFAULT_FILE)
    root.only("agent", "collector")
    section = overlay_environment(root, environ, section="collector").get("collector")
    config = convert(section, CollectorConfig, kinds={ChannelOptions: KindSet(discover(collector.channels))})
    definitions = [_definition(entry) for entry in section.get("checks").items()] if config.checks else []
    loaded = Loaded(config, (path or DEFAULT_FILE).parent, section, definitions)
    _refuse_bad_addresses(loaded)
    _refuse_one_name_twice("channels", config.channels, section.get("channels"))
    _refuse_one_id_twice(definitions, section.get("checks"))
    return loaded


def _definition(entry: Node) -> Definition:
    """What of a check can be seen without knowing its kind is looked at here. ConfigError."""
    head = convert(
        replace(entry, value={key: entry.get(key) for key in _HEAD if key in entry.entries()}), _Head
    )
    options = {key: child for key, child in entry.entries().items() if key != "from"}
    text = _as_json(replace(entry, value=options))
    if len(text) > DEFINITION_BYTES_MAX:
        raise entry.error(
            f"{len(text)} bytes of options; at most {DEFINITION_BYTES_MAX} are sent to an agent"
        )
    return Definition(head.id, head.where, text)


class _Head(Struct, frozen=True, kw_only=True):
    kind: Text
    id: Annotated[str, Meta(min_length=1, max_length=200)]
    where: dict[str, str | list[str]] = msgspec.field(name="from")


_HEAD = ("kind", "id", "from")


def _as_json(node: Node) -> bytes:
    """A node as JSON that keeps how a number was written. ConfigError where JSON has no such number."""
    match node.value:
        case dict():
            members = (msgspec.json.encode(key) + b":" + _as_json(child) for key, child in node.value.items())
            return b"{" + b",".join(members) + b"}"
        case list():
            return b"[" + b",".join(map(_as_json, node.value)) + b"]"
        case str():
            return msgspec.json.encode(node.text)
        case None | bool():
            return msgspec.json.encode(node.value)
    try:
        msgspec.json.decode(node.text)
    except msgspec.DecodeError:
        raise node.error(f"write {node.value}, or put it in quotes if it is text") from None
    return node.text.encode()


def _refuse_one_id_twice(definitions: Sequence[Definition], node: Node) -> None:
    ids: set[str] = set()
    for definition, entry in zip(definitions, node.items() if definitions else [], strict=True):
        if definition.id in ids:
            raise entry.get("id").error(f'there are two checks of the id "{definition.id:.100}"; rename one')
        ids.add(definition.id)


def _refuse_bad_addresses(loaded: Loaded) -> None:
    config = loaded.config
    try:
        parse_listen(config.listen)
    except ValueError as error:
        raise loaded.error("listen", str(error)) from None
    if config.url and not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", config.url):
        raise loaded.error(
            "url", f'"{config.url:.200}" is no web address; write one such as https://watch.example.org'
        )


def _refuse_one_name_twice(noun: str, named: Sequence[ChannelOptions | RuleOptions], node: Node) -> None:
    """`node` is the list that `named` was read from."""
    names: set[str] = set()
    entries = node.value if isinstance(node.value, list) else []
    for options, entry in zip(named, entries, strict=True):
        if options.name in names:
            raise entry.get("name").error(f'there are two {noun} called "{options.name}"; rename one')
        names.add(options.name)


def load_rules(loaded: Loaded) -> list[Rule]:
    """The rules that hold. Raises ConfigError."""
    return [written.rule for written in written_rules(loaded) if written.rule.enabled]


def written_rules(loaded: Loaded) -> list[WrittenRule]:
    """The rules of the packs and files that the config names, those of a file replacing a pack's of the same name;
    those that are switched off as well. Raises ConfigError."""
    config, section = loaded.config, loaded.section
    return find_rules(config.packs, config.rules, loaded.folder, section)


def find_rules(
    packs: Sequence[str], patterns: Sequence[str], folder: Path, section: Node
) -> list[WrittenRule]:
    """The rules of some packs and files; `section` is what has the key `packs`. Raises ConfigError."""
    named: dict[str, WrittenRule] = {}
    for file in [*_pack_files(packs, section), *_rule_files(patterns, folder)]:
        for written in rules_in(file):
            named[written.rule.name] = replace(written, instead_of=named.get(written.rule.name))
    for written in named.values():
        if written.rule.enabled and is_combining(written.rule):
            _refuse_missing_parts(written, written.rule.parts, named)
    return list(named.values())


def _refuse_missing_parts(
    written: WrittenRule, parts: Sequence[str], named: Mapping[str, WrittenRule]
) -> None:
    """Rules that another looks at must hold, and be about series."""
    for name in parts:
        part = named[name].rule if name in named else None
        if part is None or not part.enabled:
            problem = f'"{name:.100}" is not there, or switched off, in the files that are named'
        elif part.cadence != "batch" or is_combining(part):
            problem = f'"{name:.100}" is not about a series; it cannot be looked at by another rule'
        else:
            continue
        raise ConfigError(str(written.file), written.line, f"rule {written.rule.name:.100}", problem)


def rules_in(file: Path) -> list[WrittenRule]:
    """The rules of one file, in its order. Raises ConfigError."""
    kinds, root = discover(rules.kinds), read_yaml(file)
    root.only("rules")
    content = convert(root, RuleFile, kinds={RuleOptions: KindSet(kinds, default="threshold")})
    node = root.get("rules")
    _refuse_one_name_twice("rules", content.rules, node)
    entries = node.items() if content.rules else []
    return [
        WrittenRule(kinds[_kind_of(options)].module.Rule(options), file, entry.line or 1)
        for options, entry in zip(content.rules, entries, strict=True)
    ]


def read_rules(file: Path) -> list[Rule]:
    """The rules of one file, in its order, without where they stand. Raises ConfigError."""
    return [written.rule for written in rules_in(file)]


def build_channel(options: ChannelOptions) -> Channel:
    channel: Channel = discover(collector.channels)[_kind_of(options)].module.Channel(options)
    return channel


def _kind_of(options: Struct) -> str:
    return type(options).__module__.rpartition(".")[2]


def _pack_files(packs: Sequence[str], section: Node) -> list[Path]:
    there = {file.stem: file for file in sorted(PACKS.glob("*.yaml"))}
    for pack in packs:
        if pack not in there:
            problem = f'there is no pack "{pack:.100}"; there are: {", ".join(there)}'
            raise section.get("packs").error(problem)
    return [there[pack] for pack in packs]


def _rule_files(patterns: Sequence[str], folder: Path) -> list[Path]:
    """In name order within each pattern. A plain path that is not there is a mistake; a pattern may match nothing."""
    files: list[Path] = []
    for pattern in patterns:
        whole = Path(pattern) if pattern.startswith("/") else folder / pattern
        if not any(sign in pattern for sign in "*?["):
            files.append(whole)
        else:
            files.extend(sorted(Path(whole.anchor or ".").glob(str(whole.relative_to(whole.anchor)))))
    return files
