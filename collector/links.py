"""Links in messages: whoever got the message may act by them without logging in.

A link is signed by a key of this collector, for one deed to one incident, and good for a while. Looking at it changes
nothing, since mail programs and virus scanners look at every link.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import jwt

from collector.messages import Action, Deed, Grant, NoGrant
from rules.model import Notice

GOOD_FOR_MS = 3 * 86_400_000
KEY_BYTES = 32
LETTERS_MAX = 1_000
SIGNED_BY = "HS256"
WORDS: dict[Deed, str] = {"acknowledge": "Acknowledge", "snooze": "Not again for an hour"}
DEEDS = frozenset(get_args(Deed))


class Links:
    """`base` is the address of the pages, as people reach them."""

    def __init__(self, key: bytes, base: str, now_ms: Callable[[], int]) -> None:
        if len(key) < KEY_BYTES:
            raise ValueError(f"the key for links has {len(key)} bytes; it needs {KEY_BYTES}")
        self._key, self._base, self._now_ms = key, base, now_ms

    def to_incident(self, notice: Notice) -> str:
        return self._url(notice, "open")

    def actions(self, notice: Notice) -> tuple[Action, ...]:
        """What can be done about what the notice says; nothing about what is over."""
        if notice.reason == "resolved":
            return ()
        return tuple(Action(words, self._url(notice, deed)) for deed, words in WORDS.items())

    def read(self, signed: str) -> Grant:
        """What a link allows. NoGrant."""
        try:
            said = jwt.decode(
                signed[:LETTERS_MAX],
                self._key,
                algorithms=[SIGNED_BY],
                options={"require": ["exp", "incident", "deed", "channel"], "verify_exp": False},
            )
        except jwt.InvalidTokenError:
            raise NoGrant("This link is not one of ours; perhaps the message broke it in two.") from None
        if self._now_ms() >= said["exp"] * 1000:
            raise NoGrant("This link is no longer good: it was, for three days after the message.")
        if said["deed"] not in DEEDS:
            raise NoGrant("This link is of another version of Watchkeeper.")
        return Grant(int(said["incident"]), said["deed"], str(said["channel"]))

    def _url(self, notice: Notice, deed: Deed) -> str:
        """The same for the same notice on every try."""
        said = {
            "exp": (notice.created_at + GOOD_FOR_MS) // 1000,
            "incident": notice.incident,
            "deed": deed,
            "channel": notice.channel,
        }
        return f"{self._base}/links/{jwt.encode(said, self._key, SIGNED_BY)}"
