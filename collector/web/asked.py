"""What an address asks for, read with care: a question that makes no sense is a sentence, never a fault of ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from aiohttp import web
from msgspec import Struct

from collector.web.answers import Missing, Unclear
from collector.web.words import Times, zone_named
from collector.who import ASKED_BY, NOBODY, Permission

TEXT_LETTERS_MAX = 200
ZONE_COOKIE = "zone"
_NUMBER_DIGITS_MAX = 15


class View(Struct, frozen=True):
    """How a reader wants a page: in which zone's time, and whole or only the part that changes. `person`: whether it
    is somebody with an account, which the frame leads to; `may` is what they have a right to."""

    path: str
    zone: str
    fragment: bool
    person: bool = False
    may: frozenset[Permission] = frozenset()

    @classmethod
    def of(cls, request: web.Request) -> View:
        """Pages without JavaScript are in UTC: only a browser's script tells the reader's zone."""
        who = request.get(ASKED_BY, NOBODY)
        zone = request.cookies.get(ZONE_COOKIE, "UTC")
        fragment = request.query.get("fragment") == "1"
        return cls(request.path, zone, fragment, who.kind == "user", who.permissions)

    def times(self, now: int) -> Times:
        return Times(zone_named(self.zone), now)


def text_of(request: web.Request, name: str, letters_max: int = TEXT_LETTERS_MAX) -> str:
    text = request.query.get(name, "").strip()
    if len(text) > letters_max:
        raise Unclear(f"{name} may have {letters_max} letters at most.")
    return text


T = TypeVar("T", bound=str)


def choice_of(request: web.Request, name: str, choices: Sequence[T]) -> T | None:
    """Which of the choices it is; None when none is asked for. Unclear."""
    text = text_of(request, name)
    found = next((choice for choice in choices if choice == text), None)
    if text and found is None:
        raise Unclear(f"{name} is one of {', '.join(choices)}.")
    return found


def number_of(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, str(default))
    if not (_is_number(text) and int(text) > 0):
        raise Unclear(f"{name} has to be a number from 1 on.")
    return int(text)


def id_of(request: web.Request) -> int:
    text = request.match_info["id"]
    if not _is_number(text):
        raise Missing(f"{text[:80]!r} is not a number.")
    return int(text)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= _NUMBER_DIGITS_MAX
