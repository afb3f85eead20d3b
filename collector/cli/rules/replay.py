"""`watchkeeper rules replay`: what the rules would have said of the past, out of the samples that are stored."""

from __future__ import annotations

import argparse
import heapq
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial

from agent.options import duration_s
from collector.cli import Commands, House, add_config, argument
from collector.cli.progress import Progress
from collector.cli.rules.tally import Tally, as_json, as_text
from collector.config import Loaded, load_rules
from collector.config.policy import policy_of
from collector.store import Row, Store
from collector.store.pasts import pasts_of
from rules.fleet.shared import SharedCheck
from rules.judging.engine import Rule, looked_at
from rules.judging.play import Player, checks_in
from rules.model import ChannelView, Host
from rules.policy import Policy

HOUR_MS, PIECE_MS_MIN = 3_600_000, 60_000
ROWS_AT_ONCE = 50_000
"""Of some 70 series each: about 50 MB."""
HELD_MAX = 100_000
SKEW_MS_MAX = 5_000
"""A batch may bear a time this much later than that of its arrival: so far a clock may be off and be believed."""
TICK_MS = 1_000
LAST_S_MAX = 400 * 86_400


def add_to(commands: Commands, house: House) -> None:
    replay = commands.add_parser(
        "replay",
        help="judge what is stored once more: how often would each rule have fired? (a collector may be at work)",
        description="Batches are judged as they arrived, and by the hosts' labels of today. That an agent said that it "
        "would stop is not stored, so it counts as silence.",
    )
    replay.add_argument(
        "--last", type=argument(parse_last), default=7 * 86_400.0, help="how far back: 30d (7d)"
    )
    replay.add_argument(
        "--rule", action="append", default=[], metavar="NAME", help="this rule alone; may be given again"
    )
    replay.add_argument("--json", action="store_true", help="for programs")
    add_config(replay)
    replay.set_defaults(command=partial(_replay, house))


def parse_last(text: str) -> float:
    """'30d' as seconds. ValueError says what is allowed."""
    seconds = duration_s(text)
    if not 0 < seconds <= LAST_S_MAX:
        raise ValueError(f'"{text:.40}" is out of range; write up to 400d')
    return seconds


def chosen(rules: Sequence[Rule], names: Sequence[str]) -> list[Rule]:
    """The rules of these names, and those that they look at; all without names. ValueError for a name that is none."""
    there = {rule.name: rule for rule in rules}
    for name in names:
        if name not in there:
            raise ValueError(
                f'there is no rule "{name:.100}" that holds; there are: {", ".join(sorted(there))}'
            )
    if not names:
        return list(rules)
    wanted = list(names)
    for name in wanted:  # a rule over hosts may look at one that itself looks at others
        wanted += [part for part in looked_at(there[name]) if part not in wanted]
    return [there[name] for name in dict.fromkeys(wanted)]


def _replay(house: House, arguments: argparse.Namespace) -> int:
    loaded: Loaded = house.load(arguments.config)
    rules = chosen(load_rules(loaded), arguments.rule)
    end = house.now_ms()
    start = end - round(arguments.last * 1000)

    async def go() -> int:
        async with house.store(loaded) as store:
            silences, planned = await store.policy.silences(), await store.policy.maintenance()
            policy = policy_of(loaded.config, silences, planned)
            with Progress() as progress:
                tally = await replayed(
                    store,
                    rules,
                    loaded.config.channel_views,
                    start,
                    end,
                    progress,
                    policy,
                    loaded.shared,
                )
        print(as_json(tally) if arguments.json else as_text(tally))
        return 0

    return house.run(go())


async def replayed(
    store: Store,
    rules: Sequence[Rule],
    channels: Sequence[ChannelView],
    start: int,
    end: int,
    progress: Progress,
    policy: Policy | None = None,
    shared: Sequence[SharedCheck] = (),
) -> Tally:
    """What the rules say of all that was sampled from `start` to before `end`, and whom they would have told."""
    hosts = [host for host in await store.hosts.all() if host.last_at is not None and host.last_at >= start]
    tally = Tally(rules, start, end)
    player = Player(
        rules,
        channels,
        hosts,
        start=start,
        tick_ms=TICK_MS,
        told=tally.take,
        policy=policy,
        shared=shared,
    )
    newest: dict[int, Row] = {}
    async for host, row in _arriving(_rows(store, hosts, start, end, progress)):
        tally.count(host)
        checks = checks_in(row.layout, row.values, row.at) if shared else ()
        player.batch(host, row.at, row.every_ms, row.layout, row.values, checks, row.arrived_at)
        if host not in newest or newest[host].at <= row.at:
            newest[host] = row
        await _repair(store, player)
        await _look(store, player, newest)
    player.until(end)
    await _repair(store, player)
    tally.finish()
    return tally


async def _repair(store: Store, player: Player) -> None:
    """Judge hosts again whose batches came late, as it was done then: upon what had arrived."""
    for host, start in player.repairs_due():
        newest = player.watch.hosts[host].host.last_at or start
        rows = await store.samples.rows(host, start, newest + 1, ROWS_AT_ONCE)
        player.repair(host, [row for row in rows if row.arrived_at <= player.now])


async def _look(store: Store, player: Player, newest: Mapping[int, Row]) -> None:
    """Ask the rules that look at a long past, about that which was known then."""
    for host in player.looks_due():
        values = dict(zip(newest[host].layout, newest[host].values.tolist(), strict=True))
        names = player.wants(host, values)
        player.look(host, values, await pasts_of(store.samples, host, names, player.now))


async def _arriving(rows: AsyncIterator[tuple[int, Row]]) -> AsyncIterator[tuple[int, Row]]:
    """The same batches in the order in which they came in.

    Late ones are held until then; of more than HELD_MAX the first to come are let go before their time.
    """
    held: list[tuple[int, int, int, Row]] = []
    count = 0
    async for host, row in rows:
        count += 1  # so that rows themselves are never compared
        heapq.heappush(held, (row.arrived_at, count, host, row))
        while held and (held[0][0] <= row.at - SKEW_MS_MAX or len(held) > HELD_MAX):
            _, _, first_host, first = heapq.heappop(held)
            yield first_host, first
    while held:
        _, _, host, row = heapq.heappop(held)
        yield host, row


async def _rows(
    store: Store, hosts: Sequence[Host], start: int, end: int, progress: Progress
) -> AsyncIterator[tuple[int, Row]]:
    """The batches of all hosts in the order of their times, so few at a time that memory holds them."""
    piece_ms = _piece_ms(hosts)
    for begin in range(start, end, piece_ms):
        progress("replaying", (begin - start) / (end - start))
        until = min(begin + piece_ms, end)
        lists = [
            [(row.at, host.id, row) for row in await _of(store, host.id, begin, until)] for host in hosts
        ]
        for _, host_id, row in heapq.merge(*lists, key=lambda entry: entry[:2]):
            yield host_id, row


async def _of(store: Store, host: int, begin: int, until: int) -> list[Row]:
    rows: list[Row] = []
    while True:
        more = await store.samples.rows(host, begin, until, ROWS_AT_ONCE)
        rows += more
        if len(more) < ROWS_AT_ONCE:
            return rows
        begin = more[-1].at + 1


def _piece_ms(hosts: Sequence[Host]) -> int:
    """The store packs by the hour, so an hour at a time is read best; of a large fleet that would be too much."""
    rows_an_hour = sum(HOUR_MS / host.every_ms for host in hosts)
    return round(min(HOUR_MS, max(PIECE_MS_MIN, HOUR_MS * ROWS_AT_ONCE / max(rows_an_hour, 1))))
