"""Browsers in which somebody logged in before: each has a count of its own for wrong passwords, so that nobody who
guesses elsewhere, or from the same network, keeps them out.

What a browser keeps of it is a signed name, good for nothing else: without the password it opens nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

import jwt
from aiohttp import web

from collector.access.grants import ALGORITHM, ISSUER, TOKEN_LETTERS_MAX
from collector.store.people import User
from collector.who import Whence

AUDIENCE = "device"
LIFE_S = 400 * 86_400


class Devices:
    def __init__(self, key: bytes, now_ms: Callable[[], int]) -> None:
        self._key, self._now_ms = key, now_ms

    def remember(self, user: User, whence: Whence, answer: web.StreamResponse) -> None:
        """Have the browser that gets this answer known as one in which this user logged in."""
        now_s = self._now_ms() // 1000
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(user.id),
            "jti": secrets.token_hex(8),
            "exp": now_s + LIFE_S,
        }
        answer.set_cookie(
            _cookie_name(whence),
            jwt.encode(claims, self._key, algorithm=ALGORITHM),
            max_age=LIFE_S,
            path="/",
            secure=whence.is_secure,
            httponly=True,
            samesite="Strict",
        )

    def name(self, request: web.Request, whence: Whence, user: User | None) -> str:
        """What the browser behind a request is called, if this user logged in there before; else it is empty."""
        text = request.cookies.get(_cookie_name(whence), "")
        if user is None or not 0 < len(text) <= TOKEN_LETTERS_MAX:
            return ""
        try:
            claims = jwt.decode(
                text,
                self._key,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                options={"require": ["exp", "sub", "jti"], "verify_exp": False},
            )
            holds = claims["sub"] == str(user.id) and self._now_ms() < int(claims["exp"]) * 1000
        except (jwt.PyJWTError, TypeError, ValueError, RecursionError):
            return ""
        return str(claims["jti"]) if holds else ""


def _cookie_name(whence: Whence) -> str:
    return "__Host-watchkeeper-device" if whence.is_secure else "watchkeeper-device"
