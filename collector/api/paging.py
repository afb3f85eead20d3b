"""Lists that are given page by page: the query they share, and the cursor that leads from one page to the next.

A cursor says behind which entry the next page begins, so pages neither repeat nor leave out what was there all along,
whatever comes in meanwhile. To those who hold one it is a word without meaning.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Generic, TypeVar

import msgspec
from msgspec import Meta, Struct

from collector.api.doors import Query, Refusal

LIMIT_MAX = 500
CURSOR_CHARS_MAX = 1_024

T = TypeVar("T")
V = TypeVar("V")
Key = tuple[float | str, int | str]
"""By what an entry is sorted, and what tells it from others that are sorted alike."""


class Page(Struct, Generic[T], frozen=True):
    """Some entries of a list. `next`, where there are more, is the `cursor` to ask for them with; `total` is how many
    there are on all pages, where that is cheap to know."""

    items: list[T]
    next: str | None = None
    total: int | None = None


class Paged(Query, frozen=True, kw_only=True):
    """What every list can be asked.

    limit: how many entries to give at most
    cursor: the `next` of the page before, to be asked with the same filters and the same order
    """

    limit: Annotated[int, Meta(ge=1, le=LIMIT_MAX)] = 100
    cursor: Annotated[str, Meta(max_length=CURSOR_CHARS_MAX)] = ""


_position = msgspec.json.Decoder(Key).decode
_number = msgspec.json.Decoder(Annotated[int, Meta(ge=0, lt=2**53)]).decode


def cursor_of(value: object) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(value)).rstrip(b"=").decode()


def read_cursor(text: str, decode: Callable[[bytes], V]) -> V | None:
    """What `cursor_of` wrote; None for an empty one. Refusal when it is none of ours."""
    if not text:
        return None
    try:
        return decode(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, msgspec.MsgspecError, RecursionError):
        raise Refusal(
            400, "cursor", "cursor: not one that was given out here; leave it out to begin anew"
        ) from None


def number_in(cursor: str) -> int | None:
    """Of a list in the order of its numbers, behind which the page begins. Refusal."""
    return read_cursor(cursor, _number)


def page_of(
    entries: Iterable[T],
    asked: Paged,
    key: Callable[[T], Key],
    show: Callable[[T], V],
    *,
    descending: bool = False,
) -> Page[V]:
    """A page of a list that is in memory as a whole, sorted by `key`. Refusal for a cursor that is none."""
    behind = read_cursor(asked.cursor, _position)
    every = sorted(entries, key=key, reverse=descending)
    keys = [key(entry) for entry in every]
    begin = 0
    if behind is not None:
        begin = _begin(keys, behind, descending)
    some = every[begin : begin + asked.limit]
    more = begin + asked.limit < len(every)
    return Page([show(entry) for entry in some], cursor_of(key(some[-1])) if more else None, len(every))


def _begin(keys: Sequence[Key], behind: Key, descending: bool) -> int:
    """The place of the first entry behind a position; where entries are sorted by another kind of thing, a Refusal."""
    try:
        for place, key in enumerate(keys):
            if (key < behind) if descending else (key > behind):
                return place
    except TypeError:
        raise Refusal(
            400, "cursor", "cursor: of a list in another order; leave it out to begin anew"
        ) from None
    return len(keys)


def page_by_number(
    found: Sequence[T], asked: Paged, number: Callable[[T], int], show: Callable[[T], V]
) -> Page[V]:
    """A page of entries that were read in order, one more of them than were asked for if there are more."""
    some = found[: asked.limit]
    after = cursor_of(number(some[-1])) if len(found) > asked.limit else None
    return Page([show(entry) for entry in some], after)
