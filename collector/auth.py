"""Agents' tokens: making one, and telling whose it is on every push without asking the store every time."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import secrets
import string
from collections.abc import Callable
from itertools import islice
from typing import Literal

from msgspec import Struct

from agent import wire
from collector.store import Hosts, StoreError, TokenRow
from collector.store.hosts import TOKENS_AT_ONCE_MAX

TENANT = "default"
"""Whose tokens this collector takes. They carry it so that several tenants can share one address some day."""

ID_CHARS, SECRET_CHARS = 12, 40
ID_ALPHABET = string.ascii_lowercase + string.digits
SECRET_ALPHABET = string.ascii_letters + string.digits

UNKNOWN_MAX = 4_096
"""Ids remembered as nobody's. Kept apart from the known ones, so that guessing does not push those out."""
KNOWN_MAX = 100_000
LOOK_UPS_MAX = 2_000
"""Questions to the store at once. A whole fleet that comes back after a restart has to pass through here."""

log = logging.getLogger(__name__)


class Denied(Struct, frozen=True):
    """Why a push is not taken: the HTTP status, a code for machines and a sentence for people."""

    status: Literal[401, 403, 503]
    code: str
    message: str


MISSING = Denied(
    401, "token_missing", "send the header Authorization: Bearer wk_agent_<tenant>_<id>_<secret>"
)
MALFORMED = Denied(
    401, "token_malformed", "not an agent token; one looks like wk_agent_<tenant>_<id>_<secret>"
)
WRONG = Denied(
    401, "token_wrong", "this collector knows no such token; let the host join: watchkeeper join-command"
)
REVOKED = Denied(
    403, "token_revoked", "this token has been revoked; for another: watchkeeper join-command --host NAME"
)
BUSY = Denied(503, "busy", "too many tokens are being looked up at this moment; try again shortly")


def new_token(tenant: str = TENANT) -> tuple[wire.Token, bytes]:
    """A token nobody can guess, and the SHA-256 of its secret. The text is shown once; only the hash is kept."""
    token = wire.Token(
        tenant=tenant,
        id="".join(secrets.choice(ID_ALPHABET) for _ in range(ID_CHARS)),
        secret="".join(secrets.choice(SECRET_ALPHABET) for _ in range(SECRET_CHARS)),
    )
    return token, secret_sha256(token.secret)


def secret_sha256(secret: str) -> bytes:
    """A plain hash suffices, as our secrets are 190 random bits and more: there is no dictionary to try."""
    return hashlib.sha256(secret.encode()).digest()


class _Entry(Struct):
    """`shown` is the whole header by which it was last found good."""

    row: TokenRow | None
    read_at: int
    shown: str | None = None


class Tokens:
    """Whose token is it? Answered from memory; the store is asked about an id on first sight and in the background.

    A change made through another process is seen within `fresh_ms` and a moment: tokens that were not read for so long
    are read again together, as one by one they would cost a fleet of 10,000 hosts a sixth of each push. Whoever revokes
    a token in this process calls `forget`.
    """

    def __init__(
        self,
        hosts: Hosts,
        now_ms: Callable[[], int],
        *,
        tenant: str = TENANT,
        fresh_ms: int = 5_000,
        reread_every_s: float = 0.5,
    ) -> None:
        self._hosts = hosts
        self._now_ms = now_ms
        self._tenant = tenant
        self._fresh_ms = fresh_ms
        self._reread_every_s = reread_every_s
        self._known: dict[str, _Entry] = {}
        self._unknown: dict[str, _Entry] = {}
        self._shown: dict[str, _Entry] = {}
        self._looking_up = 0
        self._stale: dict[str, None] = {}
        self._rereading: asyncio.Task[None] | None = None

    def known(self, authorization: str | None, now: int) -> int | None:
        """The host of a header that was found good before, to the letter, which costs a fifth of taking it apart; None
        says to ask `host`."""
        entry = self._shown.get(authorization or "")
        if entry is None or entry.row is None:
            return None
        if not 0 <= now - entry.read_at < self._fresh_ms:
            self._reread_soon(entry.row.id)
        return entry.row.host

    async def host(self, authorization: str | None) -> int | Denied:
        """The host that the Authorization header stands for, or why it stands for none. Raises nothing."""
        row = await self.row(authorization)
        return row if isinstance(row, Denied) else row.host

    async def row(self, authorization: str | None) -> TokenRow | Denied:
        """The same, as the token itself. One that takes another's place has done so from now on."""
        if authorization is None or authorization[:7].lower() != "bearer ":
            return MISSING
        try:
            token = wire.parse_token(authorization[7:].strip())
        except ValueError:
            return MALFORMED
        entry = self._known.get(token.id) or self._unknown.get(token.id)
        if entry is None or not self._fresh(entry):
            if entry is not None and entry.row is not None:
                self._reread_soon(token.id)
            else:
                found = await self._look_up(token.id)
                if isinstance(found, Denied):
                    return found
                entry = found
        row = self._judge(token, entry.row)
        if isinstance(row, Denied):
            return row
        if row.replaces is not None:
            await self._settle(row.id, row.replaces)
        elif entry.shown != authorization and self._known.get(row.id) is entry:
            self._unshow(entry)
            entry.shown = authorization
            self._shown[authorization] = entry
        return row

    def forget(self, token_id: str) -> None:
        """The store is asked about this token again when it is next used."""
        entry = self._known.pop(token_id, None)
        if entry is not None:
            self._unshow(entry)
        self._unknown.pop(token_id, None)

    def _unshow(self, entry: _Entry) -> None:
        if entry.shown is not None:
            self._shown.pop(entry.shown, None)
            entry.shown = None

    async def close(self) -> None:
        if self._rereading is not None:
            self._rereading.cancel()
            await asyncio.gather(self._rereading, return_exceptions=True)

    async def _settle(self, token_id: str, replaced: str) -> None:
        try:
            await self._hosts.settle(token_id, self._now_ms())
        except StoreError as error:
            log.warning("A token that was replaced is revoked at the next push, not now: %s.", error)
        else:
            self.forget(token_id)
            self.forget(replaced)

    def _judge(self, token: wire.Token, row: TokenRow | None) -> TokenRow | Denied:
        if row is None or token.tenant != self._tenant:
            return WRONG
        if not hmac.compare_digest(secret_sha256(token.secret), row.secret_sha256):
            return WRONG
        return row if row.revoked_at is None else REVOKED

    def _fresh(self, entry: _Entry) -> bool:
        return 0 <= self._now_ms() - entry.read_at < self._fresh_ms

    async def _look_up(self, token_id: str) -> _Entry | Denied:
        if self._looking_up >= LOOK_UPS_MAX:
            return BUSY
        self._looking_up += 1
        try:
            return await self._read(token_id)
        except StoreError as error:
            return Denied(503, "store", f"the token cannot be looked up: {error}")
        finally:
            self._looking_up -= 1

    async def _read(self, token_id: str) -> _Entry:
        return self._keep(token_id, await self._hosts.token(token_id))

    def _keep(self, token_id: str, row: TokenRow | None) -> _Entry:
        before = self._known.get(token_id)
        if before is not None and before.row == row:
            before.read_at = self._now_ms()
            self._known[token_id] = self._known.pop(token_id)  # those read longest ago come first
            return before
        entry = _Entry(row, self._now_ms())
        self.forget(token_id)
        table, entries_max = (self._known, KNOWN_MAX) if row else (self._unknown, UNKNOWN_MAX)
        if len(table) >= entries_max:
            oldest = next(iter(table))
            self._unshow(table[oldest])
            del table[oldest]
        table[token_id] = entry
        return entry

    def _reread_soon(self, token_id: str) -> None:
        self._stale[token_id] = None
        if self._rereading is None or self._rereading.done():
            self._rereading = asyncio.create_task(self._reread(), name="tokens: reread")

    async def _reread(self) -> None:
        """Work off what is stale, many at a time at a bounded pace, then end; the next stale token starts it again."""
        while self._stale:
            some = list(islice(self._stale, TOKENS_AT_ONCE_MAX))
            for token_id in some:
                del self._stale[token_id]
            try:
                rows = {row.id: row for row in await self._hosts.tokens(some)}
            except StoreError as error:
                log.warning("tokens are used as they were known, since the store cannot be asked: %s", error)
                await asyncio.sleep(self._fresh_ms / 1000)
            else:
                for token_id in some:
                    self._keep(token_id, rows.get(token_id))
            await asyncio.sleep(self._reread_every_s)
