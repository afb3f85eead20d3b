"""What the tests read: a check of two kinds, and settings with a field of every sort."""

from __future__ import annotations

import enum
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta

from agent.options import ConfigError, Kind, KindSet, Secret, convert, parse_yaml


class Check(msgspec.Struct, kw_only=True):
    """Any check.

    id: its name
    every: how often it is asked
    """

    id: Annotated[str, Meta(pattern=r"^[a-z-]*$", max_length=20)] = ""
    every_ms: Annotated[int, Meta(ge=1000)] = 10_000


class Http(Check, kw_only=True):
    """url: what to ask"""

    url: str
    timeout_s: Annotated[float, Meta(gt=0, le=60)] = 5
    body_bytes: int = 1024**2

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise ValueError(f'"{self.url}" has no scheme; write http:// or https:// before it')


class Cpu(Check, kw_only=True):
    pass


class Limits(msgspec.Struct):
    warning: float | None = None
    critical: float | None = None


class Mode(enum.Enum):
    PUSH = "push"
    PULL = "pull"


class Settings(msgspec.Struct, kw_only=True):
    name: str = "here"
    port: Annotated[int, Meta(ge=1, le=65535, description="where to listen")] = 8420
    enabled: bool = True
    severity: Literal["info", "warning", "critical"] = "warning"
    mode: Mode = Mode.PUSH
    spool_bytes_max: int = 64 * 1024**2
    keep_s: float | None = 3600
    for_s: float = 0
    from_: str = msgspec.field(name="from", default="")
    steps_s: tuple[float, ...] = (60, 300)
    rx_bytes_per_s: float = 1000
    disk_pct: Annotated[float, Meta(lt=100)] = 90
    above: float | Limits = 80
    quiet: bool | Literal["auto"] = "auto"
    limits: Limits = msgspec.field(default_factory=lambda: Limits(80, 95))
    labels: dict[str, str] = {}
    by_severity: dict[Literal["warning", "critical"], float] = {}
    checks: list[Check] = []
    main_check: Check | None = None
    folder: Path = Path("/var/lib/watchkeeper")
    token: Secret | None = None
    extra: Any = None


class Strict(msgspec.Struct):
    token: Secret
    names: Annotated[list[str], Meta(min_length=1, max_length=2)]


KINDS = {
    "http": Kind(name="http", help="", options=Http, module=sys.modules[__name__]),
    "cpu": Kind(name="cpu", help="", options=Cpu, module=sys.modules[__name__]),
}


def settings(text: str, default_kind: str | None = None) -> Settings:
    section = parse_yaml("agent: {" + text + "}", file="x.yaml").get("agent")
    return convert(section, Settings, kinds={Check: KindSet(KINDS, default_kind)})


def mistake(text: str) -> str:
    """The one line said about the section `text`, without its file, line and section."""
    with pytest.raises(ConfigError) as caught:
        settings(text)
    return str(caught.value).removeprefix("x.yaml:1: agent.")
