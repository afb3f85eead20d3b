"""A file system whose server takes every question and never answers, as a network disk does whose server is gone.

It is mounted where only the thread that asks for it can see it, so that nobody else on the machine hangs on it.
"""

from __future__ import annotations

import contextlib
import os
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from tests.agent.checks.apart import MOUNTS, apart, libc, must

T = TypeVar("T")

MS_REC, MS_PRIVATE = 0x4000, 0x40000
MNT_FORCE, MNT_DETACH = 1, 2
FUSE_INIT = 26
REQUEST = struct.Struct("<IIQQIIII")
INIT_ANSWER = struct.pack("<IIIIHHIIHHI7I", 7, 31, 0, 0, 0, 0, 4096, 0, 0, 0, 0, *[0] * 7)


def can_be_made() -> bool:
    return os.geteuid() == 0 and os.access("/dev/fuse", os.W_OK) and mounts_can_be_ours()


def mounts_can_be_ours() -> bool:
    """Not where / is no mount, as in a chroot: what is mounted there would be seen by all."""
    try:
        where_mounts_are_ours(lambda: None)
    except OSError:
        return False
    return True


def where_mounts_are_ours(call: Callable[[], T]) -> T:
    """Call it where what is mounted is seen by nobody else but the programs that it starts."""

    def run() -> T:
        must(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))
        return call()

    return apart(MOUNTS, run)


@contextlib.contextmanager
def dead_mount(place: Path) -> Iterator[Callable[[], None]]:
    """Mount it; what is given ends all that hangs on it, with an error, as does leaving."""
    device = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
    must(libc.mount(b"nothing", bytes(place), b"fuse", 0, options))
    server = threading.Thread(target=serve, args=(device,))
    server.start()

    def give_up() -> None:
        libc.umount2(bytes(place), MNT_FORCE)  # whoever waits gets an error, and so does the server

    try:
        yield give_up
    finally:
        give_up()
        libc.umount2(bytes(place), MNT_DETACH)
        server.join()
        os.close(device)


def serve(device: int) -> None:
    """Agree on the version, then swallow everything until the mount is gone."""
    with contextlib.suppress(OSError):
        while True:
            request = os.read(device, 128 * 1024)
            _, opcode, unique, *_ = REQUEST.unpack_from(request)
            if opcode == FUSE_INIT:
                os.write(device, struct.pack("<IiQ", 16 + len(INIT_ANSWER), 0, unique) + INIT_ANSWER)
