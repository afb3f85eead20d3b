"""Sessions of browsers: a random id in a cookie, of which only the hash is kept."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable

from aiohttp import web

from collector.access.known import Known, nobody_minds
from collector.store.people import People, Session, User
from collector.who import Whence

BROWSER_LETTERS_MAX = 200
_ID = re.compile(r"[A-Za-z0-9_-]{43}")


class Sessions:
    """A session is over `idle_ms` after it was seen last, and `life_ms` after it began."""

    def __init__(
        self,
        people: People,
        now_ms: Callable[[], int],
        *,
        idle_ms: int,
        life_ms: int,
        changed: Callable[[], None] = nobody_minds,
    ) -> None:
        self._people, self._now_ms = people, now_ms
        self._idle_ms, self._life_ms = idle_ms, life_ms
        self._known: Known[bytes, Session] = Known(people.session, now_ms, changed)
        self._seen: dict[bytes, int] = {}
        self._over: set[bytes] = set()
        """Those that the store may still have, as it was not or could not be told of their end yet."""

    @property
    def life_s(self) -> int:
        return self._life_ms // 1000

    async def begin(self, user: User, whence: Whence, browser: str) -> tuple[str, Session]:
        """The id for the cookie, new for each log-in, so that none that was known before is worth anything."""
        number, now = secrets.token_urlsafe(32), self._now_ms()
        session = Session(
            id_sha256=_sha256(number),
            user=user.id,
            csrf=secrets.token_urlsafe(24),
            created_at=now,
            seen_at=now,
            expires_at=now + self._life_ms,
            address=whence.address,
            browser=browser[:BROWSER_LETTERS_MAX],
        )
        await self._people.begin_session(session)
        return number, session

    async def find(self, number: str) -> Session | None:
        """The session of a cookie while it is not over. StoreError."""
        if not _ID.fullmatch(number):
            return None
        key = _sha256(number)
        if key in self._over:
            return None
        session, now = await self._known.get(key), self._now_ms()
        if session is None or now >= session.expires_at:
            return None
        if now - max(session.seen_at, self._seen.get(key, 0)) >= self._idle_ms:
            return None
        self._seen[key] = now
        return session

    def take_seen(self) -> dict[bytes, int]:
        """When each was seen last of those seen since this was asked before."""
        seen, self._seen = self._seen, {}
        return seen

    def is_known(self, number: str) -> bool:
        return self._known.has(_sha256(number))

    async def end(self, session: Session) -> None:
        """Nobody comes in by it from now on, also where the store cannot be told of it now (StoreError): that is done
        by `end_for_good`."""
        self._over.add(session.id_sha256)
        self._known.forget(session.id_sha256)
        await self._people.end_session(session.id_sha256)
        self._over.discard(session.id_sha256)

    async def end_for_good(self) -> None:
        """Tell the store of those that are over and that it still has. StoreError."""
        for key in list(self._over):
            await self._people.end_session(key)
            self._over.discard(key)

    async def end_others(self, session: Session) -> int:
        """All of that user but this one; how many there were."""
        count = await self._people.end_sessions(session.user, but=session.id_sha256)
        self._known.forget_all()
        return count

    def changed(self) -> None:
        """Sessions ended that are not named here: what was known of them is asked for anew."""
        self._known.forget_all()


def _sha256(number: str) -> bytes:
    """A plain hash suffices, as the id is 256 random bits: there is no dictionary to try."""
    return hashlib.sha256(number.encode()).digest()


# --- the cookie -------------------------------------------------------------------------------------------------------


def cookie_name(whence: Whence) -> str:
    """Under TLS a name that browsers take only from this very host, by TLS, for all its paths."""
    return "__Host-watchkeeper" if whence.is_secure else "watchkeeper"


def cookie_of(request: web.Request, whence: Whence) -> str:
    """The session's id that the browser sent; empty when it sent none."""
    return request.cookies.get(cookie_name(whence), "")


def set_cookie(answer: web.StreamResponse, whence: Whence, number: str, for_s: int) -> None:
    """SameSite=Lax: with Strict, whoever follows the link in a message would have to log in again."""
    answer.set_cookie(
        cookie_name(whence),
        number,
        max_age=for_s,
        path="/",
        secure=whence.is_secure,
        httponly=True,
        samesite="Lax",
    )


def drop_cookie(answer: web.StreamResponse, whence: Whence) -> None:
    answer.del_cookie(cookie_name(whence), path="/", secure=whence.is_secure, httponly=True, samesite="Lax")
