"""Users, sessions, tokens and the audit trail: the step of the schema that brings them, and what is asked of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from sqlite_utils import Database

from collector.store import LIST_MAX, StoreError
from collector.store.people import (
    API_TOKENS_MAX,
    GRANTS_PER_USER_MAX,
    OWNER,
    SESSIONS_PER_USER_MAX,
    USERS_MAX,
    ApiToken,
    AuditRow,
    Grant,
    Session,
    User,
)
from collector.store.trail import Entry
from collector.stores.sqlite import trail
from collector.stores.sqlite.incidents import listed
from collector.stores.sqlite.readers import Readers
from collector.stores.sqlite.tables import T, Table
from collector.stores.sqlite.trail import AUDIT
from collector.stores.sqlite.writer import Writer

USERS = Table("users", User)
SESSIONS = Table("sessions", Session)
GRANTS = Table("grants", Grant)
API_TOKENS = Table("api_tokens", ApiToken)

STEP = (
    """
    CREATE TABLE users (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE COLLATE NOCASE,
        role TEXT NOT NULL,
        password_hash TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        email TEXT NOT NULL DEFAULT '',
        disabled_at INTEGER
    ) STRICT
    """,
    """
    CREATE TABLE sessions (
        id_sha256 BLOB PRIMARY KEY,
        user INTEGER NOT NULL REFERENCES users,
        csrf TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        seen_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        address TEXT NOT NULL,
        browser TEXT NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX sessions_of_a_user ON sessions (user, seen_at)",
    "CREATE INDEX sessions_by_their_end ON sessions (expires_at)",
    f"""
    CREATE TRIGGER sessions_of_a_user_are_bounded AFTER INSERT ON sessions BEGIN
        DELETE FROM sessions WHERE id_sha256 IN (
            SELECT id_sha256 FROM sessions WHERE user = NEW.user
            ORDER BY seen_at DESC LIMIT -1 OFFSET {SESSIONS_PER_USER_MAX}
        );
    END
    """,
    """
    CREATE TABLE grants (
        id TEXT PRIMARY KEY,
        user INTEGER NOT NULL REFERENCES users,
        created_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        generation INTEGER NOT NULL,
        seen_at INTEGER,
        revoked_at INTEGER
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX grants_of_a_user ON grants (user, created_at)",
    "CREATE INDEX grants_by_their_end ON grants (expires_at)",
    f"""
    CREATE TRIGGER grants_of_a_user_are_bounded AFTER INSERT ON grants BEGIN
        DELETE FROM grants WHERE id IN (
            SELECT id FROM grants WHERE user = NEW.user
            ORDER BY created_at DESC LIMIT -1 OFFSET {GRANTS_PER_USER_MAX}
        );
    END
    """,
    """
    CREATE TABLE api_tokens (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        secret_sha256 BLOB NOT NULL,
        permissions TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        created_by TEXT NOT NULL,
        expires_at INTEGER,
        used_at INTEGER,
        revoked_at INTEGER
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX api_tokens_newest_first ON api_tokens (created_at)",
    """
    CREATE TABLE audit (
        n INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        who TEXT NOT NULL,
        what TEXT NOT NULL,
        before TEXT NOT NULL,
        after TEXT NOT NULL,
        address TEXT NOT NULL,
        request_id TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX audit_of_somebody ON audit (who, n)",
    "CREATE INDEX audit_of_a_kind ON audit (what, n)",
    """
    CREATE TRIGGER audit_is_never_altered BEFORE UPDATE ON audit BEGIN
        SELECT raise(ABORT, 'the audit trail is never altered');
    END
    """,
    """
    CREATE TRIGGER audit_is_never_removed BEFORE DELETE ON audit BEGIN
        SELECT raise(ABORT, 'the audit trail is never removed');
    END
    """,
)

ALL_USERS = f"SELECT {USERS.names} FROM users ORDER BY name LIMIT {USERS_MAX}"
USER_BY_NAME = f"SELECT {USERS.names} FROM users WHERE name = ?"
USER_BY_ID = f"SELECT {USERS.names} FROM users WHERE id = ?"
OTHER_OWNERS = "SELECT 1 FROM users WHERE role = ? AND disabled_at IS NULL AND id != ? LIMIT 1"
SESSION = f"SELECT {SESSIONS.names} FROM sessions WHERE id_sha256 = ?"
SESSIONS_OF = f"SELECT {SESSIONS.names} FROM sessions WHERE user = ? ORDER BY seen_at DESC"
GRANT = f"SELECT {GRANTS.names} FROM grants WHERE id = ?"
REFRESH = """
    UPDATE grants SET generation = generation + 1, seen_at = ?3
    WHERE id = ?1 AND generation = ?2 AND revoked_at IS NULL AND expires_at > ?3
"""
GRANTS_OF = f"""
    SELECT {GRANTS.names} FROM grants WHERE user = ? AND revoked_at IS NULL AND expires_at > ?
    ORDER BY created_at DESC
"""
REVOKE_GRANTS = "UPDATE grants SET revoked_at = ? WHERE user = ? AND revoked_at IS NULL"
REVOKE_GRANT = "UPDATE grants SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL"
ALL_API_TOKENS = f"SELECT {API_TOKENS.names} FROM api_tokens ORDER BY created_at DESC, id LIMIT {LIST_MAX}"
API_TOKEN = f"SELECT {API_TOKENS.names} FROM api_tokens WHERE id = ?"
API_TOKENS_HELD = "SELECT count(*) FROM api_tokens WHERE revoked_at IS NULL"
SEEN = "UPDATE sessions SET seen_at = ? WHERE id_sha256 = ?"
USED = "UPDATE api_tokens SET used_at = ? WHERE id = ?"
REVOKE_API_TOKEN = "UPDATE api_tokens SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL"  # noqa: S105 - a statement
TRAIL = f"SELECT {AUDIT.names} FROM audit WHERE n < ?"
TRAIL_OF_SOMEBODY = f"{TRAIL} AND who = ?"
TRAIL_OF_A_KIND = f"{TRAIL} AND what = ?"
TRAIL_OF_BOTH = f"{TRAIL} AND who = ? AND what = ?"
NEWEST_FIRST = "ORDER BY n DESC LIMIT ?"
FORGET_SESSIONS = "DELETE FROM sessions WHERE expires_at <= ?"
FORGET_GRANTS = "DELETE FROM grants WHERE expires_at <= ?"
BEYOND_ALL_ROWS = 2**62


def people(db: Database) -> None:
    for statement in STEP:
        db.conn.execute(statement)


class SqlitePeople:
    """See collector.store.people."""

    def __init__(self, readers: Readers, writer: Writer) -> None:
        self._readers, self._writer = readers, writer

    # --- users ---

    async def any_user(self) -> bool:
        return await self._readers.read(_any_user)

    async def users(self) -> list[User]:
        return await self._all(USERS, ALL_USERS)

    async def user(self, name: str) -> User | None:
        return await self._one(USERS, USER_BY_NAME, name)

    async def user_by_id(self, user: int) -> User | None:
        return await self._one(USERS, USER_BY_ID, user)

    async def add_user(
        self, name: str, role: str, password_hash: str, now: int, *, email: str = "", first: bool = False
    ) -> User:
        def job(connection: sqlite3.Connection) -> User:
            if first and _any_user(connection):
                raise StoreError(
                    "there is a user already; log in, or have one of them add you", passing=False
                )
            if listed(connection, USERS, USER_BY_NAME, name):
                raise StoreError(
                    f"there is a user named {name!r} already; choose another name", passing=False
                )
            (count,) = connection.execute("SELECT count(*) FROM users").fetchone()
            if count >= USERS_MAX:
                raise StoreError(f"there are {USERS_MAX} users, and no more are kept", passing=False)
            cursor = connection.execute(
                "INSERT INTO users (name, role, password_hash, created_at, email) VALUES (?, ?, ?, ?, ?)",
                [name, role, password_hash, now, email],
            )
            assert cursor.lastrowid is not None
            return User(cursor.lastrowid, name, role, password_hash, now, email)

        return await self._writer.write(job)

    async def set_role(self, user: int, role: str) -> User:
        def job(connection: sqlite3.Connection) -> User:
            if role != OWNER:
                _see_that_an_owner_is_left(connection, user)
            return _changed(connection, user, "role = ?", role)

        return await self._writer.write(job)

    async def set_email(self, user: int, email: str) -> User:
        return await self._writer.write(lambda connection: _changed(connection, user, "email = ?", email))

    async def set_password(self, user: int, password_hash: str, now: int) -> None:
        def job(connection: sqlite3.Connection) -> None:
            _changed(connection, user, "password_hash = ?", password_hash)
            _end_all(connection, user, now)

        await self._writer.write(job)

    async def rehash(self, user: int, before: str, after: str) -> None:
        query = "UPDATE users SET password_hash = ? WHERE id = ? AND password_hash = ?"
        await self._writer.write(lambda connection: connection.execute(query, [after, user, before]).rowcount)

    async def disable(self, user: int, now: int) -> User:
        def job(connection: sqlite3.Connection) -> User:
            _see_that_an_owner_is_left(connection, user)
            _end_all(connection, user, now)
            return _changed(connection, user, "disabled_at = ?", now)

        return await self._writer.write(job)

    async def enable(self, user: int) -> User:
        return await self._writer.write(
            lambda connection: _changed(connection, user, "disabled_at = ?", None)
        )

    # --- sessions ---

    async def begin_session(self, session: Session) -> None:
        await self._writer.write(lambda connection: SESSIONS.write(connection, [session]))

    async def session(self, id_sha256: bytes) -> Session | None:
        return await self._one(SESSIONS, SESSION, id_sha256)

    async def sessions(self, user: int) -> list[Session]:
        return await self._all(SESSIONS, SESSIONS_OF, user)

    async def end_session(self, id_sha256: bytes) -> bool:
        return await self._changes("DELETE FROM sessions WHERE id_sha256 = ?", id_sha256) == 1

    async def end_sessions(self, user: int, *, but: bytes = b"") -> int:
        return await self._changes("DELETE FROM sessions WHERE user = ? AND id_sha256 != ?", user, but)

    # --- grants ---

    async def begin_grant(self, grant: Grant) -> None:
        await self._writer.write(lambda connection: GRANTS.write(connection, [grant]))

    async def grant(self, grant: str) -> Grant | None:
        return await self._one(GRANTS, GRANT, grant)

    async def grants(self, user: int, now: int) -> list[Grant]:
        return await self._all(GRANTS, GRANTS_OF, user, now)

    async def revoke_grants(self, user: int, now: int) -> int:
        return await self._changes(REVOKE_GRANTS, now, user)

    async def refresh(self, grant: str, generation: int, now: int) -> bool:
        def job(connection: sqlite3.Connection) -> bool:
            if connection.execute(REFRESH, [grant, generation, now]).rowcount == 1:
                return True
            connection.execute(REVOKE_GRANT, [now, grant])
            return False

        return await self._writer.write(job)

    async def revoke_grant(self, grant: str, now: int) -> bool:
        return await self._changes(REVOKE_GRANT, now, grant) == 1

    # --- API tokens ---

    async def api_tokens(self) -> list[ApiToken]:
        return await self._all(API_TOKENS, ALL_API_TOKENS)

    async def api_token(self, token: str) -> ApiToken | None:
        return await self._one(API_TOKENS, API_TOKEN, token)

    async def add_api_token(self, token: ApiToken) -> None:
        def job(connection: sqlite3.Connection) -> None:
            (held,) = connection.execute(API_TOKENS_HELD).fetchone()
            if held >= API_TOKENS_MAX:
                raise StoreError(f"there are {API_TOKENS_MAX} API tokens; revoke some first", passing=False)
            API_TOKENS.write(connection, [token])

        await self._writer.write(job)

    async def revoke_api_token(self, token: str, now: int) -> bool:
        return await self._changes(REVOKE_API_TOKEN, now, token) == 1

    # --- when they were here ---

    async def note_seen(self, sessions: Mapping[bytes, int], api_tokens: Mapping[str, int]) -> None:
        def job(connection: sqlite3.Connection) -> None:
            connection.executemany(SEEN, [(at, session) for session, at in sessions.items()])
            connection.executemany(USED, [(at, token) for token, at in api_tokens.items()])

        await self._writer.write(job)

    # --- the trail ---

    async def record(self, entry: Entry) -> AuditRow:
        return await self._writer.write(lambda connection: trail.add(connection, entry))

    async def audit(
        self, limit: int, *, below: int | None = None, who: str = "", what: str = ""
    ) -> list[AuditRow]:
        query = {
            (False, False): TRAIL,
            (True, False): TRAIL_OF_SOMEBODY,
            (False, True): TRAIL_OF_A_KIND,
            (True, True): TRAIL_OF_BOTH,
        }[bool(who), bool(what)]
        values = [
            BEYOND_ALL_ROWS if below is None else below,
            *filter(None, (who, what)),
            min(limit, LIST_MAX),
        ]
        return await self._all(AUDIT, f"{query} {NEWEST_FIRST}", *values)

    # --- upkeep ---

    async def forget_ended(self, now: int) -> None:
        def job(connection: sqlite3.Connection) -> None:
            connection.execute(FORGET_SESSIONS, [now])
            connection.execute(FORGET_GRANTS, [now])

        await self._writer.write(job)

    async def _all(self, table: Table[T], query: str, *values: Any) -> list[T]:
        return await self._readers.read(lambda connection: listed(connection, table, query, *values))

    async def _one(self, table: Table[T], query: str, *values: Any) -> T | None:
        found = await self._all(table, query, *values)
        return found[0] if found else None

    async def _changes(self, query: str, *values: Any) -> int:
        return await self._writer.write(lambda connection: connection.execute(query, values).rowcount)


# --- in a transaction ------------------------------------------------------------------------------------------------


def _any_user(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM users LIMIT 1").fetchone() is not None


def _changed(connection: sqlite3.Connection, user: int, change: str, *values: Any) -> User:
    row: Sequence[Any] | None = connection.execute(
        f"UPDATE users SET {change} WHERE id = ? RETURNING {USERS.names.replace('users.', '')}",
        [*values, user],
    ).fetchone()
    if row is None:
        raise StoreError(f"there is no user {user}", passing=False)
    return USERS.value(row)


def _see_that_an_owner_is_left(connection: sqlite3.Connection, user: int) -> None:
    """When `user` will be none any more."""
    found = listed(connection, USERS, USER_BY_ID, user)
    if not found or found[0].role != OWNER or found[0].disabled_at is not None:
        return
    if connection.execute(OTHER_OWNERS, [OWNER, user]).fetchone() is None:
        raise StoreError(
            f"{found[0].name} is the last owner who can log in; make somebody else an owner first",
            passing=False,
        )


def _end_all(connection: sqlite3.Connection, user: int, now: int) -> None:
    connection.execute("DELETE FROM sessions WHERE user = ?", [user])
    connection.execute(REVOKE_GRANTS, [now, user])
