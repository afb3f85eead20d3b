"""What the collector can be told, in one file: the section `collector:` of collector.yaml, and the rules it names.

Order: default < file < environment (WATCHKEEPER_COLLECTOR__LISTEN=...). A mistake is a ConfigError that names file,
line, path and what is allowed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

import collector.channels
import rules.kinds
from agent.options import (
    ConfigError,
    KindSet,
    convert,
    discover,
    overlay_environment,
    parse_yaml,
    read_yaml,
)
from collector.channels import Channel, ChannelOptions
from rules.engine import Rule
from rules.kinds import RuleOptions

DEFAULT_FILE = Path("/etc/watchkeeper/collector.yaml")
DEFAULT_PORT = 8420
PACKS = Path(rules.kinds.__file__).parent.parent / "packs"


class CollectorConfig(Struct, kw_only=True, frozen=True):
    """Every setting of the collector. Defaults suit a handful of hosts on one machine."""

    listen: str = f"127.0.0.1:{DEFAULT_PORT}"
    url: str = ""
    state: str = "/var/lib/watchkeeper"
    keep_s: float = 14 * 86_400
    late_s_max: float = 7 * 86_400
    connections_max: int = 4_096
    packs: tuple[str, ...] = ("hosts", "services", "critical")
    rules: tuple[str, ...] = ("rules.d/*.yaml",)
    channels: list[ChannelOptions] = []

    def __post_init__(self) -> None:
        parse_listen(self.listen)
        repeated = {c.name for c in self.channels if [d.name for d in self.channels].count(c.name) > 1}
        if repeated:
            raise ValueError(f"two channels are called {sorted(repeated)[0]!r}; each needs a name of its own")

    @property
    def address(self) -> tuple[str, int]:
        return parse_listen(self.listen)

    @property
    def link_base(self) -> str:
        """Where people reach the pages: `url`, or else the address we listen on."""
        return self.url.rstrip("/") or f"http://{self.listen}"


class RuleFile(Struct, frozen=True):
    """A file of rules: a pack, or one of rules.d."""

    rules: list[RuleOptions] = []


def parse_listen(text: str) -> tuple[str, int]:
    """'127.0.0.1:8420' or '[::1]:8420' as host and port. ValueError says what is allowed."""
    match = re.fullmatch(r"(?:\[([0-9a-fA-F:.]+)\]|([^\s:\[\]]+)):(\d{1,5})", text)
    if match is None or int(match[3]) > 65_535:
        raise ValueError(
            f"{text!r} is not an address to listen on; write one such as 127.0.0.1:8420 or [::]:8420"
        )
    return match[1] or match[2], int(match[3])


def load(path: Path | None, environ: Mapping[str, str]) -> CollectorConfig:
    """The collector's config. Without a path the default file is read if it is there. Raises ConfigError."""
    if path is None and not DEFAULT_FILE.exists():
        root = parse_yaml("", file="(defaults)")
    else:
        root = read_yaml(path or DEFAULT_FILE)
    root.only("agent", "collector")
    section = overlay_environment(root.get("collector"), environ, section="collector")
    return convert(section, CollectorConfig, kinds={ChannelOptions: KindSet(discover(collector.channels))})


def load_rules(config: CollectorConfig, folder: Path) -> list[Rule]:
    """The rules of the packs and files that the config names, those of a file replacing a pack's of the same name.

    `folder` is where the config lies: relative patterns start there. Raises ConfigError.
    """
    named: dict[str, Rule] = {}
    for file in [*_pack_files(config.packs), *_rule_files(config.rules, folder)]:
        in_this_file: set[str] = set()
        for rule in read_rules(file):
            if rule.name in in_this_file:
                raise ConfigError(str(file), None, "rules", f"two rules are called {rule.name!r}; rename one")
            in_this_file.add(rule.name)
            named[rule.name] = rule
    return [rule for rule in named.values() if rule.enabled]


def read_rules(file: Path) -> list[Rule]:
    """The rules of one file, in its order. Raises ConfigError."""
    kinds = discover(rules.kinds)
    content = convert(read_yaml(file), RuleFile, kinds={RuleOptions: KindSet(kinds, default="threshold")})
    return [kinds[_kind_of(options)].module.Rule(options) for options in content.rules]


def build_channel(options: ChannelOptions) -> Channel:
    channel: Channel = discover(collector.channels)[_kind_of(options)].module.Channel(options)
    return channel


def _kind_of(options: Struct) -> str:
    return type(options).__module__.rpartition(".")[2]


def _pack_files(packs: Sequence[str]) -> list[Path]:
    there = {file.stem: file for file in sorted(PACKS.glob("*.yaml"))}
    for pack in packs:
        if pack not in there:
            raise ConfigError("collector.packs", None, pack, f"no such pack; there are: {', '.join(there)}")
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
