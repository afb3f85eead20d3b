"""What this machine has, asked of the kernel: a chroot or a build's sandbox may have little of it."""

from __future__ import annotations

from pathlib import Path


def mounts() -> list[tuple[str, str, set[str]]]:
    """The device, the path and the options of each mount."""
    lines = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
    return [(device, path, set(options.split(","))) for device, path, _, options, *_ in lines]


def has_a_disk() -> bool:
    """Whether some disk is mounted that can be written to."""
    return any(device.startswith("/dev/") and "rw" in options for device, _, options in mounts())


def has_a_root() -> bool:
    """Whether / is a mount: in a chroot it is a folder like any other."""
    return any(path == "/" for _, path, _ in mounts())


def has_sysfs() -> bool:
    return Path("/sys/class/net/lo").exists()
