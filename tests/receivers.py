"""The far side, for real: an SMTP server, and an HTTP receiver that is as particular about Slack's payloads as Slack.

Both keep what they got, with the time, and can be told to behave badly. Tests use them as objects; whole-path tests run
`python -m tests.receivers --smtp-port N --http-port N --record FILE`, which writes one line of JSON for each thing
received and takes orders by HTTP: POST /-/behave {"smtp": "hang", "http": "status:503"}.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import email
import email.policy
import json
import re
import signal
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from aiohttp import web
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from msgspec import Struct

from tests.waiting import PATIENCE_S

SLACK_PATH = "/services/T00000000/B00000000/abcdefghijklmnopqrstuvwx"
FOR_EVER_S = 3_600


class Received(Struct):
    """One mail or one POST that was taken."""

    at_ms: int
    kind: str
    to: str
    title: str
    text: str
    headers: dict[str, str]
    body: Any = None
    sender: str = ""
    html: str = ""


class Receiver:
    """What both kinds have in common: what was taken, in order, and how many tries there were."""

    def __init__(self, behaviour: str = "accept", record: Callable[[Received], None] | None = None) -> None:
        self.behaviour = behaviour
        self.taken: list[Received] = []
        self.tries = 0
        self._record = record
        self._news = asyncio.Event()

    def take(self, received: Received) -> None:
        self.taken.append(received)
        if self._record:
            self._record(received)
        self._news.set()

    async def wait_for(self, count: int, timeout_s: float = PATIENCE_S) -> list[Received]:
        """Everything taken so far, once that is at least `count`; TimeoutError after `timeout_s`."""
        async with asyncio.timeout(timeout_s):
            while len(self.taken) < count:
                self._news.clear()
                await self._news.wait()
        return self.taken


def now_ms() -> int:
    return time.time_ns() // 1_000_000


# --- mail -------------------------------------------------------------------------------------------------------------


class MailReceiver(Receiver):
    """An SMTP server. `behaviour`: accept; refuse (550 for the recipient); refuse:ADDRESS (for this one); busy (451
    after the message); hang (says nothing at all); hang-after-data (takes the message, never answers); slow (answers
    after `slow_s`, and has taken it); drip (one byte of its greeting every `drip_s`).

    With `tls` it offers STARTTLS; with `login`, a (user, password), it takes no mail without it.
    """

    slow_s = 0.5
    drip_s = 0.2

    def __init__(
        self,
        *,
        behaviour: str = "accept",
        tls: ssl.SSLContext | None = None,
        login: tuple[str, str] | None = None,
        record: Callable[[Received], None] | None = None,
    ) -> None:
        super().__init__(behaviour, record)
        self.port = 0
        self._tls, self._login = tls, login
        self._server: asyncio.Server | None = None
        self._talks: set[_Talk] = set()

    async def start(self, port: int = 0, host: str = "127.0.0.1") -> None:
        loop = asyncio.get_running_loop()
        options: dict[str, Any] = {"tls_context": self._tls, "require_starttls": self._tls is not None}
        if self._login:
            options |= {"authenticator": self._authenticate, "auth_required": True}
            options |= {"auth_require_tls": self._tls is not None}
        self._server = await loop.create_server(lambda: _Talk(self, loop, options), host, port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for talk in list(self._talks):
            talk.abort()
        await asyncio.sleep(0)

    def _authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _how: str, given: Any
    ) -> AuthResult:
        assert isinstance(given, LoginPassword)
        right = self._login == (given.login.decode(), given.password.decode())
        return AuthResult(success=right, handled=False)

    async def handle_RCPT(  # noqa: N802 - the name aiosmtpd calls
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.behaviour in ("refuse", f"refuse:{address}"):
            return "550 5.1.1 There is no such user here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.behaviour == "busy":
            return "451 4.3.0 Try again later"
        assert isinstance(envelope.content, bytes)
        self.take(_as_received(envelope, envelope.content))
        if self.behaviour == "hang-after-data":
            await asyncio.sleep(FOR_EVER_S)
        if self.behaviour == "slow":
            await asyncio.sleep(self.slow_s)
        return f"250 2.0.0 Taken as {len(self.taken)}"


class _Talk(SMTP):
    """One client's connection."""

    def __init__(
        self, receiver: MailReceiver, loop: asyncio.AbstractEventLoop, options: dict[str, Any]
    ) -> None:
        super().__init__(receiver, hostname="mail.example.org", ident="ESMTP", loop=loop, **options)
        self._receiver = receiver

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self.transport is None:
            self._receiver.tries += 1
            self._receiver._talks.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._receiver._talks.discard(self)
        super().connection_lost(error)

    def abort(self) -> None:
        # Python 3.11 forgets what is below TLS once it was closed twice; then there is nothing left to abort.
        with contextlib.suppress(AttributeError):
            if isinstance(self.transport, asyncio.Transport):
                self.transport.abort()

    async def _handle_client(self) -> None:
        if self._receiver.behaviour == "hang":
            await asyncio.sleep(FOR_EVER_S)
        if self._receiver.behaviour == "drip":
            with contextlib.suppress(ConnectionError):
                while True:
                    self._writer.write(b"2")
                    await self._writer.drain()
                    await asyncio.sleep(self._receiver.drip_s)
        await super()._handle_client()


def _as_received(envelope: Envelope, content: bytes) -> Received:
    mail = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(mail, EmailMessage)
    part, html = mail.get_body(("plain", "html")), mail.get_body(("html",))
    return Received(
        at_ms=now_ms(),
        kind="mail",
        to=", ".join(envelope.rcpt_tos),
        title=str(mail["Subject"]),
        text=part.get_content() if part is not None else "",
        headers={name: str(value) for name, value in mail.items()},
        sender=envelope.mail_from or "",
        html=html.get_content() if html is not None else "",
    )


# --- HTTP -------------------------------------------------------------------------------------------------------------


class HttpReceiver(Receiver):
    """An HTTP server: Slack at SLACK_PATH, a plain taker of JSON anywhere else.

    `behaviour`: accept; status:NNN; busy:SECONDS (429 with Retry-After); busy-until:SECONDS (the same as a date); hang;
    hang-after-body (takes it, never answers); drip (a good status, then a body without an end); redirect; cut (closes
    without an answer); echo (200 and all that was sent, headers too).
    """

    def __init__(
        self,
        *,
        behaviour: str = "accept",
        tls: ssl.SSLContext | None = None,
        record: Callable[[Received], None] | None = None,
    ) -> None:
        super().__init__(behaviour, record)
        self.port = 0
        self.requests: list[tuple[str, str]] = []
        self.orders: Callable[[dict[str, str]], None] = self._obey
        self._tls = tls
        app = web.Application(client_max_size=1 << 20)
        app.router.add_post("/-/behave", self._behave)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    async def start(self, port: int = 0, host: str = "127.0.0.1") -> None:
        await self._runner.setup()
        listening = socket.create_server((host, port), reuse_port=False)
        self.port = listening.getsockname()[1]
        await web.SockSite(self._runner, listening, ssl_context=self._tls).start()

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _behave(self, request: web.Request) -> web.Response:
        self.orders(msgspec.json.decode(await request.read(), type=dict[str, str]))
        return web.Response(text="ok")

    def _obey(self, orders: dict[str, str]) -> None:
        self.behaviour = orders.get("http", self.behaviour)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.tries += 1
        self.requests.append((request.method, request.path))
        name, _, rest = self.behaviour.partition(":")
        if name == "hang":
            await asyncio.sleep(FOR_EVER_S)
        raw = await request.read()
        match name:
            case "status":
                return web.Response(status=int(rest), text="as told")
            case "busy":
                return web.Response(status=429, text="rate_limited", headers={"Retry-After": rest})
            case "busy-until":
                # The date of the answer and the date in it come from one clock.
                moment = time.time() + float(rest)
                dates = {"Retry-After": http_date(moment), "Date": http_date(moment - float(rest))}
                return web.Response(status=429, headers=dates)
            case "redirect":
                return web.Response(
                    status=301, headers={"Location": f"https://elsewhere.example{request.path}"}
                )
            case "cut":
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
        response = (
            self._slack(request, raw) if request.path.startswith("/services/") else self._plain(request, raw)
        )
        if name == "hang-after-body":
            await asyncio.sleep(FOR_EVER_S)
        if name == "drip":
            return await drip(request)
        if name == "echo":
            return web.Response(text=f"{request.path_qs} {dict(request.headers)} {raw.decode()}")
        return response

    def _plain(self, request: web.Request, raw: bytes) -> web.Response:
        try:
            body = msgspec.json.decode(raw) if raw else None
        except msgspec.DecodeError:
            return web.Response(status=400, text="not JSON")
        title = ""
        if isinstance(body, dict):
            title = str(body.get("title") or (body.get("commonAnnotations") or {}).get("title", ""))
        self._took(request, title, raw.decode(), body)
        return web.Response(text="taken")

    def _slack(self, request: web.Request, raw: bytes) -> web.Response:
        """As https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks says, and a little stricter."""
        if request.path != SLACK_PATH:
            known = request.path.rpartition("/")[0] == SLACK_PATH.rpartition("/")[0]
            return (
                web.Response(status=403, text="invalid_token")
                if known
                else web.Response(status=404, text="no_service")
            )
        try:
            body = msgspec.json.decode(raw, type=dict[str, Any])
        except (msgspec.DecodeError, msgspec.ValidationError):
            return web.Response(status=400, text="invalid_payload")
        problem = slack_problem(body)
        if problem:
            return web.Response(status=400, text=problem)
        sections = [
            block["text"]["text"]
            for block in body.get("blocks", ())
            if block["type"] in ("section", "header")
        ]
        self._took(request, body.get("text", ""), "\n".join(sections), body)
        return web.Response(text="ok")

    def _took(self, request: web.Request, title: str, text: str, body: Any) -> None:
        kind = "slack" if request.path.startswith("/services/") else "post"
        self.take(Received(now_ms(), kind, request.path, title, text, dict(request.headers), body))


def slack_problem(body: dict[str, Any]) -> str:
    """The word Slack would answer with, or "" for a good payload."""
    text, blocks = body.get("text"), body.get("blocks")
    if not text and not blocks and not body.get("attachments"):
        return "no_text"
    if text is not None and (not isinstance(text, str) or len(text) > 40_000 or is_unescaped(text)):
        return "invalid_payload"
    if blocks is None:
        return ""
    if not isinstance(blocks, list) or not 0 < len(blocks) <= 50:
        return "invalid_blocks"
    return "" if all(map(is_good_block, blocks)) else "invalid_blocks"


def is_good_block(block: Any) -> bool:
    match block:
        case {"type": "divider"}:
            return True
        case {"type": "header", "text": {"type": "plain_text", "text": str(text)}}:
            return 0 < len(text) <= 150
        case {"type": "section", "text": {"type": "mrkdwn" | "plain_text" as kind, "text": str(text)}}:
            return 0 < len(text) <= 3_000 and not (kind == "mrkdwn" and is_unescaped(text))
        case {"type": "context", "elements": [_, *_] as elements}:
            return len(elements) <= 10
    return False


def is_unescaped(text: str) -> bool:
    """An & that begins no entity, or a < or > outside a link: Slack takes it and shows something else."""
    without_links = re.sub(r"<(?:https?://|mailto:|[@#!])[^<>]*>", "", text)
    return re.search(r"&(?!amp;|lt;|gt;)|[<>]", without_links) is not None


def http_date(moment_s: float) -> str:
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(moment_s))


async def drip(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    with contextlib.suppress(ConnectionError):
        while True:
            await response.write(b".")
            await asyncio.sleep(0.2)
    return response


R = TypeVar("R", MailReceiver, HttpReceiver)


@asynccontextmanager
async def at_work(receiver: R) -> AsyncIterator[R]:
    """The receiver, as long as it is used."""
    await receiver.start()
    try:
        yield receiver
    finally:
        await receiver.stop()


# --- as a process -----------------------------------------------------------------------------------------------------


async def serve(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with Path(options.record).open("ab", buffering=0) as file:

        def record(received: Received) -> None:
            file.write(msgspec.json.encode(received) + b"\n")

        mail = MailReceiver(behaviour=options.smtp, record=record)
        http = HttpReceiver(behaviour=options.http, record=record)

        def obey(orders: dict[str, str]) -> None:
            mail.behaviour = orders.get("smtp", mail.behaviour)
            http.behaviour = orders.get("http", http.behaviour)

        http.orders = obey
        await mail.start(options.smtp_port, options.host)
        await http.start(options.http_port, options.host)
        print(
            json.dumps({"smtp_port": mail.port, "http_port": http.port, "slack_path": SLACK_PATH}), flush=True
        )
        await stop.wait()
        await mail.stop()
        await http.stop()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.receivers", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument(
        "--smtp-port", type=int, default=0, help="0 takes a free one; both are printed, as JSON"
    )
    parser.add_argument("--http-port", type=int, default=0)
    parser.add_argument("--smtp", default="accept", help="how the SMTP server behaves")
    parser.add_argument("--http", default="accept", help="how the HTTP receiver behaves")
    parser.add_argument(
        "--record", required=True, help="file that gets a line of JSON for each thing received"
    )
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
