"""Is a file there, young enough, and neither too small nor too large? For backups, exports, locks and the like.

Of a pattern the newest file counts, so that it can be told when the nightly one does not come any more, or comes much
smaller than the night before.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from agent.checks import CheckOptions, Measured
from agent.net.dial import Deadline
from agent.options.units import say_duration, say_size
from agent.wire import series_name

WILD = re.compile(r"[*?\[]")
RIGHTS = "systemctl edit watchkeeper-agent, and under [Service]: SupplementaryGroups= with a group that may look there"
SERIES = {
    "file_exists": "1 when there is such a file, else 0.",
    "file_count": "How many files fit a pattern.",
    "file_age_s": "How long ago a file, or the newest that fits a pattern, was last written to.",
    "file_size_bytes": "How large a file, or the newest that fits a pattern, is.",
}


class Options(CheckOptions, kw_only=True, frozen=True):
    """
    path: its full path; * ? and [] stand for what changes, and then the newest that fits is meant
    exists: false turns it round: good is when there is none
    age_max: how long ago it may have been written to, such as 26h
    size_min: how small it may be
    size_max: how large it may be
    shrink_pct_max: how much smaller than the one before it the newest that fits a pattern may be
    """

    path: Annotated[str, Meta(pattern="^/", max_length=4_000)]
    exists: bool = True
    age_s_max: Annotated[float, Meta(gt=0)] | None = None
    size_bytes_min: Annotated[int, Meta(ge=0)] | None = None
    size_bytes_max: Annotated[int, Meta(ge=0)] | None = None
    shrink_pct_max: Annotated[float, Meta(ge=0, le=100)] | None = None

    def __post_init__(self) -> None:
        if self.shrink_pct_max is not None and not WILD.search(self.path):
            raise ValueError(
                "shrink_pct_max: one file alone is compared with no other; write path as a pattern"
            )
        smallest, largest = self.size_bytes_min, self.size_bytes_max
        if smallest is not None and largest is not None and smallest > largest:
            raise ValueError("size_min is larger than size_max, so no file could be right")


class Found(Struct, frozen=True):
    """A file as it is now."""

    path: Path
    written_s: float
    size_bytes: int


class Check:
    def __init__(self, options: Options, now_s: Callable[[], float] = time.time) -> None:
        self._options = options
        self._now_s = now_s
        label = {"check": options.id or "file"}
        self._exists, self._count, self._age_s, self._size_bytes = (
            series_name(name, label)
            for name in ("file_exists", "file_count", "file_age_s", "file_size_bytes")
        )

    def measure(self, at_s: float) -> Measured:
        """OSError: it cannot be told whether there is one."""
        options = self._options
        path, wild = Path(options.path), WILD.search(options.path)
        count, newest = newest_of(path, Deadline(options.timeout_s)) if wild else alone(path)
        samples: dict[str, float | None] = {self._exists: float(count > 0)}
        if wild:
            samples[self._count] = count
        if not newest:
            none = f"no file fits {options.path}" if wild else f"there is no {options.path}"
            return Measured(samples, "bad" if options.exists else "ok", none if options.exists else "")
        samples[self._age_s] = age_s = self._now_s() - newest[0].written_s
        samples[self._size_bytes] = newest[0].size_bytes
        fault = fault_of(newest, age_s, options)
        return Measured(samples, "bad" if fault else "ok", fault)


def fault_of(newest: list[Found], age_s: float, options: Options) -> str:
    """What is wrong with the newest file, in words that stay the same; empty when all is well."""
    found, *before = newest
    if not options.exists:
        return f"there is {found.path}"
    faults = []
    if options.age_s_max is not None and age_s > options.age_s_max:
        faults.append(f"older than {say_duration(options.age_s_max)}")
    if options.size_bytes_min is not None and found.size_bytes < options.size_bytes_min:
        faults.append(f"smaller than {say_size(options.size_bytes_min)}")
    if options.size_bytes_max is not None and found.size_bytes > options.size_bytes_max:
        faults.append(f"larger than {say_size(options.size_bytes_max)}")
    if options.shrink_pct_max is not None and before:
        allowed = before[0].size_bytes * (1 - options.shrink_pct_max / 100)
        if found.size_bytes < allowed:
            faults.append(f"more than {options.shrink_pct_max:g} % smaller than {before[0].path} before it")
    return f"{found.path} is {' and '.join(faults)}" if faults else ""


def alone(path: Path) -> tuple[int, list[Found]]:
    """Whether there is this one, of whatever kind."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return 0, []
    return 1, [Found(path, status.st_mtime, status.st_size)]


def newest_of(pattern: Path, deadline: Deadline) -> tuple[int, list[Found]]:
    """How many files fit, and the newest two, the newest first. Only what can be looked at counts, and no folders."""
    count, newest = 0, list[Found]()
    for path in fitting(Path("/"), pattern.parts[1:], deadline):
        try:
            status = path.stat()
        except OSError:
            continue  # gone meanwhile, or a link to nowhere
        if stat.S_ISREG(status.st_mode):
            count += 1
            newest.append(Found(path, status.st_mtime, status.st_size))
            newest = sorted(newest, key=lambda found: found.written_s, reverse=True)[:2]
    return count, newest


def fitting(folder: Path, parts: Sequence[str], deadline: Deadline) -> Iterator[Path]:
    """The paths in a folder that fit what is left of a pattern; OSError when that is not known.

    What lies behind a folder that itself only fits a pattern may be closed to us: then nothing in it fits.
    """
    part, *rest = parts
    if not WILD.search(part):
        yield from fitting(folder / part, rest, deadline) if rest else [folder / part]
        return
    try:
        entries = os.scandir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return
    with entries:
        for entry in entries:
            if deadline.spent_s > deadline.limit_s:
                raise OSError(f"{folder} holds more than can be looked through in {deadline.limit_s:g} s")
            hidden = entry.name.startswith(".") and not part.startswith(".")
            if fnmatchcase(entry.name, part) and not hidden:
                with contextlib.suppress(PermissionError):
                    path = folder / entry.name
                    yield from fitting(path, rest, deadline) if rest else [path]
