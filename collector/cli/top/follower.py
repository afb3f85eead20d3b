"""Asks the collector again and again, in a thread of its own: the screen answers keys whatever the network does."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from collector.cli.remote.answers import (
    Alert,
    Check,
    Dashboard,
    Health,
    Host,
    HostDetails,
    Incident,
    IncidentDetails,
    Latest,
)
from collector.cli.remote.client import PAGE, Client, Refused, decoded, entries
from collector.cli.remote.hosts import HOSTS_MAX, Readings, readings
from collector.cli.remote.place import Unreachable

PACE_S = 2.0
REST = 4
"""It rests so many times as long as asking took: a large fleet is asked less often."""
ACTS_WAITING_MAX = 20

Focus = tuple[Literal["host", "incident"], int] | None
"""Of what a person wants to see everything."""


class HostPage(Struct, frozen=True):
    details: HostDetails
    checks: list[Check]
    latest: Latest


class Seen(Struct, frozen=True):
    """How all was at `at`, by the collector's clock. `page` is what `focus` is about."""

    at: int
    health: Health
    incidents: list[Incident]
    alerts: list[Alert]
    hosts: list[Host]
    readings: Readings
    focus: Focus = None
    page: HostPage | IncidentDetails | None = None


class Trouble(Struct, frozen=True):
    """Why nothing is seen, and since when."""

    why: str
    since: int


class Follower:
    """What was seen last stays, also while there is `trouble`. `said` is what became of the newest acknowledgement."""

    def __init__(
        self,
        client: Client,
        now_ms: Callable[[], int],
        monotonic: Callable[[], float],
        pace_s: float = PACE_S,
    ) -> None:
        self._client, self._now_ms, self._monotonic, self._pace_s = client, now_ms, monotonic, pace_s
        self._acts: queue.Queue[int] = queue.Queue(ACTS_WAITING_MAX)
        self._wake, self._over = threading.Event(), threading.Event()
        self._focus: Focus = None
        self.seen: Seen | None = None
        self.trouble: Trouble | None = None
        self.said = ""
        self.changed = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._follow, name="follower", daemon=True).start()

    def stop(self) -> None:
        """A question that is under way is not waited for."""
        self._over.set()
        self._wake.set()

    def look_at(self, focus: Focus) -> None:
        self._focus = focus
        self._wake.set()

    def acknowledge(self, numbers: list[int]) -> None:
        """As soon as can be; `said` tells how it went."""
        for number in numbers:
            try:
                self._acts.put_nowait(number)
            except queue.Full:
                self.said = "too much at once; try again in a moment"
                return
        self._wake.set()

    def _follow(self) -> None:
        while not self._over.is_set():
            self._wake.clear()
            began_s = self._monotonic()
            self.round()
            took_s = self._monotonic() - began_s
            self._wake.wait(max(self._pace_s, REST * took_s))

    def round(self) -> None:
        """Do what is to be done, then look at all of it."""
        try:
            self._act()
            self.seen, self.trouble = self._look(), None
        except (Unreachable, Refused) as error:
            self._note(str(error))
        except Exception as error:  # noqa: BLE001 - whatever it is, the screen says it and goes on
            self._note(f"this failed: {str(error) or type(error).__name__}")
        self.changed.set()

    def _note(self, why: str) -> None:
        self.trouble = Trouble(why, self.trouble.since if self.trouble else self._now_ms())

    def _act(self) -> None:
        while not self._acts.empty():
            number = self._acts.get_nowait()
            try:
                self._client.send("PATCH", f"/incidents/{number}", {"state": "acknowledged"})
                self.said = f"incident {number} is yours"
            except (Unreachable, Refused) as error:
                self.said = f"incident {number}: {error}"

    def _look(self) -> Seen:
        client, focus = self._client, self._focus
        health = decoded(client.get("/health/dashboard"), Dashboard).health
        return Seen(
            health=health,
            incidents=entries(client.pages("/incidents", {"state": "open"}, PAGE), Incident),
            alerts=entries(client.pages("/alerts", {"state": "open"}, PAGE), Alert),
            hosts=entries(client.pages("/hosts", {"service": "false"}, HOSTS_MAX), Host),
            readings=readings(client),
            focus=focus,
            page=self._page(focus),
            at=client.now_ms or self._now_ms(),
        )

    def _page(self, focus: Focus) -> HostPage | IncidentDetails | None:
        if focus is None:
            return None
        noun, number = focus
        if noun == "incident":
            return decoded(self._client.get(f"/incidents/{number}"), IncidentDetails)
        return HostPage(
            decoded(self._client.get(f"/hosts/{number}"), HostDetails),
            decoded(self._client.get(f"/hosts/{number}/checks"), list[Check]),
            decoded(self._client.get(f"/hosts/{number}/latest"), Latest),
        )
