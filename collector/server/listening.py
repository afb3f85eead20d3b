"""Sockets to listen on, and room for the connections that come in through them."""

from __future__ import annotations

import asyncio
import errno
import logging
import resource
import socket

BACKLOG = 4_096
"""A whole fleet connects anew when the collector was away; the kernel may hold this to less (somaxconn)."""
FILES_BESIDE_CONNECTIONS = 256

log = logging.getLogger(__name__)


class ServerError(Exception):
    """It cannot listen; the sentence says where, why and what to do."""


async def listeners(host: str, port: int) -> list[socket.socket]:
    """A listening socket for each address of `host`; port 0 becomes one free port for all. Raises ServerError."""
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (socket.gaierror, UnicodeError) as error:
        raise ServerError(
            f"cannot listen on {where}: {host!r} is no address of this machine ({error})"
        ) from error
    sockets: list[socket.socket] = []
    for family, address in dict.fromkeys((family, address) for family, _, _, _, address in found):
        try:
            chosen = sockets[0].getsockname()[1] if sockets else port
            sockets.append(_listen(family, (address[0], chosen, *address[2:])))
        except OSError as error:
            for sock in sockets:
                sock.close()
            raise ServerError(f"cannot listen on {where}: {_why(error)}") from error
    return sockets


def _listen(family: int, address: tuple[object, ...]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setblocking(False)
        sock.bind(address)
        sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


def _why(error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return "another program listens there already; stop it, or choose another port"
        case errno.EACCES:
            return "that port needs a privilege (CAP_NET_BIND_SERVICE); choose one above 1023"
        case errno.EADDRNOTAVAIL:
            return "this machine has no such address"
        case _:
            return error.strerror or str(error)


def room_for(connections_max: int) -> int:
    """How many connections the limit of open files allows, once it is raised as far as we may raise it."""
    wanted = connections_max + FILES_BESIDE_CONNECTIONS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return connections_max
    soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft >= wanted:
        return connections_max
    room = max(soft - FILES_BESIDE_CONNECTIONS, soft // 2)
    log.warning(
        "At most %d connections are served at once, not %d: this process may open %d files only "
        "(LimitNOFILE= in its systemd unit, or ulimit -n).",
        room,
        connections_max,
        soft,
    )
    return room
