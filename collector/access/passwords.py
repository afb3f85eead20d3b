"""Passwords: hashed slowly on purpose, away from the event loop, and never many at once.

Each hash takes 19 MiB and some 20 ms of a core. Two at a time, with a short queue before them, is what a stranger can
make us spend at most.
"""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import argon2

from collector.who import Refusal

AT_ONCE = 2
WAITING_MAX = 20
LETTERS_MIN, BYTES_MAX = 10, 1_000

T = TypeVar("T")


def hasher() -> argon2.PasswordHasher:
    """Argon2id with the least that OWASP recommends: a collector shares a small machine, and 64 MiB a try, which the
    library takes by default, would be more than all the rest of it."""
    return argon2.PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


def see_that_it_is_fit(password: str) -> str:
    """A password that somebody wants to have. ValueError says what is wrong with it."""
    if len(password) < LETTERS_MIN:
        raise ValueError(f"a password has {LETTERS_MIN} letters at least")
    if len(_bytes(password)) > BYTES_MAX:
        raise ValueError(f"a password has {BYTES_MAX} bytes at most")
    if not password.isprintable():
        raise ValueError("a password has no line breaks and no other letters that cannot be seen")
    if len(set(password)) < 4:
        raise ValueError("that is the same few letters again and again; choose another password")
    return password


class Passwords:
    def __init__(self, hasher: argon2.PasswordHasher) -> None:
        self._hasher = hasher
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="passwords")
        self._waiting = 0
        self._nobodys: str | None = None

    async def hash(self, password: str) -> str:
        """Refusal when too many are asked for at once."""
        return await self._run(lambda: self._hasher.hash(_bytes(password)))

    async def fits(self, password: str, stored: str | None) -> bool:
        """Whether this is the password of which `stored` is the hash. Without one the answer is no, and takes as long
        as for somebody's. Refusal when too many are asked for at once."""
        return await self._run(lambda: self._fits(password, stored))

    def is_outdated(self, stored: str) -> bool:
        """Whether it was hashed with other settings than those of today."""
        return self._hasher.check_needs_rehash(stored)

    async def close(self) -> None:
        await asyncio.to_thread(self._threads.shutdown, wait=True, cancel_futures=True)

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= AT_ONCE + WAITING_MAX:
            sentence = "too many passwords are being looked at; try again shortly"
            raise Refusal(503, "busy", sentence, retry_after_s=2)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1

    # --- in a thread ---

    def _fits(self, password: str, stored: str | None) -> bool:
        if self._nobodys is None:
            self._nobodys = self._hasher.hash("the password of nobody")
        given = _bytes(password)
        if len(given) > BYTES_MAX:
            return False  # none of ours; what it is compared with makes no difference
        try:
            self._hasher.verify(stored or self._nobodys, given)
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return False
        return stored is not None


def _bytes(password: str) -> bytes:
    """The same letters are the same password, whichever way a keyboard puts an accent on them."""
    return unicodedata.normalize("NFC", password).encode(errors="replace")
