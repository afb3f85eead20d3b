"""The way to each collector, step by step: the name, the port, TLS, the token; and how far the two clocks are apart."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from functools import partial
from urllib.parse import urlsplit

from agent.config import Loaded
from agent.net import tls
from agent.net.dial import Deadline, NoAnswer, connect, resolve
from agent.net.proxy import Proxy
from agent.net.tls import Distrusted
from agent.options import say_duration
from agent.options.findings import Finding
from agent.pusher.post import Answer, Post
from agent.pusher.verdict import judge
from agent.service import new_posts, trust_of

LIMIT_S = 10.0
NOTHING = b'{"v":1,"batches":[]}'
"""A push of nothing. It is refused for that, but only after the token was taken: so nothing is stored."""
APART_S = 2.0
"""From there on the collector corrects the times of this host."""
DATE_S = 1.0
"""A date in HTTP has no fractions."""
SOON_DAYS = 14
LET_IN_ANEW = (
    "let this host join anew: watchkeeper join-command --host NAME, on the collector's machine, prints how "
    "(without --host, if it was never enrolled there)"
)
DAY_S = 86_400


def look(loaded: Loaded) -> Iterator[Finding]:
    for url, post in zip(loaded.config.collectors, new_posts(loaded), strict=True):
        steps = list(_connection(loaded, url))
        yield from steps
        if all(step.mark != "bad" for step in steps):
            yield from _answer(url, post)


def _connection(loaded: Loaded, url: str) -> Iterator[Finding]:
    """Name, port and TLS. What was found bad is the last."""
    parts = urlsplit(url)
    is_secure = parts.scheme == "https"
    host, port = str(parts.hostname), parts.port or (443 if is_secure else 80)
    deadline = Deadline(LIMIT_S)
    proxy = Proxy.of(loaded.config.proxy.reveal()) if loaded.config.proxy is not None else None
    try:
        if proxy is None:
            addresses = resolve(host, port, deadline)
            dial, how = partial(connect, addresses, deadline), f"({addresses[0].sockaddr[0]})"
        else:
            tunnel = partial(proxy.tunnel, f"{host}:{port}", deadline)
            dial = tunnel if is_secure else partial(proxy.connect, deadline)
            how = f"by the proxy {proxy.place}"
        dial().close()
        yield Finding("collector", "ok", f"{host}:{port} takes connections {how}")
        if is_secure:
            with tls.secure(dial, host, trust_of(loaded.config), deadline) as sock:
                yield _certificate(host, sock, time.time())
    except Distrusted as error:
        do = "renew it at the collector; or trust it here with `ca` or `pin` in agent.yaml, if it is the right one"
        yield Finding("TLS", "bad", str(error), do)
    except (NoAnswer, OSError) as error:
        yield Finding("collector", "bad", str(error), _remedy(str(error), host, port))


def _remedy(said: str, host: str, port: int) -> str:
    if "does not resolve" in said:
        return f"is the name right in agent.yaml? getent hosts {host}"
    if "refused" in said:
        return f"is the collector running, is {port} its port, and does it listen on more than 127.0.0.1?"
    if "TLS" in said:
        return (
            "does the collector speak TLS itself? With http:// in agent.yaml, or with its key tls, both agree"
        )
    return f"is the address right, is the host up, does a firewall between let port {port} through?"


def _certificate(host: str, sock: ssl.SSLSocket, now_s: float) -> Finding:
    shown = sock.getpeercert() or {}
    if "notAfter" not in shown:
        return Finding("TLS", "ok", f"{host} has the pinned certificate")
    days = (ssl.cert_time_to_seconds(str(shown["notAfter"])) - now_s) / DAY_S
    words = f"the certificate of {host} is trusted, for another {days:.0f} days"
    if days < SOON_DAYS:
        return Finding("TLS", "look", words, "renew it at the collector")
    return Finding("TLS", "ok", words)


def _answer(url: str, post: Post) -> Iterator[Finding]:
    began_s = time.time()
    try:
        answer = post.post([NOTHING], LIMIT_S)
    except NoAnswer as error:
        yield Finding("collector", "bad", str(error), "journalctl --unit watchkeeper-collector, over there")
        return
    finally:
        post.close()
    verdict = judge(answer, 0)
    match verdict.kind:
        case "too much" | "taken":
            yield Finding("token", "ok", f"the collector takes it; it answered in {answer.took_ms:.0f} ms")
        case "denied":
            yield Finding("token", "bad", verdict.words, LET_IN_ANEW)
        case "misled":
            yield Finding(
                "collector",
                "bad",
                f"{url}: {verdict.words}",
                "put the collector's own address into agent.yaml",
            )
        case "away":
            yield Finding(
                "collector", "bad", verdict.words, "nothing is lost: the agent tries again by itself"
            )
    yield from _clocks(answer, (began_s + time.time()) / 2)


def _clocks(answer: Answer, now_s: float) -> Iterator[Finding]:
    if answer.date_s is None:
        return
    ahead_s = now_s - answer.date_s - DATE_S / 2
    if abs(ahead_s) <= APART_S + DATE_S / 2:
        yield Finding("clock", "ok", "is with the collector's, to a second or two")
        return
    way = "ahead of" if ahead_s > 0 else "behind"
    yield Finding(
        "clock",
        "look",
        f"is {say_duration(round(abs(ahead_s)))} {way} the collector's",
        "set the wrong one of the two, and keep both: apt-get install systemd-timesyncd",
    )
