"""What the collector can be told, in one file: the section `collector:` of collector.yaml, and the rules it names.

Order: default < file < environment (WATCHKEEPER_COLLECTOR__LISTEN=...). A mistake is a ConfigError that names file,
line, path and what is allowed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct
from msgspec.structs import replace

import collector.channels
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
from collector.channels import Channel, ChannelOptions
from collector.config.access import AccessOptions
from collector.config.definitions import Definition, read_definitions
from collector.config.heartbeat import HeartbeatOptions
from collector.config.jobs import JobOptions, refuse_one_token_twice
from collector.config.kinds import kind_of, refuse_one_name_twice
from collector.config.policy import see_that_it_is_sound
from collector.config.rulefiles import PACKS, WrittenRule, find_rules, read_rules, rules_in
from collector.config.scaling import POLICIES_MAX, ScalingOptions, refuse_one_service_twice
from collector.config.services import refuse_services_that_do_not_fit
from collector.config.status import StatusOptions
from collector.config.thresholds import Thresholds, with_gates, with_limits, with_targets
from collector.config.tls import TlsOptions
from rules.capacity.report import CapacityOptions
from rules.fleet.shared import SharedCheck
from rules.judging.engine import Rule
from rules.model import ChannelView
from rules.policy import Maintenance, Rotation, Route
from rules.policy.routes import When
from rules.sla.model import SERVICES_MAX, ServiceOptions

__all__ = [
    "DEFAULT_FILE",
    "DEFAULT_PORT",
    "PACKS",
    "CollectorConfig",
    "Definition",
    "Loaded",
    "WrittenRule",
    "build_channel",
    "find_rules",
    "load",
    "load_rules",
    "loaded_of",
    "parse_listen",
    "read_rules",
    "rules_in",
    "written_rules",
]

DEFAULT_FILE = Path("/etc/watchkeeper/collector.yaml")
DEFAULT_PORT = 8420
JOBS_MAX = ROUTES_MAX = 500
DEFINITIONS_MAX = 1_000
"""Of all hosts together; how many one of them runs is in agent.wire."""


class CollectorConfig(Struct, kw_only=True, frozen=True):
    """Every setting of the collector.

    listen: the address and port for agents, pages and programs
    url: where people reach the pages, for the links in notices; http:// and `listen` when left out
    state: the folder for all that is kept; relative to the folder of this file
    keep: how long samples are kept as they came; two days at least, for a rollup is made of a whole day
    keep_rollups: how long they are kept in quarters of an hour, with the lowest, the highest and the mean of each
    keep_history: how long transitions, and incidents once they are resolved, are kept
    disk_budget: how much disk the store may take; when it comes near, the oldest samples go before their time
    ephemeral_after: how long a host labelled `ephemeral: true` may be silent before it is removed
    late_max: how late a batch may come, when an agent was cut off, and still be taken
    connections_max: how many connections may be open at once
    bundles: the folder of what the installer brings to hosts, which `make bundle` makes; beside our Python by default
    tls: the certificate of the collector itself; without it agents and people come by plain HTTP, or by a proxy
    access: who may what, for how long, and how often
    packs: which of the rules that come with Watchkeeper hold
    rules: files of your own rules; one with the name of a pack's rule takes its place
    thresholds: limits of the packs' rules that most people want to change
    channels: whom to tell
    zone: the time zone of messages, and of all times of the day that name none
    routes: which problems go to which channels; without one, each channel hears what it is there for
    quiet_hours: when what is not critical waits, such as daily 22:00 to 07:00
    on_call: channels that take turns, week by week
    maintenance: times in which work is done, so that nobody is told of it
    templates: a folder with words of your own for messages: title.txt, text.txt, mail.html
    heartbeat: who is told, again and again, that the collector is well
    jobs: what runs elsewhere, and calls /ping/TOKEN when it has ended
    checks: what hosts are to check besides what is in their own config, each with `from`, the labels of those hosts
    services: what is promised to others, and what it is made of
    scaling: how many instances services are to have, and what does it
    capacity: what advice on the room and the size of hosts goes by
    status_page: what the status page is called, and what it shows
    """

    listen: str = f"127.0.0.1:{DEFAULT_PORT}"
    url: str = ""
    state: Path = Path("/var/lib/watchkeeper/collector")
    keep_s: Annotated[float, Meta(ge=2 * 86_400)] = 14 * 86_400
    keep_rollups_s: Annotated[float, Meta(ge=2 * 86_400)] = 400 * 86_400
    keep_history_s: Annotated[float, Meta(ge=2 * 86_400)] = 5 * 365 * 86_400
    disk_budget_bytes: Annotated[int, Meta(ge=256 * 1024 * 1024)] | None = None
    ephemeral_after_s: Annotated[float, Meta(ge=60)] = 86_400
    late_s_max: Annotated[float, Meta(ge=60, le=365 * 86_400)] = 7 * 86_400
    connections_max: Annotated[int, Meta(ge=8, le=1_000_000)] = 4_096
    bundles: Path | None = None
    tls: TlsOptions | None = None
    access: AccessOptions = AccessOptions()
    packs: tuple[str, ...] = (
        "hosts",
        "services",
        "certificates",
        "agents",
        "critical",
        "promises",
        "scaling",
        "collector",
    )
    rules: tuple[str, ...] = ("rules.d/*.yaml",)
    thresholds: Thresholds = Thresholds()
    channels: list[ChannelOptions] = []
    zone: str = "UTC"
    routes: Annotated[list[Route], Meta(max_length=ROUTES_MAX)] = []
    quiet_hours: When = ()
    on_call: Annotated[list[Rotation], Meta(max_length=ROUTES_MAX)] = []
    maintenance: Annotated[list[Maintenance], Meta(max_length=ROUTES_MAX)] = []
    templates: Path | None = None
    heartbeat: HeartbeatOptions | None = None
    jobs: Annotated[list[JobOptions], Meta(max_length=JOBS_MAX)] = []
    checks: Annotated[list[dict[str, Any]], Meta(max_length=DEFINITIONS_MAX)] = []
    services: Annotated[list[ServiceOptions], Meta(max_length=SERVICES_MAX)] = []
    scaling: Annotated[list[ScalingOptions], Meta(max_length=POLICIES_MAX)] = []
    capacity: CapacityOptions = CapacityOptions()
    status_page: StatusOptions = StatusOptions()

    @property
    def address(self) -> tuple[str, int]:
        return parse_listen(self.listen)

    @property
    def channel_views(self) -> list[ChannelView]:
        """What deciding needs to know of the channels."""
        return [
            ChannelView(options.name, options.from_severity, options.per_hour) for options in self.channels
        ]

    @property
    def link_base(self) -> str:
        """Where people reach the pages: `url`, or else the address we listen on."""
        return self.url.rstrip("/") or f"{'https' if self.tls else 'http'}://{self.listen}"


class Loaded(Struct, frozen=True):
    """The config, the folder it lies in, where relative paths start, and where each of its keys was written, for
    whoever finds a mistake later."""

    config: CollectorConfig
    folder: Path
    section: Node
    definitions: list[Definition] = []

    @property
    def shared(self) -> list[SharedCheck]:
        """The checks that are judged over all their hosts."""
        return [one.shared for one in self.definitions if one.shared is not None]

    def error(self, key: str, problem: str) -> ConfigError:
        """A mistake in a key of the section."""
        return self.section.get(key).error(problem)

    @property
    def state(self) -> Path:
        return self.folder / self.config.state


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
    return loaded_of(section, (path or DEFAULT_FILE).parent)


def loaded_of(section: Node, folder: Path) -> Loaded:
    """The config that the section `collector:` of a file in `folder` makes. Raises ConfigError."""
    config = convert(section, CollectorConfig, kinds={ChannelOptions: KindSet(discover(collector.channels))})
    scaling = with_gates(config.scaling, section.get("scaling"), config.thresholds)
    services = with_targets(config.services, section, config.thresholds)
    config = replace(config, scaling=scaling, services=services)
    definitions = read_definitions(section.get("checks")) if config.checks else []
    loaded = Loaded(config, folder, section, definitions)
    _refuse_bad_addresses(loaded)
    refuse_one_name_twice("channels", config.channels, section.get("channels"))
    see_that_it_is_sound(config, [channel.name for channel in config.channels], section)
    refuse_one_name_twice("jobs", config.jobs, section.get("jobs"))
    refuse_one_token_twice(config.jobs, section.get("jobs"))
    refuse_services_that_do_not_fit(config.services, section.get("services"))
    refuse_one_service_twice(config.scaling, section.get("scaling"))
    return loaded


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


def load_rules(loaded: Loaded) -> list[Rule]:
    """The rules that hold. Raises ConfigError."""
    return [written.rule for written in written_rules(loaded) if written.rule.enabled]


def written_rules(loaded: Loaded) -> list[WrittenRule]:
    """The rules of the packs and files that the config names, those of a file replacing a pack's of the same name;
    those that are switched off as well. A pack's rule has the limits of `thresholds`. Raises ConfigError."""
    config, section = loaded.config, loaded.section
    found = find_rules(config.packs, config.rules, loaded.folder, section)
    return [
        replace(one, rule=with_limits(one.rule, config.thresholds)) if one.file.parent == PACKS else one
        for one in found
    ]


def build_channel(options: ChannelOptions) -> Channel:
    channel: Channel = discover(collector.channels)[kind_of(options)].module.Channel(options)
    return channel
