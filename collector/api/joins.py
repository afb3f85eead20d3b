"""Join codes over the API: made for hosts that are to come, looked at, revoked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from collector.api.doors import Body, Door, Id, Query
from collector.api.enrolment import Labels
from collector.api.paging import Page, Paged, page_of
from collector.api.views import Span, moment, moment_or_none, span_ms
from collector.desks.codes import USES_MAX, Codes
from collector.store.joins import Join
from collector.who import Who


class NewJoin(Body, frozen=True, kw_only=True):
    """`labels` are given to every host that comes by the code. With `host`, the id of one that is known, it lets in no
    other: that one gets a new token, and those it had hold no more."""

    labels: Labels = field(default_factory=dict)
    uses: Annotated[int, Meta(ge=1, le=USES_MAX)] = 1
    holds_for: Span = "30m"
    host: Id | None = None


class JoinView(Struct, frozen=True):
    """`state` is that of now; `id` is a part of the code that opens nothing by itself."""

    id: str
    state: Literal["holds", "used", "expired", "revoked"]
    labels: dict[str, str]
    uses: int
    uses_max: int
    host: int | None
    created_at: datetime
    created_by: str
    expires_at: datetime
    used_at: datetime | None


class MadeJoin(Struct, frozen=True):
    """`code` is shown this once and kept nowhere. `command` installs the agent on a host and lets it join; where there
    is none, `trouble` says why, and `by_hand` lets a host join that has the agent."""

    code: str
    command: str | None
    by_hand: str
    trouble: str
    about: JoinView


class OneJoin(Query, frozen=True, kw_only=True):
    """Which code.

    id: its id
    """

    id: Annotated[str, Meta(min_length=1, max_length=40)]


class Joins:
    def __init__(self, codes: Codes, now_ms: Callable[[], int]) -> None:
        self._codes, self._now_ms = codes, now_ms

    def doors(self) -> list[Door]:
        return [
            Door(
                method="GET", path="/joins", handler=self.all, needs="monitoring.tokens.manage",
                summary="Join codes, the newest first", query=Paged, answer=Page[JoinView],
            ),
            Door(
                method="POST", path="/joins", handler=self.make, needs="monitoring.tokens.manage",
                summary="A code by which hosts join; it is shown this once", body=NewJoin, answer=MadeJoin,
                status=201, refusals=(404, 409, 422),
            ),
            Door(
                method="DELETE", path="/joins/{id}", handler=self.revoke, needs="monitoring.tokens.manage",
                summary="Let nobody in by a code any more", query=OneJoin, answer=None, status=204,
            ),
        ]  # fmt: skip

    async def all(self, who: Who, asked: Paged, body: None) -> Page[JoinView]:
        now = self._now_ms()
        joins = await self._codes.all()
        return page_of(
            joins,
            asked,
            lambda join: (join.created_at, join.id),
            lambda join: _view(join, now),
            descending=True,
        )

    async def make(self, who: Who, asked: Query, new: NewJoin) -> MadeJoin:
        for_ms = span_ms(new.holds_for, "holds_for")
        code, join = await self._codes.make(
            who, labels=new.labels, uses=new.uses, for_ms=for_ms, host=new.host
        )
        told = await self._codes.tell(code)
        return MadeJoin(code, told.command, told.by_hand, told.trouble, _view(join, self._now_ms()))

    async def revoke(self, who: Who, asked: OneJoin, body: None) -> None:
        await self._codes.revoke(who, asked.id)


def _view(join: Join, now: int) -> JoinView:
    return JoinView(
        join.id,
        join.over(now) or "holds",
        join.labels,
        join.uses,
        join.uses_max,
        join.host,
        moment(join.created_at),
        join.created_by,
        moment(join.expires_at),
        moment_or_none(join.used_at),
    )
