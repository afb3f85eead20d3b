"""The certificate in the files that the config names: for how long it holds, and for which name."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from agent.options.findings import Finding
from collector.config import Loaded

SOON_DAYS = 14
DAY_S = 86_400
NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME, for which Python has no name."""
ROUNDS_MAX = 10


def look(loaded: Loaded, now_ms: int) -> Iterator[Finding]:
    tls = loaded.config.tls
    if tls is None:
        return
    cert, key = loaded.folder / tls.cert, loaded.folder / tls.key
    try:
        days = (_ends_s(cert, key) - now_ms / 1000) / DAY_S
    except (OSError, KeyError) as error:
        yield Finding("TLS", "look", f"{cert} could not be looked into: {error}")
        return
    do = "renew it; new files are taken up without a restart"
    if days < 0:
        yield Finding("TLS", "bad", f"{cert} expired {-days:.0f} days ago", do)
    elif days < SOON_DAYS:
        yield Finding("TLS", "look", f"{cert} holds for another {days:.0f} days only", do)
    else:
        yield Finding("TLS", "ok", f"{cert} holds for another {days:.0f} days")
    yield from _name(cert, key, urlsplit(loaded.config.url).hostname)


def _name(cert: Path, key: Path, host: str | None) -> Iterator[Finding]:
    if host is None:
        return
    try:
        _shaken(cert, key, host)
    except ssl.SSLCertVerificationError:
        do = "have one made for that name, or put the name that it is for into url"
        yield Finding("TLS", "bad", f"{cert} is not for {host}, which is what url says", do)


def _ends_s(cert: Path, key: Path) -> float:
    """When it ends. OSError: it cannot be used; KeyError: it does not say."""
    return ssl.cert_time_to_seconds(str(_shaken(cert, key, None)["notAfter"]))


def _shaken(cert: Path, key: Path, host: str | None) -> dict[str, object]:
    """What the certificate says of itself, from a handshake in memory: Python reads one in no other way.

    SSLCertVerificationError when it is not for `host`; OSError when the files cannot be used.
    """
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(cert, key)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = host is not None
    client.load_verify_locations(cert)
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | NO_CHECK_TIME
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(back, there, server_hostname=host)
    theirs = server.wrap_bio(there, back, server_side=True)
    for _ in range(ROUNDS_MAX):
        for side in (ours, theirs):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
    return dict(ours.getpeercert() or {})
