"""Hosts as they are kept: who they are, by which tokens they come in, and how they go again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from rules.model import Host

SERVICES_MAX = 200
"""Services whose own metrics are kept."""
TOKENS_AT_ONCE_MAX = 1_000


class TokenRow(Struct, frozen=True):
    """An agent's token as it is kept: only the SHA-256 of its secret. `replaces` is the token that is revoked once this
    one was used, until it is."""

    id: str
    host: int
    secret_sha256: bytes
    created_at: int
    revoked_at: int | None = None
    replaces: str | None = None


class Hosts(Protocol):
    """Ids are never given twice, so that history which names a host that is gone names nobody else."""

    async def enrol(
        self, name: str, labels: dict[str, str], token_id: str, secret_sha256: bytes, now: int
    ) -> Host:
        """A new host and its token. StoreError when the name is taken."""
        ...

    async def add_token(self, host: int, token_id: str, secret_sha256: bytes, now: int) -> None:
        """A further token for a host that is enrolled. StoreError when there is no such host."""
        ...

    async def add_service(self, name: str, now: int) -> Host:
        """The source of a service's own metrics, called SERVICE + name and labelled `service`; made when it is missing.
        It has no token: no agent can push as it. StoreError when there are SERVICES_MAX already."""
        ...

    async def token(self, token_id: str) -> TokenRow | None: ...

    async def tokens(self, token_ids: Sequence[str]) -> list[TokenRow]:
        """Those that there are, at most TOKENS_AT_ONCE_MAX, in one question."""
        ...

    async def replace_token(self, old: str, token_id: str, secret_sha256: bytes, now: int) -> bool:
        """A further token for the host of `old`, which holds until this one was used (`settle`). One that was given in
        its place before, and was never used, is gone. False when `old` does not hold."""
        ...

    async def settle(self, token_id: str, now: int) -> None:
        """This token was used: the one that it replaces is revoked."""
        ...

    async def revoke(self, token_id: str, now: int) -> bool:
        """False when there is no such token, or it is revoked already."""
        ...

    async def revoke_all(self, host: int, now: int) -> int:
        """Every token of a host that is not revoked yet; how many that were."""
        ...

    async def change(self, host: int, name: str | None, labels: dict[str, str | None]) -> Host:
        """Rename it, unless `name` is None, and give it labels, both or neither. Labels that an admin gives stand over
        what the agent says of itself; None takes one away. StoreError when there is no such host, when the name is
        taken, and when a service is to be renamed."""
        ...

    async def remove(self, host: int) -> bool:
        """From now on there is no such host, and its tokens open nothing; what it brought is dropped by `Store.forget`,
        piece by piece. Its incidents, alerts and transitions stay as history. `Store.remember` knows it for as long as
        alerts of it are open, so that the judge can end them. False when there is no such host."""
        ...

    async def changes(self) -> int:
        """Grows with every renaming, labelling and removal, whichever process it is done in; cheap."""
        ...

    async def all(self) -> list[Host]:
        """In name order, services among them."""
        ...
