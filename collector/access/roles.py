"""Roles: by which name a user is given which permissions."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import cast

from collector.store.people import OWNER
from collector.who import PERMISSIONS, Permission

BUILT_IN: Mapping[str, frozenset[Permission]] = {
    OWNER: PERMISSIONS,
    "admin": PERMISSIONS - {"monitoring.audit.read"},
    "member": frozenset(),
    "viewer": frozenset(),
}
"""Members and viewers may do nothing until the config says what: rights are given, not taken away."""


class Roles:
    """The roles there are: those built in, changed and added to by the config, but for the owner's."""

    def __init__(self, written: Mapping[str, Sequence[str]]) -> None:
        """ValueError, a sentence, when what is written makes no sense."""
        if OWNER in written:
            raise ValueError(
                f"the role {OWNER} may do everything, always; leave it out, or name another role"
            )
        self._permissions = dict(BUILT_IN) | {
            role: _permissions(role, named) for role, named in written.items()
        }

    @property
    def names(self) -> list[str]:
        return list(self._permissions)

    def permissions(self, role: str) -> frozenset[Permission]:
        """None for a role that the config does not know any more."""
        return self._permissions.get(role, frozenset())

    def known(self, role: str) -> str:
        """The role as it was given. ValueError says which ones there are."""
        if role not in self._permissions:
            raise ValueError(f"there is no role {role[:50]!r}; there are {', '.join(self._permissions)}")
        return role


def parse_permissions(named: Sequence[str]) -> frozenset[Permission]:
    """ValueError names what is no permission, and the nearest that is one."""
    for name in named:
        if name not in PERMISSIONS:
            near = difflib.get_close_matches(name, PERMISSIONS, n=1, cutoff=0.0)[0]
            raise ValueError(f"there is no permission {name[:80]!r}; did you mean {near}?")
    return frozenset(cast(Sequence[Permission], named))


def _permissions(role: str, named: Sequence[str]) -> frozenset[Permission]:
    try:
        return parse_permissions(named)
    except ValueError as error:
        raise ValueError(f"role {role}: {error}") from None
