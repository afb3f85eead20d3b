"""Who asks, and what they may do: known to whoever opens a door, and to nobody how it was found out."""

from __future__ import annotations

from typing import Literal, get_args

from aiohttp import web
from msgspec import Struct

Permission = Literal[
    "monitoring.read",
    "monitoring.write",
    "monitoring.alert.acknowledge",
    "monitoring.alert.resolve",
    "monitoring.incident.create",
    "monitoring.incident.update",
    "monitoring.config.read",
    "monitoring.config.update",
    "monitoring.users.manage",
    "monitoring.tokens.manage",
    "monitoring.audit.read",
]
PERMISSIONS: frozenset[Permission] = frozenset(get_args(Permission))

Kind = Literal["user", "token", "link", "local", "nobody"]


class Who(Struct, frozen=True):
    """A person or a program behind a request. `name` is what the audit trail and timelines call them; `local` is
    whoever sits at this machine while there are no users yet, `nobody` has not said who they are."""

    name: str
    kind: Kind
    permissions: frozenset[Permission]

    def may(self, needed: Permission | None) -> bool:
        return needed is None or needed in self.permissions


LOCAL = Who("local", "local", PERMISSIONS)
NOBODY = Who("nobody", "nobody", frozenset())

ASKED_BY: web.RequestKey[Who] = web.RequestKey("asked_by", Who)
"""Where the gate puts it; every request has it by the time a handler sees it."""
