"""Who may what: finding out who asks, and keeping out whoever may not.

`Access` builds the parts and holds those that others have to do with: the gate before all pages and the API, the desk
where users and tokens are looked after, the log-in, sessions, grants, and the audit trail.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from aiohttp import web
from msgspec import Struct
from prometheus_client import CollectorRegistry

from collector.access.api_tokens import ApiTokens, new_api_token
from collector.access.callers import Callers
from collector.access.desk import Desk
from collector.access.devices import Devices
from collector.access.gate import Gate, ShowTrouble
from collector.access.grants import Grants
from collector.access.headers import add_headers
from collector.access.known import nobody_minds
from collector.access.limits import Buckets
from collector.access.logins import Logins
from collector.access.own import Own
from collector.access.passwords import Passwords, hasher
from collector.access.roles import Roles
from collector.access.sessions import Sessions
from collector.access.setup import Setup
from collector.access.whence import Proxies
from collector.desks.trail import Audit
from collector.store import StoreError
from collector.store.people import People
from collector.who import ASKED_FROM, LOCAL, Permission, Refusal

STRANGERS_SHARE = 2
"""Whoever does not say who they are may ask that many times less often than whoever does."""


class Terms(Struct, frozen=True, kw_only=True):
    """How long things hold, and how often somebody may ask."""

    session_idle_ms: int = 12 * 3_600_000
    session_ms_max: int = 7 * 86_400_000
    access_token_ms: int = 30 * 60_000
    refresh_token_ms: int = 30 * 86_400_000
    requests_per_s: float = 20.0
    requests_burst: int = 200


class Access:
    """`key` signs the tokens of programs. `local_token` is a new one at every start, for programs on this machine: it
    may do everything, and no store knows it. `changed` is called when somebody may do less, or more, than before;
    `made`, after each change that stands in the trail."""

    def __init__(
        self,
        people: People,
        key: bytes,
        roles: Roles,
        terms: Terms,
        *,
        now_ms: Callable[[], int],
        monotonic: Callable[[], float],
        registry: CollectorRegistry,
        changed: Callable[[], None] = nobody_minds,
        made: Callable[[], object] = nobody_minds,
    ) -> None:
        self.people, self.roles = people, roles
        self._monotonic, self._terms, self._registry, self._now_ms = monotonic, terms, registry, now_ms
        self.passwords = Passwords(hasher())
        self.audit = Audit(people, now_ms, made=made)
        self.setup = Setup(people, self.passwords, self.audit, now_ms)
        self._know_by_what_they_show(key, changed)
        self.callers = Callers(
            people, roles, self.sessions, self.grants, self.api_tokens, self.setup, now_ms, changed
        )
        self.logins = Logins(people, self.passwords, self.audit, monotonic=monotonic, registry=registry)
        self._open_desks(Devices(key, now_ms))

    def _open_desks(self, devices: Devices) -> None:
        """Where users and tokens are looked after by others, and by themselves."""
        people, now_ms = self.people, self._now_ms
        self.desk = Desk(
            people,
            self.roles,
            self.passwords,
            self.audit,
            now_ms,
            user_changed=self.callers.changed,
            token_changed=self.api_tokens.changed,
        )
        self.own = Own(
            people,
            self.passwords,
            self.logins,
            devices,
            self.sessions,
            self.grants,
            self.callers,
            self.audit,
            now_ms,
        )

    def _know_by_what_they_show(self, key: bytes, changed: Callable[[], None]) -> None:
        """Cookies of sessions, tokens that programs were granted at a log-in, and tokens of programs' own."""
        people, terms, now_ms = self.people, self._terms, self._now_ms
        self.sessions = Sessions(
            people, now_ms, idle_ms=terms.session_idle_ms, life_ms=terms.session_ms_max, changed=changed
        )
        self.grants = Grants(
            people,
            key,
            now_ms,
            access_ms=terms.access_token_ms,
            refresh_ms=terms.refresh_token_ms,
            changed=changed,
        )
        self.local_token, number, sha256 = new_api_token()
        self.api_tokens = ApiTokens(people, now_ms, local=(number, sha256, LOCAL), changed=changed)

    def guard(
        self,
        app: web.Application,
        *,
        trusted_proxies: Proxies,
        busy: Callable[[], bool],
        show_trouble: ShowTrouble,
    ) -> None:
        """Put the gate before everything that an application serves."""
        per_s, burst = self._terms.requests_per_s, self._terms.requests_burst
        gate = Gate(
            self.callers,
            self.setup,
            trusted_proxies,
            named=Buckets(per_s, burst, self._monotonic),
            strangers=Buckets(per_s / STRANGERS_SHARE, max(1, burst // STRANGERS_SHARE), self._monotonic),
            busy=busy,
            show_trouble=show_trouble,
            registry=self._registry,
        )
        app.middlewares.append(gate.middleware)
        app.on_response_prepare.append(add_headers)

    async def may_still(self, request: web.Request, needed: Permission) -> bool:
        """Whether whoever sent a request that is being answered has this right now, too. While the store cannot tell,
        it is as it was."""
        try:
            return (await self.callers.find(request, request[ASKED_FROM])).who.may(needed)
        except Refusal:
            return False
        except StoreError:
            return True

    async def note_seen(self) -> None:
        """Write down who was here since the last time: in one piece now and then, as each by itself would have pushes
        wait behind it. StoreError, and then a part of it may stay unknown."""
        sessions, api_tokens = self.sessions.take_seen(), self.api_tokens.take_used()
        if sessions or api_tokens:
            await self.people.note_seen(sessions, api_tokens)

    async def forget_ended(self) -> None:
        """To be done now and then. StoreError."""
        await self.sessions.end_for_good()
        await self.people.forget_ended(self._now_ms())

    async def close(self) -> None:
        """Raises nothing: who was here last is not worth an end that fails."""
        with contextlib.suppress(StoreError):
            await self.sessions.end_for_good()
            await self.note_seen()
        await self.passwords.close()
