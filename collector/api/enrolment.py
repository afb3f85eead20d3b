"""Hosts taken in, called otherwise, labelled, and let go: what an admin does to them, and the judge follows at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType, field

from collector.api.doors import Body, Door, Query, Refusal, missing
from collector.api.hosts import OneHost
from collector.auth import new_token
from collector.desks.trail import Audit
from collector.store import Hosts as Kept
from collector.store import StoreError
from collector.who import Who
from rules.model import Host

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,252}[A-Za-z0-9])?$")]
Label = Annotated[str, Meta(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]{0,62}$")]
Text = Annotated[str, Meta(max_length=200)]
Labels = Annotated[dict[Label, Text], Meta(max_length=50)]


class NewHost(Body, frozen=True, kw_only=True):
    name: Name
    labels: Labels = field(default_factory=dict)


class Enrolled(Struct, frozen=True):
    """`token` goes into the agent's config; it is shown this once and kept nowhere."""

    id: int
    name: str
    labels: dict[str, str]
    token: str


class HostChange(Body, frozen=True, kw_only=True):
    """What is to be different. A label with null is taken away; those given stand over what the agent says of
    itself."""

    name: Name | UnsetType = UNSET
    labels: Annotated[dict[Label, Text | None], Meta(max_length=50)] | UnsetType = UNSET


class HostNamed(Struct, frozen=True):
    id: int
    name: str
    labels: dict[str, str]


class Revoked(Struct, frozen=True):
    """How many tokens of the host opened something until now."""

    tokens: int


class Enrolment:
    """`follow` has the judge learn of what was changed."""

    def __init__(
        self,
        hosts: Kept,
        follow: Callable[[], Awaitable[None]],
        audit: Audit,
        now_ms: Callable[[], int],
    ) -> None:
        self._hosts, self._follow = hosts, follow
        self._audit, self._now_ms = audit, now_ms

    def doors(self) -> list[Door]:
        return [
            Door(
                method="POST", path="/hosts", handler=self.enrol, needs="monitoring.tokens.manage",
                summary="Take a host in; its agent's token is shown this once", body=NewHost, answer=Enrolled,
                status=201, refusals=(409,),
            ),
            Door(
                method="PATCH", path="/hosts/{id}", handler=self.change, needs="monitoring.write",
                summary="Call a host otherwise, or give it labels", query=OneHost, body=HostChange,
                answer=HostNamed, refusals=(409,),
            ),
            Door(
                method="POST", path="/hosts/{id}/revoke", handler=self.revoke,
                needs="monitoring.tokens.manage", summary="Let nobody push as a host until it is taken in again",
                query=OneHost, answer=Revoked,
            ),
            Door(
                method="DELETE", path="/hosts/{id}", handler=self.remove, needs="monitoring.write",
                summary="Let a host go, with its samples; its incidents stay as history", query=OneHost,
                answer=None, status=204,
            ),
        ]  # fmt: skip

    async def enrol(self, who: Who, asked: Query, new: NewHost) -> Enrolled:
        token, sha256 = new_token()
        try:
            host = await self._hosts.enrol(new.name, new.labels, token.id, sha256, self._now_ms())
        except StoreError as error:
            raise _conflict(error) from error
        await self._audit.record(who, "host.add", after=_named(host))
        return Enrolled(host.id, host.name, host.labels, str(token))

    async def change(self, who: Who, asked: OneHost, change: HostChange) -> HostNamed:
        before = host = await self._host(asked.id)
        try:
            if not isinstance(change.name, UnsetType):
                host = await self._hosts.rename(asked.id, change.name)
            if not isinstance(change.labels, UnsetType):
                host = await self._hosts.set_labels(asked.id, dict(change.labels))
        except StoreError as error:
            raise _conflict(error) from error
        await self._follow()
        await self._audit.record(who, "host.change", before=_named(before), after=_named(host))
        return _named(host)

    async def revoke(self, who: Who, asked: OneHost, body: None) -> Revoked:
        host = await self._host(asked.id)
        count = await self._hosts.revoke_all(asked.id, self._now_ms())
        await self._audit.record(who, "host.revoke", before=_named(host))
        return Revoked(count)

    async def remove(self, who: Who, asked: OneHost, body: None) -> None:
        host = await self._host(asked.id)
        await self._hosts.remove(asked.id)
        await self._follow()
        await self._audit.record(who, "host.remove", before=_named(host))

    async def _host(self, number: int) -> Host:
        host = next((host for host in await self._hosts.all() if host.id == number), None)
        if host is None:
            raise missing("host", number)
        return host


def _named(host: Host) -> HostNamed:
    return HostNamed(host.id, host.name, host.labels)


def _conflict(error: StoreError) -> Exception:
    """What the store refuses for good, as a Refusal; what may pass, as it is."""
    return error if error.passing else Refusal(409, "conflict", str(error))
