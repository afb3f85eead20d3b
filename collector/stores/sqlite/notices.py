"""The outbox: notices in the order in which they were owed, and what became of each."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from collector.store import Delivery, NoticeRow, StoreError
from collector.stores.sqlite.readers import Readers
from collector.stores.sqlite.tables import NOTICES
from collector.stores.sqlite.writer import Writer

NOTICE_WIDTH = len(NOTICES.kind.__struct_fields__)
TOLD_WITHIN_MS = 8 * 86_400_000
"""Quiet hours are a week at most: by then everybody was told of an end."""
NOTICE = f"""
    SELECT {NOTICES.names}, delivery, tries, next_try_at, tried_at, sent_at, answer, perhaps_again FROM notices
"""
# In the words of the index of what is unfinished, without which SQLite does not see that it serves.
UNFINISHED = "delivery IN ('waiting', 'sending')"
# The first unfinished notice of each channel and incident: those behind it wait for it.
HEADS = f"(SELECT min(n) FROM notices WHERE {UNFINISHED} GROUP BY channel, incident)"
# A try that lies in the future was made before our clock was set back: what waits since then waits no longer.
DUE = f"""
    {NOTICE} WHERE n IN {HEADS} AND delivery = 'waiting' AND (next_try_at <= ?1 OR tried_at > ?1)
    ORDER BY row_number() OVER (PARTITION BY channel ORDER BY n), n LIMIT ?2
"""
NEXT_DUE_AT = f"SELECT min(next_try_at) FROM notices WHERE n IN {HEADS} AND delivery = 'waiting'"
IS_OVER = """
    SELECT EXISTS (
        SELECT 1 FROM notices JOIN notices AS later USING (channel, incident)
        WHERE notices.id = ? AND later.n > notices.n
        AND later.delivery IN ('waiting', 'sending') AND later.reason = 'resolved'
    )
"""
SENDING = """
    UPDATE notices SET delivery = 'sending', tries = tries + 1, tried_at = ?1
    WHERE id = ?2 AND delivery = 'waiting' AND (next_try_at <= ?1 OR tried_at > ?1) AND NOT EXISTS (
        SELECT 1 FROM notices AS earlier WHERE earlier.channel = notices.channel
        AND earlier.incident = notices.incident AND earlier.n < notices.n
        AND earlier.delivery IN ('waiting', 'sending')
    )
"""
SENT = """
    UPDATE notices SET delivery = 'sent', sent_at = ?1, answer = ?2 WHERE id = ?3 AND delivery = 'sending'
"""
PUT_OFF = f"""
    UPDATE notices SET delivery = 'waiting', next_try_at = ?4, answer = ?2, perhaps_again = max(perhaps_again, ?5),
        tried_at = iif(delivery = 'sending', ?1, tried_at)
    WHERE id = ?3 AND {UNFINISHED}
"""
FAILED = f"""
    UPDATE notices SET delivery = 'failed', answer = ?2, tried_at = iif(delivery = 'sending', ?1, tried_at)
    WHERE id = ?3 AND {UNFINISHED}
"""
INTERRUPTED = f"""
    UPDATE notices SET delivery = 'waiting', perhaps_again = 1 WHERE {UNFINISHED} AND delivery = 'sending'
"""
AT_ONCE = (
    f"UPDATE notices SET next_try_at = 0 WHERE {UNFINISHED} AND delivery = 'waiting' AND next_try_at > 0"
)
# A message about several problems is filed under one of them; it was sent while the others were known.
OF_INCIDENT = f"""
    {NOTICE} WHERE n IN (
        SELECT n FROM notices WHERE incident = ?1
        UNION ALL SELECT n FROM notices, incidents WHERE incidents.id = ?1
        AND reason = 'digest' AND incident <> ?1 AND created_at >= incidents.opened_at
        AND (incidents.resolved_at IS NULL OR created_at < incidents.resolved_at + {TOLD_WITHIN_MS})
        AND EXISTS (SELECT 1 FROM json_each(about) WHERE value ->> 'incident' = ?1)
    ) ORDER BY n DESC LIMIT ?2
"""
COUNTS = "SELECT channel, delivery, count(*) FROM notices GROUP BY channel, delivery"


class SqliteNotices:
    def __init__(self, readers: Readers, writer: Writer) -> None:
        self._readers, self._writer = readers, writer

    async def due(self, now: int, limit: int) -> list[NoticeRow]:
        return await self._all(DUE, now, limit)

    async def next_due_at(self) -> int | None:
        row = await self._readers.read(lambda connection: connection.execute(NEXT_DUE_AT).fetchone())
        return None if row[0] is None else int(row[0])

    async def is_over(self, notice: str) -> bool:
        row = await self._readers.read(lambda connection: connection.execute(IS_OVER, [notice]).fetchone())
        return bool(row[0])

    async def sending(self, notice: str, now: int) -> bool:
        return await self._writer.write(
            lambda connection: connection.execute(SENDING, [now, notice]).rowcount == 1
        )

    async def sent(self, notice: str, now: int, answer: str) -> None:
        await self._settle(notice, "sent", SENT, now, answer, notice)

    async def put_off(
        self, notice: str, now: int, answer: str, next_try_at: int, *, perhaps_again: bool = False
    ) -> None:
        await self._settle(notice, "waiting", PUT_OFF, now, answer, notice, next_try_at, perhaps_again)

    async def failed(self, notice: str, now: int, answer: str) -> None:
        await self._settle(notice, "failed", FAILED, now, answer, notice)

    async def interrupted(self) -> int:
        def job(connection: sqlite3.Connection) -> int:
            connection.execute(AT_ONCE)
            return connection.execute(INTERRUPTED).rowcount

        return await self._writer.write(job)

    async def get(self, notice: str) -> NoticeRow | None:
        found = await self._all(f"{NOTICE} WHERE id = ?", notice)
        return found[0] if found else None

    async def recent(self, limit: int, incident: int | None = None) -> list[NoticeRow]:
        if incident is None:
            return await self._all(f"{NOTICE} ORDER BY n DESC LIMIT ?", limit)
        return await self._all(OF_INCIDENT, incident, limit)

    async def counts(self) -> dict[tuple[str, Delivery], int]:
        rows = await self._readers.read(lambda connection: connection.execute(COUNTS).fetchall())
        return {(channel, delivery): count for channel, delivery, count in rows}

    async def _all(self, query: str, *values: Any) -> list[NoticeRow]:
        return await self._readers.read(
            lambda connection: [notice_row(row) for row in connection.execute(query, values)]
        )

    async def _settle(self, notice: str, delivery: Delivery, update: str, *values: Any) -> None:
        """Saying the same again, after an answer that got lost, changes nothing."""

        def job(connection: sqlite3.Connection) -> None:
            if connection.execute(update, values).rowcount:
                return
            row = connection.execute("SELECT delivery FROM notices WHERE id = ?", [notice]).fetchone()
            if row is None or row[0] != delivery:
                stands = "is not in the store" if row is None else f"stands at {row[0]!r}"
                raise StoreError(f"notice {notice} {stands} and cannot become {delivery!r}", passing=False)

        await self._writer.write(job)


def notice_row(row: Sequence[Any]) -> NoticeRow:
    delivery, tries, next_try_at, tried_at, sent_at, answer, perhaps_again = row[NOTICE_WIDTH:]
    return NoticeRow(
        NOTICES.value(row), delivery, tries, next_try_at, tried_at, sent_at, answer, bool(perhaps_again)
    )
