"""Hosts labelled `ephemeral: true` come and go as there is work: once one is silent for long enough, it is removed."""

from __future__ import annotations

import logging
from collections.abc import Callable

from collector.store.hosts import Hosts
from rules.memory.watch import Watch

log = logging.getLogger(__name__)

LOOK_S = 60
AT_ONCE_MAX = 50


class Ephemeral:
    """`watch` gives what the judge remembers, or StoreError; what is removed here the judge lets go of by itself."""

    def __init__(
        self, hosts: Hosts, watch: Callable[[], Watch], *, after_ms: int, now_ms: Callable[[], int]
    ) -> None:
        self._hosts, self._watch = hosts, watch
        self._after_ms, self._now_ms = after_ms, now_ms

    async def look(self) -> None:
        """Once a minute. Silence counts while we listened. StoreError."""
        before = self._now_ms() - self._after_ms
        gone = [
            memory.host
            for memory in self._watch().hosts.values()
            if memory.host.is_ephemeral and memory.ever_heard and memory.quiet_since < before
        ]
        for host in gone[:AT_ONCE_MAX]:
            if await self._hosts.remove(host.id):
                log.info("The host %s is ephemeral and has been silent for long: it is removed.", host.name)
