"""config.example.yaml is complete and true: it loads, names every key once, and shows the defaults."""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection, Container, Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

import agent.checks
import agent.config
import collector.channels
import collector.config
from agent.options import Node, discover, parse_yaml, read_yaml
from agent.options.describe import OptionLine, describe

EXAMPLE = Path(__file__).parent.parent / "config.example.yaml"
TOKEN = f"wk_agent_main_{'a' * 12}_{'b' * 40}"
SECRETS = {
    "agent.token": TOKEN,
    "slack-webhook.url": "https://hooks.slack.com/services/T0/B0/x",
    "phone.url": "ntfys://ntfy.example.org/topic",
    "shop-hook.secret": "a secret of sixteen letters",
}

# What is checked kind by kind, and what is an example where there is nothing by default.
OF_KINDS = ("checks[]", "channels[]")
EXAMPLES = {
    "checks", "channels", "heartbeat", "tls", "jobs", "jobs[].every", "routes", "routes[].name", "routes[].escalate",
    "on_call", "on_call[].instead", "maintenance", "services", "services[].title", "services[].checks",
    "services[].checks[].from", "services[].checks[].need", "services[].hosts", "services[].hosts.need",
    "services[].depends_on", "services[].latency",
    "scaling", "scaling[].where", "scaling[].current", "scaling[].targets", "scaling[].hook",
    "scaling[].hook.command", "scaling[].up.pace", "scaling[].up.pace[].instances", "scaling[].up.pace[].percent",
    "scaling[].down.pace", "scaling[].down.pace[].instances", "scaling[].down.pace[].percent",
    "capacity.prices", "capacity.prices.core", "capacity.prices.gib",
}  # fmt: skip


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """The example in a folder that holds the secrets it names."""
    for name, secret in SECRETS.items():
        (tmp_path / name).write_text(secret)
    return Path(shutil.copy(EXAMPLE, tmp_path))


def test_the_agent_takes_it(example: Path) -> None:
    config = agent.config.load(example, {})
    assert kinds_of(config.checks) == set(discover(agent.checks))


def test_the_collector_takes_it(example: Path) -> None:
    loaded = collector.config.load(example, {})
    assert kinds_of(loaded.config.channels) == set(discover(collector.channels))


@pytest.mark.parametrize(
    ("section", "options"),
    [("agent", agent.config.AgentConfig), ("collector", collector.config.CollectorConfig)],
)
def test_a_section_names_every_key_with_its_default(section: str, options: type[msgspec.Struct]) -> None:
    wanted = {line.key: line for line in describe(options) if not line.key.startswith(OF_KINDS)}
    written = flattened(read_yaml(EXAMPLE).get(section), wanted)
    assert sorted(written) == sorted(wanted)
    assert differing(written, [line for key, line in wanted.items() if key not in EXAMPLES]) == {}


@pytest.mark.parametrize(
    ("section", "key", "package", "common"),
    [
        ("agent", "checks", agent.checks, agent.checks.CheckOptions),
        ("collector", "channels", collector.channels, collector.channels.ChannelOptions),
    ],
)
def test_every_kind_is_there_with_every_option_and_its_default(
    section: str, key: str, package: ModuleType, common: type[msgspec.Struct]
) -> None:
    entries = {entry["kind"].text: entry for entry in mappings(read_yaml(EXAMPLE).get(section).get(key))}
    kinds = discover(package)
    assert set(entries) == set(kinds)
    shared = {line.key for line in describe(common)}
    for name, kind in kinds.items():
        own = {line.key: line for line in describe(kind.options) if line.key not in shared}
        written = {
            plain_key(key, own): value for key, value in entries[name].items() if key not in {"kind", *shared}
        }
        assert sorted(written) == sorted(own), name
        assert differing(written, list(own.values())) == {}, name
    assert shared <= set().union(*entries.values())


def test_every_line_with_a_default_says_what_it_is_for() -> None:
    setting = re.compile(r"\s+(- )?(?!kind|id|name|url|port|exclude_)[a-z_]+: \S")
    silent = [line for line in EXAMPLE.read_text().splitlines() if setting.match(line) and "#" not in line]
    assert silent == []


def flattened(node: Node, known: Collection[str], prefix: str = "") -> dict[str, Node]:
    """What is written, by whole keys as `describe` has them: `heartbeat.url`, `jobs[].name`."""
    found: dict[str, Node] = {}
    for key, child in node.entries().items():
        whole = plain_key(prefix + key, known)
        if whole in known:
            found[whole] = child
        if isinstance(child.value, dict) and any(under(whole + ".", known)):
            found |= flattened(child, known, whole + ".")
        elif isinstance(child.value, list) and any(under(whole + "[].", known)):
            for entry in child.items():
                found |= flattened(entry, known, whole + "[].")
    return found


def under(prefix: str, known: Iterable[str]) -> Iterator[str]:
    return (key for key in known if key.startswith(prefix))


def plain_key(key: str, known: Container[str]) -> str:
    """A secret may be written as `url_file`; what is meant is `url`."""
    return key if key in known else key.removesuffix("_file")


def kinds_of(options: Iterable[object]) -> set[str]:
    return {type(one).__module__.rpartition(".")[2] for one in options}


def mappings(node: Node) -> list[dict[str, Node]]:
    assert isinstance(node.value, list)
    return [child.entries() for child in node.value]


def differing(written: dict[str, Node], wanted: list[OptionLine]) -> dict[str, tuple[Any, Any]]:
    """Keys whose value in the example is not the default, where there is one."""
    found = {}
    for line in wanted:
        if line.default is None or line.key not in written or line.type.startswith("secret"):
            continue
        default = parse_yaml(f"key: {line.default}", file="default").get("key").plain()
        if written[line.key].plain() != default:
            found[line.key] = (written[line.key].plain(), default)
    return found
