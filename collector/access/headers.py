"""What every answer says besides what it answers: what a browser may do with it, and under which id our log has it."""

from __future__ import annotations

from aiohttp import web

from collector.access.forgery import SAFE
from collector.access.limits import Standing
from collector.who import ASKED_FROM, request_id_of

POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""For what is no page: a browser that takes it for one may do nothing with it. Pages bring their own."""
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
A_YEAR = "max-age=31536000"
STANDING: web.RequestKey[Standing] = web.RequestKey("standing", Standing)
"""How the bucket of whoever asks is."""


async def add_headers(request: web.Request, answer: web.StreamResponse) -> None:
    """To be called before any answer begins (`on_response_prepare`); what it says already is left alone."""
    for name, value in HEADERS.items():
        answer.headers.setdefault(name, value)
    if request.method not in SAFE:
        answer.headers["Cache-Control"] = "no-store"  # it may hold a token, shown once
    answer.headers["X-Request-Id"] = request_id_of(request)
    if ASKED_FROM in request and request[ASKED_FROM].is_secure:
        answer.headers.setdefault("Strict-Transport-Security", A_YEAR)
    if STANDING in request:
        answer.headers.update(request[STANDING].headers)
