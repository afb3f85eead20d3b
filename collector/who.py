"""Who asks, from where, and what they may do: known to whoever opens a door, and to nobody how it was found out."""

from __future__ import annotations

import ipaddress
import re
import secrets
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
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
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


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


class Refusal(Exception):
    """A no: the HTTP status, a code for machines, a sentence for people, and when asking again makes sense."""

    def __init__(self, status: int, code: str, sentence: str, *, retry_after_s: int | None = None) -> None:
        super().__init__(sentence)
        self.status, self.code, self.retry_after_s = status, code, retry_after_s


def missing(noun: str, name: object) -> Refusal:
    """There is no such thing."""
    return Refusal(404, "missing", f"there is no {noun} {str(name)[:100]!r}")


# --- what it takes to come in -----------------------------------------------------------------------------------------

_NEEDS = "needs"


def needs(permission: Permission | None, handler: Handler) -> Handler:
    """`handler` for those who have the right; None lets everybody in. The gate sees to it before the handler runs, and
    lets nobody but those who may do everything through to a handler of which this was not said."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        return await handler(request)

    guarded.__dict__[_NEEDS] = permission
    return guarded


def is_declared(handler: object) -> bool:
    """Whether it was said what it takes to come to this handler."""
    return hasattr(handler, _NEEDS)


def needed_by(handler: object) -> Permission | None:
    """Of a handler of which it was said."""
    permission: Permission | None = getattr(handler, _NEEDS)
    return permission


# --- what forms send along --------------------------------------------------------------------------------------------

FORM_FIELD = "csrf"
FORM_HEADER = "X-CSRF-Token"
FORM_TOKEN: web.RequestKey[str] = web.RequestKey("form_token", str)
"""What every form that changes something must hold as a hidden FORM_FIELD (a script: as FORM_HEADER), so that no other
site can send it. The gate puts it here and refuses what comes without it; empty where there is no session."""


# --- from where -------------------------------------------------------------------------------------------------------

LOOPBACK = "loopback"


class Whence(Struct, frozen=True):
    """Where a request comes from. `address` is the peer, or whom a trusted proxy speaks for; `network` is what counts
    as one of them; `is_secure` says that it came by TLS, `is_local` that it came from this machine and by no proxy."""

    address: str
    network: str
    is_secure: bool = False
    is_local: bool = False


ASKED_FROM: web.RequestKey[Whence] = web.RequestKey("asked_from", Whence)


def network_of(address: str) -> str:
    """What counts as one peer: an IPv4 address, an IPv6 /64 (one machine has all of it), or loopback."""
    if not address:
        return LOOPBACK
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is None:
            return LOOPBACK if ip.is_loopback else str(ipaddress.ip_network((ip, 64), strict=False))
        ip = ip.ipv4_mapped
    return LOOPBACK if ip.is_loopback else str(ip)


# --- under which name -------------------------------------------------------------------------------------------------

REQUEST_ID: web.RequestKey[str] = web.RequestKey("request_id", str)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


BEING_ANSWERED: ContextVar[str] = ContextVar("being_answered", default="")
"""The id of the request that is being answered, for what is written to the log meanwhile; empty when there is none."""
ANSWERED_TO: ContextVar[str] = ContextVar("answered_to", default="")
"""The address that it came from, for what is written to the audit trail far from it; empty when there is none."""


def request_id_of(request: web.BaseRequest) -> str:
    """What answer and log call this request: the id a proxy gave it, if it is a decent one, else one of our own. It
    stays the same however often it is asked for."""
    if REQUEST_ID not in request:
        given = request.headers.get("X-Request-Id", "")
        request[REQUEST_ID] = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
    return request[REQUEST_ID]
