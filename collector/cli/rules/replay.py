"""`watchkeeper rules replay`: what the rules would have said of the past, out of the samples that are stored."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import heapq
import os
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from agent.options import duration_s
from collector.cli import Commands, House, add_config, argument
from collector.cli.progress import Lines, Progress
from collector.cli.rules.tally import Tally, as_json, as_text
from collector.config import Loaded, written_rules
from collector.config.policy import policy_of
from collector.config.runtime import as_it_holds
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
TICK_MS, TICKS_AT_ONCE = 1_000, 1_000
LAST_S_MAX = 400 * 86_400
GENTLE_SHARE, WORK_S = 0.5, 0.05
NICE, FIRST_TO_GO = 10, 500


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
    replay.add_argument(
        "--gently",
        action="store_true",
        help="rest as long as it works, and give way to whoever works beside it",
    )
    replay.add_argument(
        "--progress", action="store_true", help="say how far it is in lines of JSON on stderr, for programs"
    )
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
    files: Loaded = house.load(arguments.config)
    end = house.now_ms()
    start = end - round(arguments.last * 1000)
    if arguments.gently:
        give_way()
    pace = Pace(GENTLE_SHARE if arguments.gently else 1.0)

    async def go() -> int:
        async with house.store(files) as store:
            loaded = await as_it_holds(files, store.settings)
            rules = chosen(_that_hold(loaded, arguments.rule), arguments.rule)
            silences, planned = await store.policy.silences(), await store.policy.maintenance()
            policy = policy_of(loaded.config, silences, planned)
            with Lines() if arguments.progress else Progress() as progress:
                tally = await replayed(
                    store,
                    rules,
                    loaded.config.channel_views,
                    start,
                    end,
                    progress,
                    policy,
                    loaded.shared,
                    pace,
                )
        print(as_json(tally) if arguments.json else as_text(tally))
        return 0

    return house.run(go())


def _that_hold(loaded: Loaded, named: Sequence[str]) -> list[Rule]:
    """The rules that are judged by, and those that are switched off where they are asked for by name: to see what they
    would say before they hold."""
    rules = [written.rule for written in written_rules(loaded)]
    return [
        rule if rule.enabled else _switched_on(rule) for rule in rules if rule.enabled or rule.name in named
    ]


def _switched_on(rule: Rule) -> Rule:
    kind: Any = type(rule)
    on: Rule = kind(msgspec.structs.replace(rule.options, enabled=True))
    return on


async def replayed(
    store: Store,
    rules: Sequence[Rule],
    channels: Sequence[ChannelView],
    start: int,
    end: int,
    progress: Progress,
    policy: Policy | None = None,
    shared: Sequence[SharedCheck] = (),
    pace: Pace | None = None,
) -> Tally:
    """What the rules say of all that was sampled from `start` to before `end`, and whom they would have told."""
    pace = pace or Pace(1.0)
    hosts = [host for host in await store.hosts.all() if host.last_at is not None and host.last_at >= start]
    tally = Tally(rules, start, end)
    player = Player(
        rules, channels, hosts, start=start, tick_ms=TICK_MS, told=tally.take, policy=policy, shared=shared
    )

    async def come_to(at: int) -> None:
        for now in _passing(player, at):
            progress("replaying", (now - start) / (end - start))
            await pace.rest()

    newest: dict[int, Row] = {}
    async for host, row in _arriving(_rows(store, hosts, start, end)):
        await come_to(row.arrived_at)
        tally.count(host)
        checks = checks_in(row.layout, row.values, row.at) if shared else ()
        player.batch(host, row.at, row.every_ms, row.layout, row.values, checks, row.arrived_at)
        if host not in newest or newest[host].at <= row.at:
            newest[host] = row
        await _repair(store, player)
        await _look(store, player, newest)
    await come_to(end)
    player.until(end)
    await _repair(store, player)
    tally.finish()
    return tally


def _passing(player: Player, until: int) -> Iterator[int]:
    """What time it is, tick by tick: in a range of which little is stored that is most of the work."""
    yield player.now
    while player.now + TICKS_AT_ONCE * TICK_MS < until:
        player.until(player.now + TICKS_AT_ONCE * TICK_MS)
        yield player.now


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


async def _rows(store: Store, hosts: Sequence[Host], start: int, end: int) -> AsyncIterator[tuple[int, Row]]:
    """The batches of all hosts in the order of their times, so few at a time that memory holds them."""
    piece_ms = _piece_ms(hosts)
    for begin in range(start, end, piece_ms):
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


# --- beside others ----------------------------------------------------------------------------------------------------


class Pace:
    """Works for `share` of the time and rests for the others: so what it takes is bounded, whatever else runs there."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._since_s = time.monotonic()

    async def rest(self) -> None:
        """To be called often: it returns at once until enough was done to rest from."""
        if self._share >= 1:
            return
        worked_s = time.monotonic() - self._since_s
        if worked_s >= WORK_S:
            await asyncio.sleep(worked_s * (1 / self._share - 1))
            self._since_s = time.monotonic()


def give_way() -> None:
    """Be the last to be given a processor, and the first to be ended for want of memory, where the kernel lets us."""
    with contextlib.suppress(OSError):
        os.nice(NICE)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(f"{FIRST_TO_GO}\n")
