"""Programs that act for a user: a pair of short-lived tokens for a name and a password, and another for the old."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Protocol

from aiohttp import web
from msgspec import Meta, Struct

from collector.api.doors import Body, Door, Query
from collector.api.views import moment
from collector.who import Who

Token = Annotated[str, Meta(min_length=1, max_length=4_096)]


class Login(Body, frozen=True, kw_only=True):
    name: Annotated[str, Meta(min_length=1, max_length=200)]
    password: Annotated[str, Meta(min_length=1, max_length=1_000)]


class Refresh(Body, frozen=True, kw_only=True):
    refresh_token: Token


class Revoke(Body, frozen=True, kw_only=True):
    """Either of the two tokens; both are over then."""

    token: Token


class PairView(Struct, frozen=True):
    """`access_token` is sent as Authorization: Bearer; before it ends, `refresh_token` is changed for another pair."""

    access_token: str
    access_expires_at: datetime
    refresh_token: str
    refresh_expires_at: datetime


class Pair(Protocol):
    @property
    def access_token(self) -> str: ...
    @property
    def access_expires_at(self) -> int: ...
    @property
    def refresh_token(self) -> str: ...
    @property
    def refresh_expires_at(self) -> int: ...


class Own(Protocol):
    """All of it may raise Refusal and StoreError."""

    async def grant(self, request: web.Request, name: str, password: str) -> Pair: ...
    async def refresh(self, refresh_token: str) -> Pair: ...
    async def revoke(self, token: str) -> None: ...


class Logins:
    def __init__(self, own: Own) -> None:
        self._own = own

    def doors(self) -> list[Door]:
        return [
            Door(
                method="POST", path="/login", handler=self.login, needs=None,
                summary="Tokens for a program that acts for a user", body=Login, answer=PairView,
                with_request=True,
            ),
            Door(
                method="POST", path="/login/refresh", handler=self.refresh, needs=None,
                summary="Another pair of tokens before the old one ends; each is changed once only",
                body=Refresh, answer=PairView,
            ),
            Door(
                method="POST", path="/login/revoke", handler=self.revoke, needs=None,
                summary="Let a pair of tokens open nothing any more", body=Revoke, answer=None, status=204,
            ),
        ]  # fmt: skip

    async def login(self, who: Who, asked: Query, login: Login, request: web.Request) -> PairView:
        return _view(await self._own.grant(request, login.name, login.password))

    async def refresh(self, who: Who, asked: Query, old: Refresh) -> PairView:
        return _view(await self._own.refresh(old.refresh_token))

    async def revoke(self, who: Who, asked: Query, old: Revoke) -> None:
        await self._own.revoke(old.token)


def _view(pair: Pair) -> PairView:
    return PairView(
        pair.access_token,
        moment(pair.access_expires_at),
        pair.refresh_token,
        moment(pair.refresh_expires_at),
    )
