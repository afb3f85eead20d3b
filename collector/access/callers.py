"""Who asks: by a token they send, by the cookie of a session, or by sitting at this machine while there is no user."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web
from msgspec import Struct

from collector.access.api_tokens import PREFIX, ApiTokens
from collector.access.grants import Grants, wrong_token
from collector.access.known import Known, nobody_minds
from collector.access.roles import Roles
from collector.access.sessions import Sessions, cookie_of
from collector.access.setup import Setup
from collector.store.people import People, Session, User
from collector.who import LOCAL, NOBODY, Refusal, Whence, Who

AUTHORIZATION_LETTERS_MAX = 4_000


class Caller(Struct, frozen=True):
    """`bucket` is what counts how often they ask, empty for strangers, who share that of their network. `form_token` is
    what forms of their session must hold. `by_token`: they showed a token, which no browser sends by itself."""

    who: Who
    bucket: str = ""
    form_token: str = ""
    by_token: bool = False
    is_limited: bool = True


class Callers:
    def __init__(
        self,
        people: People,
        roles: Roles,
        sessions: Sessions,
        grants: Grants,
        api_tokens: ApiTokens,
        setup: Setup,
        now_ms: Callable[[], int],
        changed: Callable[[], None] = nobody_minds,
    ) -> None:
        self._people, self._roles = people, roles
        self._sessions, self._grants, self._api_tokens, self._setup = sessions, grants, api_tokens, setup
        self._users: Known[int, User] = Known(people.user_by_id, now_ms, changed)

    async def find(self, request: web.Request, whence: Whence) -> Caller:
        """Refusal when they send a token that does not hold: that is never taken for nothing. StoreError."""
        if (authorization := request.headers.get("Authorization")) is not None:
            return await self._by_token(authorization)
        if (found := await self.session(request, whence)) is not None:
            user, session = found
            return self._person(user, form_token=session.csrf)
        if whence.is_local and not await self._setup.any_user():
            return Caller(LOCAL, is_limited=False)
        return Caller(NOBODY)

    def is_known(self, request: web.Request, whence: Whence) -> bool:
        """Whether finding out who asks will cost the store nothing: they were here a moment ago, or what they show was
        signed by us."""
        if (authorization := request.headers.get("Authorization")) is not None:
            token = authorization[7:].strip()
            return self._api_tokens.is_known(token) or self._grants.is_signed(token)
        number = cookie_of(request, whence)
        return bool(number) and self._sessions.is_known(number)

    async def session(self, request: web.Request, whence: Whence) -> tuple[User, Session] | None:
        """The session that a request belongs to, and whose it is. StoreError."""
        number = cookie_of(request, whence)
        session = await self._sessions.find(number) if number else None
        user = await self._users.get(session.user) if session is not None else None
        if session is None or user is None or user.disabled_at is not None:
            return None
        return user, session

    def changed(self, user: int) -> None:
        """Something about this user is another than a moment ago: that there is one, role, password, or whether they
        may log in."""
        self._setup.there_is_a_user()
        self._users.forget(user)
        self._sessions.changed()
        self._grants.changed()

    async def _by_token(self, authorization: str) -> Caller:
        scheme, _, token = authorization[:AUTHORIZATION_LETTERS_MAX].partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise Refusal(401, "token_malformed", "send the header Authorization: Bearer TOKEN")
        if token.startswith(PREFIX):
            number, who = await self._api_tokens.who(token)
            return Caller(who, f"token {number}", by_token=True)
        user = await self._users.get(await self._grants.user(token))
        if user is None or user.disabled_at is not None:
            raise wrong_token("its user cannot log in any more")
        return self._person(user, by_token=True)

    def _person(self, user: User, *, form_token: str = "", by_token: bool = False) -> Caller:
        who = Who(user.name, "user", self._roles.permissions(user.role))
        return Caller(who, f"user {user.id}", form_token, by_token)
