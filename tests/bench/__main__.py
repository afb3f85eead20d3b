"""`make bench`: measure, and print the table. Progress is told on stderr, the table alone goes to stdout.

Each module in tests/bench/rows brings `run(settings) -> list[Row]`; no list elsewhere names it. Figures are ratios
taken in one run on one machine where they can be: so they can be compared between machines. A module that fails is a
row that says why, and the exit code is 1 in the end.
"""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import platform
import signal
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from types import ModuleType

import tests.bench.rows
from tests.bench.fleet import CRASHES, ROUNDS, Settings
from tests.bench.progress import tell, within
from tests.bench.table import Row, markdown

LIMIT_S, LIMIT_S_A_CRASH = 900.0, 6.0
"""So long a module may take, and so much longer for each time that the collector is killed."""


def main() -> int:
    found = [module.name for module in pkgutil.iter_modules(tests.bench.rows.__path__)]
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "--only", metavar="PART", help=f"rows whose module has this in its name: {', '.join(found)}"
    )
    parser.add_argument(
        "--quick", action="store_true", help="see whether everything works; the figures say nothing"
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"how often to compare ({ROUNDS})")
    parser.add_argument(
        "--crashes", type=int, default=CRASHES, help=f"how often to kill the collector ({CRASHES})"
    )
    options = parser.parse_args()
    settings = Settings(quick=True, rounds=1, crashes=1)
    if not options.quick:
        settings = Settings(rounds=options.rounds, crashes=options.crashes)
    chosen = [name for name in found if options.only is None or options.only in name]
    if not chosen:
        parser.error(f"no row has {options.only!r} in its name; there are: {', '.join(found)}")
    rows, failed = all_of(chosen, settings)
    print(markdown([row.unjudged for row in rows] if options.quick else rows))
    print(f"\n{where()}{'; a quick run: the figures say nothing' if options.quick else ''}")
    if failed:
        print(f"without a figure: {', '.join(failed)}")
    return 1 if failed else 0


def all_of(names: Sequence[str], settings: Settings) -> tuple[list[Row], list[str]]:
    """The rows of these modules, and the names of those that have no figure: one that fails holds up none behind it,
    and who presses Ctrl-C has what is there by then."""
    rows: list[Row] = []
    failed: list[str] = []
    for place, name in enumerate(names, 1):
        tell(f"{place} of {len(names)}: {name}")
        try:
            rows += measured(importlib.import_module(f"tests.bench.rows.{name}"), settings)
        except KeyboardInterrupt:
            tell("stopped")
            failed += names[place - 1 :]
            break
        except Exception as error:
            tell(f"  failed: {in_a_line(error)}")
            rows.append(Row(name, f"failed: {in_a_line(error)}"))
            failed.append(name)
    return rows, failed


def measured(module: ModuleType, settings: Settings) -> list[Row]:
    began_s = time.monotonic()
    tell(f"  {(module.__doc__ or '').strip().splitlines()[0]}")
    with within(LIMIT_S + LIMIT_S_A_CRASH * settings.crashes):
        rows: list[Row] = module.run(settings)
    for row in rows:
        tell(f"  {row.what}: {row.figure}")
    tell(f"  in {time.monotonic() - began_s:.0f} s")
    return rows


def in_a_line(error: Exception) -> str:
    """What it is about stands in its first line, and often why in its last."""
    first, *others = str(error).strip().split("\n")
    return f"{type(error).__name__}: {first}{f' … {others[-1]}' if others else ''}"


def where() -> str:
    day = datetime.now(UTC).date().isoformat()
    machine = (
        f"{platform.system()} {platform.release()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    )
    return f"{day}, {machine}, Python {platform.python_version()}"


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was started is ended, as by Ctrl-C
    sys.exit(main())
