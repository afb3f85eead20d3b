"""What the agent tells systemd of itself (`Type=notify`), as in sd_notify(3): a datagram of lines like READY=1."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, MutableMapping

log = logging.getLogger(__name__)

STATUS_CHARS_MAX = 500
BEATS_IN_A_WATCHDOG = 3
"""So often within the time after which systemd takes the agent for hung; sd_watchdog_enabled(3) advises twice."""


class Systemd:
    """Tells whoever listens at NOTIFY_SOCKET, and nobody when there is none. Raises nothing: the agent goes on alone.

    The variables are taken out of `environ`, so that no program that a check runs can speak in the agent's name.
    """

    def __init__(
        self, environ: MutableMapping[str, str], monotonic_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._address = _address(environ.pop("NOTIFY_SOCKET", ""))
        self.watchdog_s = _watchdog_s(
            environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", str(os.getpid()))
        )
        self._monotonic_ns = monotonic_ns
        self._status = ""
        self._trouble = ""

    @property
    def beat_s(self) -> float | None:
        """How often `alive` is to be said; None when nobody waits for it."""
        return self.watchdog_s and self.watchdog_s / BEATS_IN_A_WATCHDOG

    def starting(self, slowest_s: float) -> None:
        """The first sample is being taken, which may take that long. The watchdog is told to be that patient too."""
        lines = [f"EXTEND_TIMEOUT_USEC={_usec(2 * slowest_s)}"]
        self._tell(*lines, *self._patience(slowest_s))

    def ready(self) -> None:
        self._tell("READY=1")

    def reloading(self) -> None:
        self._tell("RELOADING=1", f"MONOTONIC_USEC={self._monotonic_ns() // 1000}")

    def reloaded(self, slowest_s: float) -> None:
        self._tell("READY=1", *self._patience(slowest_s))

    def alive(self) -> None:
        if self.watchdog_s is not None:
            self._tell("WATCHDOG=1")

    def status(self, words: str) -> None:
        """One line for people; it is said when it changes."""
        words = " ".join(words.split())[:STATUS_CHARS_MAX]
        if words != self._status:
            self._status = words
            self._tell(f"STATUS={words}")

    def stopping(self) -> None:
        self._tell("STOPPING=1", "STATUS=stopping")

    def _patience(self, slowest_s: float) -> list[str]:
        """A check may lawfully take longer than the unit's WatchdogSec: then the watchdog has to wait for it."""
        needed_s = BEATS_IN_A_WATCHDOG * slowest_s
        if self.watchdog_s is None or self.watchdog_s >= needed_s:
            return []
        self.watchdog_s = needed_s
        return [f"WATCHDOG_USEC={_usec(needed_s)}"]

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


def _watchdog_s(usec: str, pid: str) -> float | None:
    """The time after which systemd wants to have heard; None unless it is ours."""
    if not usec.isdecimal() or pid != str(os.getpid()) or int(usec) == 0:
        return None
    return int(usec) / 1_000_000


def _usec(seconds: float) -> int:
    return round(seconds * 1_000_000)
