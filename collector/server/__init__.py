"""The HTTP server: aiohttp with the limits it does not set by itself.

Anybody can open a connection and send a byte a second, so everything a peer can make us hold has a bound: how many
connections there are, how long a head, a body or silence may last, how long an answer may wait to be taken. What a
peer does wrong is answered and counted, not logged: else it could fill the disk.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Coroutine, Iterable

from aiohttp import web
from prometheus_client import CollectorRegistry

from collector.health import Component
from collector.server.answers import FULL
from collector.server.connection import Connection, ShortCuts
from collector.server.gate import Gate, Limits
from collector.server.listening import ServerError, listeners, room_for
from collector.who import LOOPBACK, network_of

__all__ = ["Limits", "Server", "ServerError"]

ACCEPTS_AT_ONCE = 64
ACCEPT_AGAIN_S = 0.2
COMPLAIN_EVERY_S = 60.0
TURNING_AWAY_MAX = 64
TURN_AWAY_S = 1.0
TURN_AWAY_BYTES = 64 * 1024

log = logging.getLogger(__name__)


class Server:
    """Serves an application on one host and port, under limits.

    Bodies reach their handlers as they came: compressed ones are unpacked by whoever knows how large they may be.

    `short_cuts` are routes of the application that are asked for so often that looking for them in its table would be
    a twentieth of the work; their paths have no variables, and no middleware of the application sees them.
    """

    def __init__(
        self,
        app: web.Application,
        host: str,
        port: int,
        *,
        registry: CollectorRegistry,
        limits: Limits | None = None,
        tls: ssl.SSLContext | None = None,
        short_cuts: Iterable[web.RouteDef] = (),
    ) -> None:
        self._gate = Gate(limits or Limits(), registry)
        # aiohttp waits twice that long: for the handler, then for the rest of its connection.
        self._runner = web.AppRunner(app, shutdown_timeout=self._gate.limits.stop_timeout_s / 2)
        self._host, self._port, self._tls = host, port, tls
        self._short_cuts: ShortCuts = {(route.method, route.path): route.handler for route in short_cuts}
        self._listeners: list[socket.socket] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._turning_away = 0
        self._complain_from = 0.0

    async def start(self) -> None:
        """Listen and serve. ServerError says why it cannot; nothing is left open then."""
        self._listeners = await listeners(self._host, self._port)
        try:
            self._gate.connections_max = room_for(self._gate.limits.connections_max)
            await self._runner.setup()
        except BaseException:
            self._stop_listening()
            raise
        loop = asyncio.get_running_loop()
        for listener in self._listeners:
            loop.add_reader(listener, self._accept, listener)

    async def stop(self) -> None:
        """Accept nothing more, let what is being answered end within `stop_timeout_s`, then close everything."""
        self._stop_listening()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._runner.cleanup()

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where it listens; with port 0 asked for, this tells the port that was given."""
        return [listener.getsockname()[:2] for listener in self._listeners]

    @property
    def is_on_loopback(self) -> bool:
        """Whether it listens to this machine alone."""
        return all(network_of(address) == LOOPBACK for address, _ in self.addresses)

    def health(self) -> Component:
        if not self._listeners:
            return Component("http", "bad", "Not listening.")
        count, most = self._gate.open, self._gate.connections_max
        return Component(
            "http",
            "degraded" if count > 0.9 * most else "ok",
            f"{count} of at most {most} connections are open.",
        )

    def _stop_listening(self) -> None:
        loop = asyncio.get_running_loop()
        for listener in self._listeners:
            loop.remove_reader(listener)
            listener.close()
        self._listeners = []

    # --- who comes in ---

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(ACCEPTS_AT_ONCE):
            try:
                sock, address = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._accept_later(listener, error)
                return
            self._enter(sock, network_of(address[0] if address else ""))

    def _accept_later(self, listener: socket.socket, error: OSError) -> None:
        """Without a free file descriptor the listener stays readable: looking again at once would spin."""
        loop = asyncio.get_running_loop()
        self._gate.metrics.turned_away["files"].inc()
        if loop.time() >= self._complain_from:
            self._complain_from = loop.time() + COMPLAIN_EVERY_S
            log.error("Connections have to wait, as none can be accepted: %s.", error.strerror or error)
        loop.remove_reader(listener)
        loop.call_later(ACCEPT_AGAIN_S, self._accept_again, listener)

    def _accept_again(self, listener: socket.socket) -> None:
        if listener in self._listeners:
            asyncio.get_running_loop().add_reader(listener, self._accept, listener)

    def _enter(self, sock: socket.socket, network: str) -> None:
        sock.setblocking(False)
        if self._gate.enter(network):
            self._begin(self._serve(sock, network))
        elif self._tls is None and self._turning_away < TURNING_AWAY_MAX:
            self._turning_away += 1
            self._begin(self._turn_away(sock))
        else:
            sock.close()

    def _begin(self, coroutine: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, sock: socket.socket, network: str) -> None:
        """Hand the socket to aiohttp. With TLS this lasts until the handshake is done."""
        loop = asyncio.get_running_loop()
        assert self._runner.server is not None
        connection = Connection(self._gate, self._runner.server, network, loop, self._short_cuts)
        handshake_timeout_s = self._gate.limits.head_timeout_s if self._tls else None
        try:
            await loop.connect_accepted_socket(
                lambda: connection, sock, ssl=self._tls, ssl_handshake_timeout=handshake_timeout_s
            )
        except OSError:  # a handshake that fails or takes too long is one as well
            sock.close()
            connection.leave()
            self._gate.metrics.cut["tls"].inc()
        except BaseException:
            sock.close()
            connection.leave()
            raise

    async def _turn_away(self, sock: socket.socket) -> None:
        """Say why, then wait a little: closing at once would often reset the answer away unread."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(TURN_AWAY_S):
                await loop.sock_sendall(sock, FULL)
                sock.shutdown(socket.SHUT_WR)
                while await loop.sock_recv(sock, TURN_AWAY_BYTES):
                    pass
        except (OSError, TimeoutError):
            pass  # it has been told as well as it let itself be told
        finally:
            self._turning_away -= 1
            sock.close()
