"""What the status page is called, and what it shows."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from rules.sla.model import SERVICES_MAX


class StatusOptions(Struct, kw_only=True, frozen=True):
    """The page /status, which everybody may see where `access` says so.

    title: what it is called
    services: the names of those that it shows, in this order; without any, all
    """

    title: Annotated[str, Meta(min_length=1, max_length=100)] = "Status"
    services: Annotated[tuple[str, ...], Meta(max_length=SERVICES_MAX)] = ()
