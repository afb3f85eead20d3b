"""The page of notices: every message that was owed to a channel, and the proof of what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from urllib.parse import urlencode

from aiohttp import web

from collector.store import Delivery, Store
from collector.store.listing import NoticesWanted
from collector.web.answers import answer
from collector.web.asked import View, choice_of, text_of
from collector.web.frame import Frame
from collector.web.incidents import notice_line
from collector.who import needs

PER_PAGE = 100
DELIVERIES: dict[Delivery, str] = {
    "sent": "sent", "waiting": "waiting", "sending": "being sent", "failed": "not delivered",
}  # fmt: skip


class NoticePages:
    """`channels` are the names of those that would tell somebody."""

    def __init__(
        self, frame: Frame, store: Store, channels: Sequence[str], *, now_ms: Callable[[], int]
    ) -> None:
        self._frame, self._store, self._channels, self._now_ms = frame, store, list(channels), now_ms

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/notices", needs("monitoring.read", self._frame.page("notices", self._list)))]

    async def _list(self, request: web.Request) -> web.Response:
        view, wanted = View.of(request), _wanted(request)
        times = view.times(self._now_ms())
        rows, counts = await asyncio.gather(
            self._store.listing.notices(wanted, PER_PAGE + 1), self._store.notices.counts()
        )
        page = rows[:PER_PAGE]
        body = self._frame.render(
            "notices.html",
            view,
            times,
            notices=[notice_line(row, times) for row in page],
            older=_older(wanted, page[-1].notice.id) if len(rows) > PER_PAGE else "",
            counts=counts,
            names=sorted({name for name, _ in counts} | set(self._channels)),
            wanted=wanted,
            deliveries=DELIVERIES,
        )
        return answer(request, body)


def _wanted(request: web.Request) -> NoticesWanted:
    return NoticesWanted(
        channel=text_of(request, "channel") or None,
        delivery=choice_of(request, "delivery", list(DELIVERIES)),
        before=text_of(request, "before") or None,
    )


def _older(wanted: NoticesWanted, before: str) -> str:
    asked = {"channel": wanted.channel, "delivery": wanted.delivery, "before": before}
    return f"/notices?{urlencode({name: value for name, value in asked.items() if value})}"
