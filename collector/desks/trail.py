"""The audit trail: who changed what, from where, and how it was before and after. Rows are added and never altered."""

from __future__ import annotations

import logging
from collections.abc import Callable

import msgspec

from collector.store import StoreError
from collector.store.people import AuditRow, People
from collector.who import ANSWERED_TO, BEING_ANSWERED, Who

JSON_BYTES_MAX = 64 * 1024
TEXT_LETTERS_MAX = 200

log = logging.getLogger(__name__)


class Audit:
    def __init__(self, people: People, now_ms: Callable[[], int]) -> None:
        self._people, self._now_ms = people, now_ms

    async def record(
        self,
        who: Who | str,
        what: str,
        before: object = None,
        after: object = None,
    ) -> None:
        """Note a change that was made: `what` is a word such as `user.add`, `before` and `after` are anything that can
        be JSON and holds no secret. From where it was asked is known of the request that is being answered, if any. A
        change that cannot be noted stands all the same, and is in the log instead."""
        name = who if isinstance(who, str) else who.name
        was, became = _json(before), _json(after)
        try:
            await self._people.record(
                self._now_ms(),
                name[:TEXT_LETTERS_MAX],
                what,
                was,
                became,
                ANSWERED_TO.get(),
                BEING_ANSWERED.get(),
            )
        except StoreError as error:
            log.error(  # noqa: TRY400 - the store's trouble is in its sentence; a trace of ours would add nothing
                "A change is not in the audit trail, as it cannot be written (%s): %s by %s, before %s, after %s",
                error,
                what,
                name,
                was,
                became,
            )

    async def rows(
        self, limit: int, *, below: int | None = None, who: str = "", what: str = ""
    ) -> list[AuditRow]:
        """The newest first."""
        return await self._people.audit(limit, below=below, who=who, what=what)


def _json(value: object) -> str:
    if value is None:
        return ""
    text = msgspec.json.encode(value, enc_hook=str).decode()
    if len(text) > JSON_BYTES_MAX:
        return msgspec.json.encode({"left_out": f"{len(text)} bytes are more than is kept"}).decode()
    return text
