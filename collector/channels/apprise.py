"""Any of the services that Apprise knows: more than a hundred, from phones to chat rooms."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import threading
import warnings
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, unquote

from msgspec import Struct

from agent.options import Secret
from collector.channels import ChannelOptions, Failed, Message, Sent, shown
from collector.channels._http import ABOUT_THE_NOTICE, is_closed

STUCK_MAX = 4
"""So many tries may go on beyond their time limit; then no new one begins until one of them has ended."""
HOPE_S_MAX = 3_600.0
"""So long the outcome of a late try counts for its notice, which is not sent a second time meanwhile. Longer than the
longest pause between two tries."""
MAIL_SILENCE_S_MAX = 60.0
"""A mail server that looks for viruses before it says yes is slow, not dead."""

SMTP_REPLY = re.compile(r"\b([245]\d\d), b(['\"])(.*?)\2")
HTTP_STATUS = re.compile(r"\berror=(\d{3})\b")
CAUSE = re.compile(r"Socket Exception: (?:.*Caused by )?(.*?)\)*", re.DOTALL | re.IGNORECASE)
CUT_OFF = re.compile(
    r"timed out|unexpectedly closed|reset by peer|broken pipe|without response", re.IGNORECASE
)
BEFORE_IT_WAS_SAID = re.compile(r"connect timeout|^Connection error while submitting email")
LOGIN_REFUSED = {530, 534, 535, 538}
"""A password can be put right while the notice waits, unlike an address that is not there."""


class Options(ChannelOptions, kw_only=True, frozen=True):
    """url: where to, as Apprise writes it, such as mailtos://user:password@example.org?to=you@example.org"""

    url: Secret

    def __post_init__(self) -> None:
        super().__post_init__()
        load()
        plugin = plugin_for(self.url)
        copies = [*getattr(plugin, "cc", ()), *getattr(plugin, "bcc", ())]
        if len(plugin) + len(copies) > 1:
            raise ValueError(
                f"url: it leads to {len(plugin) + len(copies)} recipients; give each a channel of its own, so that a "
                "failure for one does not send to the others again"
            )


class Try(Struct, eq=False):
    """One call of Apprise in a thread of its own. A thread cannot be ended from outside, only be waited for."""

    ended: asyncio.Future[Sent | Failed]
    began_at_s: float


class Channel:
    def __init__(self, options: Options) -> None:
        self._url, self._name, self._try_s = options.url, options.name, options.timeout_s
        self._pause_s = pause_s(plugin_for(options.url))
        self.timeout_s = self._pause_s + self._try_s
        self._rest_until_s = 0.0
        self._late: dict[str, Try] = {}
        self._threads: list[threading.Thread] = []

    async def send(self, message: Message) -> Sent | Failed:
        """A notice whose earlier try went on past its limit gets the outcome of that one, and no second try."""
        loop = asyncio.get_running_loop()
        self._forget(loop.time())
        notice = message.notice.id
        attempt = self._late.get(notice)
        if attempt is None:
            if len(self._threads) >= STUCK_MAX:
                return Failed(
                    f"{STUCK_MAX} earlier tries hang at the far side; the next begins when one has ended"
                )
            await asyncio.sleep(self._rest_until_s - loop.time())
            attempt = self._late[notice] = self._begin(message)
        await asyncio.wait([attempt.ended], timeout=self._try_s)
        self._rest_until_s = loop.time() + self._pause_s
        if not attempt.ended.done():
            return Failed(f"not done within {self._try_s:g} s; it may still get through", unsure=True)
        del self._late[notice]
        return attempt.ended.result()

    async def close(self) -> None:
        """What hangs is left behind: its thread holds nobody up when the process ends."""
        self._late.clear()

    def _forget(self, now_s: float) -> None:
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        self._late = {
            notice: attempt
            for notice, attempt in self._late.items()
            if now_s - attempt.began_at_s < HOPE_S_MAX
        }

    def _begin(self, message: Message) -> Try:
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[Sent | Failed] = loop.create_future()

        def work() -> None:
            outcome = deliver(self._url, message, self._try_s)
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(ended.set_result, outcome)

        # A daemon: one of a pool would be waited for when the process ends, for as long as its far side pleases.
        thread = threading.Thread(target=work, name=f"channel {self._name}", daemon=True)
        thread.start()
        self._threads.append(thread)
        return Try(ended=ended, began_at_s=loop.time())


# --- what Apprise does ------------------------------------------------------------------------------------------------


def load() -> None:
    """Bring Apprise in with all its plugins: some 40 MiB, paid by those who use it.

    Its log shows whole addresses at debug level, and reading that log is the one way to an SMTP server's reply; so it
    is kept out of every other log. urllib3, below it, shows addresses too.
    """
    logger = logging.getLogger("apprise")
    logger.propagate = False
    logger.setLevel(logging.DEBUG)
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it imports what Python 3.11 calls deprecated
        import apprise

        apprise.Apprise.instantiate("json://localhost")


def plugin_for(url: Secret) -> Any:
    """A fresh plugin with our ways: no files, no threads, no redirects. ValueError when Apprise knows no such url."""
    import apprise

    asset = apprise.AppriseAsset(
        app_id="Watchkeeper",
        app_desc="Watchkeeper",
        app_url="",
        async_mode=False,
        http_redirects=False,  # a redirected POST becomes a GET, and is then called a success
        storage_mode="memory",
        service_timeout=0,
        pgp_autogen=False,
        pem_autogen=False,
    )
    try:
        plugin = apprise.Apprise.instantiate(url.reveal(), asset=asset, suppress_exceptions=False)
    except Exception as error:  # noqa: BLE001 - whatever its plugin raises, the url is at fault
        pieces = re.split(r"[/?&=:]", url.reveal())
        raise ValueError(f"url: Apprise cannot send to it: {shown(str(error), pieces)}") from None
    if plugin is None or len(plugin) == 0:
        raise ValueError(
            "url: Apprise cannot send to it; expected one such as mailto://mail.example.org?from=a@example.org"
            "&to=b@example.org (for others see https://github.com/caronc/apprise)"
        )
    if "overflow=" not in url.reveal():
        plugin.overflow_mode = apprise.OverflowMode.TRUNCATE
    return plugin


def is_mail(plugin: Any) -> bool:
    from apprise.plugins.email import NotifyEmail

    return isinstance(plugin, NotifyEmail)


def pause_s(plugin: Any) -> float:
    """What Apprise keeps between two messages to a service. It does so for mail too, which no mail server needs."""
    return 0.0 if is_mail(plugin) else float(plugin.request_rate_per_sec)


def deliver(url: Secret, message: Message, timeout_s: float) -> Sent | Failed:
    """One call of Apprise; whatever it raises is a failure that may pass."""
    try:
        import apprise

        plugin = plugin_for(url)
        wait_longer(plugin, timeout_s)
        if is_mail(plugin):
            plugin.headers = {**plugin.headers, **mail_headers(message)}
        hidden = secret_parts(plugin, url.reveal())
        box = apprise.Apprise()
        box.add(plugin)
        with box.notify(
            title=message.title,
            body=message.text,
            body_format="text",
            notify_type=notify_type(message),
            log_level=logging.DEBUG,
        ) as result:
            return understood(bool(result), [(entry.level, entry.message) for entry in result.logs()], hidden)
    except Exception as error:  # noqa: BLE001 - a hundred authors' plugins; the notifier tells and counts it
        return Failed(f"Apprise failed: {type(error).__name__}", unsure=True)


def wait_longer(plugin: Any, timeout_s: float) -> None:
    """Apprise hangs up on a slow service within seconds, and then nobody knows whether it has taken the notice. We wait
    in a thread, so it may take its time, unless the url says how long (cto, rto)."""
    kind = type(plugin)
    if is_mail(plugin) and plugin.socket_connect_timeout == kind.socket_connect_timeout:
        plugin.socket_connect_timeout = MAIL_SILENCE_S_MAX  # of every answer, not only to the connection
    elif plugin.socket_read_timeout == kind.socket_read_timeout:
        plugin.socket_read_timeout = max(plugin.socket_read_timeout, timeout_s)


def mail_headers(message: Message) -> dict[str, str]:
    """What lets a mail program show an incident's mails as one thread, and a person know a repeat: Apprise makes a
    new Message-ID for each try."""
    notice = message.notice
    thread = f"<incident-{notice.incident}-{notice.started_at}@watchkeeper.invalid>"
    return {
        "X-Watchkeeper-Notice": notice.id,
        "In-Reply-To": thread,
        "References": thread,
        "Auto-Submitted": "auto-generated",
    }


def notify_type(message: Message) -> str:
    if message.notice.reason == "resolved":
        return "success"
    return {"info": "info", "warning": "warning", "critical": "failure"}[message.notice.severity]


def understood(succeeded: bool, logs: Iterable[tuple[str, str]], secrets: Iterable[str]) -> Sent | Failed:
    """Apprise says yes or no; the reason is to be found in its log, an SMTP server's words at debug level only."""
    entries = list(logs)
    said = [text for level, text in entries if level in (("INFO",) if succeeded else ("WARNING", "ERROR"))]
    if succeeded:
        return Sent(shown(said[-1] if said else "sent", secrets))
    causes = [found[1] for level, text in entries if level == "DEBUG" and (found := CAUSE.fullmatch(text))]
    status = HTTP_STATUS.search(" ".join(said))
    reply = SMTP_REPLY.search(causes[-1]) if causes else None
    if reply is not None:
        code = int(reply[1])
        words = shown(f"the mail server answered {code} {reply[3]}", secrets)
        return Failed(words, permanent=code >= 500 and code not in LOGIN_REFUSED)
    parts = [said[0].rstrip(".") if said else "Apprise did not send it", *causes[-1:]]
    words = shown(": ".join(parts), secrets)
    if status is not None:
        code = int(status[1])
        return Failed(words, permanent=code in ABOUT_THE_NOTICE, closed=is_closed(code))
    return Failed(
        words, unsure=CUT_OFF.search(words) is not None and BEFORE_IT_WAS_SAID.search(words) is None
    )


def secret_parts(plugin: Any, url: str) -> list[str]:
    """What of an address must not be shown: of a mail's only the password, of others all but the host."""
    if is_mail(plugin):
        return [url, plugin.password or "", quote(plugin.password or "", safe="")]
    pieces = [piece for piece in re.split(r"[/?&=@:#+]", url) if piece and piece != plugin.host]
    return [url, *pieces, *map(unquote, pieces)]
