"""The certificate that the server shows, read again when its files change: they are renewed every few weeks."""

from __future__ import annotations

import logging
import os
import ssl
from pathlib import Path

from collector.server.listening import ServerError

log = logging.getLogger(__name__)

Stamp = tuple[tuple[int, int, int], ...]


class Certificate:
    """`context` stays the same for as long as the server runs; connections begun after a change get what is new."""

    def __init__(self, cert: Path, key: Path) -> None:
        """ServerError says which file will not do, and why."""
        self._files = (cert, key)
        self._stamp = self._now()
        self.context = self._load(_context())

    async def refresh(self) -> None:
        """Read the files again if they are others than they were. Where they will not do, the old ones stay in use, and
        that is said once."""
        stamp = self._now()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._load(_context())  # the one in use is touched only once it is sure that both fit together
            self._load(self.context)
        except ServerError as error:
            log.error("The certificate in use stays: %s.", error)  # noqa: TRY400 - the sentence says it all
            return
        log.info("The certificate in %s is in use from now on.", self._files[0])

    def _load(self, context: ssl.SSLContext) -> ssl.SSLContext:
        cert, key = self._files
        try:
            context.load_cert_chain(cert, key, password=_no_password)
        except ssl.SSLError as error:
            why = error.reason or str(error)
            raise ServerError(
                f"{cert} and {key} are no certificate and its key, in PEM and without a password ({why})"
            ) from None
        except _Locked:
            raise ServerError(f"{key} is locked by a password; give one without") from None
        except OSError as error:
            name = next((str(file) for file in self._files if not os.access(file, os.R_OK)), str(cert))
            raise ServerError(f"{name} cannot be read: {error.strerror}") from None
        return context

    def _now(self) -> Stamp:
        return tuple(_stamp(file) for file in self._files)


class _Locked(Exception):
    """The key has a password."""


def _no_password() -> str:
    """Asked for by OpenSSL, which would else ask at the terminal, and wait there for ever."""
    raise _Locked


def _context() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def _stamp(file: Path) -> tuple[int, int, int]:
    try:
        found = file.stat()
    except OSError:
        return (0, 0, 0)
    return found.st_ino, found.st_mtime_ns, found.st_size
