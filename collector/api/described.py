"""What the API can be asked, told by itself: as an OpenAPI document for programs, as a page for people."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Sequence
from html import escape
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import msgspec
from msgspec import Raw, Struct

from collector.api.doors import BASE, Door, Query, Text
from collector.api.openapi import document
from collector.who import Who

STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
code{background:#f2f2f2;padding:.1em .3em;border-radius:3px}
details{border:1px solid #ddd;border-radius:6px;margin:.4rem 0;padding:.4rem .8rem}
summary{cursor:pointer}table{border-collapse:collapse;width:100%}
td,th,code{overflow-wrap:anywhere}
td,th{text-align:left;vertical-align:top;padding:.2rem .6rem .2rem 0;border-bottom:1px solid #eee}
pre{background:#f2f2f2;padding:.6rem;overflow:auto;border-radius:6px}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}code,pre{background:#2a2a2a}
a{color:#8ab4f8}a:visited{color:#c58af9}details{border-color:#444}td,th{border-color:#333}}
"""
_DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
PAGE_HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_DIGEST}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
}


class Described:
    """Two doors more: the description of `doors` and of themselves.

    It is made when it is first asked for, as most collectors are never asked; in a thread, as that takes a tenth of a
    second, in which pushes would wait.
    """

    def __init__(self, doors: Sequence[Door]) -> None:
        self._doors = [*doors, *self.doors()]
        self._said: _Said | None = None
        self._making = asyncio.Lock()

    def doors(self) -> list[Door]:
        return [
            Door(
                method="GET", path="/openapi.json", handler=self.openapi, needs=None,
                summary="All of this as an OpenAPI 3.1 document", answer=dict[str, Any],
            ),
            Door(
                method="GET", path="/docs", handler=self.docs, needs=None,
                summary="All of this as a page to read", answer="text/html",
            ),
        ]  # fmt: skip

    async def openapi(self, who: Who, asked: Query, body: None) -> Raw:
        return (await self._all()).json

    async def docs(self, who: Who, asked: Query, body: None) -> Text:
        return Text((await self._all()).page, "text/html", PAGE_HEADERS)

    async def _all(self) -> _Said:
        async with self._making:
            if self._said is None:
                self._said = await asyncio.to_thread(_described, self._doors)
        return self._said


class _Said(Struct, frozen=True):
    json: Raw
    page: str


def _described(doors: Sequence[Door]) -> _Said:
    whole = document(doors, _version())
    return _Said(Raw(msgspec.json.encode(whole)), page(whole))


def page(whole: dict[str, Any]) -> str:
    """The document as a page without scripts."""
    by_tag: dict[str, list[str]] = {}
    for path, operations in whole["paths"].items():
        for method, operation in operations.items():
            by_tag.setdefault(operation["tags"][0], []).append(_operation(method, path, operation, whole))
    parts = [f"<h2 id='{escape(tag)}'>{escape(tag)}</h2>{''.join(said)}" for tag, said in by_tag.items()]
    links = " · ".join(f"<a href='#{escape(tag)}'>{escape(tag)}</a>" for tag in by_tag)
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>Watchkeeper: the API</title>"
        f"<meta name='viewport' content='width=device-width'><style>{STYLE}</style></head><body>"
        f"<h1>Watchkeeper: the API</h1><p>{escape(whole['info']['description'])} For programs: "
        f"<a href='{BASE}/openapi.json'>openapi.json</a>. Every list takes <code>limit</code> and the "
        f"<code>cursor</code> that the page before ended with.</p><p>{links}</p>{''.join(parts)}</body></html>"
    )


def _operation(method: str, path: str, operation: dict[str, Any], whole: dict[str, Any]) -> str:
    needs = operation["x-permission"]
    right = f"<p>It needs the right <code>{escape(needs)}</code>.</p>" if needs else "<p>Anybody may ask.</p>"
    rows = "".join(
        f"<tr><td><code>{escape(one['name'])}</code></td><td>{escape(_kind(one['schema']))}</td>"
        f"<td>{escape(one.get('description', ''))}</td></tr>"
        for one in operation["parameters"]
    )
    parameters = f"<table>{rows}</table>" if rows else ""
    body = operation.get("requestBody")
    sent = f"<p>It is sent</p>{_schema(_of_content(body), whole)}" if body else ""
    answers = [answer for status, answer in operation["responses"].items() if status.startswith("2")]
    given = _schema(_of_content(answers[0]), whole) if answers and "content" in answers[0] else ""
    return (
        f"<details><summary><code>{method.upper()} {escape(path)}</code> {escape(operation['summary'])}</summary>"
        f"{right}{parameters}{sent}<p>It answers</p>{given}</details>"
    )


def _of_content(part: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = next(iter(part["content"].values())).get("schema", {})
    return schema


def _schema(schema: dict[str, Any], whole: dict[str, Any]) -> str:
    """What a Struct looks like: its keys, what they are, and the words about it."""
    name = schema.get("$ref", "").rpartition("/")[2]
    found = whole["components"]["schemas"].get(name, schema)
    text = f"<p>{escape(found['description'])}</p>" if "description" in found else ""
    lines = [f"{key}: {_kind(value)}" for key, value in found.get("properties", {}).items()]
    return text + f"<pre>{escape(chr(10).join(lines) or _kind(found))}</pre>"


def _kind(schema: dict[str, Any]) -> str:
    """A schema in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_kind(part) for part in schema["anyOf"]))
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        items = schema.get("items")
        return f"list of {_kind(items)}" if isinstance(items, dict) else "list"
    return str(schema.get("format") or schema.get("type") or "anything")


def _version() -> str:
    try:
        return version("watchkeeper")
    except PackageNotFoundError:
        return "0"
