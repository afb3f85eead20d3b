"""What is done about users and tokens, by pages and by the API alike: with the rights it takes, and noted in the trail.

Nobody gives what they do not have: neither a role nor a token may hold a right that whoever gives it lacks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager

import msgspec

from collector.access.api_tokens import new_api_token
from collector.access.names import parse_email, parse_token_name, parse_user_name
from collector.access.passwords import Passwords, see_that_it_is_fit
from collector.access.roles import Roles, parse_permissions
from collector.desks.trail import Audit
from collector.store import StoreError
from collector.store.people import ApiToken, People, User
from collector.who import Permission, Refusal, Who

TOKEN_LIFE_MS_MAX = 10 * 365 * 86_400_000


class Desk:
    """Every method may raise Refusal and StoreError. Whoever remembers users and tokens hears by `user_changed` and
    `token_changed` that one of them is another now."""

    def __init__(
        self,
        people: People,
        roles: Roles,
        passwords: Passwords,
        audit: Audit,
        now_ms: Callable[[], int],
        *,
        user_changed: Callable[[int], None] = lambda user: None,
        token_changed: Callable[[str], None] = lambda token: None,
    ) -> None:
        self._people, self._roles, self._passwords = people, roles, passwords
        self._audit, self._now_ms = audit, now_ms
        self._user_changed, self._token_changed = user_changed, token_changed

    # --- users ---

    async def users(self) -> list[User]:
        return await self._people.users()

    async def user(self, name: str) -> User:
        user = await self._people.user(name)
        if user is None:
            raise Refusal(404, "missing", f"there is no user {name[:80]!r}")
        return user

    async def add_user(
        self,
        who: Who,
        name: str,
        role: str,
        password: str,
        *,
        email: str = "",
    ) -> User:
        with _unfit():
            name, email = parse_user_name(name), parse_email(email)
            self._may_give(who, self._roles.permissions(self._roles.known(role)), f"the role {role}")
            see_that_it_is_fit(password)
        hashed = await self._passwords.hash(password)
        with _conflict():
            adding = self._people.add_user(name, role, hashed, self._now_ms(), email=email)
            user = await self._audit.noted(who, "user.add", adding, after=shown)
        self._user_changed(user.id)
        return user

    async def set_role(self, who: Who, name: str, role: str) -> User:
        before = await self._subject(who, name)
        with _unfit():
            self._may_give(who, self._roles.permissions(self._roles.known(role)), f"the role {role}")
        with _conflict():
            return await self._change(who, "user.role", before, self._people.set_role(before.id, role))

    async def set_email(self, who: Who, name: str, email: str) -> User:
        before = await self._subject(who, name)
        with _unfit():
            email = parse_email(email)
        return await self._change(who, "user.email", before, self._people.set_email(before.id, email))

    async def set_password(self, who: Who, name: str, password: str) -> User:
        """Another password for somebody, who is logged out everywhere."""
        user = await self._subject(who, name)
        with _unfit():
            see_that_it_is_fit(password)
        hashed = await self._passwords.hash(password)
        setting = self._people.set_password(user.id, hashed, self._now_ms())
        await self._audit.noted(who, "user.password", setting, after=lambda _: shown(user))
        self._user_changed(user.id)
        return user

    async def disable(self, who: Who, name: str) -> User:
        before = await self._subject(who, name)
        with _conflict():
            disabling = self._people.disable(before.id, self._now_ms())
            return await self._change(who, "user.disable", before, disabling)

    async def enable(self, who: Who, name: str) -> User:
        before = await self._subject(who, name)
        return await self._change(who, "user.enable", before, self._people.enable(before.id))

    # --- tokens ---

    async def api_tokens(self) -> list[ApiToken]:
        return await self._people.api_tokens()

    async def add_api_token(
        self,
        who: Who,
        name: str,
        permissions: Iterable[str],
        *,
        expires_at: int | None = None,
    ) -> tuple[str, ApiToken]:
        """The token's text, which is never shown again, and what is kept of it."""
        now = self._now_ms()
        with _unfit():
            name, wanted = parse_token_name(name), parse_permissions(list(permissions))
            if not wanted:
                raise ValueError(
                    "a token without any permission is of no use; name one, such as monitoring.read"
                )
            if expires_at is not None and not now < expires_at <= now + TOKEN_LIFE_MS_MAX:
                raise ValueError("a token expires in the future, and within ten years")
        self._may_give(who, wanted, f"the token {name}")
        text, number, sha256 = new_api_token()
        token = ApiToken(number, name, sha256, tuple(sorted(wanted)), now, who.name, expires_at)
        with _conflict():
            adding = self._people.add_api_token(token)
            await self._audit.noted(who, "token.add", adding, after=lambda _: shown_token(token))
        return text, token

    async def revoke_api_token(self, who: Who, number: str) -> None:
        token = await self._people.api_token(number)
        if token is None:
            raise Refusal(404, "missing", f"there is no token {number[:80]!r}")
        revoking = self._people.revoke_api_token(number, self._now_ms())
        await self._audit.noted(who, "token.revoke", revoking, before=shown_token(token), when=bool)
        self._token_changed(number)

    # --- what they share ---

    async def _subject(self, who: Who, name: str) -> User:
        """Whom it is about: nobody who may do more than whoever asks, or an admin could take an owner's place."""
        user = await self.user(name)
        self._may_give(who, self._roles.permissions(user.role), f"the user {user.name}")
        return user

    async def _change(self, who: Who, what: str, before: User, changing: Awaitable[User]) -> User:
        after = await self._audit.noted(who, what, changing, before=shown(before), after=shown)
        self._user_changed(after.id)
        return after

    def _may_give(self, who: Who, permissions: Iterable[Permission], what: str) -> None:
        lacking = sorted(frozenset(permissions) - who.permissions)
        if lacking:
            raise Refusal(403, "right", f"{what} holds rights that {who.name} lacks: {', '.join(lacking)}")


def shown(user: User) -> dict[str, object]:
    """A user as the trail and the API show them: without what the password was made into."""
    fields = msgspec.structs.asdict(user)
    del fields["password_hash"]
    return fields


def shown_token(token: ApiToken) -> dict[str, object]:
    """A token as the trail shows it: without what its secret was made into."""
    fields = msgspec.structs.asdict(token)
    del fields["secret_sha256"]
    return fields


@contextmanager
def _unfit() -> Iterator[None]:
    """What is wrong with what was given, as a Refusal."""
    try:
        yield
    except ValueError as error:
        raise Refusal(422, "unfit", str(error)) from None


@contextmanager
def _conflict() -> Iterator[None]:
    """What the store refuses for good, as a Refusal."""
    try:
        yield
    except StoreError as error:
        if error.passing:
            raise
        raise Refusal(409, "conflict", str(error)) from None
