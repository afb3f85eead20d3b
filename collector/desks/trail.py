"""The audit trail: who changed what, from where, and how it was before and after. Rows are added and never altered."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from collector.store import StoreError
from collector.store.people import AuditRow, People
from collector.store.trail import BESIDE, Entry, Slip
from collector.who import ANSWERED_TO, BEING_ANSWERED, Who

JSON_BYTES_MAX = 64 * 1024
TEXT_LETTERS_MAX = 200

T = TypeVar("T")
Said = tuple[Who | str, str, object]
"""Who did what, and how it is now: see `Audit.record`."""

log = logging.getLogger(__name__)


def _nothing(_answer: object) -> None:
    return None


def _always(_answer: object) -> bool:
    return True


class Audit:
    """`made` is called after each change that is noted and kept, before whoever made it is answered."""

    def __init__(
        self, people: People, now_ms: Callable[[], int], *, made: Callable[[], object] = lambda: None
    ) -> None:
        self._people, self._now_ms, self._made = people, now_ms, made

    async def record(
        self,
        who: Who | str,
        what: str,
        before: object = None,
        after: object = None,
    ) -> None:
        """Note what was done and is not itself kept in the store: `what` is a word such as `channel.test`, `before` and
        `after` are anything that can be JSON and holds no secret. From where it was asked is known of the request that
        is being answered, if any. What cannot be noted stands all the same, and is in the log instead."""
        entry = self._entry(who, what, before, after)
        try:
            await self._people.record(entry)
        except StoreError as error:
            log.error(  # noqa: TRY400 - the store's trouble is in its sentence; a trace of ours would add nothing
                "A change is not in the audit trail, as it cannot be written (%s): %s by %s, before %s, after %s",
                error,
                entry.what,
                entry.who,
                entry.before,
                entry.after,
            )

    async def noted(
        self,
        who: Who | str,
        what: str,
        change: Awaitable[T],
        *,
        before: object = None,
        after: Callable[[Any], object] = _nothing,
        when: Callable[[Any], bool] = _always,
    ) -> T:
        """Make a change that is kept in the store, and note it in the same transaction: both are kept or neither.

        `after` and `when` are given what the store answered: how it is now, and whether anything was changed at all.
        Raises what `change` does."""

        def rows(answer: object) -> list[Said]:
            return [(who, what, after(answer))] if when(answer) else []

        return await self.all_noted(change, rows, before=before)

    async def all_noted(
        self, change: Awaitable[T], rows: Callable[[Any], Sequence[Said]], *, before: object = None
    ) -> T:
        """As `noted`, of a change that is several things at once: `rows` says what the trail is to say of each."""
        plain = self._entry("", "", before, None)  # here, where it is known whose request this is

        def entries(answer: object) -> list[Entry]:
            return [
                replace(plain, who=_name(who), what=what, after=_json(after))
                for who, what, after in rows(answer)
            ]

        hung = BESIDE.set(Slip(entries))
        try:
            answer = await change
        finally:
            BESIDE.reset(hung)
        self._made()
        return answer

    def _entry(self, who: Who | str, what: str, before: object, after: object) -> Entry:
        return Entry(
            self._now_ms(),
            _name(who),
            what,
            _json(before),
            _json(after),
            ANSWERED_TO.get(),
            BEING_ANSWERED.get(),
        )

    async def rows(
        self, limit: int, *, below: int | None = None, who: str = "", what: str = ""
    ) -> list[AuditRow]:
        """The newest first."""
        return await self._people.audit(limit, below=below, who=who, what=what)


def _name(who: Who | str) -> str:
    return (who if isinstance(who, str) else who.name)[:TEXT_LETTERS_MAX]


def _json(value: object) -> str:
    if value is None:
        return ""
    text = msgspec.json.encode(value, enc_hook=str).decode()
    if len(text) > JSON_BYTES_MAX:
        return msgspec.json.encode({"left_out": f"{len(text)} bytes are more than is kept"}).decode()
    return text
