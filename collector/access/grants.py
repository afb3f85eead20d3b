"""Programs that act for a user: an access token of short life, and a refresh token that is good for one turn.

Both are JWTs signed with HS256 by a key that never leaves the collector. Either names the grant it belongs to, so both
are worth nothing once that is revoked; a refresh token that was used already gives away that there is a copy of it, and
then the grant is over for both who hold one.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, Literal

import jwt
from msgspec import Struct

from collector.access.known import Known, nobody_minds
from collector.store.people import Grant, People, User
from collector.who import Refusal

ALGORITHM = "HS256"
ISSUER = "watchkeeper"
TOKEN_LETTERS_MAX = 2_000

Use = Literal["access", "refresh"]


class Pair(Struct, frozen=True):
    """What a program is given: times are milliseconds UTC."""

    access_token: str
    access_expires_at: int
    refresh_token: str
    refresh_expires_at: int


class _Claims(Struct, frozen=True):
    user: int
    grant: str
    generation: int
    expires_at: int


def wrong_token(why: str) -> Refusal:
    return Refusal(401, "token_wrong", f"this token does not hold: {why}; log in again")


class Grants:
    def __init__(
        self,
        people: People,
        key: bytes,
        now_ms: Callable[[], int],
        *,
        access_ms: int,
        refresh_ms: int,
        changed: Callable[[], None] = nobody_minds,
    ) -> None:
        self._people, self._key, self._now_ms = people, key, now_ms
        self._access_ms, self._refresh_ms = access_ms, refresh_ms
        self._known: Known[str, Grant] = Known(people.grant, now_ms, changed)

    async def begin(self, user: User) -> Pair:
        now = self._now_ms()
        grant = Grant(secrets.token_hex(12), user.id, now, now + self._refresh_ms)
        await self._people.begin_grant(grant)
        return self._pair(grant, 0, now)

    async def refresh(self, token: str) -> tuple[int, Pair]:
        """Whose it is, and the next pair. Refusal when it was used already, is over, or none of ours."""
        claims, now = self._read(token, "refresh"), self._now_ms()
        if not await self._people.refresh(claims.grant, claims.generation, now):
            self._known.forget(claims.grant)
            raise wrong_token("it was used already, or its grant is over")
        grant = await self._people.grant(claims.grant)
        self._known.forget(claims.grant)
        if grant is None or grant.revoked_at is not None:
            raise wrong_token("its grant is over")
        return claims.user, self._pair(grant, claims.generation + 1, now)

    async def user(self, token: str) -> int:
        """Whose access token this is. Refusal when it does not hold."""
        claims = self._read(token, "access")
        grant = await self._known.get(claims.grant)
        if grant is None or grant.revoked_at is not None or grant.user != claims.user:
            raise wrong_token("it was revoked")
        return claims.user

    async def revoke(self, token: str) -> None:
        """Either token ends the grant that it belongs to; saying so again changes nothing. Refusal."""
        try:
            claims = self._read(token, "refresh")
        except Refusal:
            claims = self._read(token, "access")
        await self._people.revoke_grant(claims.grant, self._now_ms())
        self._known.forget(claims.grant)

    def is_signed(self, token: str) -> bool:
        """Whether it is an access token of ours that has not expired; the store is not asked."""
        try:
            self._read(token, "access")
        except Refusal:
            return False
        return True

    def changed(self) -> None:
        """Grants ended that are not named here."""
        self._known.forget_all()

    # --- making and reading ---

    def _pair(self, grant: Grant, generation: int, now: int) -> Pair:
        access_expires_at = min(now + self._access_ms, grant.expires_at)
        return Pair(
            self._sign("access", grant, generation, now, access_expires_at),
            access_expires_at,
            self._sign("refresh", grant, generation, now, grant.expires_at),
            grant.expires_at,
        )

    def _sign(self, use: Use, grant: Grant, generation: int, now: int, expires_at: int) -> str:
        claims = {
            "iss": ISSUER,
            "aud": use,
            "sub": str(grant.user),
            "grant": grant.id,
            "turn": generation,
            "iat": now // 1000,
            "exp": expires_at // 1000,
        }
        return jwt.encode(claims, self._key, algorithm=ALGORITHM)

    def _read(self, token: str, use: Use) -> _Claims:
        """The time is ours to look at: what is passed in, not what the library believes it is."""
        if len(token) > TOKEN_LETTERS_MAX:
            raise wrong_token("it is none of ours")
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key,
                algorithms=[ALGORITHM],
                audience=use,
                issuer=ISSUER,
                options={
                    "require": ["exp", "iat", "sub", "aud", "iss"],
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
            found = _Claims(
                int(claims["sub"]), str(claims["grant"]), int(claims["turn"]), int(claims["exp"]) * 1000
            )
        except (jwt.PyJWTError, KeyError, TypeError, ValueError, RecursionError):
            raise wrong_token("it is none of ours") from None
        if self._now_ms() >= found.expires_at:
            raise wrong_token("it has expired")
        return found
