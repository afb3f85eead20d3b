"""What fills a disk: the largest directories of its fullest mount, as far as a few seconds go."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Callable, Iterator
from heapq import nlargest
from operator import itemgetter

import psutil

from agent.sampler import plain
from agent.wire import Folder

SHOWN = 10
DEPTH_MAX = 5
"""So far below the mount a directory is named; what lies deeper counts for the one above it."""
NAMED_MAX = 1_000
"""So many are remembered; beyond that the smaller half is let go of, as it would not be shown."""
BELOW_ONE_MAX = 5_000
STACK_MAX = 10_000
LINKS_MAX = 10_000
LOOK_AT_THE_CLOCK_AFTER = 500
BLOCK_BYTES = 512
MOST = 0.8
"""A directory is left out when one below it is so much of it: that one says more."""


def fullest_mount() -> str:
    """Where the fullest disk of this host is mounted; OSError if there is none. Asking may hang with a disk."""
    mounts = {part.device: part.mountpoint for part in reversed(psutil.disk_partitions()) if part.fstype}
    writable = [mount for mount in mounts.values() if not os.statvfs(mount).f_flag & os.ST_RDONLY]
    if not writable:
        raise OSError("no disk is mounted that could be written to")
    return max(writable, key=lambda mount: psutil.disk_usage(mount).percent)


class Walk:
    """Sizes of directories below `root`, on its own disk, within `limit_s`.

    The time is shared out among the directories of each level, so that a large one leaves some to its neighbours.
    `complete` is False when the time was up before all was seen; `unreadable` counts directories closed to us.
    """

    def __init__(self, root: str, limit_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.sizes: dict[str, int] = {}
        self.complete = True
        self.unreadable = 0
        self._clock = clock
        self._root = root
        self._device = os.lstat(root).st_dev
        self._linked: set[int] = set()
        self._measure(root, 0, clock() + limit_s)

    def largest(self) -> list[Folder]:
        """The largest that say the most, the largest first; the root itself says nothing new."""
        largest_below: dict[str, int] = {}
        for path, size in self.sizes.items():
            above = os.path.split(path)[0]
            largest_below[above] = max(size, largest_below.get(above, 0))
        telling = [
            (size, path)
            for path, size in self.sizes.items()
            if path != self._root and largest_below.get(path, 0) < MOST * size
        ]
        return [Folder(plain(shown(path)), size) for size, path in nlargest(SHOWN, telling)]

    def _measure(self, path: str, depth: int, until_s: float) -> int:
        total, below = self._contents(path, until_s)
        for place, folder in enumerate(below):
            now_s = self._clock()
            share_s = now_s + (until_s - now_s) / (len(below) - place)
            if depth < DEPTH_MAX:
                total += self._measure(folder, depth + 1, share_s)
            else:
                total += self._all_below(folder, share_s)
        self.sizes[path] = total
        if len(self.sizes) > NAMED_MAX:
            self.sizes = dict(nlargest(NAMED_MAX // 2, self.sizes.items(), key=itemgetter(1)))
        return total

    def _all_below(self, path: str, until_s: float) -> int:
        total, stack = 0, [path]
        while stack:
            size, below = self._contents(stack.pop(), until_s)
            total += size
            stack += below
            if len(stack) > STACK_MAX:
                self.complete = False
                del stack[STACK_MAX:]
        return total

    def _contents(self, path: str, until_s: float) -> tuple[int, list[str]]:
        """The size of what lies in a directory itself, and the directories in it."""
        total = 0
        below: list[str] = []
        for status, folder in self._entries(path, until_s):
            total += status.st_blocks * BLOCK_BYTES
            if folder and len(below) < BELOW_ONE_MAX:
                below.append(folder)
            elif folder:
                self.complete = False
        return total, below

    def _entries(self, path: str, until_s: float) -> Iterator[tuple[os.stat_result, str]]:
        """What lies in a directory on the same disk; with its path, if it is a directory."""
        if self._clock() >= until_s:
            self.complete = False
            return
        try:
            with os.scandir(path) as entries:
                for count, entry in enumerate(entries):
                    if (
                        count % LOOK_AT_THE_CLOCK_AFTER == LOOK_AT_THE_CLOCK_AFTER - 1
                        and self._clock() >= until_s
                    ):
                        self.complete = False
                        return
                    with contextlib.suppress(FileNotFoundError):  # it went away while we looked
                        status = entry.stat(follow_symlinks=False)
                        if status.st_dev == self._device and self._is_new(status):
                            yield status, entry.path if stat.S_ISDIR(status.st_mode) else ""
        except PermissionError:
            self.unreadable += 1
        except OSError:
            self.complete = False

    def _is_new(self, status: os.stat_result) -> bool:
        """False for what has several names and was counted by another."""
        if status.st_nlink < 2 or stat.S_ISDIR(status.st_mode):
            return True
        if status.st_ino in self._linked:
            return False
        if len(self._linked) < LINKS_MAX:
            self._linked.add(status.st_ino)
        return True


def shown(path: str) -> str:
    """A name without the half characters that stand for what is no text."""
    return path.encode("utf-8", "replace").decode()
