"""The section `scaling:` of the config: for each service how it is scaled, and what does it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from msgspec import Meta, Struct

from agent.options import Node, Secret
from rules.scaling.model import (
    PRESETS,
    Count,
    Gates,
    LookAhead,
    Percent,
    Preset,
    ScalingPolicy,
    Way,
)

POLICIES_MAX = 200
SECRET_LETTERS_MIN = 16
_PLAIN = ScalingPolicy()


class HookOptions(Struct, kw_only=True, frozen=True):
    """What changes the number of instances: a web address, or a program.

    url: where to post what is wanted, as JSON
    secret: signs what is posted (HMAC-SHA256), at least 16 letters
    command: a program and its arguments, run as it stands, without a shell; what is wanted is in its environment
    timeout: one run takes no longer than this
    cooldown: how long after one run no other is made by itself
    per_hour_max: how many runs are made by themselves in an hour
    dry_run: true notes what would be done and does nothing
    """

    url: Secret | None = None
    secret: Secret | None = None
    command: Annotated[tuple[str, ...], Meta(max_length=64)] = ()
    timeout_s: Annotated[float, Meta(ge=1, le=600)] = 30.0
    cooldown_s: Annotated[float, Meta(ge=0, le=86_400)] = 300.0
    per_hour_max: Annotated[int, Meta(ge=1, le=1_000)] = 6
    dry_run: bool = False

    def __post_init__(self) -> None:
        if (self.url is None) == (not self.command):
            raise ValueError("give either url or command")
        if self.url is not None:
            _refuse_bad_address(self.url.reveal())
            if self.secret is None or len(self.secret.reveal()) < SECRET_LETTERS_MIN:
                raise ValueError(
                    f"url needs a secret of at least {SECRET_LETTERS_MIN} letters, "
                    "so that the far side knows who asks"
                )
        elif self.secret is not None:
            raise ValueError("secret goes with url; a command gets no signature")
        elif not Path(self.command[0]).is_absolute():
            found = shutil.which(self.command[0])
            hint = f", such as {found}" if found else ""
            raise ValueError(f"command: write the full path of the program{hint}")


class ScalingOptions(Struct, kw_only=True, frozen=True):
    """How a service is scaled.

    service: its name, as in `services`
    preset: what min, max and targets are where they are not given: default, staging or production
    where: labels of the hosts that are its instances; `host` is the host's name
    current: how many instances there are, where they are not hosts of ours
    min: at least so many instances
    max: at most so many
    targets: where each number is to be, on average over the instances
    gates: what must be so before anything is changed; null for none, as Kubernetes has it
    tolerance_pct: a wish that differs by less than this share of the target is none
    up: how instances are added
    down: how they are taken away
    look_ahead: asking before a peak that comes every day or week; null for never
    auto: true runs the hook without asking, until it is switched off by a person or program
    hook: what changes the number of instances
    """

    service: str
    preset: Preset = "default"
    where: dict[str, str | list[str]] = {}
    current: Annotated[int, Meta(ge=0, le=10_000)] | None = None
    min: Count | None = None
    max: Count | None = None
    targets: Annotated[dict[str, float], Meta(max_length=20)] = {}
    gates: Gates | None = Gates()
    tolerance_pct: Percent = 10.0
    up: Way = _PLAIN.up
    down: Way = _PLAIN.down
    look_ahead: LookAhead | None = LookAhead()
    auto: bool = False
    hook: HookOptions | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]{0,99}", self.service):
            raise ValueError(
                f"the name {self.service[:80]!r} does not suit a service; letters, digits, dots, dashes and "
                "underscores do"
            )
        if not self.where and self.current is None:
            raise ValueError("give where, the labels of its hosts, or current, how many instances there are")
        if self.auto and self.hook is None:
            raise ValueError("auto needs a hook: what is to be run")
        _ = self.policy

    @property
    def policy(self) -> ScalingPolicy:
        """What it comes to. ValueError when that makes no sense."""
        usual = PRESETS[self.preset]
        return ScalingPolicy(
            where=self.where,
            current=self.current,
            min=self.min if self.min is not None else usual.min,
            max=self.max if self.max is not None else max(usual.max, self.min or 0),
            targets=self.targets or usual.targets,
            gates=self.gates,
            tolerance_pct=self.tolerance_pct,
            up=self.up,
            down=self.down,
            look_ahead=self.look_ahead,
        )


def refuse_one_service_twice(policies: Sequence[ScalingOptions], node: Node) -> None:
    """ConfigError. `node` is the list that `policies` was read from."""
    services: set[str] = set()
    for options, entry in zip(policies, node.items() if policies else [], strict=True):
        if options.service in services:
            problem = f'there are two ways to scale "{options.service}"; keep one'
            raise entry.get("service").error(problem)
        services.add(options.service)


def _refuse_bad_address(url: str) -> None:
    """ValueError; the sentence does not repeat the address, because it may hold a secret."""
    try:
        parsed = urlsplit(url)
        good = parsed.scheme in ("http", "https") and bool(parsed.hostname) and parsed.port != 0
    except ValueError:
        good = False
    if not good or not url.isprintable() or " " in url:
        raise ValueError("url: expected an address that begins with http:// or https:// and names a host")
