"""What the server itself says: one JSON shape for every error, with the request's id when the fault is ours."""

from __future__ import annotations

from aiohttp import web
from msgspec import Struct

from agent import wire

NAME = "watchkeeper"

_PATH_CHARS_MAX = 100


class Fault(wire.Problem, Struct, frozen=True):
    """A Problem on our side: `request_id` stands in our log beside the reason."""

    request_id: str


def problem(status: int, code: str, message: str, *, close: bool = False) -> web.Response:
    body = wire.encode(wire.Problem(code, message))
    response = web.Response(status=status, body=body, content_type="application/json")
    if close:
        response.force_close()
    return response


def fault(request_id: str) -> web.Response:
    message = "this failed on the collector's side; its log says why, under this request_id"
    response = web.Response(
        status=500,
        body=wire.encode(Fault("internal", message, request_id)),
        content_type="application/json",
        headers={"X-Request-Id": request_id},
    )
    response.force_close()
    return response


def explain(request: web.BaseRequest, refusal: web.HTTPException) -> None:
    """Give aiohttp's own errors (nothing there, wrong method) our shape; those with words of their own keep them."""
    if refusal.status < 400 or refusal.text != f"{refusal.status}: {refusal.reason}":
        return
    path = request.path if len(request.path) <= _PATH_CHARS_MAX else f"{request.path[:_PATH_CHARS_MAX]}…"
    message = {
        404: f"there is nothing at {path}",
        405: f"{path} answers to {refusal.headers.get('Allow', 'other methods')} only",
    }.get(refusal.status, refusal.reason)
    code = refusal.reason.lower().replace(" ", "_")
    refusal.body = wire.encode(wire.Problem(code, message))
    refusal.content_type = "application/json"


def _raw(status: str, code: str, message: str, *headers: str) -> bytes:
    """An answer for a connection on which no request was ever understood."""
    body = wire.encode(wire.Problem(code, message))
    lines = (
        f"HTTP/1.1 {status}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Connection: close",
        f"Server: {NAME}",
        *headers,
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


FULL = _raw(
    "503 Service Unavailable",
    "full",
    "too many connections are open; try again in a while",
    "Retry-After: 10",
)
HEAD_TOO_SLOW = _raw("408 Request Timeout", "head_too_slow", "the request's head did not arrive in time")
HEAD_TOO_LARGE = _raw(
    "431 Request Header Fields Too Large", "head_too_large", "the request's head is too large"
)
