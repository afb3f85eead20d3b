"""Logging in: a name, a password, and the patience that guessing asks for."""

from __future__ import annotations

import math
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter

from collector.access.guessing import Guessing, Try
from collector.access.passwords import Passwords
from collector.desks.trail import Audit
from collector.store.people import People, User
from collector.who import Refusal, Whence

NAME_LETTERS_MAX = 100
NOTED_EVERY_S = 60.0
"""The trail is never shortened: strangers must not be able to fill it."""


def _no_device(user: User | None) -> str:
    """A program's: it is known by nothing but its address."""
    return ""


class Logins:
    """`monotonic` counts seconds."""

    def __init__(
        self,
        people: People,
        passwords: Passwords,
        audit: Audit,
        *,
        monotonic: Callable[[], float],
        registry: CollectorRegistry,
    ) -> None:
        self._people, self._passwords, self._audit = people, passwords, audit
        self._monotonic = monotonic
        self.guessing = Guessing()
        self._noted_s = -NOTED_EVERY_S
        self._tries = Counter(
            "watchkeeper_logins", "Tries to log in, by what came of them", ["result"], registry=registry
        )

    async def user(
        self, name: str, password: str, whence: Whence, device_of: Callable[[User | None], str] = _no_device
    ) -> User:
        """Who this is. Refusal: wrong, be it the name or the password or that the user is disabled, or to wait first.
        `device_of` is what the browser is called if that user logged in there before.

        Nothing that can be seen or measured from outside tells the reasons apart.
        """
        name = name.strip()[:NAME_LETTERS_MAX]
        user = await self._people.user(name)
        known = user if user is not None and user.disabled_at is None else None
        one = Try(name, whence.network, device_of(known))
        self._see_that_nobody_guesses(one)
        fits = await self._passwords.fits(password, known.password_hash if known else None)
        if known is None or not fits:
            await self._was_wrong(one, whence)
            raise Refusal(401, "wrong", "name and password do not fit together")
        self.guessing.was_right(one)
        self._tries.labels("right").inc()
        if self._passwords.is_outdated(known.password_hash):
            await self._people.rehash(known.id, known.password_hash, await self._passwords.hash(password))
        return known

    async def _was_wrong(self, one: Try, whence: Whence) -> None:
        self._tries.labels("wrong").inc()
        now_s = self._monotonic()
        began = self.guessing.was_wrong(one, now_s)
        if began and now_s - self._noted_s >= NOTED_EVERY_S:
            self._noted_s = now_s
            await self._audit.record(
                "nobody", "login.guessing", after={"name": one.user, "address": whence.address}
            )

    def _see_that_nobody_guesses(self, one: Try) -> None:
        pause_s = math.ceil(self.guessing.pause_s(one, self._monotonic()))
        if pause_s > 0:
            self._tries.labels("paused").inc()
            raise Refusal(
                429,
                "wait",
                f"there were too many wrong passwords; try again in {pause_s} s",
                retry_after_s=pause_s,
            )
