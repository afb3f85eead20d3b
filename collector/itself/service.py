"""What the collector tells systemd of itself (`Type=notify`), as in sd_notify(3): a datagram of lines like READY=1.

The agent has its own: neither may need the other to be installed.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, MutableMapping

log = logging.getLogger(__name__)

STATUS_CHARS_MAX = 500
STILL_STARTING_USEC = 120 * 1_000_000
BEATS_IN_A_WATCHDOG = 4
"""So often within the time after which systemd takes us for hung; sd_watchdog_enabled(3) advises twice at least."""


class Service:
    """Tells whoever listens at NOTIFY_SOCKET, and nobody when there is none. Raises nothing: we go on without it.

    The variables are taken out of `environ`, so that no program we start can speak in our name.
    """

    def __init__(
        self, environ: MutableMapping[str, str], monotonic_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._address = _address(environ.pop("NOTIFY_SOCKET", ""))
        watchdog_ns = _watchdog_ns(environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", ""))
        self._beat_ns = watchdog_ns // BEATS_IN_A_WATCHDOG
        self._monotonic_ns = monotonic_ns
        self._beaten_at_ns: int | None = None
        self._status = ""
        self._trouble = ""

    def ready(self) -> None:
        """We serve: at the start, and after every reload."""
        self._tell("READY=1")

    def reloading(self) -> None:
        self._tell("RELOADING=1", f"MONOTONIC_USEC={self._monotonic_ns() // 1000}")

    def alive(self) -> None:
        """To be said on every turn of the loop that matters; what would come too soon is left unsaid."""
        now = self._monotonic_ns()
        is_due = self._beaten_at_ns is None or now - self._beaten_at_ns >= self._beat_ns
        if self._beat_ns and is_due:
            self._beaten_at_ns = now
            self._tell("WATCHDOG=1")

    def status(self, words: str) -> None:
        """One line for people; it is said when it changes."""
        words = " ".join(words.split())[:STATUS_CHARS_MAX]
        if words != self._status:
            self._status = words
            self._tell(f"STATUS={words}")

    def starting(self, words: str) -> None:
        """How far the start is, and that it goes on: systemd then waits longer for it than it would."""
        self.status(words)
        self._tell(f"EXTEND_TIMEOUT_USEC={STILL_STARTING_USEC}")

    def stopping(self) -> None:
        self._tell("STOPPING=1", "STATUS=Stopping.")

    def _tell(self, *lines: str) -> None:
        if self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.setblocking(False)
                sock.sendto("\n".join(lines).encode(), self._address)
            self._trouble = ""
        except OSError as error:
            if str(error) != self._trouble:
                self._trouble = str(error)
                log.warning("systemd cannot be told how it goes: %s", error.strerror or error)


def _address(written: str) -> str | None:
    """`@` in front stands for the abstract namespace; other kinds of socket are not for local services."""
    if written.startswith("@"):
        return "\0" + written[1:]
    return written if written.startswith("/") else None


def _watchdog_ns(usec: str, pid: str) -> int:
    """The time after which systemd wants to have heard from us; 0 when it does not wait, or waits for another."""
    return int(usec) * 1000 if usec.isdecimal() and pid in ("", str(os.getpid())) else 0
