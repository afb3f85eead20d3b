"""What an answer to a POST means for a channel: whether the notice was taken, and what is to become of the next."""

from __future__ import annotations

from datetime import UTC, datetime

from agent.options import Secret
from collector.channels import Failed, Sent
from collector.posting import Answer, NoAnswer, origin

MAY_PASS = {408, 425, 429}
ABOUT_THE_NOTICE = {400, 406, 411, 413, 414, 415, 422, 431}
"""It is this body that is not liked; the next one may be."""


def check_url(url: Secret) -> None:
    """ValueError unless `url` is one to post to; the sentence does not repeat it, because it is a secret."""
    text = url.reveal()
    if not origin(text).startswith(("http://", "https://")) or not text.isprintable() or " " in text:
        raise ValueError("url: expected an address that begins with http:// or https:// and names a host")


def judged(answer: Answer | NoAnswer, where: str) -> Sent | Failed:
    """What an answer means by its status alone."""
    if isinstance(answer, NoAnswer):
        return Failed(answer.words, unsure=answer.unsure, closed=answer.hopeless)
    status = answer.status
    if 200 <= status < 300:
        return Sent(answer.words)
    if 300 <= status < 400:
        # Where exactly is not shown: the new address may hold the same secret as ours.
        to = f" to {answer.leads_to}" if answer.leads_to else ""
        return Failed(
            f"{where} answered {status}, it redirects{to}: redirects are not followed, so write the new address into "
            "the configuration",
            closed=True,
        )
    return Failed(
        f"{where} answered {answer.words}",
        permanent=status in ABOUT_THE_NOTICE,
        closed=is_closed(status),
        retry_after_s=answer.retry_after_s,
    )


def is_closed(status: int) -> bool:
    """Whether every notice would get this answer."""
    return 300 <= status < 500 and status not in MAY_PASS | ABOUT_THE_NOTICE


def rfc3339(at_ms: int) -> str:
    """A time as programs read it."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
