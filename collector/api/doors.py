"""A door: one method and path of the API, what it takes and answers by declared types, and who may open it.

Whoever serves a door (`router`), describes it (`openapi`) or tests it reads the same declaration, so that none of them
can drift from the others. A handler is a plain async function of who asks, the query and the body.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any, Generic, Literal, TypeVar

from msgspec import Meta, Struct

from collector.who import Permission, Refusal, missing

__all__ = [
    "BASE",
    "BODY_BYTES_MAX",
    "Body",
    "Door",
    "Id",
    "Nothing",
    "Query",
    "Refusal",
    "Reply",
    "Text",
    "missing",
]

BASE = "/api/monitoring"
BODY_BYTES_MAX = 64 * 1024

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Id = Annotated[int, Meta(ge=1, lt=2**53)]
A = TypeVar("A")


class Query(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the address of a door asks for: its `{names}` and its `?keys`. A key that is not declared is refused.

    The line `key: help` in the docstring of a subclass is what people read about it.
    """


class Body(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is sent to a door as JSON. A key that is not declared is refused."""


class Nothing(Query, frozen=True):
    """Neither names nor keys."""


class Reply(Struct, Generic[A], frozen=True):
    """An answer with another status than the door's, or with headers of its own."""

    value: A
    status: int
    headers: Mapping[str, str] = {}


class Text(Struct, frozen=True):
    """An answer that is not JSON."""

    text: str
    kind: Literal["application/yaml", "text/html"]
    headers: Mapping[str, str] = {}


class Door(Struct, frozen=True, kw_only=True):
    """`path` lies below BASE. `needs` is the right that whoever asks must have; None opens it to all.

    `handler` is asked with who asks, a `query` and a `body` (None where there is none), and with the request as well
    where `with_request` says so, for what looks at where it comes from. It returns an `answer` (the name of a media
    type stands for Text), a Reply or a Text, or raises Refusal or StoreError. `status` is that of a plain answer,
    `others` are those of Replies, each with its type, `refusals` those that Refusals may have besides what every door
    refuses.

    `kept` says of which topics an answer is made, whoever asks; it may then be given again until a commit touches one
    of them.
    """

    method: Method
    path: str
    handler: Callable[..., Awaitable[Any]]
    needs: Permission | None
    summary: str
    answer: Any
    query: type[Query] = Nothing
    body: Any = None
    status: int = 200
    others: Mapping[int, Any] = {}
    refusals: tuple[int, ...] = ()
    kept: Callable[[Any], Sequence[str]] | None = None
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
