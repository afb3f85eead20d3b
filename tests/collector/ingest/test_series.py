"""The names of series in a push: no more of them than a host may have, and none that is no name."""

from __future__ import annotations

import pytest

from agent import wire
from tests.collector.door import Door
from tests.collector.ingest.pushing import arrived


async def test_of_ten_thousand_series_what_one_host_may_have_is_stored_and_the_host_is_flagged(
    door: Door,
) -> None:
    samples = {f"zz_{number:05}": float(number) for number in range(10_000, 0, -1)}
    arrival = await arrived(door, door.batch(samples))
    assert len(arrival.layout) == len(arrival.values) == wire.SERIES_PER_HOST_MAX
    assert dict(zip(arrival.layout, arrival.values.tolist(), strict=True)) == dict(
        list(samples.items())[:2000]
    )
    assert arrival.flags == ("series",)
    assert (await arrived(door, door.batch(samples))).flags == ("series",)
    assert door.count("ingest_samples_total") == 4_000


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("cpu\x00used", r"'cpu\x00used'"),
        ("cpu\nused", r"'cpu\nused'"),
        ('disk{mount="\x1b[2J"}', r"\x1b[2J"),
        ("", "''"),
        ('disk{b="1",a="2"}', "alphabetical"),
        ("x" * 513, "513 characters"),
        ("cpu used" + "x" * 400, "'cpu used"),
    ],
)
async def test_a_series_whose_name_is_none_is_left_out_and_the_rest_is_taken(
    door: Door, name: str, shown: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await door.push(door.batch({"a": 1.0, name: 2.0, "b": 3.0}), door.batch({"a": 1.0}))
    assert answer.json["results"] == ["ok", "ok"]
    first, second = door.arrivals
    assert (first.layout, first.values.tolist(), first.flags) == (("a", "b"), [1.0, 3.0], ("names",))
    assert second.flags == ()
    assert (await arrived(door, door.batch({"a": 1.0, name: 2.0}))).flags == ("names",)
    assert door.count("ingest_left_out_total", why="names") == 2
    [said] = [record.getMessage() for record in caplog.records]
    assert shown in said
    assert said.isprintable()


async def test_a_batch_of_nothing_but_such_names_is_a_word_of_its_host(door: Door) -> None:
    arrival = await arrived(door, door.batch({"cpu used": 1.0}))
    assert (arrival.layout, arrival.flags) == ((), ("names",))
