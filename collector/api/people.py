"""Users, tokens and the audit trail: thin doors before the desk where all of it is looked after."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from collector.api.doors import Body, Door, Query
from collector.api.paging import Page, Paged, number_in, page_by_number, page_of
from collector.api.views import Instant, moment, moment_or_none, ms_of
from collector.desks.people import Desk
from collector.desks.trail import Audit
from collector.store.people import ApiToken, AuditRow, User
from collector.who import Kind, Permission, Who

Name = Annotated[str, Meta(min_length=1, max_length=200)]
Password = Annotated[str, Meta(min_length=1, max_length=1_000)]
Permissions = Annotated[tuple[Annotated[str, Meta(max_length=100)], ...], Meta(min_length=1, max_length=50)]


class UserView(Struct, frozen=True):
    """Somebody who can log in; one who is disabled cannot, and stays for what they did to keep its name."""

    name: str
    role: str
    email: str
    created_at: datetime
    disabled_at: datetime | None


class NewUser(Body, frozen=True, kw_only=True):
    name: Name
    role: Name
    password: Password
    email: Annotated[str, Meta(max_length=200)] = ""


class UserChange(Body, frozen=True, kw_only=True):
    """What is to be different; what is left out stays as it is. With another password they are logged out
    everywhere."""

    role: Name | UnsetType = UNSET
    email: Annotated[str, Meta(max_length=200)] | UnsetType = UNSET
    password: Password | UnsetType = UNSET
    disabled: bool | UnsetType = UNSET


class OneUser(Query, frozen=True, kw_only=True):
    """Who.

    name: the name of the user
    """

    name: Name


class RoleView(Struct, frozen=True):
    name: str
    permissions: list[str]


class TokenView(Struct, frozen=True):
    """A program with rights of its own. `used_at` is right to a minute or so."""

    id: str
    name: str
    permissions: tuple[str, ...]
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    used_at: datetime | None
    revoked_at: datetime | None


class NewToken(Body, frozen=True, kw_only=True):
    name: Name
    permissions: Permissions
    expires_at: Instant | None = None


class MadeToken(Struct, frozen=True):
    """`token` is what the program sends; it is shown this once and kept nowhere."""

    token: str
    about: TokenView


class OneToken(Query, frozen=True, kw_only=True):
    """Which token.

    id: the id of the token
    """

    id: Name


class AuditAsked(Paged, frozen=True, kw_only=True):
    """Which changes.

    who: only those of that person or program
    what: only those of that kind, such as config.update
    """

    who: Annotated[str, Meta(max_length=200)] = ""
    what: Annotated[str, Meta(max_length=200)] = ""


class ChangeView(Struct, frozen=True):
    """Somebody changed something. `n` counts all changes, without a hole."""

    n: int
    at: datetime
    who: str
    what: str
    before: Any
    after: Any
    address: str
    request_id: str


class Me(Struct, frozen=True):
    """Who asks, and what they may."""

    name: str
    kind: Kind
    permissions: list[str]


class People:
    """`roles` are those there are, with the rights of each."""

    def __init__(self, desk: Desk, trail: Audit, roles: Mapping[str, frozenset[Permission]]) -> None:
        self._desk, self._trail, self._roles = desk, trail, roles

    def doors(self) -> list[Door]:
        return [
            Door(
                method="GET", path="/me", handler=self.me, needs=None,
                summary="Who you are, and what you may", answer=Me,
            ),
            Door(
                method="GET", path="/users", handler=self.users, needs="monitoring.users.manage",
                summary="Who can log in", query=Paged, answer=Page[UserView],
            ),
            Door(
                method="GET", path="/users/roles", handler=self.roles, needs="monitoring.users.manage",
                summary="The roles that users can have, and what each may", answer=list[RoleView],
            ),
            Door(
                method="POST", path="/users", handler=self.add_user, needs="monitoring.users.manage",
                summary="Let somebody log in", body=NewUser, answer=UserView, status=201, refusals=(409,),
            ),
            Door(
                method="PATCH", path="/users/{name}", handler=self.change_user,
                needs="monitoring.users.manage", summary="Another role or password, or no log-in any more",
                query=OneUser, body=UserChange, answer=UserView, refusals=(409,),
            ),
            Door(
                method="GET", path="/tokens", handler=self.tokens, needs="monitoring.tokens.manage",
                summary="The tokens of programs", query=Paged, answer=Page[TokenView],
            ),
            Door(
                method="POST", path="/tokens", handler=self.add_token, needs="monitoring.tokens.manage",
                summary="A token for a program; its text is shown this once", body=NewToken,
                answer=MadeToken, status=201, refusals=(409,),
            ),
            Door(
                method="DELETE", path="/tokens/{id}", handler=self.revoke, needs="monitoring.tokens.manage",
                summary="Let a token open nothing any more", query=OneToken, answer=None, status=204,
            ),
            Door(
                method="GET", path="/audit", handler=self.audit, needs="monitoring.audit.read",
                summary="Who changed what, the newest first", query=AuditAsked, answer=Page[ChangeView],
            ),
        ]  # fmt: skip

    async def me(self, who: Who, asked: Query, body: None) -> Me:
        return Me(who.name, who.kind, sorted(who.permissions))

    # --- users ---

    async def users(self, who: Who, asked: Paged, body: None) -> Page[UserView]:
        return page_of(await self._desk.users(), asked, lambda user: (user.name, user.id), _user)

    async def roles(self, who: Who, asked: Query, body: None) -> list[RoleView]:
        return [RoleView(name, sorted(permissions)) for name, permissions in self._roles.items()]

    async def add_user(self, who: Who, asked: Query, new: NewUser) -> UserView:
        return _user(await self._desk.add_user(who, new.name, new.role, new.password, email=new.email))

    async def change_user(self, who: Who, asked: OneUser, change: UserChange) -> UserView:
        """What can be refused for its sense comes first; a part that was done before another is refused, stays."""
        desk, name = self._desk, asked.name
        user = await desk.user(name)
        if not isinstance(change.role, UnsetType):
            user = await desk.set_role(who, name, change.role)
        if not isinstance(change.email, UnsetType):
            user = await desk.set_email(who, name, change.email)
        if not isinstance(change.password, UnsetType):
            user = await desk.set_password(who, name, change.password)
        if change.disabled is True:
            user = await desk.disable(who, name)
        elif change.disabled is False:
            user = await desk.enable(who, name)
        return _user(user)

    # --- tokens ---

    async def tokens(self, who: Who, asked: Paged, body: None) -> Page[TokenView]:
        tokens = await self._desk.api_tokens()
        return page_of(tokens, asked, lambda token: (float(-token.created_at), token.id), _token)

    async def add_token(self, who: Who, asked: Query, new: NewToken) -> MadeToken:
        expires_at = None if new.expires_at is None else ms_of(new.expires_at, "expires_at")
        text, token = await self._desk.add_api_token(who, new.name, new.permissions, expires_at=expires_at)
        return MadeToken(text, _token(token))

    async def revoke(self, who: Who, asked: OneToken, body: None) -> None:
        await self._desk.revoke_api_token(who, asked.id)

    # --- the trail ---

    async def audit(self, who: Who, asked: AuditAsked, body: None) -> Page[ChangeView]:
        below = number_in(asked.cursor)
        rows = await self._trail.rows(asked.limit + 1, below=below, who=asked.who, what=asked.what)
        return page_by_number(rows, asked, lambda row: row.n, _change)


def _user(user: User) -> UserView:
    return UserView(
        user.name, user.role, user.email, moment(user.created_at), moment_or_none(user.disabled_at)
    )


def _token(token: ApiToken) -> TokenView:
    return TokenView(
        token.id,
        token.name,
        token.permissions,
        moment(token.created_at),
        token.created_by,
        moment_or_none(token.expires_at),
        moment_or_none(token.used_at),
        moment_or_none(token.revoked_at),
    )


def _change(row: AuditRow) -> ChangeView:
    before, after = (msgspec.json.decode(text) if text else None for text in (row.before, row.after))
    return ChangeView(row.n, moment(row.at), row.who, row.what, before, after, row.address, row.request_id)
