"""`watchkeeper size`: the memory and the disk that a fleet will need."""

from __future__ import annotations

import argparse
import os
from functools import partial
from pathlib import Path

import msgspec
from msgspec import Struct

from agent.options import duration_s, say_duration
from agent.wire import SERIES_PER_HOST_MAX
from collector.cli import Commands, House, add_config, argument, number_up_to, parse_interval
from collector.config import CollectorConfig

# What it all rests on, measured with the busy host whose trace comes along; hosts at rest take half the disk. `make
# bench ARGS="--only size"` measures it anew and says how far what is worked out here lies from that.
MEMORY_BYTES = 74 * 2**20
MEMORY_BYTES_PER_HOST = 17_500
"""A connection of its own included."""
MEMORY_BYTES_PER_SERIES = 170
FRESH_S = 2.1 * 3600
"""An hour is packed when it is over, within the hour after that."""
FRESH_BYTES_PER_BATCH = 144
FRESH_BYTES_PER_SAMPLE = 8.0
PACKED_BYTES_PER_HOUR = 2_048
"""Of a host: half a page, as what is packed seldom ends where a page does."""
PACKED_BYTES_PER_SERIES_HOUR = 15
PACKED_BYTES_PER_SAMPLE = 0.71
ROLLUP_BYTES_PER_DAY = 3_072
ROLLUP_BYTES_PER_SERIES_DAY = 200
SPARE_BYTES = 16 * 2**20
SPARE_SHARE = 0.05
"""Room that stays in the file, and the log beside it."""

HOSTS_MAX = 1_000_000
HOUR_S, DAY_S = 3600, 86_400


class Fleet(Struct, frozen=True):
    """So many hosts alike, each pushing a batch of so many series every so often."""

    hosts: int
    series: int
    every_s: float


class Need(Struct, frozen=True):
    """In bytes; the disk in the end, when each thing has been kept for as long as it is to be."""

    memory: int
    fresh: int
    packed: int
    rollups: int
    spare: int

    @property
    def disk(self) -> int:
        return self.fresh + self.packed + self.rollups + self.spare


def need_of(fleet: Fleet, keep_s: float, keep_rollups_s: float) -> Need:
    """What hosts that come and go, thousands of incidents or series that change all the time add is not in it."""
    hosts, series = fleet.hosts, fleet.series
    ticks_per_hour = HOUR_S / fleet.every_s
    batch = FRESH_BYTES_PER_BATCH + FRESH_BYTES_PER_SAMPLE * series
    hour = PACKED_BYTES_PER_HOUR + series * (
        PACKED_BYTES_PER_SERIES_HOUR + PACKED_BYTES_PER_SAMPLE * ticks_per_hour
    )
    day = ROLLUP_BYTES_PER_DAY + series * ROLLUP_BYTES_PER_SERIES_DAY
    fresh = hosts * batch * FRESH_S / fleet.every_s
    packed = hosts * hour * keep_s / HOUR_S
    rollups = hosts * day * keep_rollups_s / DAY_S
    return Need(
        memory=round(MEMORY_BYTES + hosts * (MEMORY_BYTES_PER_HOST + MEMORY_BYTES_PER_SERIES * series)),
        fresh=round(fresh),
        packed=round(packed),
        rollups=round(rollups),
        spare=round(SPARE_BYTES + SPARE_SHARE * (fresh + packed + rollups)),
    )


# --- the command ------------------------------------------------------------------------------------------------------


def add_to(commands: Commands, house: House) -> None:
    parser = commands.add_parser(
        "size",
        help="the memory and disk that a fleet will need",
        description="What is not said is as in the config: how long samples and rollups are kept.",
    )
    parser.add_argument("--hosts", type=number_up_to(HOSTS_MAX), required=True, metavar="N")
    parser.add_argument("--interval", type=argument(parse_interval), default=10.0, metavar="TIME", help="10s")
    parser.add_argument(
        "--series",
        type=number_up_to(SERIES_PER_HOST_MAX),
        default=70,
        metavar="N",
        help="of each host: 70; `watchkeeper-agent --once` shows those of one",
    )
    parser.add_argument("--keep", type=argument(duration_s), dest="keep_s", metavar="TIME")
    parser.add_argument("--keep-rollups", type=argument(duration_s), dest="keep_rollups_s", metavar="TIME")
    parser.add_argument("--json", action="store_true", help="for programs, in bytes")
    add_config(parser)
    parser.set_defaults(command=partial(_size, house))


def _size(house: House, arguments: argparse.Namespace) -> int:
    loaded = house.load(arguments.config)
    config: CollectorConfig = loaded.config
    keep_s = config.keep_s if arguments.keep_s is None else arguments.keep_s
    keep_rollups_s = config.keep_rollups_s if arguments.keep_rollups_s is None else arguments.keep_rollups_s
    fleet = Fleet(arguments.hosts, arguments.series, arguments.interval)
    need = need_of(fleet, keep_s, keep_rollups_s)
    if arguments.json:
        plain = {
            "fleet": msgspec.to_builtins(fleet),
            "need": {**msgspec.to_builtins(need), "disk": need.disk},
        }
        print(msgspec.json.format(msgspec.json.encode(plain), indent=2).decode())
        return 0
    print("\n".join(words(fleet, need, keep_s, keep_rollups_s)))
    print("\n".join(room(need, loaded.state, config.disk_budget_bytes)))
    return 0


def words(fleet: Fleet, need: Need, keep_s: float, keep_rollups_s: float) -> list[str]:
    pushes = fleet.hosts / fleet.every_s
    each = need.packed / max(1.0, pushes * fleet.series * keep_s)
    kept = f"kept for {say_duration(keep_s)}"
    rows = [
        ("memory", need.memory, "at its highest, with the pages looked at"),
        ("disk", need.disk, "in the end, of which"),
        ("  fresh", need.fresh, "samples of the last two hours, as they came"),
        ("  packed", need.packed, f"all other samples, {kept}, {each:.1f} bytes each"),
        ("  rollups", need.rollups, f"quarters of an hour, kept for {say_duration(keep_rollups_s)}"),
        ("  spare", need.spare, "room that stays in the file, and the log beside it"),
    ]
    return [
        f"{fleet.hosts:,} hosts × {fleet.series:,} series every {say_duration(fleet.every_s)}: "
        f"{pushes:,.1f} pushes and {pushes * fleet.series:,.0f} samples a second",
        "All of them as busy as a server that computes and writes; hosts at rest take half of the disk.",
        "",
        *(f"{name:10}{_gib(size):>14}  {what}" for name, size, what in rows),
    ]


def room(need: Need, state: Path, budget: int | None) -> list[str]:
    """Whether there is enough of it."""
    lines = [""]
    there = next(path for path in (state, *state.absolute().parents) if path.exists())
    disk = os.statvfs(there)
    free = disk.f_bavail * disk.f_frsize
    lines.append(f"The disk that is to hold {state} has {_gib(free)} left.")
    if budget is not None and budget < need.disk:
        lines.append(f"disk_budget is {_gib(budget)}: the oldest samples will go before their time.")
    elif free < need.disk:
        lines.append("That is not enough; keep less for a shorter time, or set disk_budget.")
    return lines


def _gib(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB" if size < 2**30 else f"{size / 2**30:,.1f} GiB"
