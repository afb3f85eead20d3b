"""Joins: what lets hosts in that no admin has named yet. A one-time code, or a key with which several may come."""

from __future__ import annotations

from typing import Literal, Protocol

from msgspec import Struct

from rules.model import Host

JOINS_MAX = 1_000
"""That hold at the same time."""
JOINS_KEPT_MS = 90 * 86_400_000
"""How long one that is over can still be looked at."""

Over = Literal["", "used", "expired", "revoked"]


class Join(Struct, frozen=True):
    """`labels` are given to every host that comes by it. With `host` it lets in no other than that one, whose tokens so
    far are revoked then. Of its secret only the SHA-256 is kept."""

    id: str
    secret_sha256: bytes
    created_at: int
    created_by: str
    expires_at: int
    labels: dict[str, str]
    uses_max: int = 1
    host: int | None = None
    uses: int = 0
    used_at: int | None = None
    revoked_at: int | None = None

    def over(self, now: int) -> Over:
        """Why it lets nobody in any more: revoked, used or expired; empty while it does."""
        if self.revoked_at is not None:
            return "revoked"
        if self.uses >= self.uses_max:
            return "used"
        return "expired" if now >= self.expires_at else ""


class Comer(Struct, frozen=True):
    """A host that wants to come in: how it calls itself, and the token it is to get. `token` is the id of the one that
    it showed, and `host` whose that is, where it is known already."""

    name: str
    token_id: str
    secret_sha256: bytes
    host: int | None = None
    token: str | None = None


class Joins(Protocol):
    async def add(self, join: Join) -> None:
        """StoreError when there are JOINS_MAX already that hold. What is over for JOINS_KEPT_MS is let go of."""
        ...

    async def all(self) -> list[Join]:
        """The newest first."""
        ...

    async def find(self, join: str) -> Join | None: ...

    async def revoke(self, join: str, now: int) -> bool:
        """False when there is none, or it is revoked already."""
        ...

    async def take_in(self, join: str, comer: Comer, now: int) -> Host | None:
        """Count one use and let the host in, both or neither, whoever else does the same at that moment. None when the
        join holds no more. A host that is known gets a further token, in whose favour the one that it showed is given
        up (`Hosts.replace_token`). StoreError when another host has the name, or the join's own host is gone."""
        ...
