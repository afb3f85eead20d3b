"""A collector whose log is synced only now and then (`synchronous=NORMAL`), to see what ours is synced at every commit
for: `python -m tests.bench.normal python -m collector serve …`."""

from __future__ import annotations

import runpy
import sqlite3
import sys
from pathlib import Path

from collector.stores.sqlite import connection


def main() -> None:
    as_ours = connection.connect_writer

    def connect_writer(path: Path) -> sqlite3.Connection:
        made = as_ours(path)
        made.execute("PRAGMA synchronous = NORMAL")
        return made

    for module in list(sys.modules.values()):
        if getattr(module, "connect_writer", None) is as_ours:
            vars(module)["connect_writer"] = connect_writer
    sys.argv = sys.argv[3:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
