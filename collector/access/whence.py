"""Where a request comes from: the peer itself, or whom a proxy speaks for that the config trusts."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

from aiohttp import web
from aiohttp.http import HttpVersion11

from collector.who import LOOPBACK, Whence, network_of

FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")
LOOPBACK_NAME = re.compile(r"(localhost|127(\.[0-9]{1,3}){3}|\[::1\])(:[0-9]{1,5})?", re.IGNORECASE)
HOPS_MAX = 20

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Proxies:
    """Those that are trusted to say whom they speak for; what anybody else says about that is not heard."""

    def __init__(self, trusted: Sequence[str]) -> None:
        """Addresses or networks. ValueError names the one that is neither."""
        self._trusted = [_network(text) for text in trusted]

    def whence(self, request: web.BaseRequest) -> Whence:
        peer = request.remote or ""
        is_secure = request.secure
        if self._trusted and self._is_trusted(peer):
            is_secure = request.headers.get("X-Forwarded-Proto", "").strip().lower() == "https"
            peer = self._client(peer, request.headers.getall("X-Forwarded-For", []))
        network = network_of(peer)
        return Whence(peer or LOOPBACK, network, is_secure, network == LOOPBACK and _is_direct(request))

    def _client(self, peer: str, said: Sequence[str]) -> str:
        """The last one in the chain that is no proxy of ours; what stands before them, anybody may have written."""
        hops = [hop.strip() for line in said for hop in line.split(",")][-HOPS_MAX:]
        for hop in reversed(hops):
            address = _address(hop)
            if address is None:
                return peer
            peer = str(address)
            if not self._is_trusted(peer):
                return peer
        return peer

    def _is_trusted(self, peer: str) -> bool:
        address = _address(peer)
        return address is not None and any(address in network for network in self._trusted)


def _is_direct(request: web.BaseRequest) -> bool:
    """From a program here that means this machine. A proxy here speaks for peers from anywhere: it says so in a header,
    or asks as in the days of HTTP/1.0. And a foreign page can give its own name our address."""
    own = LOOPBACK_NAME.fullmatch(request.headers.get("Host", "localhost")) is not None
    return own and request.version >= HttpVersion11 and not any(name in request.headers for name in FORWARDED)


def _address(text: str) -> Address | None:
    """An address, also with a port behind it as some proxies write it."""
    bracketed = re.fullmatch(r"\[([^\]]+)\](:\d+)?", text)
    with_port = re.fullmatch(r"(\d+\.\d+\.\d+\.\d+):\d+", text)
    plain = bracketed or with_port or re.fullmatch(r"(.*)", text, re.DOTALL)
    assert plain is not None
    try:
        address = ipaddress.ip_address(plain[1].partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(
            f"{text[:80]!r} is no address and no network; write one such as 192.0.2.7 or 10.0.0.0/8"
        ) from None
