"""Hosts taken in, called otherwise, labelled, and let go: what an admin does to them, and the judge follows at once."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType, field

from collector.api.doors import Body, Door, Query
from collector.api.hosts import OneHost
from collector.desks.hosts import Hosts
from collector.who import Who

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
    def __init__(self, hosts: Hosts) -> None:
        self._hosts = hosts

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
        host, token = await self._hosts.enrol(who, new.name, new.labels)
        return Enrolled(host.id, host.name, host.labels, str(token))

    async def change(self, who: Who, asked: OneHost, change: HostChange) -> HostNamed:
        host = await self._hosts.change(
            who,
            asked.id,
            name=None if isinstance(change.name, UnsetType) else change.name,
            labels=None if isinstance(change.labels, UnsetType) else change.labels,
        )
        return HostNamed(host.id, host.name, host.labels)

    async def revoke(self, who: Who, asked: OneHost, body: None) -> Revoked:
        return Revoked(await self._hosts.revoke(who, asked.id))

    async def remove(self, who: Who, asked: OneHost, body: None) -> None:
        await self._hosts.remove(who, asked.id)
