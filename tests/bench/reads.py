"""Programs that read the API: what each of them asks for, in turn."""

from __future__ import annotations

PATHS = (
    "/api/monitoring/hosts?limit=50",
    "/api/monitoring/alerts",
    "/api/monitoring/incidents",
    "/api/monitoring/health/dashboard",
)


class ReadingHost:
    """One token's requests, over a connection of its own."""

    def __init__(self, number: int, token: str) -> None:
        self._number, self._token = number, token

    def request(self, at: int, *, breach: bool) -> bytes:
        path = PATHS[self._number % len(PATHS)]
        self._number += 1
        return (
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self._token}\r\n\r\n"
        ).encode()

    def again(self) -> None:
        self._number -= 1
