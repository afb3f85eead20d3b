"""An order as a signed POST: whoever has the secret can tell that it came from here, and when.

The signature is HMAC-SHA256 over the time, a dot and the body, so that an old order cannot be sent again later on.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac

import msgspec

from agent.options import Secret
from collector.advice.orders import Order, Ran
from collector.posting import Answer, NoAnswer, Poster, shown


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """What X-Watchkeeper-Signature holds; the far side makes the same and compares."""
    made = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256)
    return f"sha256={made.hexdigest()}"


def body_of(order: Order) -> bytes:
    return msgspec.json.encode(order)


async def post(url: Secret, secret: Secret, timeout_s: float, order: Order) -> Ran:
    """Send it once and say truly what became of it."""
    body, timestamp = body_of(order), str(order.at // 1000)
    headers = {
        "Idempotency-Key": f"watchkeeper-scale-{order.run}-{order.at}",
        "X-Watchkeeper-Timestamp": timestamp,
        "X-Watchkeeper-Signature": signature(secret.reveal(), timestamp, body),
    }
    async with contextlib.aclosing(Poster(url, timeout_s, secrets=[secret.reveal()])) as poster:
        return _judged(await poster.post(body, headers), poster.where)


def _judged(answer: Answer | NoAnswer, far: str) -> Ran:
    if isinstance(answer, NoAnswer):
        return Ran("unsure" if answer.unsure else "failed", answer.words)
    if 200 <= answer.status < 300:
        return Ran("done", shown(answer.words))
    if 300 <= answer.status < 400:
        return Ran(
            "failed", f"{far} answered {answer.status}; redirects are not followed, write the new address"
        )
    return Ran("failed", shown(f"{far} answered {answer.words}"))
