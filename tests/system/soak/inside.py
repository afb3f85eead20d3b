"""The collector as it is, in a process that tells what it holds: `python -m tests.system.soak.inside FILE serve …`.

At SIGUSR1 it writes to FILE how much of what it has, at SIGUSR2 which lines allocated what stays: from the first such
signal on, as of the next.
"""

from __future__ import annotations

import _sqlite3
import asyncio
import ctypes
import gc
import signal
import sys
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sized
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from collector.__main__ import main

OURS = ("collector", "rules", "agent", "aiohttp", "prometheus_client")
FRAMES = 4
LINES = 25
MIB = 1024 * 1024


class Inside(Struct, frozen=True):
    """`heap_mib` is what the C library gave and did not get back, `free_mib` what it keeps for later, `sqlite_mib` what
    SQLite has of it. `held`: how many things lie in which field of which of our classes."""

    tasks: int
    objects: int
    heap_mib: float
    free_mib: float
    sqlite_mib: float
    held: dict[str, int]


class _Mallinfo(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_size_t)
        for name in "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()
    ]


_libc, _sqlite = ctypes.CDLL(None), ctypes.CDLL(_sqlite3.__file__)
_libc.mallinfo2.restype = _Mallinfo
_sqlite.sqlite3_memory_used.restype = ctypes.c_int64


def inside() -> Inside:
    heap = _libc.mallinfo2()
    return Inside(
        tasks=len(asyncio.all_tasks()),
        objects=len(gc.get_objects()),
        heap_mib=(heap.uordblks + heap.hblkhd) / MIB,
        free_mib=heap.fordblks / MIB,
        sqlite_mib=_sqlite.sqlite3_memory_used() / MIB,
        held=dict(held(_roots())),
    )


def _roots() -> Iterator[Any]:
    """The collector itself, from the frame that waits for its end."""
    for task in asyncio.all_tasks():
        waiting: Any = task.get_coro()
        while (frame := getattr(waiting, "cr_frame", None)) is not None:
            if "collector" in frame.f_locals:
                yield frame.f_locals["collector"]
            waiting = waiting.cr_await


def held(roots: Iterator[Any]) -> Counter[str]:
    """The number of things in each container that any of our objects holds, reached from `roots`."""
    found: Counter[str] = Counter()
    waiting, seen = [(root, "") for root in roots], set()
    while waiting:
        one, name = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, dict | list | set | tuple | frozenset) or _is_queue(one):
            found[name] += len(one)
            inner = list(one.values()) if isinstance(one, Mapping) else list(one)
            waiting += [
                (each, f"{name}[]") for each in inner if not isinstance(each, str | int | float | bytes)
            ]
        elif type(one).__module__.partition(".")[0] in OURS and not isinstance(one, type):
            waiting += [(value, f"{type(one).__name__}.{field}") for field, value in _fields(one)]
    return found


def _is_queue(one: object) -> bool:
    return isinstance(one, Sized) and type(one).__module__ in ("collections", "weakref", "asyncio.queues")


def _fields(one: Any) -> Iterator[tuple[str, Any]]:
    yield from vars(one).items() if hasattr(one, "__dict__") else ()
    for kind in type(one).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for field in (slots,) if isinstance(slots, str) else slots:
            if field not in ("__weakref__", "__dict__"):
                yield field, getattr(one, field, None)


def what_stays() -> list[str]:
    """Nothing at first; from then on what was allocated since and is still there, the most first."""
    if not tracemalloc.is_tracing():
        tracemalloc.start(FRAMES)
        return []
    gc.collect()
    lines = []
    for one in tracemalloc.take_snapshot().statistics("traceback")[:LINES]:
        lines.append(f"{one.size / 1024:,.0f} KiB in {one.count:,} blocks")
        lines += [f"    {frame.filename}:{frame.lineno}" for frame in one.traceback[::-1]]
    return lines


def _tell(file: Path, what: Callable[[], object]) -> None:
    fresh = file.with_suffix(".new")
    fresh.write_bytes(msgspec.json.encode(what()))
    fresh.replace(file)


if __name__ == "__main__":
    answers = Path(sys.argv.pop(1))
    signal.signal(signal.SIGUSR1, lambda *_: _tell(answers, inside))
    signal.signal(signal.SIGUSR2, lambda *_: _tell(answers, what_stays))
    sys.exit(main(sys.argv[1:]))
