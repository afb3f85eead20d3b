"""Reach a port by TLS within a deadline, and say in words a person understands why that is not to be trusted."""

from __future__ import annotations

import hashlib
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache, partial
from socket import socket

from msgspec import Struct, structs

from agent.net.dial import Address, Deadline, NoAnswer, in_words
from agent.net.dial import connect as connect_plainly

# OpenSSL's codes of what is wrong with a certificate (x509_vfy.h), as far as there is more to say than it says itself.
NOT_YET_VALID, EXPIRED = 9, 10
SELF_SIGNED = (18, 19)
UNKNOWN_ISSUER = (2, 20, 21)
WRONG_NAME = (62, 64)
NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME, for which Python has no name."""


class Distrusted(NoAnswer):
    """There was an answer by TLS, and it is not to be trusted."""


class Trust(Struct, frozen=True):
    """Whom to believe: anyone (`verify` false), the authorities in `ca_file`, or those the system trusts; and of those
    only who has one of the certificates in `pins` (SHA-256, hexadecimal), if there are any.

    `cert_file` and `key_file` (empty: it is in the same file) are what we show of ourselves.
    """

    verify: bool = True
    ca_file: str = ""
    whatever_the_date: bool = False
    pins: tuple[str, ...] = ()
    cert_file: str = ""
    key_file: str = ""


Dial = Callable[[], socket]
"""Makes a connection. NoAnswer says why there is none."""


def connect(
    addresses: list[Address],
    host: str,
    trust: Trust,
    deadline: Deadline,
    connected: Callable[[], None] = lambda: None,
) -> ssl.SSLSocket:
    """A TLS connection to `host`. NoAnswer says why there is none: Distrusted if only its certificate is to blame.
    OSError: `ca_file` cannot be used.

    `connected` is called when there is a connection and only TLS is wanting.
    """
    return secure(partial(connect_plainly, addresses, deadline), host, trust, deadline, connected)


def secure(
    dial: Dial, host: str, trust: Trust, deadline: Deadline, connected: Callable[[], None] = lambda: None
) -> ssl.SSLSocket:
    """The same over a connection that `dial` makes."""
    context = _context(trust)
    sock = dial()
    connected()
    try:
        sock.settimeout(deadline.left_s())
        return _pinned(context.wrap_socket(sock, server_hostname=host), host, trust)
    except ssl.SSLCertVerificationError as error:
        raise Distrusted(_distrust(error, dial, host, trust, deadline)) from None
    except ssl.SSLError as error:
        raise NoAnswer(f"no TLS connection to {host}: {reason(error)}") from None
    except TimeoutError:
        raise NoAnswer(f"{host} did not complete the TLS handshake within {deadline.limit_s:g} s") from None
    except OSError as error:
        raise NoAnswer(in_words(error, host, deadline)) from None
    finally:
        sock.close()  # after success it is the TLS socket's, and this closes nothing


def _pinned(sock: ssl.SSLSocket, host: str, trust: Trust) -> ssl.SSLSocket:
    """The socket, after a Distrusted if its certificate is none of the pinned ones."""
    if trust.pins:
        found = hashlib.sha256(sock.getpeercert(binary_form=True) or b"").hexdigest()
        if found not in trust.pins:
            sock.close()
            raise Distrusted(f"the certificate of {host} is not the pinned one, but sha256:{found}")
    return sock


def forget() -> None:
    """Read certificates, keys and authorities from their files again when they are needed next."""
    _context.cache_clear()


@cache
def _context(trust: Trust) -> ssl.SSLContext:
    # One for all who trust alike: each holds the system's authorities, which are worth a megabyte and some 10 ms.
    try:
        context = ssl.create_default_context(cafile=trust.ca_file or None) if trust.verify else anyone()
    except OSError as error:
        raise OSError(f"ca_file: {trust.ca_file} cannot be used: {error.strerror or error}") from None
    if trust.cert_file:
        show(context, trust.cert_file, trust.key_file)
    if trust.whatever_the_date:
        context.verify_flags |= NO_CHECK_TIME
    return context


def anyone() -> ssl.SSLContext:
    """A context that takes every certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def show(context: ssl.SSLContext, cert_file: str, key_file: str) -> None:
    """Have a certificate and its key to show. OSError says what is wrong with them."""

    def ask() -> str:
        raise PermissionError("the key is encrypted, and there is nobody to ask for its passphrase")

    try:
        context.load_cert_chain(cert_file, key_file or None, ask)
    except ssl.SSLError as error:
        fit = (
            "do not belong together"
            if error.reason == "KEY_VALUES_MISMATCH"
            else "are no certificate and key"
        )
        raise OSError(f"{cert_file} and {key_file or 'itself'} {fit} (PEM)") from None


def _distrust(
    error: ssl.SSLCertVerificationError, dial: Dial, host: str, trust: Trust, deadline: Deadline
) -> str:
    code = error.verify_code
    if code == EXPIRED:
        return _expired(dial, host, trust, deadline)
    if code == NOT_YET_VALID:
        return f"the certificate of {host} is not valid yet; if it should be, look at this host's clock"
    if code in SELF_SIGNED:
        return f"the certificate of {host} is self-signed and not trusted here"
    if code in UNKNOWN_ISSUER:
        return f"the certificate of {host} was issued by an authority that is not trusted here"
    if code in WRONG_NAME:
        return f"the certificate is not for {host}"
    return f"the certificate of {host} is not valid: {error.verify_message}"


def _expired(dial: Dial, host: str, trust: Trust, deadline: Deadline) -> str:
    """Since when. A refused certificate cannot be read, so another handshake forgives the date and nothing else."""
    forgiving = structs.replace(trust, whatever_the_date=True)
    try:
        with secure(dial, host, forgiving, deadline) as sock:
            certificate = sock.getpeercert() or {}
            ended_s = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
    except (NoAnswer, OSError, KeyError):
        return f"the certificate of {host} has expired"
    if ended_s > time.time():
        return f"the certificate of {host} is valid, but one of those it rests on has expired"
    return f"the certificate of {host} expired on {datetime.fromtimestamp(ended_s, UTC):%Y-%m-%d}"


def reason(error: ssl.SSLError) -> str:
    """What went wrong, in words."""
    if isinstance(error, ssl.SSLEOFError):
        return "the other side hung up"
    words = (error.reason or str(error)).replace("_", " ").lower()
    if "certificate required" in words:
        return "the other side wants to see a certificate of ours"
    return "the other side does not speak TLS" if words == "wrong version number" else words
