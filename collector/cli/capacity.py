"""`watchkeeper capacity` and `watchkeeper advise`: how long room lasts, what is of the wrong size, what holds back."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial

import msgspec

from collector.cli import Commands, House, add_config
from collector.cli.tables import table
from collector.store.advice import Advised
from rules import words
from rules.capacity.report import Filling, HostReport, urgent_first
from rules.capacity.sizing import Sizing

HEAD = ("HOST", "WHAT", "NOW", "A DAY", "FULL IN", "BETWEEN", "WHY")
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
        add_config(parser)


def _capacity(house: House, arguments: argparse.Namespace) -> int:
    async def show() -> int:
        _, reports = await _asked(house, arguments)
        if arguments.json:
            print(_json(reports))
            return 0
        print("\n".join(filling_lines(reports, arguments.all)))
        return 0

    return house.run(show())


def _advise(house: House, arguments: argparse.Namespace) -> int:
    async def show() -> int:
        said, reports = await _asked(house, arguments)
        if arguments.json:
            print(_json({"services": said, "hosts": reports}))
            return 0
        print("\n".join(advice_lines(said, reports, house.now_ms())))
        return 0

    return house.run(show())


async def _asked(house: House, arguments: argparse.Namespace) -> tuple[list[Advised], list[HostReport]]:
    """ValueError when no host has that name."""
    loaded = house.load(arguments.config)
    async with house.store(loaded) as store:
        counsel = house.counsel(store, loaded)
        hosts = [
            host
            for host in await store.hosts.all()
            if not host.is_service and host.last_at is not None and arguments.host in (None, host.name)
        ]
        if arguments.host is not None and not hosts:
            raise ValueError(f'no host called "{arguments.host}" has ever been heard')
        return await counsel.said(), [await counsel.report(host) for host in hosts]


def filling_lines(reports: Sequence[HostReport], everything: bool) -> list[str]:
    found = sorted(
        ((report, filling) for report in reports for filling in report.fillings),
        key=lambda pair: (*urgent_first(pair[1]), pair[0].name),
    )
    shown = [pair for pair in found if everything or pair[1].forecast.outlook == "fills"]
    unknown = sum(filling.forecast.outlook == "unknown" for _, filling in found)
    hidden = "" if everything else f" Of {unknown} nothing can be said; --all shows why." if unknown else ""
    if not shown:
        return [f"Nothing of {len(found)} is going to be full, as far as can be seen.{hidden}"]
    rows = [_row(report.name, filling) for report, filling in shown]
    return [*table(HEAD, rows, NUMBERS), *([hidden.strip()] if hidden else [])]


def _row(host: str, filling: Filling) -> tuple[str, ...]:
    found, metric = filling.forecast, filling.metric
    between = ""
    if found.soonest_days is not None:
        latest = "?" if found.latest_days is None else _days(found.latest_days)
        between = f"{_days(found.soonest_days)} – {latest}"
    return (
        host,
        filling.series,
        "" if found.level is None else words.reading(metric, found.level),
        ""
        if found.per_day is None
        else f"{'+' if found.per_day > 0 else ''}{words.reading(metric, found.per_day)}",
        "" if found.days is None else _days(found.days),
        between,
        found.reason,
    )


def advice_lines(said: Sequence[Advised], reports: Sequence[HostReport], now: int) -> list[str]:
    lines = []
    for advised in said:
        move = f"{advised.before} to {advised.wanted}" if advised.before != advised.wanted else "as it is"
        lines.append(
            f"{advised.service}: {advised.direction}, {move}, as of {words.clock(advised.until, now)}"
        )
        lines.append(f"  {advised.reason} (sure to {advised.confidence:.0%})")
    for report in reports:
        about = [one.words for one in report.bottlenecks]
        if report.sizing.fit in ("too_large", "too_small"):
            about.append(size_in_words(report.sizing))
        about += [
            f"{filling.series}: {filling.forecast.reason}"
            for filling in report.fillings
            if filling.forecast.outlook == "fills"
        ]
        if about:
            lines += [f"{report.name}:", *(f"  {line}" for line in about)]
    return lines or [f"Nothing to change on {len(reports)} hosts, as far as can be seen."]


def size_in_words(sizing: Sizing) -> str:
    money = ""
    if sizing.per_month:
        more_or_less = "more" if sizing.per_month > 0 else "less"
        money = f", {abs(sizing.per_month):,.2f} {sizing.currency} a month {more_or_less}"
    return f"{sizing.fit.replace('_', ' ')}: {sizing.reason}{money}"


def _days(days: float) -> str:
    return f"{days * 24:.0f} h" if days < 2 else f"{days:.0f} d"


def _json(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
