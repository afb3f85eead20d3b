"""A door: one method and path of the API, what it takes and answers by declared types, and who may open it.

Whoever serves a door (`router`), describes it (`openapi`) or tests it reads the same declaration, so that none of them
can drift from the others. A handler is a plain async function of who asks, the query and the body.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any, Generic, Literal, TypeVar

from msgspec import Meta, Struct

from collector.who import Permission, Refusal

__all__ = [
    "BASE",
    "BODY_BYTES_MAX",
    "AnyDoor",
    "Body",
    "Door",
    "Id",
    "Nothing",
    "Query",
    "Refusal",
    "Reply",
    "Text",
    "Word",
    "Words",
    "missing",
]

BASE = "/api/monitoring"
BODY_BYTES_MAX = 64 * 1024

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

Id = Annotated[int, Meta(ge=1, lt=2**53)]
Word = Annotated[str, Meta(min_length=1, max_length=200)]
Words = Annotated[str, Meta(max_length=10_000)]


class Query(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the address of a door asks for: its `{names}` and its `?keys`. A key that is not declared is refused.

    The line `key: help` in the docstring of a subclass is what people read about it.
    """


class Body(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is sent to a door as JSON. A key that is not declared is refused."""


class Nothing(Query, frozen=True):
    """Neither names nor keys."""


def missing(noun: str, name: object) -> Refusal:
    """There is no such thing."""
    return Refusal(404, "missing", f"there is no {noun} {str(name)[:100]!r}")


Q = TypeVar("Q", bound=Query)
B = TypeVar("B")
A = TypeVar("A")


class Reply(Struct, Generic[A], frozen=True):
    """An answer with another status than the door's, or with headers of its own."""

    value: A
    status: int
    headers: Mapping[str, str] = {}


class Text(Struct, frozen=True):
    """An answer that is not JSON."""

    text: str
    kind: Literal["application/yaml", "text/html", "text/csv"]
    headers: Mapping[str, str] = {}


class Door(Struct, Generic[Q, B, A], frozen=True, kw_only=True):
    """`path` lies below BASE. `needs` is the right that whoever asks must have; None opens it to all.

    `others` are statuses beside `status` whose answer is no Problem, each with its type. `kept` says of which topics
    an answer is made; it may then be given again until a commit touches one of them (see `kept.py`). `with_request`
    hands the request to the handler as well, for the audit trail to tell from where something was changed.
    """

    method: Method
    path: str
    handler: Callable[..., Awaitable[A | Reply[Any] | Text]]
    needs: Permission | None
    summary: str
    answer: Any
    query: type[Q] = Nothing  # type: ignore[assignment]
    body: type[B] | None = None
    status: int = 200
    others: Mapping[int, Any] = {}
    refusals: tuple[int, ...] = ()
    kept: Callable[[Q], Sequence[str]] | None = None
    body_bytes_max: int = BODY_BYTES_MAX
    with_request: bool = False

    @property
    def whole_path(self) -> str:
        return BASE + self.path

    @property
    def names(self) -> list[str]:
        """The names in its path."""
        return re.findall(r"\{(\w+)\}", self.path)

    @property
    def subject(self) -> str:
        """Under which heading it is described."""
        return self.path.split("/")[1]


AnyDoor = Door[Any, Any, Any]
