"""The caretaker of a store in SQLite: see collector.caretaker."""

from __future__ import annotations

from pathlib import Path

from collector.caretaker import Copied, Found, Restored, Told
from collector.stores.sqlite import contents, copying
from collector.stores.sqlite.folder import Folder


class SqliteCaretaker:
    def __init__(self, folder: Path) -> None:
        self._folder = Folder(folder)

    def backup(self, file: Path, told: Told, *, replace: bool) -> Copied:
        return copying.backup(self._folder, file, told, replace=replace)

    def restore(self, file: Path, told: Told, *, replace: bool) -> Restored:
        return copying.restore(self._folder, file, told, replace=replace)

    def check(self, told: Told) -> Found:
        return contents.check(self._folder, told)
