"""A host on the far side of a wire that drops, delays or refuses pings as a test wants, in a network of its own."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from tests.agent.checks.apart import NETWORK, apart

T = TypeVar("T")

HERE, FAR, HERE_6, FAR_6 = "10.77.0.1", "10.77.0.2", "fd77::1", "fd77::2"
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
ICMP, ICMP_6 = 1, 58

Answer = Callable[[int], float | str | None]
"""What becomes of the ping of this number: answered after so many seconds, lost (None), or refused by "a router"."""


def can_be_made() -> bool:
    return os.geteuid() == 0 and os.access("/dev/net/tun", os.W_OK)


def in_a_network_of_ours(call: Callable[[], T], *, pings: bool = True) -> T:
    """Call it where there is nothing but loopback, and where anybody may send pings, or nobody."""

    def run() -> T:
        ip("link set lo up")
        groups = "0 2147483647" if pings else "1 0"
        Path("/proc/sys/net/ipv4/ping_group_range").write_text(groups)
        return call()

    return apart(NETWORK, run)


@contextlib.contextmanager
def far_host(answer: Answer) -> Iterator[None]:
    """The far host, as long as it lasts."""
    wire = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(wire, TUNSETIFF, struct.pack("16sH22x", b"far0", IFF_TUN | IFF_NO_PI))
    ip("link set far0 up")
    ip(f"addr add {HERE}/24 dev far0")
    ip(f"-6 addr add {HERE_6}/64 dev far0 nodad")
    done = threading.Event()
    thread = threading.Thread(target=serve, args=(wire, answer, done))
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        os.close(wire)


def serve(wire: int, answer: Answer, done: threading.Event) -> None:
    os.set_blocking(wire, False)
    late: list[tuple[float, bytes]] = []
    while not done.wait(0.001):
        with contextlib.suppress(BlockingIOError):
            packet = os.read(wire, 4096)
            if is_ping(packet):
                number = struct.unpack_from("!H", packet, ping_at(packet) + 6)[0]
                match answer(number):
                    case None:
                        pass
                    case str():
                        os.write(wire, refusal(packet))
                    case delay_s:
                        late.append((time.monotonic() + delay_s, reply(packet)))
        for due_s, packet in list(late):
            if due_s <= time.monotonic():
                os.write(wire, packet)
                late.remove((due_s, packet))


def ping_at(packet: bytes) -> int:
    return 20 if packet[0] >> 4 == 4 else 40


def is_ping(packet: bytes) -> bool:
    protocol, kind = (packet[9], 8) if packet[0] >> 4 == 4 else (packet[6], 128)
    return protocol in (ICMP, ICMP_6) and packet[ping_at(packet)] == kind


def reply(packet: bytes) -> bytes:
    """The same the other way round. The checksum changes as the kind does."""
    body = bytearray(packet[ping_at(packet) :])
    if packet[0] >> 4 == 4:
        body[0:4] = b"\0\0\0\0"
        body[2:4] = struct.pack("!H", checksum(bytes(body)))
        return packet[:12] + packet[16:20] + packet[12:16] + bytes(body)
    body[0:4] = b"\x81\0\0\0"
    ends = packet[24:40] + packet[8:24]
    body[2:4] = struct.pack("!H", checksum(ends + struct.pack("!II", len(body), ICMP_6) + bytes(body)))
    return packet[:8] + ends + bytes(body)


def refusal(packet: bytes) -> bytes:
    """What a router says that cannot reach the host (IPv4)."""
    body = bytearray(struct.pack("!BBHI", 3, 1, 0, 0) + packet[:48])
    body[2:4] = struct.pack("!H", checksum(bytes(body)))
    head = bytearray(packet[:20])
    head[2:4] = struct.pack("!H", 20 + len(body))
    head[10:12] = b"\0\0"
    head[12:20] = packet[16:20] + packet[12:16]
    head[10:12] = struct.pack("!H", checksum(bytes(head)))
    return bytes(head + body)


def checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data[: len(data) // 2 * 2])) + (data[-1] << 8) * (
        len(data) % 2
    )
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def ip(command: str) -> None:
    subprocess.run(["ip", *command.split()], check=True)
