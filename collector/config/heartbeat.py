"""The sign of life that the collector gives to somebody else, as it is written in the config."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from msgspec import Meta, Struct

from agent.options import Secret


class HeartbeatOptions(Struct, kw_only=True, frozen=True):
    """Who is told, again and again, that the collector is well; when that stops, they tell people.

    url: where it is sent, such as https://hc-ping.com/... or another collector's /ping/TOKEN
    every: how often
    """

    url: Secret
    every_s: Annotated[float, Meta(ge=10, le=86_400)] = 60

    def __post_init__(self) -> None:
        parsed = urlsplit(self.url.reveal())
        if parsed.scheme not in ("http", "https") or not parsed.hostname:
            raise ValueError("url: expected an address that begins with http:// or https:// and names a host")
