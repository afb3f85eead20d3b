"""Against forged requests: a browser sends its cookie along for whoever asks it to, so a cookie alone proves little."""

from __future__ import annotations

import hmac
from urllib.parse import urlsplit

from aiohttp import web

from collector.who import FORM_FIELD, FORM_HEADER, Refusal

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
FORM_BYTES_MAX = 64 * 1024
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


def see_that_no_other_site_sent_it(request: web.Request) -> None:
    """By what browsers say about that, for whoever is no browser says nothing and is led by no other site. Refusal."""
    site = request.headers.get("Sec-Fetch-Site")
    if site in ("same-origin", "none"):
        return  # no script can say that, and unlike the origin it holds behind a proxy that says another Host
    if site is not None:
        raise _forged()
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc.lower() != request.headers.get("Host", "").lower():
        raise _forged()


async def see_that_our_form_sent_it(request: web.Request, token: str) -> None:
    """By the token that stands in the forms of this session, and that no other site can read. Refusal."""
    given = request.headers.get(FORM_HEADER)
    if given is None and request.content_type in FORMS:
        if (request.content_length or 0) > FORM_BYTES_MAX:
            raise Refusal(413, "too_large", f"a form has at most {FORM_BYTES_MAX} bytes")
        field = (await request.post()).get(FORM_FIELD)
        given = field if isinstance(field, str) else None
    if given is None or not hmac.compare_digest(given.encode(errors="replace"), token.encode()):
        raise Refusal(
            403, "form", "this form is too old, or was not ours; load the page anew and send it again"
        )


def _forged() -> Refusal:
    return Refusal(403, "other_site", "another site sent this in your name; nothing was done")
