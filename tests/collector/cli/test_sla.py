"""`watchkeeper sla`: how services stand in a table, and a month of one on paper."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import msgspec
import pytest

from collector.stores.sqlite import open_store
from rules.sla.model import Interval
from rules.sla.periods import month, period
from tests.collector.cli.conftest import Command

HOUR, DAY = 3_600_000, 86_400_000


@pytest.fixture
def kept(tmp_path: Path, state: Path, watchkeeper: Command) -> int:
    """A shop that was down for half an hour two hours ago, and has been written down up to now; when now is."""
    config = tmp_path / "collector.yaml"
    services = "  services:\n    - {name: shop, title: Web shop, checks: [{id: web}], window: 7d}\n"
    config.write_text(config.read_text() + services)
    now = time.time_ns() // 1_000_000

    async def write() -> None:
        store = await open_store(state, role="collector")
        rows = [
            Interval(now - 40 * DAY, now - 2 * HOUR, "up"),
            Interval(now - 2 * HOUR, now - HOUR - HOUR // 2, "down", "web from h1 is bad"),
            Interval(now - HOUR - HOUR // 2, now, "up"),
        ]
        await store.promises.write({"shop": rows})
        await store.close()

    asyncio.run(write())
    return now


def last_month(now: int) -> str:
    before = period("month", now).start - 1
    return time.strftime("%Y-%m", time.gmtime(before / 1000))


def test_without_a_service_it_says_where_to_name_one(watchkeeper: Command) -> None:
    said = watchkeeper("sla")
    assert said.code == 0
    assert (
        said.out == "No service yet: make one on the page of services, or under `services:` in the config.\n"
    )


@pytest.mark.usefixtures("kept")
def test_how_services_stand_is_a_table_and_a_sentence(watchkeeper: Command) -> None:
    head, row, empty, sentence = watchkeeper("sla").out.splitlines()
    assert head.split() == "SERVICE NOW AVAILABLE PROMISED DOWN OUTAGES LONGEST LEFT OVER".split()
    # 0.1 % of 7 days are 10 min 4.8 s. Since it was written down a moment ago nobody has said anything.
    assert row.split() == "shop unknown 99.7 % 99.9 % 30 min 1 30 min -19 min the last 7 days".split()
    assert empty == ""
    assert sentence == (
        "shop: 99.7 % available in the last 7 days, 99.9 % promised: 10 min allowed, 30 min used, 19 min too much."
    )


@pytest.mark.usefixtures("kept")
def test_programs_get_the_numbers_behind_it(watchkeeper: Command) -> None:
    [shop] = msgspec.json.decode(watchkeeper("sla", "--json").out)["services"]
    assert (shop["service"], shop["objective_pct"]) == ("shop", 99.9)
    assert round(shop["availability_pct"], 1) == 99.7


@pytest.mark.usefixtures("kept")
def test_another_window_may_be_asked_for(watchkeeper: Command) -> None:
    said = watchkeeper("sla", "--window", "24h")
    assert "in the last 24 hours" in said.out
    assert watchkeeper("sla", "--window", "fortnight").code == 2


def test_a_month_is_told_in_a_few_lines(watchkeeper: Command, kept: int) -> None:
    said = watchkeeper("sla", "report", "shop", "--month", last_month(kept))
    assert said.out.startswith("Web shop, ")
    assert "ms, the whole window to the millisecond." in said.out


def test_a_month_is_written_to_files(watchkeeper: Command, kept: int, tmp_path: Path) -> None:
    page, rows = tmp_path / "shop.html", tmp_path / "shop.csv"
    when = last_month(kept)
    said = watchkeeper("sla", "report", "shop", "--month", when, "--html", page, "--csv", rows)
    assert (said.code, said.out) == (0, "")
    assert page.read_text().startswith("<!DOCTYPE html>")
    lines = rows.read_bytes().split(b"\r\n")
    assert lines[0] == b"service,from,until,ms,class,cause,incident,repaired"
    assert sum(int(line.split(b",")[3]) for line in lines[1:-1]) == month(when).ms


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("mail", "--month", "2026-10"), 'there is no service "mail"; there are: shop'),
        (("shop", "--month", "October"), "write one such as 2026-10"),
        (("shop", "--month", "2025-01"), "nothing is known of shop in January 2025"),
    ],
)
@pytest.mark.usefixtures("kept")
def test_what_is_not_there_is_said(watchkeeper: Command, arguments: tuple[str, ...], said: str) -> None:
    refused = watchkeeper("sla", "report", *arguments)
    assert refused.code == 2
    assert said in refused.err
