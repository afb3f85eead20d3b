"""Hosts as people and programs take them in, name, label, shut out and let go."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from agent.wire import Token
from collector.auth import new_token
from collector.desks.trail import Audit
from collector.store import Hosts as Kept
from collector.store import StoreError
from collector.who import Refusal, Who, missing
from rules.model import Host


async def nobody_follows() -> None:
    """Beside a collector: the one at work notices by itself, within seconds."""


class Hosts:
    """Every method may raise Refusal and StoreError. `follow` has the judge learn of what was changed."""

    def __init__(
        self,
        kept: Kept,
        audit: Audit,
        now_ms: Callable[[], int],
        follow: Callable[[], Awaitable[None]] = nobody_follows,
    ) -> None:
        self._kept, self._audit, self._now_ms, self._follow = kept, audit, now_ms, follow

    async def enrol(self, who: Who, name: str, labels: Mapping[str, str]) -> tuple[Host, Token]:
        """A new host, and what its agent shows; that is kept nowhere."""
        token, sha256 = new_token()
        enrolling = self._kept.enrol(name, dict(labels), token.id, sha256, self._now_ms())
        try:
            host = await self._audit.noted(who, "host.add", enrolling, after=_said)
        except StoreError as error:
            raise _conflict(error) from error
        return host, token

    async def enrol_again(self, who: Who, host: Host) -> Token:
        """One more token for a host that is there; those before it still hold."""
        token, sha256 = new_token()
        adding = self._kept.add_token(host.id, token.id, sha256, self._now_ms())
        await self._audit.noted(who, "host.token", adding, after=lambda _: _said(host))
        return token

    async def end_token(self, who: Who, host: Host, token: Token) -> None:
        """This one holds no more; others of that host do."""
        ending = self._kept.revoke(token.id, self._now_ms())
        await self._audit.noted(who, "host.token_end", ending, before=_said(host), when=bool)

    async def change(
        self,
        who: Who,
        number: int,
        *,
        name: str | None = None,
        labels: Mapping[str, str | None] | None = None,
    ) -> Host:
        """Another name, or labels, of which None takes one away; what is left out stays as it is."""
        before = await self._host(number)
        changing = self._kept.change(number, name, dict(labels or {}))
        try:
            host = await self._audit.noted(who, "host.change", changing, before=_said(before), after=_said)
        except StoreError as error:
            raise _conflict(error) from error
        await self._follow()
        return host

    async def revoke(self, who: Who, number: int) -> int:
        """Nobody pushes as that host until it is enrolled again; how many of its tokens held."""
        host = await self._host(number)
        revoking = self._kept.revoke_all(number, self._now_ms())
        return await self._audit.noted(who, "host.revoke", revoking, before=_said(host))

    async def remove(self, who: Who, number: int) -> None:
        """It goes with its samples; its incidents stay as history."""
        host = await self._host(number)
        removing = self._kept.remove(number)
        await self._audit.noted(who, "host.remove", removing, before=_said(host), when=bool)
        await self._follow()

    async def _host(self, number: int) -> Host:
        host = next((host for host in await self._kept.all() if host.id == number), None)
        if host is None:
            raise missing("host", number)
        return host


def _said(host: Host) -> dict[str, object]:
    """What the trail says of it."""
    return {"id": host.id, "name": host.name, "labels": host.labels}


def _conflict(error: StoreError) -> Exception:
    """What the store refuses for good, as a Refusal; what may pass, as it is."""
    return error if error.passing else Refusal(409, "conflict", str(error))
