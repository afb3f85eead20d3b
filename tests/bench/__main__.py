"""`make bench`: measure, and print the table. Progress is told on stderr, the table alone goes to stdout.

Each module in tests/bench/rows brings `run(settings) -> list[Row]`; no list elsewhere names it. Figures are ratios
taken in one run on one machine where they can be: so they can be compared between machines.
"""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import platform
import sys
import time
from datetime import UTC, datetime
from types import ModuleType

import tests.bench.rows
from tests.bench.fleet import Settings
from tests.bench.table import Row, markdown


def main() -> int:
    found = {module.name: module for module in pkgutil.iter_modules(tests.bench.rows.__path__)}
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "--only", metavar="PART", help=f"rows whose module has this in its name: {', '.join(found)}"
    )
    parser.add_argument(
        "--quick", action="store_true", help="see whether everything works; the figures say nothing"
    )
    parser.add_argument("--rounds", type=int, default=5, help="how often each comparison is made (5)")
    parser.add_argument("--crashes", type=int, default=10, help="how often the collector is killed (10)")
    options = parser.parse_args()
    settings = Settings(quick=True, rounds=1, crashes=1)
    if not options.quick:
        settings = Settings(rounds=options.rounds, crashes=options.crashes)
    chosen = [name for name in found if options.only is None or options.only in name]
    if not chosen:
        parser.error(f"no row has {options.only!r} in its name; there are: {', '.join(found)}")
    rows: list[Row] = []
    for name in chosen:
        rows += measured(importlib.import_module(f"tests.bench.rows.{name}"), name, settings)
    print(markdown(rows))
    print(f"\n{where()}{'; a quick run: the figures say nothing' if options.quick else ''}")
    return 0


def measured(module: ModuleType, name: str, settings: Settings) -> list[Row]:
    """The rows of one module. One that fails is a row that says so: the others are measured all the same."""
    began_s = time.monotonic()
    tell(f"{name}: {(module.__doc__ or '').strip().splitlines()[0]}")
    try:
        rows: list[Row] = module.run(settings)
    except Exception as error:
        tell(f"{name} failed after {time.monotonic() - began_s:.0f} s: {error!r}")
        return [
            Row(name, f"failed: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")
        ]
    for row in rows:
        tell(f"  {row.what}: {row.figure}")
    tell(f"  in {time.monotonic() - began_s:.0f} s")
    return rows


def tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def where() -> str:
    day = datetime.now(UTC).date().isoformat()
    machine = (
        f"{platform.system()} {platform.release()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    )
    return f"{day}, {machine}, Python {platform.python_version()}"


if __name__ == "__main__":
    sys.exit(main())
