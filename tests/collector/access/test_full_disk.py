"""Where nothing can be written any more, whoever wants to be out is out."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import closing
from pathlib import Path

import pytest

from collector.who import LOCAL
from tests.collector.whole import Answer, Whole, whole_collector
from tests.conftest import Needs
from tests.small_disk import small_disk

DISK_MIB = 24
PASSWORD = "correct horse battery"


@pytest.fixture
async def disk(needs: Needs, tmp_path: Path) -> AsyncGenerator[Path, None]:
    with small_disk(tmp_path, needs, DISK_MIB) as disk:
        yield disk


def fill(disk: Path) -> None:
    """Nothing is left, neither on the disk nor in the log that the store writes over."""
    with (
        closing(sqlite3.connect(disk / "state" / "watchkeeper.db")) as connection,
        (disk / "ballast").open("wb", buffering=0) as ballast,
    ):
        while shutil.disk_usage(disk).free:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            ballast.write(bytes(64 * 1024))
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


async def logged_in(whole: Whole) -> tuple[str, str]:
    """The cookie, and what forms of its session hold."""
    await whole.parts.access.desk.add_user(LOCAL, "ada", "owner", PASSWORD)
    done = await whole.post("/login", {"name": "ada", "password": PASSWORD})
    cookie = done.headers["Set-Cookie"].partition(";")[0]
    page = await whole.ask("/account", Cookie=cookie)
    return cookie, page.text.partition('name="csrf" value="')[2].partition('"')[0]


def sessions(whole: Whole) -> int:
    with closing(sqlite3.connect(whole.state / "watchkeeper.db")) as connection:
        return int(connection.execute("SELECT count(*) FROM sessions").fetchone()[0])


async def log_out(whole: Whole, cookie: str, csrf: str) -> Answer:
    return await whole.post("/logout", {"csrf": csrf}, Cookie=cookie)


async def test_on_a_full_disk_whoever_logs_out_is_out_and_is_told_what_is_left(disk: Path) -> None:
    async with whole_collector(disk) as whole:
        cookie, csrf = await logged_in(whole)
        fill(disk)
        done = await log_out(whole, cookie, csrf)
        assert (done.status, sessions(whole)) == (303, 1)
        assert "Max-Age=0" in done.headers["Set-Cookie"]
        page = await whole.ask(done.headers["Location"])
        assert "the session is ended there as soon as it can be" in page.text
        assert (await whole.ask("/notices", Cookie=cookie)).headers["Location"].startswith("/login")
        (disk / "ballast").unlink()
        async with asyncio.timeout(20):
            await whole.parts.access.forget_ended()
        assert sessions(whole) == 0
        assert (await whole.ask("/notices", Cookie=cookie)).headers["Location"].startswith("/login")


async def test_what_could_not_be_ended_is_ended_when_the_collector_stops(disk: Path) -> None:
    async with whole_collector(disk) as whole:
        cookie, csrf = await logged_in(whole)
        fill(disk)
        await log_out(whole, cookie, csrf)
        (disk / "ballast").unlink()
        assert sessions(whole) == 1
    assert sessions(whole) == 0


async def test_whoever_cannot_log_in_again_stays_logged_in(disk: Path) -> None:
    async with whole_collector(disk) as whole:
        cookie, csrf = await logged_in(whole)
        form = {"name": "ada", "password": PASSWORD, "csrf": csrf}
        fill(disk)
        again = await whole.post("/login", form, Cookie=cookie)
        assert again.status == 503
        assert "Set-Cookie" not in again.headers
        assert (await whole.ask("/notices", Cookie=cookie)).status == 200
        (disk / "ballast").unlink()
        done = await whole.post("/login", form, Cookie=cookie)
        assert (done.status, sessions(whole)) == (303, 1)
        assert (await whole.ask("/notices", Cookie=cookie)).headers["Location"].startswith("/login")
