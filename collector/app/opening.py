"""A start that takes long, because the store is changed to the form of a newer version first, says how far it is."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from types import TracebackType

from agent.options import ConfigError
from collector.app.access import certificate
from collector.config import Loaded
from collector.itself.service import Service
from collector.server import ServerError
from collector.server.lobby import Lobby, said

log = logging.getLogger(__name__)

LOGGED_EVERY_S = 10.0


class Opening:
    """`async with Opening(…) as opening`: what `told` hears is said to systemd, in the log and to whoever asks by HTTP.

    Nothing is listened on until there is something to tell, so that a start as it mostly is costs nothing more.
    """

    def __init__(self, loaded: Loaded, service: Service) -> None:
        self._loaded, self._service = loaded, service
        self._lobby: Lobby | None = None
        self._opening: asyncio.Task[None] | None = None
        self._doing, self._logged_s = "", 0.0

    async def __aenter__(self) -> Opening:
        self._loop = asyncio.get_running_loop()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The port is free again then, for the collector itself."""
        if self._opening is not None and self._lobby is not None:
            await asyncio.gather(self._opening, return_exceptions=True)
            await self._lobby.close()

    def told(self, doing: str, share: float | None) -> None:
        """From any thread."""
        self._loop.call_soon_threadsafe(self._tell, doing, share)

    def _tell(self, doing: str, share: float | None) -> None:
        words = said(doing, share)
        self._service.starting(f"Starting: {words}.")
        now_s = time.monotonic()
        if doing != self._doing or now_s - self._logged_s >= LOGGED_EVERY_S:
            self._doing, self._logged_s = doing, now_s
            log.info("Starting: %s.", words)
        if self._lobby is None and self._loaded.config.address[1]:
            self._let_in()
        if self._lobby is not None:
            self._lobby.say(doing, share)

    def _let_in(self) -> None:
        """Where that cannot be, the collector itself will say why in a moment."""
        with contextlib.suppress(ConfigError):
            tls = certificate(self._loaded)
            self._lobby = Lobby(*self._loaded.config.address, tls.context if tls else None)
            self._opening = asyncio.create_task(_open(self._lobby))


async def _open(lobby: Lobby) -> None:
    with contextlib.suppress(ServerError):
        await lobby.open()
