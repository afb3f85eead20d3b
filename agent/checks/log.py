r"""How many new lines of a log fit each pattern: counts leave this host, the lines never do.

It begins at the end of the file as it finds it, and follows when the file is rotated or cut. Patterns are regular
expressions as far as they can be searched for in proportion to the text: literals, . [] \d \w \s \b ( ) | * + ? {m,n}
^ $ and (?i) at the beginning, but no references back and no looking around.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from agent.checks import CheckOptions, Measured
from agent.checks._recent import Recent
from agent.checks._regex import Pattern
from agent.net.dial import Deadline
from agent.wire import series_name

LINE_BYTES_MAX = 4096
CHUNK_BYTES = 64 * 1024
RIGHTS = "systemctl edit watchkeeper-agent, and under [Service]: SupplementaryGroups=adm"
SERIES = {
    "log_matches": "How many lines that came to a log since the last tick fit a pattern.",
    "log_matches_10m": "How many lines that came to a log within the last ten minutes fit a pattern.",
    "log_lines": "How many lines came to a log since the last tick.",
    "log_skipped_bytes": "How much of what came to a log since the last tick was not searched, as it was too much.",
}


class Options(CheckOptions, kw_only=True, frozen=True):
    """
    path: its full path
    patterns: what to count: a name for each, and a regular expression, such as {oom: "Out of memory|oom-kill"}
    read_max: how much is searched in one tick; when more has come, the newest part
    """

    path: Annotated[str, Meta(pattern="^/", max_length=4_000)]
    patterns: Annotated[dict[str, str], Meta(min_length=1, max_length=50)]
    read_bytes_max: Annotated[int, Meta(ge=LINE_BYTES_MAX, le=64 * 1024 * 1024)] = 1024 * 1024

    def __post_init__(self) -> None:
        for name, expression in self.patterns.items():
            try:
                Pattern(expression)
            except ValueError as error:
                raise ValueError(f"patterns.{name}: {error}") from None


class Check:
    def __init__(self, options: Options) -> None:
        self._options = options
        self._patterns = {name: Pattern(expression) for name, expression in options.patterns.items()}
        self._log = Log(Path(options.path))
        label = {"check": options.id or "log"}
        self._lines, self._skipped = series_name("log_lines", label), series_name("log_skipped_bytes", label)
        self._matches, self._recent_matches = (
            {name: series_name(metric, label | {"pattern": name}) for name in options.patterns}
            for metric in ("log_matches", "log_matches_10m")
        )
        self._recent = {name: Recent() for name in options.patterns}

    def measure(self, at_s: float) -> Measured:
        """OSError: there is no such file yet, or it may not be read."""
        deadline = Deadline(self._options.timeout_s)
        if self._log.begin():
            return Measured({})
        counts = dict.fromkeys(self._patterns, 0)
        lines = 0
        for line in self._log.new_lines(self._options.read_bytes_max, deadline):
            lines += 1
            for name, pattern in self._patterns.items():
                counts[name] += pattern.found_in(line)
        samples: dict[str, float | None] = {self._lines: lines, self._skipped: self._log.skipped_bytes}
        for name, count in counts.items():
            samples[self._matches[name]] = count
            samples[self._recent_matches[name]] = self._recent[name].with_now(at_s, count)
        if self._log.skipped_bytes:
            return Measured(
                samples, "warn", "more came than is searched in one tick; a part was not searched"
            )
        return Measured(samples)


class Log:
    """A file that is written to at its end, and that another takes the place of now and then."""

    def __init__(self, path: Path) -> None:
        self.skipped_bytes = 0
        self._path = path
        self._file = -1
        self._place = 0
        self._rest = b""
        """A line of which the end has not come yet; not more of it than is searched."""
        self._looked = False

    def __del__(self) -> None:
        if self._file >= 0:
            os.close(self._file)

    def begin(self) -> bool:
        """Open the file if that is not done yet; True if this is the first look. OSError: it cannot be opened.

        What is there already is not new, unless the file itself is: an earlier look did not find it.
        """
        if self._file >= 0:
            return False
        try:
            self._file = opened(self._path)
        except FileNotFoundError:
            self._looked = True
            raise
        if self._looked:
            return False
        self._looked = True
        self._place = os.fstat(self._file).st_size
        return True

    def new_lines(self, bytes_max: int, deadline: Deadline) -> Iterator[str]:
        """The lines that came since the last look. `skipped_bytes` says how much was too much, afterwards."""
        self.skipped_bytes = 0
        if os.fstat(self._file).st_size < self._place:  # cut, to be written from its beginning again
            self._place, self._rest = 0, b""
        followed_by_bytes = self._successor_bytes()
        yield from self._read(max(0, bytes_max - followed_by_bytes), deadline)
        if followed_by_bytes:
            if self._rest:
                yield text_of(self._rest)
            os.close(self._file)
            self._file, self._place, self._rest = -1, 0, b""
            self._file = opened(self._path)
            yield from self._read(bytes_max, deadline)

    def _successor_bytes(self) -> int:
        """How much is in the file that has taken the place of ours. As long as there is nothing, whoever writes may
        not have noticed, and still write to ours."""
        try:
            status, ours = self._path.stat(), os.fstat(self._file)
        except FileNotFoundError:
            return 0
        return status.st_size if (status.st_dev, status.st_ino) != (ours.st_dev, ours.st_ino) else 0

    def _read(self, bytes_max: int, deadline: Deadline) -> Iterator[str]:
        """The newest lines of this file, from where we were."""
        end = os.fstat(self._file).st_size
        if end - self._place > bytes_max:
            self.skipped_bytes += end - bytes_max - self._place
            self._place, self._rest = end - bytes_max, b""
            self._skip_to_line(end)
        while self._place < end:
            chunk = os.pread(self._file, min(CHUNK_BYTES, end - self._place), self._place)
            if not chunk:
                return  # cut just now
            self._place += len(chunk)
            *lines, rest = (self._rest + chunk).split(b"\n")
            self._rest = rest[:LINE_BYTES_MAX]
            for number, line in enumerate(lines):
                if deadline.spent_s > deadline.limit_s:
                    left = [*lines[number:], rest]
                    self.skipped_bytes += sum(map(len, left)) + len(left) - 1 + end - self._place
                    self._place, self._rest = end, b""
                    return
                yield text_of(line)

    def _skip_to_line(self, end: int) -> None:
        """From the middle of a line to the next, if that is not far: half a line would fit what it does not."""
        chunk = os.pread(self._file, CHUNK_BYTES, self._place)
        beginning = chunk.find(b"\n") + 1
        self.skipped_bytes += beginning
        self._place = min(end, self._place + beginning)


def text_of(line: bytes) -> str:
    return line[:LINE_BYTES_MAX].decode("utf-8", "replace").rstrip("\r")


def opened(path: Path) -> int:
    # Opening what turns out to be a pipe must not wait for whoever writes into it.
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(f"{path} is no file that could be followed")
    return file
