"""Links in messages: whoever got the message may act by them without logging in.

A link names one deed to one incident, or to all that one message names, and until when it may be done, readable for
anybody, and is sealed by a key of this collector. Looking at it changes nothing, since mail programs and virus scanners
look at every link.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable
from typing import get_args
from urllib.parse import quote

from collector.messages import Action, Deed, Grant, NoGrant
from rules.model import Notice

GOOD_FOR_S = 3 * 86_400
KEY_BYTES = 32
SEAL_BYTES = 18
"""Of the SHA-256: 144 bits cannot be guessed, and a link should not be longer than it must."""
WORDS: dict[Deed, str] = {"acknowledge": "Acknowledge", "snooze": "Not again for an hour"}
ALL = "Acknowledge all"
DEEDS: tuple[Deed, ...] = get_args(Deed)

FORGED = "This link is not one of ours; perhaps the message broke it in two."


class Links:
    """`base` is the address of the pages, as people reach them."""

    def __init__(self, key: bytes, base: str, now_ms: Callable[[], int]) -> None:
        if len(key) < KEY_BYTES:
            raise ValueError(f"the key for links has {len(key)} bytes; it needs {KEY_BYTES}")
        self._key, self._base, self._now_ms = key, base, now_ms

    def to_incident(self, notice: Notice) -> str:
        """Where to read on: of a message about several problems, the list of all."""
        return f"{self._base}/incidents" if notice.about else self._url(notice, "open")

    def actions(self, notice: Notice) -> tuple[Action, ...]:
        """What can be done about what the notice says; nothing about what is over."""
        if notice.about:
            goes_on = any(line.reason != "resolved" for line in notice.about)
            return (Action(ALL, self._url(notice, "acknowledge_all")),) if goes_on else ()
        if notice.reason == "resolved":
            return ()
        return tuple(Action(words, self._url(notice, deed)) for deed, words in WORDS.items())

    def read(self, deed: str, about: str, until_s: str, channel: str, seal: str) -> Grant:
        """What a link allows, of which these are the parts. NoGrant."""
        sealed = seal.encode(errors="replace")
        if not hmac.compare_digest(sealed, self._seal(deed, about, until_s, channel).encode()):
            raise NoGrant(FORGED)
        if deed not in DEEDS:
            raise NoGrant("This link is of another version of Watchkeeper.")
        if self._now_ms() >= int(until_s) * 1000:
            raise NoGrant("This link is no longer good: it was, for three days after the message.")
        if deed == "acknowledge_all":
            return Grant(0, deed, channel, about)
        return Grant(int(about), deed, channel)

    def _url(self, notice: Notice, deed: Deed) -> str:
        """The same for the same notice on every try."""
        until_s = str(notice.created_at // 1000 + GOOD_FOR_S)
        about = notice.id if deed == "acknowledge_all" else str(notice.incident)
        parts = (deed, about, until_s, notice.channel)
        path = "/".join(quote(part, safe="") for part in (*parts, self._seal(*parts)))
        return f"{self._base}/links/{path}"

    def _seal(self, *parts: str) -> str:
        said = "\0".join(parts).encode(errors="replace")
        return base64.urlsafe_b64encode(hmac.digest(self._key, said, "sha256")[:SEAL_BYTES]).decode()
