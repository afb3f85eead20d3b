"""Who asks, and what they may do: known to whoever opens a door, and to nobody how it was found out."""

from __future__ import annotations

import re
import secrets
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

REQUEST_ID: web.RequestKey[str] = web.RequestKey("request_id", str)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def request_id_of(request: web.BaseRequest) -> str:
    """What answer and log call this request: the id a proxy gave it, if it is a decent one, else one of our own. It
    stays the same however often it is asked for."""
    if REQUEST_ID not in request:
        given = request.headers.get("X-Request-Id", "")
        request[REQUEST_ID] = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
    return request[REQUEST_ID]
