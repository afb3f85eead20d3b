"""Bundles: what the installer brings to a host, a tar file for each Python and machine. `make bundle` makes them."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from msgspec import Struct

NAME = re.compile(r"cp3\d{1,2}-(x86_64|aarch64)")
BUNDLE_BYTES_MAX = 256 * 1024 * 1024
Stamp = tuple[int, int, int]


class Bundle(Struct, frozen=True):
    """`name` says what it is for: cp311-x86_64."""

    name: str
    file: Path
    sha256: str


class Bundles:
    """Those in a folder. They may be made anew while the collector runs, so it is looked each time whether they were;
    for use in one thread at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[Path, tuple[Stamp, Bundle]] = {}

    def all(self) -> list[Bundle]:
        """By name; none when there is no such folder."""
        found = [bundle for file in self._files() if (bundle := self._bundle(file)) is not None]
        return sorted(found, key=lambda bundle: bundle.name)

    def file(self, name: str) -> Path | None:
        """The file of the bundle of that name, if there is one."""
        return next((file for file in self._files() if file.stem == name), None)

    def _files(self) -> list[Path]:
        try:
            return [file for file in self.folder.glob("*.tar") if NAME.fullmatch(file.stem)]
        except OSError:
            return []

    def _bundle(self, file: Path) -> Bundle | None:
        try:
            found = file.stat()
            stamp = (found.st_ino, found.st_mtime_ns, found.st_size)
            known = self._known.get(file)
            if known is None or known[0] != stamp:
                if found.st_size > BUNDLE_BYTES_MAX:
                    return None
                sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
                known = self._known[file] = stamp, Bundle(file.stem, file, sha256)
        except OSError:
            return None
        return known[1]
