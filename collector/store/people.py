"""People and programs that may ask for something: users, their sessions, tokens, and the trail of what was changed.

Of secrets only hashes are kept. Whatever two could do at the same moment is decided here, in one transaction: who is
the first user, whose turn it is to refresh, and that there is always an owner left.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct

from collector.store.trail import Entry

OWNER = "owner"
"""The role of which there is always somebody left, once there is anybody."""
USERS_MAX = 10_000
SESSIONS_PER_USER_MAX = 100
"""A user who logs in more often has the session ended that was seen longest ago."""
GRANTS_PER_USER_MAX = 1_000
API_TOKENS_MAX = 10_000


class User(Struct, frozen=True):
    """Somebody who can log in. Names differ in more than capitals; a user is disabled, never removed, so that what
    they did keeps its name."""

    id: int
    name: str
    role: str
    password_hash: str
    created_at: int
    email: str = ""
    disabled_at: int | None = None


class Session(Struct, frozen=True):
    """A browser that is logged in: over when nothing came from it for long, at `expires_at` at the latest.

    `csrf` stands in the forms it is shown. `address` and `browser` are for the person to know it again.
    """

    id_sha256: bytes
    user: int
    csrf: str
    created_at: int
    seen_at: int
    expires_at: int
    address: str = ""
    browser: str = ""


class Grant(Struct, frozen=True):
    """A program that acts for a user by short-lived tokens. Each refresh counts `generation` up by one, so a token that
    was refreshed already is known for what it is: copied."""

    id: str
    user: int
    created_at: int
    expires_at: int
    generation: int = 0
    seen_at: int | None = None
    revoked_at: int | None = None


class ApiToken(Struct, frozen=True):
    """A program with rights of its own. `used_at` is right to half a minute or so."""

    id: str
    name: str
    secret_sha256: bytes
    permissions: tuple[str, ...]
    created_at: int
    created_by: str
    expires_at: int | None = None
    used_at: int | None = None
    revoked_at: int | None = None


class AuditRow(Struct, frozen=True):
    """Somebody changed something. `before` and `after` are JSON, empty where there was nothing; `address` is where they
    asked from. `n` counts all rows, without a hole."""

    n: int
    at: int
    who: str
    what: str
    before: str = ""
    after: str = ""
    address: str = ""
    request_id: str = ""


class People(Protocol):
    # --- users ---

    async def any_user(self) -> bool:
        """Whether there has ever been one."""
        ...

    async def users(self) -> list[User]:
        """In the order of their names, the disabled ones too."""
        ...

    async def user(self, name: str) -> User | None:
        """However its capitals are written."""
        ...

    async def user_by_id(self, user: int) -> User | None: ...

    async def add_user(
        self, name: str, role: str, password_hash: str, now: int, *, email: str = "", first: bool = False
    ) -> User:
        """StoreError when the name is taken; with `first` also when there is anybody else."""
        ...

    async def set_role(self, user: int, role: str) -> User:
        """StoreError when there is no such user, or they are the last owner who can log in and would be none."""
        ...

    async def set_email(self, user: int, email: str) -> User:
        """StoreError when there is no such user."""
        ...

    async def set_password(self, user: int, password_hash: str, now: int) -> None:
        """All their sessions and grants are over, too. StoreError when there is no such user."""
        ...

    async def rehash(self, user: int, before: str, after: str) -> None:
        """The same password, hashed anew. Nothing changes when it is another by now, and no session ends."""
        ...

    async def disable(self, user: int, now: int) -> User:
        """They cannot log in any more, and all their sessions and grants are over. StoreError when there is no such
        user, or they are the last owner who can log in."""
        ...

    async def enable(self, user: int) -> User:
        """StoreError when there is no such user."""
        ...

    # --- sessions ---

    async def begin_session(self, session: Session) -> None: ...

    async def session(self, id_sha256: bytes) -> Session | None: ...

    async def sessions(self, user: int) -> list[Session]:
        """The one seen last first."""
        ...

    async def end_session(self, id_sha256: bytes) -> bool:
        """False when there is none."""
        ...

    async def end_sessions(self, user: int, *, but: bytes = b"") -> int:
        """How many there were; one may be spared."""
        ...

    # --- programs that act for a user ---

    async def begin_grant(self, grant: Grant) -> None: ...

    async def grant(self, grant: str) -> Grant | None: ...

    async def grants(self, user: int, now: int) -> list[Grant]:
        """Those that hold, the newest first."""
        ...

    async def revoke_grants(self, user: int, now: int) -> int:
        """How many there were that held."""
        ...

    async def refresh(self, grant: str, generation: int, now: int) -> bool:
        """Take the turn of this generation. False when it was taken already, or the grant is over: revoked is what it
        is then, for one of two has a copy."""
        ...

    async def revoke_grant(self, grant: str, now: int) -> bool:
        """False when there is none, or it is revoked already."""
        ...

    # --- programs with rights of their own ---

    async def api_tokens(self) -> list[ApiToken]:
        """The newest first, revoked ones too."""
        ...

    async def api_token(self, token: str) -> ApiToken | None: ...

    async def add_api_token(self, token: ApiToken) -> None:
        """StoreError when there are API_TOKENS_MAX already that are not revoked."""
        ...

    async def revoke_api_token(self, token: str, now: int) -> bool:
        """False when there is none, or it is revoked already."""
        ...

    # --- when they were here ---

    async def note_seen(self, sessions: Mapping[bytes, int], api_tokens: Mapping[str, int]) -> None:
        """When each of these was seen last, all at once; those that are gone meanwhile are passed over."""
        ...

    # --- the trail ---

    async def record(self, entry: Entry) -> AuditRow: ...

    async def audit(
        self, limit: int, *, below: int | None = None, who: str = "", what: str = ""
    ) -> list[AuditRow]:
        """The newest first; those before the row `below`, of one person, of one kind of change."""
        ...

    # --- upkeep ---

    async def forget_ended(self, now: int) -> None:
        """Let go of sessions and grants whose time is over."""
        ...
