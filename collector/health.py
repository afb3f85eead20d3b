"""How a part of the collector says that it is well, or what is wrong with it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class Component(Struct, frozen=True):
    """`degraded`: works, but somebody should look. `bad`: does not do its work. `detail` is a sentence for people."""

    name: str
    state: Literal["ok", "degraded", "bad"]
    detail: str
