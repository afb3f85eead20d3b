"""Notices: what was said to whom, why, and what became of it; and how many of each channel stand where."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from collector.api.doors import Door, Id, Query
from collector.api.views import moment, moment_or_none
from collector.store import Delivery, NoticeRow, Store
from collector.who import Who
from rules.model import Severity

NOTICES_MAX = 500


class NoticesAsked(Query, frozen=True, kw_only=True):
    """Which notices.

    incident: only those about the incident of that number
    channel: only those to that channel
    delivery: only those that stand so
    limit: how many of the newest to look at
    """

    incident: Id | None = None
    channel: Annotated[str, Meta(max_length=200)] | None = None
    delivery: Delivery | None = None
    limit: Annotated[int, Meta(ge=1, le=NOTICES_MAX)] = 100


class NoticeView(Struct, frozen=True):
    """One message about an incident to one channel. `perhaps_again`: an earlier try may have got through."""

    id: str
    incident: int
    channel: str
    reason: str
    severity: Severity
    title: str
    text: str
    created_at: datetime
    delivery: Delivery
    tries: int
    next_try_at: datetime | None
    tried_at: datetime | None
    sent_at: datetime | None
    answer: str
    perhaps_again: bool


class ChannelCounts(Struct, frozen=True):
    """How many notices of a channel stand where."""

    channel: str
    waiting: int
    sending: int
    sent: int
    failed: int


class NoticeList(Struct, frozen=True):
    """The newest notices first; without any channel nobody is told of anything."""

    items: list[NoticeView]
    channels: list[ChannelCounts]


class Notices:
    """`channels` are the names of those that would tell somebody."""

    def __init__(self, store: Store, channels: list[str]) -> None:
        self._store, self._channels = store, channels

    def doors(self) -> list[Door]:
        return [
            Door(
                method="GET", path="/notices", handler=self.search, needs="monitoring.read",
                summary="What was said to whom, and what became of it", query=NoticesAsked, answer=NoticeList,
            ),
        ]  # fmt: skip

    async def search(self, who: Who, asked: NoticesAsked, body: None) -> NoticeList:
        rows, counts = await asyncio.gather(
            self._store.notices.recent(asked.limit, asked.incident), self._store.notices.counts()
        )
        found = [
            _view(row)
            for row in rows
            if asked.channel in (None, row.notice.channel) and asked.delivery in (None, row.delivery)
        ]
        names = sorted({name for name, _ in counts} | set(self._channels))
        states: tuple[Delivery, ...] = ("waiting", "sending", "sent", "failed")
        channels = [
            ChannelCounts(name, *(counts.get((name, state), 0) for state in states)) for name in names
        ]
        return NoticeList(found, channels)


def _view(row: NoticeRow) -> NoticeView:
    notice = row.notice
    waits = row.delivery == "waiting" and row.next_try_at > 0
    return NoticeView(
        id=notice.id,
        incident=notice.incident,
        channel=notice.channel,
        reason=notice.reason,
        severity=notice.severity,
        title=notice.title,
        text=notice.text,
        created_at=moment(notice.created_at),
        delivery=row.delivery,
        tries=row.tries,
        next_try_at=moment(row.next_try_at) if waits else None,
        tried_at=moment_or_none(row.tried_at),
        sent_at=moment_or_none(row.sent_at),
        answer=row.answer,
        perhaps_again=row.perhaps_again,
    )
