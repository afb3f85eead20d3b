"""What plain forms send, read with care, and the way on once it is done."""

from __future__ import annotations

import re
from collections.abc import Mapping

from aiohttp import web

from collector.who import Refusal

FORM_BYTES_MAX = 16 * 1024
FIELD_LETTERS_MAX = 2_000
FORM_KIND = "application/x-www-form-urlencoded"


class Form:
    """The fields of a form. What was typed has no space around it; a field that is not there is empty."""

    def __init__(self, fields: Mapping[str, list[str]]) -> None:
        self._fields = fields

    def __getitem__(self, name: str) -> str:
        return self._fields.get(name, [""])[-1].strip()

    def all(self, name: str) -> list[str]:
        return self._fields.get(name, [])


async def form_of(
    request: web.Request, *, bytes_max: int = FORM_BYTES_MAX, letters_max: int = FIELD_LETTERS_MAX
) -> Form:
    """The fields of a form, of a decent length. Refusal."""
    if request.content_type != FORM_KIND:
        raise Refusal(415, "encoding", "this takes forms as browsers send them")
    if request.content_length is None or request.content_length > bytes_max:
        raise Refusal(413, "too_large", f"a form has at most {bytes_max} bytes here")
    fields: dict[str, list[str]] = {}
    sent = [(name, value) for name, value in (await request.post()).items() if isinstance(value, str)]
    if any(len(value) > letters_max for _, value in sent):
        raise Refusal(413, "too_large", f"a field has at most {letters_max} letters here")
    for name, value in sent:
        fields.setdefault(name, []).append(value)
    return Form(fields)


def led_to(path: str) -> web.Response:
    """What was asked for is done: the browser goes on with a page, and sends nothing twice."""
    return web.Response(status=303, headers={"Location": path, "Cache-Control": "no-store"})


def sentence_of(mistake: Exception) -> str:
    """What is wrong, as a sentence of its own. A name that it begins with stays as it is: in quotation marks, or with
    more than letters in it."""
    text = str(mistake)
    if re.match(r"[a-z]+([ ,:;]|$)", text):
        text = text[0].upper() + text[1:]
    return text if text.endswith(".") else f"{text}."
