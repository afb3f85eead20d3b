"""What users do about themselves: log in and out, change their password, look at their sessions and end them."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable

from aiohttp import web
from msgspec import Struct

from collector.access.callers import Callers
from collector.access.devices import Devices
from collector.access.grants import Grants, Pair
from collector.access.logins import Logins
from collector.access.passwords import Passwords, see_that_it_is_fit
from collector.access.sessions import Sessions, cookie_of, drop_cookie, set_cookie
from collector.desks.trail import Audit
from collector.store import StoreError
from collector.store.people import People, Session, User
from collector.who import ASKED_FROM, Refusal

log = logging.getLogger(__name__)


class OwnSession(Struct, frozen=True):
    """A session as its user sees it; `name` tells it from the others and opens nothing."""

    name: str
    created_at: int
    seen_at: int
    expires_at: int
    address: str
    browser: str
    is_this: bool


class Own:
    """Every method may raise Refusal and StoreError, but where it says otherwise."""

    def __init__(
        self,
        people: People,
        passwords: Passwords,
        logins: Logins,
        devices: Devices,
        sessions: Sessions,
        grants: Grants,
        callers: Callers,
        audit: Audit,
        now_ms: Callable[[], int],
    ) -> None:
        self._people, self._passwords, self._logins, self._devices = people, passwords, logins, devices
        self._sessions, self._grants, self._callers = sessions, grants, callers
        self._audit, self._now_ms = audit, now_ms

    # --- in and out ---

    async def log_in(
        self, request: web.Request, answer: web.StreamResponse, name: str, password: str
    ) -> User:
        """Begin a session, whose cookie the answer brings; the one that the browser had before is over."""
        user = await self._its_user(request, name, password)
        await self.begin_session(request, answer, user)
        return user

    async def begin_session(self, request: web.Request, answer: web.StreamResponse, user: User) -> None:
        """For somebody of whom it was made sure who they are. Where that cannot be, the browser has what it had."""
        whence = request[ASKED_FROM]
        beginning = self._sessions.begin(user, whence, request.headers.get("User-Agent", ""))
        number, _ = await self._audit.noted(user.name, "login", beginning)
        await self._end_the_one_it_has(request)
        set_cookie(answer, whence, number, self._sessions.life_s)
        self._devices.remember(user, whence, answer)

    async def log_out(self, request: web.Request, answer: web.StreamResponse) -> bool:
        """Whether that is kept: while the store cannot be written, a start of the collector would bring the session
        back for whoever has its cookie. The browser loses it either way. Raises nothing."""
        drop_cookie(answer, request[ASKED_FROM])
        return await self._end_the_one_it_has(request)

    async def _end_the_one_it_has(self, request: web.Request) -> bool:
        """The session of the browser that asks is over; whether the store has that, too."""
        try:
            session = await self._sessions.find(cookie_of(request, request[ASKED_FROM]))
            if session is not None:
                await self._sessions.end(session)
        except StoreError as error:
            log.warning("A session is over and cannot be ended in the store yet: %s", error)
            return False
        return True

    # --- programs ---

    async def grant(self, request: web.Request, name: str, password: str) -> Pair:
        """A pair of tokens for a program that acts for this user."""
        user = await self._logins.user(name, password, request[ASKED_FROM])
        return await self._audit.noted(user.name, "login.program", self._grants.begin(user))

    async def refresh(self, refresh_token: str) -> Pair:
        number, pair = await self._grants.refresh(refresh_token)
        user = await self._people.user_by_id(number)
        if user is None or user.disabled_at is not None:
            raise Refusal(401, "token_wrong", "its user cannot log in any more")
        return pair

    async def revoke(self, token: str) -> None:
        """Access or refresh token: either ends both."""
        await self._grants.revoke(token)

    # --- one's own account ---

    async def account(self, request: web.Request) -> tuple[User, list[OwnSession]] | None:
        """Who is logged in by this browser, and where else; None when nobody is."""
        found = await self._callers.session(request, request[ASKED_FROM])
        if found is None:
            return None
        user, this = found
        return user, [_shown(one, this) for one in await self._people.sessions(user.id)]

    async def change_password(
        self, request: web.Request, answer: web.StreamResponse, old: str, new: str
    ) -> None:
        """All sessions and programs of the user are logged out but this browser, which gets a session anew."""
        user, _ = await self._here(request)
        user = await self._its_user(request, user.name, old)
        try:
            see_that_it_is_fit(new)
        except ValueError as error:
            raise Refusal(422, "unfit", str(error)) from None
        setting = self._people.set_password(user.id, await self._passwords.hash(new), self._now_ms())
        await self._audit.noted(user.name, "user.own_password", setting)
        self._callers.changed(user.id)
        await self.begin_session(request, answer, user)

    async def end_session(self, request: web.Request, name: str) -> None:
        """One of one's own, by its name; nothing happens when it is over already."""
        user, _ = await self._here(request)
        for session in await self._people.sessions(user.id):
            if _name(session) == name:
                await self._sessions.end(session)

    async def end_other_sessions(self, request: web.Request) -> int:
        """How many there were."""
        _, session = await self._here(request)
        return await self._sessions.end_others(session)

    async def programs(self, request: web.Request) -> int:
        """How many programs act for whoever is logged in here."""
        user, _ = await self._here(request)
        return len(await self._people.grants(user.id, self._now_ms()))

    async def end_programs(self, request: web.Request) -> None:
        """Their tokens are worth nothing from now on."""
        user, _ = await self._here(request)
        revoking = self._people.revoke_grants(user.id, self._now_ms())
        await self._audit.noted(user.name, "user.own_programs", revoking)
        self._grants.changed()

    async def _its_user(self, request: web.Request, name: str, password: str) -> User:
        whence = request[ASKED_FROM]
        return await self._logins.user(
            name, password, whence, lambda user: self._devices.name(request, whence, user)
        )

    async def _here(self, request: web.Request) -> tuple[User, Session]:
        found = await self._callers.session(request, request[ASKED_FROM])
        if found is None:
            raise Refusal(401, "who", "log in first")
        return found


def _shown(session: Session, this: Session) -> OwnSession:
    return OwnSession(
        _name(session),
        session.created_at,
        session.seen_at,
        session.expires_at,
        session.address,
        session.browser,
        session.id_sha256 == this.id_sha256,
    )


def _name(session: Session) -> str:
    """Not the hash that is kept: it would be shown in pages."""
    return hashlib.sha256(b"name of " + session.id_sha256).hexdigest()[:16]
