"""Which control groups of the kernel are containers, and what those are called.

Docker, Podman, containerd, CRI-O, LXC and systemd each put a container into a group whose name gives it away. So no
socket of any of them is needed, which would be as good as root.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct, field

from agent.checks._kernel import read

CGROUPS = Path("/sys/fs/cgroup")
DOCKER = Path("/var/lib/docker/containers")
DEPTH_MAX = 8
GROUPS_MAX = 2_000
"""How many groups are looked into at most."""
ID_CHARS = 12
"""How much of an id is told, as Docker and Podman show it too."""
BY_ID = re.compile(r"(?:^|[-:])([0-9a-f]{64})(?:\.scope)?$")
BY_NAME = (
    re.compile(r"^lxc\.payload\.(.+)$"),
    re.compile(r"^machine-(.+)\.scope$"),
    re.compile(r"^systemd-nspawn@(.+)\.service$"),
)
LXC_FOLDER = "lxc"
"""Where LXC put its containers before it wrote `payload` into their names."""
MONITORS = re.compile(r"(^|-)conmon-")
"""What watches over a container carries its id too."""
UNITS = (".service", ".scope", ".mount", ".socket", ".swap")
"""What systemd runs, without groups of others in it."""


class Container(Struct, frozen=True):
    """A container and its group: the path below the root of a tree of groups, the same in each."""

    name: str
    group: str


class Told(Struct, frozen=True):
    """What we want of the many things that Docker keeps of a container."""

    name: str = field(name="Name")


def containers(tree: Path, docker: Path = DOCKER) -> list[Container]:
    """Those in a tree of groups, in the order of their names. A second one of the same name goes by its group."""
    found: dict[str, Container] = {}
    for group in sorted(groups(tree)):
        name = name_of(group, docker)
        name = name if name not in found else group
        found[name] = Container(name, group)
    return [found[name] for name in sorted(found)]


def groups(tree: Path) -> Iterator[str]:
    """The groups that are containers; not what is inside them, which is a part of them."""
    folders, left = [("", 0)], GROUPS_MAX
    while folders and left:
        folder, depth = folders.pop()
        left -= 1
        try:
            with os.scandir(tree / folder) as entries:
                names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        except OSError:
            continue  # gone meanwhile, or not for the eyes of this user
        for name in names:
            path = f"{folder}/{name}" if folder else name
            if is_container(name, folder):
                yield path
            elif depth < DEPTH_MAX and may_hold_others(name):
                folders.append((path, depth + 1))


def is_container(name: str, folder: str) -> bool:
    if MONITORS.search(name):
        return False
    return bool(folder == LXC_FOLDER or BY_ID.search(name) or any(form.match(name) for form in BY_NAME))


def may_hold_others(name: str) -> bool:
    # Podman of a user without rights puts its containers below user@1000.service.
    return name.startswith("user@") or not name.endswith(UNITS)


def name_of(group: str, docker: Path) -> str:
    """What a container is called, by its own name where that can be known, else by the beginning of its id."""
    last = group.rpartition("/")[2]
    if match := BY_ID.search(last):
        return docker_name(docker / match[1]) or match[1][:ID_CHARS]
    for form in BY_NAME:
        if match := form.match(last):
            return unescaped(match[1])
    return last


def docker_name(folder: Path) -> str:
    """The name that Docker has for a container; only root may read it."""
    try:
        told = msgspec.json.decode(read(folder / "config.v2.json"), type=Told)
    except (OSError, msgspec.DecodeError):
        return ""
    return told.name.lstrip("/")


def unescaped(name: str) -> str:
    r"""A name as systemd has it, in which `\x2d` stands for a hyphen."""
    return re.sub(r"\\x([0-9a-f]{2})", lambda match: chr(int(match[1], 16)), name)
