"""An order as a signed POST: whoever has the secret can tell that it came from here, and when.

The signature is HMAC-SHA256 over the time, a dot and the body, so that an old order cannot be sent again later on.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import os
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import msgspec

from agent.options import Secret
from collector.advice.orders import Order, Ran, shown

BODY_BYTES_MAX = 2_048
BODY_S_MAX = 2.0
"""The status has told all that matters; what is said beyond it is waited for no longer than this."""


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """What X-Watchkeeper-Signature holds; the far side makes the same and compares."""
    made = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256)
    return f"sha256={made.hexdigest()}"


def body_of(order: Order) -> bytes:
    return msgspec.json.encode(order)


def where(url: Secret) -> str:
    """Scheme, host and port: what of an address may be shown."""
    parsed = urlsplit(url.reveal())
    host = f"[{parsed.hostname}]" if ":" in (parsed.hostname or "") else parsed.hostname
    return f"{parsed.scheme}://{host}" + (f":{parsed.port}" if parsed.port else "")


async def post(url: Secret, secret: Secret, timeout_s: float, order: Order) -> Ran:
    """Send it once and say truly what became of it."""
    body, timestamp = body_of(order), str(order.at // 1000)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Watchkeeper",
        "Idempotency-Key": f"watchkeeper-scale-{order.run}-{order.at}",
        "X-Watchkeeper-Timestamp": timestamp,
        "X-Watchkeeper-Signature": signature(secret.reveal(), timestamp, body),
    }
    limits = aiohttp.ClientTimeout(total=timeout_s, connect=timeout_s / 2)
    try:
        async with (
            aiohttp.ClientSession(
                timeout=limits, cookie_jar=aiohttp.DummyCookieJar(), trust_env=True
            ) as session,
            session.post(url.reveal(), data=body, headers=headers, allow_redirects=False) as response,
        ):
            said = await _read(response)
            return _judged(response, shown(said, _secrets(url, secret)), where(url))
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return _no_answer(error, where(url), timeout_s)


async def _read(response: aiohttp.ClientResponse) -> str:
    body = bytearray()
    with contextlib.suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(BODY_S_MAX):
            async for chunk in response.content.iter_chunked(BODY_BYTES_MAX):
                body += chunk
                if len(body) >= BODY_BYTES_MAX:
                    break
    return body[:BODY_BYTES_MAX].decode(errors="replace")


def _judged(response: aiohttp.ClientResponse, said: str, far: str) -> Ran:
    answer = " ".join(part for part in (str(response.status), shown(response.reason or ""), said) if part)
    if 200 <= response.status < 300:
        return Ran("done", shown(answer))
    if 300 <= response.status < 400:
        return Ran(
            "failed", f"{far} answered {response.status}; redirects are not followed, write the new address"
        )
    return Ran("failed", shown(f"{far} answered {answer}"))


def _no_answer(error: Exception, far: str, timeout_s: float) -> Ran:
    match error:
        case aiohttp.ConnectionTimeoutError():
            return Ran("failed", f"no connection to {far} within {timeout_s / 2:g} s")
        case TimeoutError():
            return Ran("unsure", f"no answer from {far} within {timeout_s:g} s; it may have been taken")
        case aiohttp.ClientConnectorCertificateError():
            return Ran("failed", f"the certificate of {far} is not trusted")
        case aiohttp.ClientConnectorError():
            number = error.os_error.errno
            reason = os.strerror(number) if number else type(error).__name__
            return Ran("failed", f"no connection to {far}: {reason}")
        case aiohttp.InvalidURL():
            return Ran("failed", f"{far} is no address that can be asked; check the url")
    return Ran("unsure", f"{far} broke off before it answered; it may have been taken")


def _secrets(url: Secret, secret: Secret) -> list[str]:
    parsed = urlsplit(url.reveal())
    pieces = [*parsed.path.split("/"), *(value for _, value in parse_qsl(parsed.query))]
    return [secret.reveal(), url.reveal(), parsed.path, parsed.query, parsed.password or "", *pieces]
