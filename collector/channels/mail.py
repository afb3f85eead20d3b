"""Mail, by a mail server of yours: plain text and HTML, the mails of an incident in one thread."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from email.message import EmailMessage
from email.utils import formataddr, formatdate, parseaddr
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from aiosmtplib import SMTP, SMTPException, SMTPResponseException
from msgspec import Meta

from agent.options import Secret
from collector.channels import ChannelOptions, Failed, Message, Sent, cut, shown
from collector.channels._html import page

RECIPIENTS_MAX = 20
PORTS = {"starttls": 587, "tls": 465, "none": 25}
SUBJECT_LETTERS_MAX = 200
GOODBYE_S = 1.0


class Options(ChannelOptions, kw_only=True, frozen=True):
    """to: the addresses it goes to, in one mail
    from: the address it comes from, such as Watchkeeper <watchkeeper@example.org>
    server: the mail server, and its port unless it is the usual one (587, with `tls` 465, with `none` 25)
    encryption: starttls, tls (from the first byte on) or none, which is for a server on this very machine
    user: to log in as, where the server wants that
    password: to log in with
    ca_file: certificates (PEM) to trust instead of the system's
    """

    to: Annotated[list[str], Meta(min_length=1, max_length=RECIPIENTS_MAX)]
    sender: str = msgspec.field(name="from")
    server: str
    encryption: Literal["starttls", "tls", "none"] = "starttls"
    user: str | None = None
    password: Secret | None = None
    ca_file: Path | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for key, text in [("from", self.sender), *(("to", one) for one in self.to)]:
            if not re.fullmatch(r"[^\s@<>,]+@[^\s@<>,]+", parseaddr(text)[1]) or not text.isprintable():
                raise ValueError(
                    f"{key}: {text[:200]!r} is no mail address; write one such as ops@example.org"
                )
        if not re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^\s:/@\[\]]+)(:\d{1,5})?", self.server):
            raise ValueError(
                f"server: {self.server[:200]!r} is no mail server; write one such as smtp.example.org:587"
            )
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password go together; one of them is missing")

    @property
    def address(self) -> tuple[str, int]:
        host, port = re.fullmatch(r"(.*?)(?::(\d+))?", self.server).groups()  # type: ignore[union-attr]
        return host.strip("[]"), int(port) if port else PORTS[self.encryption]


class Channel:
    def __init__(self, options: Options) -> None:
        self.timeout_s = options.timeout_s
        self._options = options

    async def send(self, message: Message) -> Sent | Failed:
        """One connection for one mail: they are rare, and a kept connection is a dead one by the next."""
        talk = _Talk(self._options)
        try:
            async with asyncio.timeout(self.timeout_s):
                return await talk.hand_over(compose(message, self._options))
        except TimeoutError:
            return Failed(f"{self._options.server} was silent for {self.timeout_s:g} s", unsure=talk.said_all)
        except SMTPResponseException as refused:
            return self._refused(refused, talk.said_all)
        except (SMTPException, OSError, ssl.SSLError, ValueError) as error:
            words = shown(f"{self._options.server}: {error}", self._secrets)
            return Failed(words, unsure=talk.said_all)
        finally:
            await talk.end()

    async def close(self) -> None:
        """Nothing is kept open between two mails."""

    def _refused(self, refused: SMTPResponseException, said_all: bool) -> Failed:
        """Whom it comes from, whom it is for and who logs in are the same with every mail; what it says is not."""
        words = shown(f"the mail server answered {refused.code} {refused.message}", self._secrets)
        for_good = refused.code >= 500
        return Failed(words, permanent=for_good and said_all, closed=for_good and not said_all)

    @property
    def _secrets(self) -> list[str]:
        password = self._options.password
        return [password.reveal()] if password else []


class _Talk:
    """One conversation with the server. `said_all`: it has the whole mail, so it may have taken it."""

    def __init__(self, options: Options) -> None:
        self.said_all = False
        self._options = options
        host, port = options.address
        self._smtp = SMTP(
            hostname=host,
            port=port,
            use_tls=options.encryption == "tls",
            start_tls=options.encryption == "starttls",
            tls_context=None if options.encryption == "none" else _trust(options.ca_file),
            timeout=options.timeout_s,
        )

    async def hand_over(self, mail: EmailMessage) -> Sent | Failed:
        """SMTPException, OSError: what the server or the way to it did."""
        options, smtp = self._options, self._smtp
        await smtp.connect()
        if options.user is not None and options.password is not None:
            await smtp.login(options.user, options.password.reveal())
        await smtp.mail(parseaddr(options.sender)[1])
        taken, refused = await self._recipients()
        if not taken:
            raise refused[0][1]
        self.said_all = True
        answer = await smtp.data(mail.as_bytes(policy=mail.policy.clone(linesep="\r\n", max_line_length=998)))
        words = f"the mail server answered {answer.code} {answer.message}"
        if refused:
            words += f"; it does not take mail to {', '.join(f'{one} ({why.code})' for one, why in refused)}"
        return Sent(shown(words))

    async def _recipients(self) -> tuple[list[str], list[tuple[str, SMTPResponseException]]]:
        """Who is to have it: whom the server takes, and whom it does not. A mail to some is better than one to none."""
        taken: list[str] = []
        refused: list[tuple[str, SMTPResponseException]] = []
        for one in self._options.to:
            address = parseaddr(one)[1]
            try:
                await self._smtp.rcpt(address)
                taken.append(address)
            except SMTPResponseException as error:
                refused.append((address, error))
        return taken, refused

    async def end(self) -> None:
        """Say goodbye if that is quickly done; what was sent is sent."""
        with contextlib.suppress(SMTPException, OSError, TimeoutError):
            async with asyncio.timeout(GOODBYE_S):
                await self._smtp.quit()
        self._smtp.close()


def _trust(ca_file: Path | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file)


def compose(message: Message, options: Options) -> EmailMessage:
    """The mail itself. Its Message-ID is the notice's, the same on every try, so that a mail server or program that
    sees two can tell that they are one; all mails of an incident answer the same thread."""
    notice = message.notice
    domain = parseaddr(options.sender)[1].rpartition("@")[2]
    thread = f"<incident-{notice.incident}-{notice.started_at}@{domain}>"
    mail = EmailMessage()
    mail["Subject"] = cut(message.title, SUBJECT_LETTERS_MAX)
    mail["From"] = formataddr(parseaddr(options.sender))
    mail["To"] = ", ".join(formataddr(parseaddr(one)) for one in options.to)
    mail["Date"] = formatdate(notice.created_at / 1000, usegmt=True)
    mail["Message-ID"] = f"<{re.sub(r'[^A-Za-z0-9._-]', '-', notice.id)}@{domain}>"
    mail["In-Reply-To"] = mail["References"] = thread
    mail["X-Watchkeeper-Notice"] = notice.id
    mail["Auto-Submitted"] = "auto-generated"
    if notice.severity == "critical" and notice.reason != "resolved":
        mail["Importance"] = "high"
    mail.set_content(message.text + "\n")
    mail.add_alternative(message.html or page(message), subtype="html")
    return mail
