"""The first user of a collector: made by whoever can read what it says when it starts."""

from __future__ import annotations

import hmac
import logging
import secrets
from collections.abc import Callable

from collector.access.names import parse_user_name
from collector.access.passwords import Passwords, see_that_it_is_fit
from collector.desks.trail import Audit
from collector.store.people import OWNER, People, User
from collector.who import Refusal

PATH = "/setup"
PARAMETER = "code"

log = logging.getLogger(__name__)


class Setup:
    """One link, good until it is used, there is a user, or the collector is started again; kept in memory alone."""

    def __init__(self, people: People, passwords: Passwords, audit: Audit, now_ms: Callable[[], int]) -> None:
        self._people, self._passwords, self._audit, self._now_ms = people, passwords, audit, now_ms
        self._code = secrets.token_urlsafe(24)
        self._any_user = False
        self._asked_at = -(2**62)

    async def any_user(self) -> bool:
        """Whether there has ever been a user. Once there is one that stays so; until then the store is asked again and
        again, as a command beside the collector may add one. StoreError."""
        if not self._any_user and not 0 <= self._now_ms() - self._asked_at < 1_000:
            if await self._people.any_user():
                self._any_user = True
            self._asked_at = self._now_ms()
        return self._any_user

    def there_is_a_user(self) -> None:
        """Whoever sits at this machine may do everything no longer, from this very moment on."""
        self._any_user = True

    def tell(self, base: str) -> None:
        """Say the link where those look who start the collector."""
        log.warning(
            "There is no user yet, so pages and API are refused to all other machines. Make the first one, an owner, "
            "by this link, which works once: %s%s?%s=%s  (or by: watchkeeper user add NAME --role owner)",
            base,
            PATH,
            PARAMETER,
            self._code,
        )

    async def is_open(self, code: str) -> bool:
        """Whether this link still makes the first user. StoreError."""
        return (
            hmac.compare_digest(code.encode(errors="replace"), self._code.encode())
            and not await self.any_user()
        )

    async def make_owner(self, code: str, name: str, password: str) -> User:
        """The first user. Refusal when the link does not hold, or name or password will not do; StoreError."""
        if not await self.is_open(code):
            raise Refusal(
                403, "setup_over", "this link does not hold any more; look for a newer one, or log in"
            )
        try:
            name, password = parse_user_name(name), see_that_it_is_fit(password)
        except ValueError as error:
            raise Refusal(422, "unfit", str(error)) from None
        hashed = await self._passwords.hash(password)
        adding = self._people.add_user(name, OWNER, hashed, self._now_ms(), first=True)
        user = await self._audit.noted(
            name, "user.first", adding, after=lambda user: {"name": user.name, "role": user.role}
        )
        self.there_is_a_user()
        return user
