"""API tokens, `wk_api_<id>_<secret>`: programs with rights of their own. Shown once; only the secret's hash is kept."""

from __future__ import annotations

import hmac
import re
import secrets
import string
from collections.abc import Callable

from collector.access.known import Known, nobody_minds
from collector.auth import secret_sha256
from collector.store.people import ApiToken, People
from collector.who import PERMISSIONS, Refusal, Who

ID_CHARS, SECRET_CHARS = 12, 40
ID_ALPHABET = string.ascii_lowercase + string.digits
SECRET_ALPHABET = string.ascii_letters + string.digits
PREFIX = "wk_api_"
_FORM = re.compile(r"wk_api_([a-z0-9]{12})_([A-Za-z0-9]{40})")


def new_api_token() -> tuple[str, str, bytes]:
    """The text to be shown once, its id, and the hash of its secret."""
    number = "".join(secrets.choice(ID_ALPHABET) for _ in range(ID_CHARS))
    secret = "".join(secrets.choice(SECRET_ALPHABET) for _ in range(SECRET_CHARS))
    return f"{PREFIX}{number}_{secret}", number, secret_sha256(secret)


class ApiTokens:
    """Whose token is it? `local` is one that no store knows: that of programs on this machine, made at every start."""

    def __init__(
        self,
        people: People,
        now_ms: Callable[[], int],
        *,
        local: tuple[str, bytes, Who] | None = None,
        changed: Callable[[], None] = nobody_minds,
    ) -> None:
        self._now_ms, self._local = now_ms, local
        self._known: Known[str, ApiToken] = Known(people.api_token, now_ms, changed)
        self._used: dict[str, int] = {}

    async def who(self, text: str) -> tuple[str, Who]:
        """Its id, and who sends it. Refusal when it does not hold; StoreError."""
        match = _FORM.fullmatch(text)
        if match is None:
            raise _wrong("an API token looks like wk_api_<id>_<secret>")
        number, given = match[1], secret_sha256(match[2])
        if self._local is not None and hmac.compare_digest(number, self._local[0]):
            if hmac.compare_digest(given, self._local[1]):
                return number, self._local[2]
            raise _wrong("it is not that of this start of the collector")
        token = await self._known.get(number)
        if token is None or not hmac.compare_digest(given, token.secret_sha256):
            raise _wrong("there is none like it")
        if token.revoked_at is not None:
            raise _wrong("it was revoked")
        if token.expires_at is not None and self._now_ms() >= token.expires_at:
            raise _wrong("it has expired")
        self._used[token.id] = self._now_ms()
        # One that a later version gave and this one does not know is none.
        permissions = frozenset(one for one in PERMISSIONS if one in token.permissions)
        return number, Who(f"token:{token.name}", "token", permissions)

    def is_known(self, text: str) -> bool:
        """Whether its id was there of late; the secret is not looked at."""
        match = _FORM.fullmatch(text)
        if match is None:
            return False
        return self._known.has(match[1]) or (self._local is not None and match[1] == self._local[0])

    def changed(self, number: str) -> None:
        self._known.forget(number)

    def take_used(self) -> dict[str, int]:
        """When each was used last of those used since this was asked before."""
        used, self._used = self._used, {}
        return used


def _wrong(why: str) -> Refusal:
    return Refusal(401, "token_wrong", f"this token does not hold: {why}")
