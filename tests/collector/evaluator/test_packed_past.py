"""The evaluator's past, when it is packed already: what comes late is judged as if it had come in time."""

from __future__ import annotations

import sqlite3

import pytest

from tests.collector.evaluator.house import CPU, OPS, House, database, late_transitions, settle
from tests.collector.stores.builders import HOUR, NOW, TICK, sealed


@pytest.mark.parametrize("packed_again", [False, True])
async def test_a_late_breach_in_a_packed_hour_is_on_record_and_one_that_goes_on_wakes(
    house: House, packed_again: bool
) -> None:
    house.evaluator.replace_rules([CPU], [OPS])
    for seq in (0, 1, 9, 10, 11, 12):
        await house.push(seq)
    await house.push(21, cpu=95)
    await house.push(22, cpu=95)
    await sealed(house.store, NOW + 3 * HOUR)
    with sqlite3.connect(database(house)) as connection:
        assert connection.execute("SELECT sum(count) FROM blocks").fetchone() == (7,)
    connection.close()
    for seq, cpu in enumerate([95, 95, 95, 95, 10, 10, 10], start=2):
        await house.push(seq, cpu)
    for seq in range(13, 21):
        await house.push(seq, 10 if seq < 18 else 95)
    if packed_again:
        await sealed(house.store, NOW + 5 * HOUR)
    await settle(house)
    assert await house.stored() == list(range(23))
    assert late_transitions(house) == [("pending", "firing"), ("firing", "ok"), ("pending", "firing")]
    [alert] = await house.store.incidents.open_alerts()
    assert alert.since == NOW + 18 * TICK
    assert await house.reasons() == ["first"]
