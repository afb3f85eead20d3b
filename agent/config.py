"""What the agent can be told: the section `agent:` of agent.yaml, and the environment over it.

Order: default < file < environment (WATCHKEEPER_AGENT__EVERY=5s). A mistake is a ConfigError that names file, line,
path and what is allowed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, cast
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

import agent.checks
from agent.checkfiles import Written, checks_in, with_places
from agent.checks import Check, CheckOptions, Reaching
from agent.net import tls
from agent.net.dial import Reach, anywhere
from agent.net.proxy import Proxy
from agent.options import (
    ConfigError,
    Kind,
    KindSet,
    Node,
    Secret,
    convert,
    discover,
    files_of,
    overlay_environment,
    parse_yaml,
    read_yaml,
)
from agent.sampler import Question
from agent.wire import CHECKS_PER_BATCH_MAX, EVERY_MS_MAX, EVERY_MS_MIN, Text, parse_token

DEFAULT_FILE = Path("/etc/watchkeeper/agent.yaml")
Addresses = Annotated[list[str], Meta(min_length=1, max_length=8)]
PIN = re.compile(r"sha256:(?:[0-9a-fA-F]{64}|[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){31})")
LOOPBACK = re.compile(r"localhost|127(\.[0-9]{1,3}){3}|::1")


class AgentConfig(Struct, kw_only=True, frozen=True):
    """Every setting of the agent.

    collector: the address of the collector, or a list: the next is tried when one is away, and the first again later
    token: what the collector gave this host when it was enrolled
    every: how often all checks are asked
    state: the folder for what must outlive a restart; relative to the folder of this file
    labels: what the host says of itself, such as role and site; what the collector was told of it wins
    spool_max: how much disk the batches may take that the collector has not acknowledged; the oldest go first
    spool_age: how old such a batch may become
    allow_plaintext: true lets the token cross a network unencrypted
    ca: a file of certificates (PEM) to trust instead of the system's
    pin: the fingerprint of the collector's certificate, sha256:…, or a list; without `ca` nothing else is looked at
    cert: a file with the certificate (PEM) that the agent shows, where a collector wants to see one
    key: the file with its key, where that is another
    proxy: an HTTP proxy to go through, http://proxy.example.org:3128; a name and password may stand before the host
    accept: the kinds of checks that the collector may have this host run; [] for none
    accept_loopback: true lets such checks go to 127.0.0.1 and ::1, where services often ask for no password
    checks: what to ask besides the checks of the host itself, or how to ask those
    check_files: files with more checks, so that whoever installs a service can bring its own
    """

    collector: str | Addresses = "http://127.0.0.1:8420"
    token: Secret | None = None
    every_ms: Annotated[int, Meta(ge=EVERY_MS_MIN, le=EVERY_MS_MAX)] = 10_000
    state: Path = Path("/var/lib/watchkeeper/agent")
    labels: Annotated[dict[Text, Text], Meta(max_length=50)] = {}
    spool_bytes_max: Annotated[int, Meta(ge=1024 * 1024, le=1024**4)] = 64 * 1024 * 1024
    spool_age_ms: Annotated[int, Meta(ge=60_000, le=365 * 86_400_000)] = 7 * 86_400_000
    allow_plaintext: bool = False
    ca: Path | None = None
    pin: str | Annotated[list[str], Meta(max_length=20)] | None = None
    cert: Path | None = None
    key: Path | None = None
    proxy: Secret | None = None
    accept: tuple[str, ...] = ("http", "tcp", "icmp", "dns", "tls")
    accept_loopback: bool = False
    checks: list[CheckOptions] = []
    check_files: Annotated[tuple[str, ...], Meta(max_length=20)] = ("checks.d/*.yaml",)

    @property
    def collectors(self) -> list[str]:
        return [self.collector] if isinstance(self.collector, str) else self.collector

    @property
    def pins(self) -> list[str]:
        pins = [self.pin] if isinstance(self.pin, str) else self.pin or []
        return [pin.partition(":")[2].replace(":", "").lower() for pin in pins]


class PlannedCheck(Struct, frozen=True):
    """A check that will run: its id is its own, its options are complete, and `reach` says where it may go, if it is
    of a kind that goes anywhere."""

    id: str
    kind: Kind
    options: CheckOptions
    reach: Reach = anywhere

    def build(self) -> Check:
        check: Check = self.kind.module.Check(self.options)
        if isinstance(check, Reaching):
            check.reach = self.reach
        return check

    def question(self, check: Check) -> Question:
        """How the check that was built is asked."""
        series = frozenset(self.kind.module.SERIES)
        return Question(self.id, self.kind.name, self.options.timeout_s, check, self.options.every_s, series)


class Loaded(Struct, frozen=True):
    """The config, the checks it comes to, and where each of its keys was written, for whoever finds a mistake later."""

    config: AgentConfig
    checks: list[PlannedCheck]
    section: Node
    kinds: dict[str, Kind]

    def error(self, key: str, problem: str) -> ConfigError:
        """A mistake in a key of the section."""
        entries = self.section.entries()
        written = entries.get(key) or entries.get(f"{key}_file")
        if written is not None:
            return written.error(problem)
        return ConfigError(self.section.file, self.section.line, f"{self.section.path}.{key}", problem)


def load(path: Path | None, environ: Mapping[str, str]) -> AgentConfig:
    """The settings alone; see `read`."""
    return read(path, environ).config


def read(path: Path | None, environ: Mapping[str, str]) -> Loaded:
    """Read the file (without a path the default one, which may be absent) and the environment. Raises ConfigError."""
    root = (
        parse_yaml("", file=str(DEFAULT_FILE))
        if path is None and _absent()
        else read_yaml(path or DEFAULT_FILE)
    )
    return loaded_of(root, environ)


def loaded_of(root: Node, environ: Mapping[str, str]) -> Loaded:
    """The same of a file that was read already. Raises ConfigError."""
    root.only("agent", "collector")
    section = overlay_environment(root, environ, section="agent").get("agent")
    kinds = discover(agent.checks)
    config = convert(section, AgentConfig, kinds={CheckOptions: KindSet(kinds)})
    config = msgspec.structs.replace(
        config,
        state=_place(section.get("state"), config.state),
        ca=config.ca and _place(section.get("ca"), config.ca),
        cert=config.cert and _place(section.get("cert"), config.cert),
        key=config.key and _place(section.get("key"), config.key),
    )
    loaded = Loaded(config, _plan(_written(config, section, kinds), section, kinds), section, kinds)
    for url in config.collectors:
        _refuse_bad_address(loaded, url)
    _refuse_bad_token(loaded)
    _refuse_bad_ca(loaded)
    _refuse_bad_pin(loaded)
    _refuse_bad_certificate(loaded)
    _refuse_bad_proxy(loaded)
    _refuse_unknown_kinds(loaded)
    return loaded


def need_token(loaded: Loaded) -> Secret:
    """The token, after a ConfigError if there is none: what only looks and sends nothing does without."""
    if loaded.config.token is None:
        where = "`watchkeeper-agent join` gets one, by a code that `watchkeeper join-command` prints"
        if not Path(loaded.section.file).exists():
            where += "; there is no such file, and --config names another"
        raise loaded.error("token", f"required for pushing, but missing; {where}")
    return loaded.config.token


def _absent() -> bool:
    try:
        DEFAULT_FILE.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False  # it may be there: reading it will say what is wrong
    return False


def _place(node: Node, path: Path) -> Path:
    """A relative path starts where the file is that it was written in."""
    return Path(node.file).parent / path


def _written(config: AgentConfig, section: Node, kinds: dict[str, Kind]) -> list[Written]:
    """The checks of the config, then those of each file that it names."""
    found = with_places(config.checks, section.get("checks"))
    folder = Path(section.get("check_files").file).parent
    for file in files_of(config.check_files, folder):
        found += checks_in(file, kinds)
    return found


def _plan(given: list[Written], section: Node, kinds: Mapping[str, Kind]) -> list[PlannedCheck]:
    """The checks of the host itself, but for kinds that are spoken of in the config, and then those of the config."""
    named = {_kind_of(options) for options, _ in given}
    plan = [
        complete(kind, cast(type[CheckOptions], kind.options)())
        for kind in kinds.values()
        if getattr(kind.options, "by_default", False) and kind.name not in named
    ]
    of_id = {check.id: f"the {check.kind.name} check that runs by default" for check in plan}
    for options, place in given:
        check = complete(kinds[_kind_of(options)], options)
        if not options.enabled:
            continue
        if check.id in of_id:
            other = of_id[check.id]
            raise place.error(
                f'the id "{check.id}" is that of {other} too; give one of them an id of its own'
            )
        of_id[check.id] = place.path if place.file == section.file else f"{place.path} of {place.file}"
        plan.append(check)
    if len(plan) > CHECKS_PER_BATCH_MAX:
        raise section.get("checks").error(f"{len(plan)} checks; at most {CHECKS_PER_BATCH_MAX} are allowed")
    return plan


def complete(kind: Kind, options: CheckOptions) -> PlannedCheck:
    """The check of such options; without an id of its own it has its kind's name."""
    id = options.id or kind.name
    return PlannedCheck(id, kind, msgspec.structs.replace(options, id=id))


def _kind_of(options: CheckOptions) -> str:
    return type(options).__module__.rpartition(".")[2]


def _refuse_bad_address(loaded: Loaded, url: str) -> None:
    config = loaded.config
    wrong = f'"{url:.200}" is not the address of a collector; one looks like https://watch.example.org'
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise loaded.error("collector", wrong) from None
    unfit = parts.username or parts.password or parts.query or parts.fragment
    if parts.scheme not in ("http", "https") or not host or unfit or not re.fullmatch(r"[!-~]+", url):
        raise loaded.error("collector", wrong)
    leaves_host = not LOOPBACK.fullmatch(host) or config.proxy is not None
    open_to_all = parts.scheme == "http" and leaves_host
    if open_to_all and config.token is not None and not config.allow_plaintext:
        why = f"over plain http anyone on the way to {host} can read the token"
        raise loaded.error("collector", f"{why}; use https://, or set allow_plaintext: true")


def _refuse_bad_token(loaded: Loaded) -> None:
    token = loaded.config.token
    try:
        if token is not None:
            parse_token(token.reveal())
    except ValueError as error:
        raise loaded.error("token", str(error)) from None


def _refuse_bad_ca(loaded: Loaded) -> None:
    ca = loaded.config.ca
    if ca is None:
        return
    try:
        with ca.open("rb") as file:
            if b"-----BEGIN CERTIFICATE-----" not in file.read(4 * 1024 * 1024):
                raise loaded.error("ca", f"{ca} holds no certificate (PEM)")
    except OSError as error:
        raise loaded.error("ca", f"{ca} cannot be read: {os.strerror(error.errno or 0).lower()}") from None


def _refuse_bad_pin(loaded: Loaded) -> None:
    pin = loaded.config.pin
    for one in [pin] if isinstance(pin, str) else pin or []:
        if not PIN.fullmatch(one):
            how = "`openssl x509 -in FILE -noout -fingerprint -sha256` prints one"
            raise loaded.error("pin", f'"{one:.100}" is no fingerprint; write sha256: and 64 digits ({how})')


def _refuse_bad_certificate(loaded: Loaded) -> None:
    cert, key = loaded.config.cert, loaded.config.key
    if cert is None and key is not None:
        raise loaded.error("key", "is of no use without cert")
    if cert is None:
        return
    for name, path in (("cert", cert), ("key", key or cert)):
        try:
            path.open("rb").close()
        except OSError as error:
            why = os.strerror(error.errno or 0).lower()
            raise loaded.error(name, f"{path} cannot be read: {why}") from None
    try:
        tls.show(tls.anyone(), str(cert), str(key or ""))
    except OSError as error:
        raise loaded.error("cert", str(error)) from None


def _refuse_bad_proxy(loaded: Loaded) -> None:
    proxy = loaded.config.proxy
    try:
        if proxy is not None:
            Proxy.of(proxy.reveal())
    except ValueError as error:
        raise loaded.error("proxy", str(error)) from None


def _refuse_unknown_kinds(loaded: Loaded) -> None:
    for name in loaded.config.accept:
        if name not in loaded.kinds:
            raise loaded.error(
                "accept", f'"{name:.100}" is no kind of check; there are {", ".join(loaded.kinds)}'
            )
