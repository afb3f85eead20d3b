"""One body posted to one secret address, and the answer read with limits: what all that posts has in common."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterable, Mapping, Sequence
from email.utils import parsedate_to_datetime
from urllib.parse import parse_qsl, unquote, urljoin, urlsplit

import aiohttp
from msgspec import Struct

from agent.options import Secret

BODY_BYTES_MAX = 2_048
BODY_S_MAX = 2.0
"""The status has told all that matters; what is said beyond it is waited for no longer than this."""

ANSWER_LETTERS_MAX = 300
SECRET_LETTERS_MIN = 4


def origin(url: str) -> str:
    """Scheme, host and port of an address, without the name and password it may hold; "" if it is none."""
    try:
        parsed = urlsplit(url)
        port = f":{parsed.port}" if parsed.port else ""
    except ValueError:
        return ""
    host = f"[{parsed.hostname}]" if ":" in (parsed.hostname or "") else parsed.hostname
    return f"{parsed.scheme}://{host}{port}" if parsed.scheme and host else ""


def secret_parts(url: str) -> list[str]:
    """What of an address must not be shown: all but its origin, in whole and piece by piece."""
    parsed = urlsplit(url)
    values = [value for _, value in parse_qsl(parsed.query)]
    pieces = [*parsed.path.split("/"), *values, parsed.username or "", parsed.password or ""]
    whole = [url, parsed.path, parsed.query, f"{parsed.path}?{parsed.query}"]
    return [*whole, *pieces, *map(unquote, pieces)]


def shown(text: str, secrets: Iterable[str] = (), letters_max: int = ANSWER_LETTERS_MAX) -> str:
    """`text` from the far side as it may be kept and shown: one short line, without the secrets it may repeat."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= SECRET_LETTERS_MIN:
            text = text.replace(secret, "****")
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return cut(" ".join(printable.split()), letters_max)


def cut(text: str, letters_max: int) -> str:
    return text if len(text) <= letters_max else text[: letters_max - 1] + "…"


class Answer(Struct, frozen=True):
    """What the far side said. `body` is its beginning, on one line and without our secrets."""

    status: int
    reason: str
    body: str = ""
    retry_after_s: float | None = None
    leads_to: str = ""

    @property
    def words(self) -> str:
        return " ".join(part for part in (str(self.status), self.reason, self.body) if part)


class NoAnswer(Struct, frozen=True):
    """Why there was none. `unsure`: it may have been taken. `hopeless`: no try will ever fare better."""

    words: str
    unsure: bool = False
    hopeless: bool = False


class Poster:
    """Posts to `url` and never shows it: `where`, its scheme and host, stands for it in every sentence."""

    def __init__(
        self,
        url: Secret,
        timeout_s: float,
        headers: Mapping[str, str] | None = None,
        secrets: Sequence[str] = (),
    ) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._headers = {"User-Agent": "Watchkeeper", **(headers or {})}
        self._secrets = [*secret_parts(url.reveal()), *secrets]
        self._session: aiohttp.ClientSession | None = None
        self.where = origin(url.reveal())

    async def post(self, body: bytes, headers: Mapping[str, str]) -> Answer | NoAnswer:
        """What an answer means is the caller's business."""
        whole = {"Content-Type": "application/json", **self._headers, **headers}
        try:
            async with self._opened().post(
                self._url.reveal(), data=body, headers=whole, allow_redirects=False
            ) as response:
                return await self._read(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return self._no_answer(error)

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                # Posts are rare: a kept connection is a dead one by the time of the next, and a POST that fails on
                # a dead connection cannot be told from one that was taken.
                connector=aiohttp.TCPConnector(limit=4, force_close=True),
                timeout=aiohttp.ClientTimeout(total=self._timeout_s, connect=self._timeout_s / 2),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=True,  # a proxy named in the environment, as every other program has it
            )
        return self._session

    async def _read(self, response: aiohttp.ClientResponse) -> Answer:
        body = bytearray()
        with contextlib.suppress(TimeoutError, aiohttp.ClientError):
            async with asyncio.timeout(BODY_S_MAX):
                async for chunk in response.content.iter_chunked(BODY_BYTES_MAX):
                    body += chunk
                    if len(body) >= BODY_BYTES_MAX:
                        break
        location = response.headers.get("Location", "")
        return Answer(
            status=response.status,
            reason=shown(response.reason or "", self._secrets, letters_max=60),
            body=shown(body[:BODY_BYTES_MAX].decode(errors="replace"), self._secrets, letters_max=200),
            retry_after_s=retry_after_s(response.headers),
            leads_to=origin(urljoin(self._url.reveal(), location)) if location else "",
        )

    def _no_answer(self, error: Exception) -> NoAnswer:
        where, limit_s = self.where, self._timeout_s
        match error:
            case aiohttp.ConnectionTimeoutError():
                return NoAnswer(f"no connection to {where} within {limit_s / 2:g} s")
            case TimeoutError():
                return NoAnswer(
                    f"no answer from {where} within {limit_s:g} s; it may have been taken", unsure=True
                )
            case aiohttp.ClientConnectorCertificateError():
                problem = shown(str(error.certificate_error))
                return NoAnswer(f"the certificate of {where} is not trusted: {problem}")
            case aiohttp.ClientConnectorDNSError():
                return NoAnswer(f"the name in {where} leads nowhere: {reason(error.os_error)}")
            case aiohttp.ClientConnectorError():
                return NoAnswer(f"no connection to {where}: {reason(error.os_error)}")
            case aiohttp.InvalidURL():
                return NoAnswer(f"{where} is no address that can be asked; check the url", hopeless=True)
        name = type(error).__name__
        return NoAnswer(f"{where} broke off before it answered ({name}); it may have been taken", unsure=True)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from either form of Retry-After; a moment is measured against the far side's own Date."""
    asked = headers.get("Retry-After", "").strip()
    if asked.isascii() and asked.isdigit():
        return float(asked[:9])
    try:
        span = parsedate_to_datetime(asked) - parsedate_to_datetime(headers.get("Date", ""))
    except (TypeError, ValueError):
        return None
    return max(0.0, span.total_seconds())


def reason(error: OSError) -> str:
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return shown(error.strerror or type(error).__name__)
