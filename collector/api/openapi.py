"""The doors as an OpenAPI 3.1 document, made of the very declarations that they are served by."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from collector.api.doors import BASE, Door, Query
from collector.api.router import Trouble

REFERENCE = "#/components/schemas/{name}"
SECURITY = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API token, or the access token of a login.",
    },
    "session": {"type": "apiKey", "in": "cookie", "name": "watchkeeper"},
}
WHYS = {
    400: "Something in it is not as it should be",
    401: "Who asks did not say who they are",
    403: "Who asks may not do this",
    404: "There is no such thing",
    408: "The body took too long to come",
    409: "It contradicts how things stand",
    413: "The body is too large",
    415: "The body is not said to be JSON",
    422: "It is understood, and cannot be",
    429: "Too much was asked for of late",
    500: "A fault of the collector",
    503: "Not now; asking again later may work",
}
OF_EVERY_DOOR = (400, 401, 403, 422, 429, 500, 503)
OF_A_BODY = (408, 413, 415)


EVENTS = {
    "get": {
        "operationId": "get_events",
        "summary": "Live events, server-sent: which hosts changed, and whether incidents did, once a second at most",
        "tags": ["events"],
        "parameters": [],
        "responses": {
            "200": {
                "description": "A stream without an end; `changed` says what did, `here` is a sign of life",
                "content": {"text/event-stream": {}},
            },
            "503": {"description": "As many listen as are let in", "content": {"text/plain": {}}},
        },
        "security": [{name: []} for name in SECURITY],
        "x-permission": "monitoring.read",
    }
}
"""The one path that is no door, for its answer has no end; who serves the pages serves it."""


def document(doors: Sequence[Door], version: str) -> dict[str, Any]:
    """The whole document, as JSON would have it."""
    schemas = _Schemas(doors)
    paths: dict[str, dict[str, Any]] = {}
    for door in doors:
        paths.setdefault(door.whole_path, {})[door.method.lower()] = _operation(door, schemas)
    paths[f"{BASE}/events"] = EVENTS
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Watchkeeper",
            "version": version,
            "description": "What a collector tells programs, and lets them do. Times are RFC 3339 in UTC.",
        },
        "paths": paths,
        "components": {"schemas": schemas.components, "securitySchemes": SECURITY},
    }


def _operation(door: Door, schemas: _Schemas) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _operation_id(door),
        "summary": door.summary,
        "tags": [door.subject],
        "parameters": _parameters(door, schemas),
        "responses": _responses(door, schemas),
        "security": [{name: []} for name in SECURITY] if door.needs else [],
        "x-permission": door.needs,
    }
    if door.body is not None:
        operation["requestBody"] = {"required": True, "content": _json(schemas.of(door.body))}
    return operation


def _operation_id(door: Door) -> str:
    words = re.findall(r"\w+", door.path.replace("{", "by_").replace("-", "_"))
    return "_".join([door.method.lower(), *words])


def _parameters(door: Door, schemas: _Schemas) -> list[dict[str, Any]]:
    schema = schemas.components_of(door.query)
    found = []
    for name, value in schema.get("properties", {}).items():
        in_path = name in door.names
        given = {
            "name": name,
            "in": "path" if in_path else "query",
            "required": in_path or name in schema.get("required", ()),
            "schema": {key: part for key, part in value.items() if key != "description"},
        }
        if text := help_of(door.query, name):
            given["description"] = text
        found.append(given)
    return found


def help_of(query: type[Struct], name: str) -> str:
    """The line about a key in the docstrings of a query and of those it is built upon."""
    docs = "\n".join(base.__doc__ or "" for base in query.__mro__ if issubclass(base, Query))
    line = re.search(rf"^\s*{re.escape(name)}: +(.+)$", docs, re.MULTILINE)
    return line[1].strip() if line else ""


def _responses(door: Door, schemas: _Schemas) -> dict[str, Any]:
    answers = {door.status: door.answer, **door.others}
    refusals = {*OF_EVERY_DOOR, *door.refusals}
    refusals |= {*OF_A_BODY} if door.body is not None else set()
    refusals |= {404} if door.names else set()
    responses = {str(status): _answer(kind, schemas) for status, kind in answers.items()}
    if door.method == "GET":
        responses["304"] = {"description": "As the tag in If-None-Match says, there is nothing new"}
    for status in sorted(refusals):
        schema = schemas.of(Trouble)
        if status in answers:
            schema = {"anyOf": [schemas.of(answers[status]), schema]}
        responses[str(status)] = {"description": WHYS[status], "content": _json(schema)}
    return responses


def _answer(kind: Any, schemas: _Schemas) -> dict[str, Any]:
    if kind is None:
        return {"description": "Done"}
    if isinstance(kind, str):
        return {"description": "As it is asked for", "content": {kind: {}}}
    return {"description": "As it is asked for", "content": _json(schemas.of(kind))}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


class _Schemas:
    """What every type that is taken or given looks like as JSON."""

    def __init__(self, doors: Iterable[Door]) -> None:
        kinds: list[Any] = [Trouble]
        for door in doors:
            kinds += [kind for kind in (door.answer, door.body, *door.others.values()) if kind is not None]
        self._kinds = [kind for kind in kinds if not isinstance(kind, str)]
        schemas, self.components = msgspec.json.schema_components(self._kinds, ref_template=REFERENCE)
        self._schemas = list(schemas)

    def of(self, kind: Any) -> dict[str, Any]:
        return self._schemas[self._kinds.index(kind)]

    def components_of(self, query: type[Query]) -> dict[str, Any]:
        """The schema of a query itself, for it is taken apart into parameters."""
        _, components = msgspec.json.schema_components([query], ref_template=REFERENCE)
        return dict(components[query.__name__])
