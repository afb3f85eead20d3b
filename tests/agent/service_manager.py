"""The other end of sd_notify: a datagram socket that hears what a service says of itself, as systemd does."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path

from tests.waiting import PATIENCE_S


class ServiceManager:
    """`said` is every message that came, each as a mapping of its lines."""

    def __init__(self, path: Path) -> None:
        self.address = str(path)
        self.said: list[dict[str, str]] = []
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sock.bind(self.address)

    def hear(self) -> list[dict[str, str]]:
        """All that came until now."""
        self._sock.setblocking(False)
        while True:
            try:
                data = self._sock.recv(65536)
            except BlockingIOError:
                return self.said
            self.said.append(dict(line.split("=", 1) for line in data.decode().splitlines()))

    def wait_for(self, condition: Callable[[], bool], limit_s: float = PATIENCE_S) -> None:
        until_s = time.monotonic() + limit_s
        while self.hear() is None or not condition():
            assert time.monotonic() < until_s, f"waited {limit_s} s in vain; came: {self.said}"
            time.sleep(0.01)

    def keys(self) -> list[str]:
        """What was said, in order, the status lines and the beats of the watchdog apart."""
        return [key for message in self.hear() for key in message if key not in ("STATUS", "WATCHDOG")]

    def count(self, key: str) -> int:
        return sum(key in message for message in self.hear())

    @property
    def status(self) -> str:
        return next((message["STATUS"] for message in reversed(self.hear()) if "STATUS" in message), "")

    def close(self) -> None:
        self._sock.close()
