"""Where checks that a collector defined may go: not to what trusts a host for no other reason than where it stands.

Clouds give credentials to whoever asks from within a host, at addresses that no name in a definition need show; so it
is the address that counts, after every resolving and every redirect. What listens on loopback often asks for no
password, as nobody but the host's own users can get there: the host's own config says whether the collector may.
"""

from __future__ import annotations

import socket

METADATA = {
    *map(socket.inet_aton, ("100.100.100.200", "168.63.129.16", "192.0.0.192")),
    *(socket.inet_pton(socket.AF_INET6, address) for address in ("fd00:ec2::254", "fd20:ce::254")),
}
"""Where clouds answer that is not link-local: Alibaba, Azure, Oracle; Amazon and Google by IPv6."""
INSIDE = (b"\0" * 10 + b"\xff\xff", b"\0" * 12, b"\0\x64\xff\x9b" + b"\0" * 8)
"""How an address of IPv6 begins that has one of IPv4 inside: in the newer and the older way, behind a translator."""
IPV6_LOOPBACK = b"\0" * 15 + b"\1"
LINK_LOCAL = "is link-local or gives out a host's credentials; no check of the collector's goes there"
LOOPBACK = "is this host's own loopback; no check of the collector's goes there without accept_loopback: true"


def beyond_host(address: str) -> str:
    """Why a check of the collector's may not reach this address; empty when it may."""
    return beyond_link(address) or (LOOPBACK if _is_loopback(_packed(address)) else "")


def beyond_link(address: str) -> str:
    """The same where loopback is allowed."""
    packed = _packed(address)
    near = packed[:2] == b"\xa9\xfe" if len(packed) == 4 else packed[0] == 0xFE and packed[1] & 0xC0 == 0x80
    return LINK_LOCAL if near or packed in METADATA else ""


def _packed(address: str) -> bytes:
    """Its 4 or 16 bytes, 4 also for one of IPv4 inside one of IPv6."""
    address = address.partition("%")[0]
    if ":" not in address:
        return socket.inet_pton(socket.AF_INET, address)
    packed = socket.inet_pton(socket.AF_INET6, address)
    is_own = packed in (IPV6_LOOPBACK, b"\0" * 16)
    return packed[12:] if packed[:12] in INSIDE and not is_own else packed


def _is_loopback(packed: bytes) -> bool:
    """What leads to nowhere else counts as well: whoever connects to 0.0.0.0 gets to the host itself."""
    return packed[0] in (0, 127) if len(packed) == 4 else packed in (IPV6_LOOPBACK, b"\0" * 16)
