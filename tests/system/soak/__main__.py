from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.system import soak
from tests.system.soak import agent, collector
from tests.system.soak.looks import judged, told


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.system.soak", description=soak.__doc__)
    parser.add_argument("which", choices=("agent", "collector"))
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument(
        "--trace", action="store_true", help="collector: say which lines allocated what stays"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        if arguments.which == "agent":
            seen: agent.Soak | collector.Soak = agent.run(Path(folder), arguments.minutes * 60)
        else:
            seen = collector.run(Path(folder), arguments.minutes * 60, trace=arguments.trace, tell=_say)
    for line in [
        *told(judged(seen.looks) if arguments.which == "agent" else seen.looks),
        *seen.summary(),
        *(f"FAULT: {fault}" for fault in seen.faults()),
    ]:
        _say(line)
    return 1 if seen.faults() else 0


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
