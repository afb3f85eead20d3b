"""`watchkeeper capacity` and `watchkeeper advise`: how long room lasts, what is of the wrong size, what holds back."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from functools import partial

from collector.cli import Commands, House
from collector.cli.close import did_you_mean
from collector.cli.progress import Progress
from collector.cli.remote.answers import Advice, Analysis, Filling, Room, ms
from collector.cli.remote.client import Client, as_json, decoded
from collector.cli.remote.command import DONE, Talk, talk_to
from collector.cli.remote.hosts import TO_ADD_ONE, host_named
from collector.cli.remote.place import add_place, is_elsewhere
from collector.cli.tables import table
from rules import words
from rules.model import Series

HEAD = ("HOST", "WHAT", "NOW", "A DAY", "FULL IN", "BETWEEN", "WHY")
NOBODY_HEARD = f"No host was heard yet; {TO_ADD_ONE}"
NUMBERS = {"NOW", "A DAY", "FULL IN"}


def add_to(commands: Commands, house: House) -> None:
    capacity = commands.add_parser("capacity", help="what fills up, and when it will be full")
    capacity.add_argument("--all", action="store_true", help="also what is not going to be full")
    capacity.set_defaults(command=partial(_capacity, house))
    advise = commands.add_parser("advise", help="what to change: instances, sizes of hosts, bottlenecks")
    advise.set_defaults(command=partial(_advise, house))
    for parser in (capacity, advise):
        parser.add_argument("--host", metavar="NAME", help="one host instead of all")
        parser.add_argument("--json", action="store_true", help="for programs")
        add_place(parser)


def _capacity(house: House, arguments: argparse.Namespace) -> int:
    """Of this machine's collector the store is read, so that none need run; another one is asked."""
    if is_elsewhere(arguments, os.environ):
        return talk_to(house, _ask_for_room, arguments)

    async def show() -> int:
        raw = await _looked_at(house, arguments)
        rooms = decoded(raw, Analysis).hosts
        lines = filling_lines(rooms, arguments.all) if rooms else [NOBODY_HEARD]
        print(as_json(raw) if arguments.json else "\n".join(lines))
        return 0

    return house.run(show())


def _advise(house: House, arguments: argparse.Namespace) -> int:
    if is_elsewhere(arguments, os.environ):
        return talk_to(house, _ask_for_advice, arguments)

    async def show() -> int:
        raw = await _looked_at(house, arguments)
        found = decoded(raw, Analysis)
        lines = advice_lines(found.services, found.hosts, house.now_ms())
        said = lines if found.services or found.hosts else [NOBODY_HEARD]
        print(as_json(raw) if arguments.json else "\n".join(said))
        return 0

    return house.run(show())


async def _looked_at(house: House, arguments: argparse.Namespace) -> bytes:
    """As a collector would answer it. ValueError when no host has that name."""
    loaded = house.load(arguments.config)
    async with house.store(loaded) as store:
        heard = [host for host in await store.hosts.all() if not host.is_service and host.last_at is not None]
        hosts = [host for host in heard if arguments.host in (None, host.name)]
        if arguments.host is not None and not hosts:
            meant = did_you_mean(arguments.host, (host.name for host in heard))
            raise ValueError(f'no host called "{arguments.host:.100}" has ever been heard{meant}')
        with Progress() as progress:
            return await house.analysis(store, loaded, hosts, partial(progress, "looking"))


# --- another collector ------------------------------------------------------------------------------------------------


def _ask_for_room(talk: Talk, arguments: argparse.Namespace) -> int:
    raw, found = _analysis(talk.client, arguments.host)
    if talk.for_programs:
        return talk.hand(raw)
    _tell(talk, filling_lines(found.hosts, arguments.all) if found.hosts else [], found)
    return DONE


def _ask_for_advice(talk: Talk, arguments: argparse.Namespace) -> int:
    raw, found = _analysis(talk.client, arguments.host)
    if talk.for_programs:
        return talk.hand(raw)
    lines = advice_lines(found.services, found.hosts, talk.now)
    _tell(talk, lines if found.services or found.hosts else [], found)
    return DONE


def _analysis(client: Client, host: str | None) -> tuple[bytes, Analysis]:
    """Unreachable; Refused, with what may have been meant, when no host has that name."""
    if host is not None:
        host_named(client, host)
    raw = client.get("/scalability/analyze", {"host": host})
    return raw, decoded(raw, Analysis)


def _tell(talk: Talk, lines: Sequence[str], found: Analysis) -> None:
    for line in lines:
        talk.paper.say(line)
    if found.why:
        talk.paper.say(f"{found.why}.")
    if found.hosts_total > len(found.hosts):
        talk.paper.say(f"That is of the {len(found.hosts)} most urgent of {found.hosts_total} hosts.")


# --- in words ---------------------------------------------------------------------------------------------------------


def filling_lines(rooms: Sequence[Room], everything: bool) -> list[str]:
    found = sorted(
        ((room, filling) for room in rooms for filling in room.fills),
        key=lambda pair: (*_urgency(pair[1]), pair[0].name),
    )
    shown = [pair for pair in found if everything or pair[1].outlook == "fills"]
    unknown = sum(filling.outlook == "unknown" for _, filling in found)
    hidden = "" if everything else f" Of {unknown} nothing can be said; --all shows why." if unknown else ""
    if not shown:
        return [f"Nothing of {len(found)} is going to be full, as far as can be seen.{hidden}"]
    rows = [_row(room.name, filling) for room, filling in shown]
    return [*table(HEAD, rows, NUMBERS), *([hidden.strip()] if hidden else [])]


def _urgency(filling: Filling) -> tuple[int, float, str]:
    rank = {"fills": 0, "unknown": 1}.get(filling.outlook, 2)
    return rank, filling.days or 0.0, filling.series


def _row(host: str, found: Filling) -> tuple[str, ...]:
    metric = Series.parse(found.series).metric
    between = ""
    if found.soonest_days is not None:
        latest = "?" if found.latest_days is None else _days(found.latest_days)
        between = f"{_days(found.soonest_days)} – {latest}"
    return (
        host,
        found.series,
        "" if found.level is None else words.reading(metric, found.level),
        ""
        if found.per_day is None
        else f"{'+' if found.per_day > 0 else ''}{words.reading(metric, found.per_day)}",
        "" if found.days is None else _days(found.days),
        between,
        found.reason,
    )


def advice_lines(said: Sequence[Advice], rooms: Sequence[Room], now: int) -> list[str]:
    lines = []
    for advice in said:
        move = "as it is" if advice.current == advice.wanted else f"{advice.current} to {advice.wanted}"
        at = "never looked at" if advice.at is None else f"as of {words.clock(ms(advice.at), now)}"
        lines.append(f"{advice.service}: {advice.direction}, {move}, {at}")
        lines.append(f"  {advice.reason} (sure to {advice.confidence:.0%})")
    for room in rooms:
        about = list(room.bottlenecks)
        if room.fit in ("too_large", "too_small"):
            about.append(size_in_words(room))
        about += [f"{one.series}: {one.reason}" for one in room.fills if one.outlook == "fills"]
        if about:
            lines += [f"{room.name}:", *(f"  {line}" for line in about)]
    return lines or [f"Nothing to change on {len(rooms)} hosts, as far as can be seen."]


def size_in_words(room: Room) -> str:
    money = ""
    if room.per_month:
        more_or_less = "more" if room.per_month > 0 else "less"
        money = f", {abs(room.per_month):,.2f} {room.currency} a month {more_or_less}"
    return f"{room.fit.replace('_', ' ')}: {room.size}{money}"


def _days(days: float) -> str:
    return f"{days * 24:.0f} h" if days < 2 else f"{days:.0f} d"
