"""A collector's store at work until it is killed: `crash_child ENGINE FOLDER` prints the number of each group it kept.

Each group is all that can follow from a few batches; the test that kills this looks for groups that were torn.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from collector.store import Store
from rules.memory.seen import Seen
from rules.model import CheckAnswer, Outcome, RuleState
from tests.collector.stores.builders import (
    NOW,
    SPOOL,
    alert,
    arrival,
    enrolled,
    incident,
    notice,
    transition,
)
from tests.collector.stores.conftest import ENGINES

BATCHES = 8
"""In each group."""
SAMPLES = {f"series_{number}": float(number) for number in range(70)}


def group(host: int, number: int) -> list[Outcome]:
    outcomes = []
    for place in range(BATCHES):
        seq = number * BATCHES + place
        outcomes.append(
            Outcome(
                arrival=arrival(host, NOW + seq, {**SAMPLES, f"only_{number}": 1.0}, seq=seq),
                seen=Seen(host, SPOOL, seq + 1),
                checks=[CheckAnswer("check", "http", "bad", NOW + seq, detail=str(seq))],
                transitions=[transition(NOW + seq, of=number + 1)],
            )
        )
    outcomes[0].incidents = [incident(number + 1)]
    outcomes[0].alerts = [alert(number + 1, of=number + 1)]
    outcomes[-1].states = [RuleState("load", "host:1", "firing", NOW + number, alert=number + 1)]
    outcomes[-1].notices = [notice(f"n{number}", of=number + 1)]
    return outcomes


async def work(store: Store) -> None:
    hosts = await store.hosts.all()
    host = hosts[0] if hosts else await enrolled(store)
    number = (await store.remember(NOW)).next_incident - 1
    while True:
        await store.commit(group(host.id, number))
        print(number, flush=True)
        number += 1


async def main(engine: str, folder: str) -> None:
    await work(await ENGINES[engine](Path(folder), role="collector"))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
