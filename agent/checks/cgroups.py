"""What each container uses: processor, memory and how much of its limit, and how often it was started anew.

Containers are found by their control groups (cgroups, both versions), so whatever runs them, and without its socket.
Docker's names are known where this user may read them, which is root alone; else a container goes by the beginning of
its id. Memory is what cannot be given back at once, as `docker stats` has it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from agent.checks import CheckOptions, Measured, chosen
from agent.checks._containers import CGROUPS, DOCKER, Container, containers
from agent.checks._kernel import Counters, read
from agent.checks._recent import Recent
from agent.wire import series_name

LOOK_AGAIN_S = 30.0
RESTARTS_WITHIN_S = 900.0
REMEMBERED_MAX = 2_000
"""How many containers are remembered that are gone: one that comes back was started anew."""
NO_LIMIT_BYTES = 2**60
"""From here on a limit is none: version 1 says so with the largest number of pages."""
SERIES = {
    "container_cpu_used_pct": "How much of all processors' time a container used.",
    "container_memory_bytes": "How much memory a container uses, without the files that the kernel only keeps for it.",
    "container_memory_used_pct": "How much of its memory limit a container uses; only where it has a limit.",
    "container_restarts": "How often a container was started anew in the last 15 minutes, as far as ticks saw it.",
}


class Options(CheckOptions, kw_only=True, frozen=True):
    """
    include_containers: patterns of the containers to tell of and no others; when left out, all that are not excluded
    exclude_containers: patterns of containers to leave out, unless some are included
    containers_max: how many are told of at most
    """

    include_containers: tuple[str, ...] = ()
    exclude_containers: tuple[str, ...] = ()
    containers_max: Annotated[int, Meta(ge=1, le=400)] = 50

    by_default: ClassVar[bool] = True


class Layout(Struct, frozen=True):
    """Where a version of control groups keeps what, and in which words."""

    memory_tree: Path
    cpu_tree: Path
    memory_file: str
    limit_file: str
    cache_word: str
    cpu_file: str
    cpu_word: str
    cpu_units_per_s: int


class Known(Struct, frozen=True):
    """A container that is there, where to read about it, and its memory limit, if it has one."""

    name: str
    group: str
    memory_folder: Path
    cpu_folder: Path
    limit_bytes: int | None


class Restarts(Struct):
    """Which group a container had last, by the kernel's number, and how often it had got another one."""

    number: int
    recent: Recent


def layout_of(root: Path) -> Layout | None:
    """Version 2 where it has the controllers, else version 1; None where there is neither."""
    if (root / "cgroup.controllers").exists():
        return Layout(
            root, root, "memory.current", "memory.max", "inactive_file", "cpu.stat", "usage_usec ", 10**6
        )
    if (root / "memory").exists():
        return Layout(
            root / "memory",
            root / "cpuacct",
            "memory.usage_in_bytes",
            "memory.limit_in_bytes",
            "total_inactive_file",
            "cpuacct.usage",
            "",
            10**9,
        )
    return None


class Check:
    def __init__(self, options: Options, root: Path = CGROUPS, docker: Path = DOCKER) -> None:
        self._options = options
        self._docker = docker
        self._layout = layout_of(root)
        self._known: list[Known] = []
        self._beyond = ""
        self._looked_s: float | None = None
        self._counters = Counters()
        self._restarts: dict[str, Restarts] = {}

    def measure(self, at_s: float) -> Measured:
        if self._layout is None:
            return Measured({}, detail="this kernel has no control groups")
        if self._looked_s is None or at_s - self._looked_s >= LOOK_AGAIN_S:
            self._looked_s = at_s
            self._look(self._layout)
        samples: dict[str, float | None] = {}
        cpu_s: dict[str, float] = {}
        for known in self._known:
            try:
                restarts = self._restarts_of(known, at_s)
            except FileNotFoundError:
                self._looked_s = None  # it ended; perhaps it comes back in another place
                continue
            samples[series_name("container_restarts", {"container": known.name})] = restarts
            samples |= memory_of(known, self._layout)
            cpu_s |= cpu_seconds(known, self._layout)
        processors = os.cpu_count() or 1
        for name, cores in self._counters.per_s(at_s, cpu_s).items():
            samples[series_name("container_cpu_used_pct", {"container": name})] = min(
                100.0, 100 * cores / processors
            )
        return Measured(samples, detail=self._beyond)

    def _look(self, layout: Layout) -> None:
        """Find the containers that are there, and their limits."""
        options = self._options
        wanted = [
            container
            for container in containers(layout.memory_tree, self._docker)
            if chosen(container.name, options.include_containers, options.exclude_containers)
        ]
        self._known = [known_of(container, layout) for container in wanted[: options.containers_max]]
        more = len(wanted) - len(self._known)
        self._beyond = f"of {len(wanted)} containers only {len(self._known)} are told of" if more else ""

    def _restarts_of(self, known: Known, at_s: float) -> int:
        """How often it was started anew of late. A container that starts gets a new group under the old name."""
        number = known.memory_folder.stat().st_ino
        seen = self._restarts.setdefault(known.group, Restarts(number, Recent(RESTARTS_WITHIN_S)))
        new = int(seen.number != number)
        seen.number = number
        if len(self._restarts) > REMEMBERED_MAX:
            del self._restarts[next(iter(self._restarts))]
        return seen.recent.with_now(at_s, new)


def known_of(container: Container, layout: Layout) -> Known:
    folder = layout.memory_tree / container.group
    try:
        limit = read(folder / layout.limit_file).strip()
    except OSError:
        limit = "max"
    limit_bytes = None if limit == "max" or int(limit) >= NO_LIMIT_BYTES else int(limit)
    cpu_folder = layout.cpu_tree / container.group
    return Known(container.name, container.group, folder, cpu_folder, limit_bytes)


def memory_of(known: Known, layout: Layout) -> dict[str, float | None]:
    """Nothing where the group's memory is not counted, as version 2 allows, or it ends at this very moment."""
    try:
        used = int(read(f"{known.memory_folder}/{layout.memory_file}"))
        _, _, rest = read(f"{known.memory_folder}/memory.stat").partition(f"\n{layout.cache_word} ")
    except OSError:
        return {}
    used = max(0, used - int(rest.partition("\n")[0] or 0))
    label = {"container": known.name}
    samples: dict[str, float | None] = {series_name("container_memory_bytes", label): used}
    if known.limit_bytes:
        samples[series_name("container_memory_used_pct", label)] = 100 * used / known.limit_bytes
    return samples


def cpu_seconds(known: Known, layout: Layout) -> dict[str, float]:
    """The processor time that a container has used so far, under its name; nothing where that is not counted."""
    try:
        text = read(f"{known.cpu_folder}/{layout.cpu_file}")
    except OSError:
        return {}
    count = text.removeprefix(layout.cpu_word).partition("\n")[0]
    return {known.name: int(count) / layout.cpu_units_per_s}
