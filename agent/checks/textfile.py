"""Numbers that programs of your own leave in a folder, as *.prom files in Prometheus' text format.

It is what node_exporter reads too. Each number becomes a series under the name it has there, unless a check that runs
on this host brings such a name: then it is left out, and said. A file with a mistake, or that nobody has written to for
long, is left out as a whole. Write to another name and rename, so that no half of a file is ever read.
"""

from __future__ import annotations

import math
import os
import re
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from agent.checks import CheckOptions, Measured
from agent.options.units import say_duration, say_size
from agent.wire import SERIES_PER_HOST_MAX, series_name

FILES_MAX = 100
FILE_BYTES_MAX = 1024 * 1024
RIGHTS = "let the agent read the folder: chmod o+rx on it, and o+r on what lies in it"
SERIES = {
    "textfile_age_s": "How long ago a file in the folder was last written to.",
    "*": "Whatever the files in the folder say.",
}
METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\["\\n])*)"\s*(,|(?=\}))')
ESCAPED = re.compile(r"\\(.)")


class Options(CheckOptions, kw_only=True, frozen=True):
    """
    directory: its full path; of the files in it, those whose names end in .prom are read
    age_max: what was last written to longer ago is not taken for the present
    series_max: how many series all files together may bring
    """

    directory: Annotated[str, Meta(pattern="^/", max_length=4_000)]
    age_s_max: Annotated[float, Meta(gt=0)] = 86_400.0
    series_max: Annotated[int, Meta(ge=1, le=SERIES_PER_HOST_MAX)] = 500


class Mistake(Exception):
    """Why a file is left out, in words that follow its name."""


class Read(Struct, frozen=True):
    """A file as it was when it was read last: which one it was, and what it said or what was wrong with it."""

    which: tuple[int, int, int]
    samples: dict[str, float | None]
    mistake: str


class Check:
    def __init__(self, options: Options, now_s: Callable[[], float] = time.time) -> None:
        self._options = options
        self._now_s = now_s
        self._label = {"check": options.id or "textfile"}
        self._read: dict[Path, Read] = {}

    def measure(self, at_s: float) -> Measured:
        """OSError: the folder cannot be looked into."""
        paths = sorted(path for path in Path(self._options.directory).iterdir() if path.suffix == ".prom")
        self._read = {path: self._read[path] for path in paths if path in self._read}
        mistakes = [f"more than {FILES_MAX} files; the others are not read"] if len(paths) > FILES_MAX else []
        ages: dict[str, float | None] = {}
        said: dict[str, float | None] = {}
        for path in paths[:FILES_MAX]:
            try:
                status = path.stat()
                age_s = self._now_s() - status.st_mtime
                ages[series_name("textfile_age_s", self._label | {"file": path.name})] = age_s
                said |= self._said(path, status, age_s, said)
            except FileNotFoundError:
                continue
            except (Mistake, OSError) as error:
                why = (error.strerror or "").lower() if isinstance(error, OSError) else str(error)
                mistakes.append(f"{path.name}: {why}")
        return Measured(ages | said, "warn" if mistakes else "ok", "; ".join(mistakes))

    def _said(
        self, path: Path, status: os.stat_result, age_s: float, others: dict[str, float | None]
    ) -> dict[str, float | None]:
        """What a file says, read again only when it is another. Mistake: it is left out."""
        if age_s > self._options.age_s_max:
            raise Mistake(f"older than {say_duration(self._options.age_s_max)}")
        which = (status.st_ino, status.st_mtime_ns, status.st_size)
        read = self._read.get(path)
        if read is None or read.which != which:
            try:
                read = Read(which, parsed(text_of(path)), "")
            except Mistake as mistake:
                read = Read(which, {}, str(mistake))
            self._read[path] = read
        if read.mistake:
            raise Mistake(read.mistake)
        if twice := next((name for name in read.samples if name in others), None):
            raise Mistake(f"{twice} is in another file too")
        if len(others) + len(read.samples) > self._options.series_max:
            raise Mistake(f"with it there would be more than {self._options.series_max} series")
        return read.samples


def text_of(path: Path) -> str:
    """Mistake: what is there is no text, or too much of it."""
    # Opening what turns out to be a pipe must not wait for whoever writes into it.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise Mistake("no file")
        data = file.read(FILE_BYTES_MAX + 1)
    if len(data) > FILE_BYTES_MAX:
        raise Mistake(f"larger than {say_size(FILE_BYTES_MAX)}")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Mistake(f"line {data.count(10, 0, error.start) + 1}: not UTF-8") from None


def parsed(text: str) -> dict[str, float | None]:
    """The series in a text, under canonical names. Mistake names the first line that is wrong."""
    samples: dict[str, float | None] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.strip()
        if line and not line.startswith("#"):
            try:
                name, value = sample_of(line)
            except Mistake as mistake:
                raise Mistake(f"line {number}: {mistake}") from None
            if name in samples:
                raise Mistake(f"line {number}: {name} is there twice")
            samples[name] = value
    return samples


def sample_of(line: str) -> tuple[str, float | None]:
    """`name{label="value"} 1.5` as canonical name and value; what is no finite number is None."""
    metric = METRIC.match(line)
    if metric is None:
        raise Mistake("does not begin with a name")
    labels, rest = labels_of(line[metric.end() :].lstrip())
    words = rest.split()
    if len(words) == 2:
        raise Mistake("has a time, and what was then is not what is now")
    try:
        value = float(words[0]) if len(words) == 1 and "_" not in words[0] else None
    except ValueError:
        value = None
    if value is None:
        raise Mistake("has no single number after its name")
    return series_name(metric[0], labels), value if math.isfinite(value) else None


def labels_of(text: str) -> tuple[dict[str, str], str]:
    """The labels in braces that a text begins with, if it does, and what follows."""
    labels: dict[str, str] = {}
    if not text.startswith("{"):
        return labels, text
    place = 1
    while found := LABEL.match(text, place):
        if found[1] in labels:
            raise Mistake(f"has the label {found[1]} twice")
        labels[found[1]] = ESCAPED.sub(lambda escaped: "\n" if escaped[1] == "n" else escaped[1], found[2])
        place = found.end()
        if not found[3]:
            break
    rest = text[place:].lstrip()
    if not rest.startswith("}"):
        raise Mistake('has labels that are not written as {name="value"}')
    return labels, rest[1:]
