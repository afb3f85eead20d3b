"""Join codes as people hand them out: made, shown once, looked at and revoked."""

from __future__ import annotations

import hmac
import re
import secrets
import string
from collections.abc import Callable, Mapping
from typing import Any

from agent.options import say_duration
from collector.auth import secret_sha256
from collector.desks.codes import USES_MAX, Told
from collector.desks.trail import Audit
from collector.joining.installer import Installer
from collector.store import Hosts, StoreError
from collector.store.joins import Join, Joins
from collector.who import Refusal, Who

FOR_MS = 30 * 60_000
FOR_MS_MIN, FOR_MS_MAX = 60_000, 365 * 86_400_000
ID_CHARS, SECRET_CHARS = 12, 32
ID_ALPHABET = string.ascii_lowercase + string.digits
SECRET_ALPHABET = string.ascii_letters + string.digits
NOBODYS_SHA256 = b"\0" * 32
"""What the secret of a code that was never made is held against: so that such a one takes no other time."""

_CODE = re.compile(r"wk_join_([a-z0-9]{12})_([A-Za-z0-9]{32})")


class Codes:
    """Every method may raise Refusal and StoreError."""

    def __init__(
        self, joins: Joins, hosts: Hosts, installer: Installer, audit: Audit, now_ms: Callable[[], int]
    ) -> None:
        self._joins, self._hosts, self._installer = joins, hosts, installer
        self._audit, self._now_ms = audit, now_ms

    async def make(
        self,
        who: Who,
        *,
        labels: Mapping[str, str],
        uses: int = 1,
        for_ms: int = FOR_MS,
        host: int | None = None,
    ) -> tuple[str, Join]:
        """A code, which is shown this once. With `host` it gives that one host a new token and lets in no other."""
        if not FOR_MS_MIN <= for_ms <= FOR_MS_MAX:
            least, most = say_duration(FOR_MS_MIN / 1000), say_duration(FOR_MS_MAX / 1000)
            raise Refusal(422, "for", f"a code holds for {least} to {most}")
        if not 1 <= uses <= USES_MAX or (host is not None and uses != 1):
            raise Refusal(
                422, "uses", f"a code is used 1 to {USES_MAX} times, and one for a host that is known once"
            )
        if host is not None and not any(
            one.id == host and not one.is_service for one in await self._hosts.all()
        ):
            raise Refusal(404, "missing", f"there is no host {host}")
        number, secret = _random(ID_ALPHABET, ID_CHARS), _random(SECRET_ALPHABET, SECRET_CHARS)
        now = self._now_ms()
        join = Join(number, secret_sha256(secret), now, who.name, now + for_ms, dict(labels), uses, host)
        try:
            await self._audit.noted(who, "join.add", self._joins.add(join), after=lambda _: _told(join))
        except StoreError as error:
            raise error if error.passing else Refusal(409, "too_many", str(error)) from None
        return f"wk_join_{number}_{secret}", join

    async def tell(self, code: str = "") -> Told:
        """What to type on a host that is to join by it; without a code, for an upgrade of one that has joined."""
        return await self._installer.tell(code)

    async def all(self) -> list[Join]:
        """The newest first."""
        return await self._joins.all()

    async def revoke(self, who: Who, number: str) -> None:
        join = await self._joins.find(number)
        if join is not None:
            revoking = self._joins.revoke(number, self._now_ms())
            if await self._audit.noted(who, "join.revoke", revoking, before=_told(join), when=bool):
                return
        raise Refusal(404, "missing", f"there is no join code {number[:40]!r} that could be revoked")


async def right(joins: Joins, text: str) -> Join:
    """The join whose code this is, be it over or not. Refusal; StoreError."""
    match = _CODE.fullmatch(text)
    if match is None:
        raise Refusal(401, "join_malformed", "this is no join code; one looks like wk_join_<id>_<secret>")
    join = await joins.find(match[1])
    known = join.secret_sha256 if join is not None else NOBODYS_SHA256
    if not hmac.compare_digest(secret_sha256(match[2]), known) or join is None:
        raise Refusal(
            401,
            "join_unknown",
            "this collector knows no such join code; is it another collector's, or was a part of it lost? "
            "A new one: watchkeeper join-command",
        )
    return join


def see_that_it_holds(join: Join, now: int) -> None:
    """Refusal, which says what to do."""
    again = "make another: watchkeeper join-command"
    match join.over(now):
        case "used" if join.uses_max == 1:
            raise Refusal(403, "join_used", f"this join code has been used already; {again}")
        case "used":
            raise Refusal(403, "join_used", f"all {join.uses_max} uses of this join key are gone; {again}")
        case "expired":
            raise Refusal(403, "join_expired", f"this join code has expired; {again}")
        case "revoked":
            raise Refusal(403, "join_revoked", f"this join code has been revoked; {again}")


def _told(join: Join) -> dict[str, Any]:
    """What the trail says of it."""
    return {
        "id": join.id,
        "labels": join.labels,
        "uses": join.uses_max,
        "expires_at": join.expires_at,
        "host": join.host,
    }


def _random(alphabet: str, count: int) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(count))
