"""Jobs that call /ping/TOKEN, over real HTTP and kept in a real store: heard, overdue, failed, and not ours."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import aiohttp
import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry

from agent.options import Secret
from collector.config.jobs import JobOptions
from collector.jobs import BODY_BYTES_MAX, Jobs
from collector.store import Store
from rules.jobs import Job

NOW = 1_795_140_000_000
DAY = 86_400_000
TOKEN = "0123456789abcdef"
BACKUP = JobOptions(name="backup", token=Secret(TOKEN), every_s=86_400)


class House:
    """`now` is the time; `told` what was handed on of each job the last time."""

    def __init__(self, store: Store, expected: Sequence[JobOptions]) -> None:
        self.now = NOW
        self.told: dict[tuple[str, str], float] = {}
        self.registry = CollectorRegistry()
        self.store = store
        self.jobs = Jobs(
            store.jobs, expected, post=self._post, now_ms=lambda: self.now, registry=self.registry
        )

    async def _post(self, found: Sequence[tuple[str, dict[str, str], float]]) -> None:
        self.told = {(metric, labels["job"]): value for metric, labels, value in found}

    async def tell(self) -> dict[tuple[str, str], float]:
        await self.jobs.tell()
        return self.told

    async def __aenter__(self) -> House:
        await self.jobs.start()
        app = web.Application()
        app.add_routes(self.jobs.routes())
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.client = aiohttp.ClientSession(f"http://{host}:{port}")
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.client.close()
        await self._runner.cleanup()

    async def ping(self, path: str, body: bytes = b"", method: str = "POST") -> int:
        async with self.client.request(method, path, data=body) as answer:
            return answer.status

    async def kept(self) -> Job:
        (job,) = await self.store.jobs.all()
        return job


@pytest.fixture
async def house(store: Store) -> AsyncIterator[House]:
    async with House(store, [BACKUP]) as house:
        yield house


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
async def test_a_call_says_that_the_job_ended_well_and_is_kept_before_it_is_answered(
    house: House, method: str
) -> None:
    assert await house.ping(f"/ping/{TOKEN}", method=method) == 200
    assert await house.kept() == Job("backup", NOW, ended_at=NOW, exit_code=0)


async def test_a_run_is_timed_and_its_last_words_are_kept(house: House) -> None:
    assert await house.ping(f"/ping/{TOKEN}/start") == 200
    house.now += 90_000
    assert await house.ping(f"/ping/{TOKEN}/3", "kein Platz für alles".encode()) == 200
    job = await house.kept()
    assert (job.exit_code, job.took_ms, job.words) == (3, 90_000, "kein Platz für alles")
    told = await house.tell()
    assert (told["job_exit_code", "backup"], told["job_took_s", "backup"]) == (3.0, 90.0)


async def test_what_a_job_says_in_between_is_kept_and_ends_nothing(house: House) -> None:
    assert await house.ping(f"/ping/{TOKEN}/start") == 200
    house.now += 2 * DAY
    assert await house.ping(f"/ping/{TOKEN}/log", b"half of it is done") == 200
    assert await house.kept() == Job("backup", NOW, started_at=NOW, words="half of it is done")
    assert (await house.tell())["job_overdue_s", "backup"] > 0, "it runs for too long all the same"


async def test_fail_is_an_exit_code_of_1(house: House) -> None:
    await house.ping(f"/ping/{TOKEN}/fail")
    assert (await house.tell())["job_exit_code", "backup"] == 1.0


async def test_a_job_that_is_not_heard_of_in_time_is_overdue_until_it_is(house: House) -> None:
    house.now += DAY + 600_000
    assert (await house.tell())["job_overdue_s", "backup"] == 0.0
    house.now += 60_000
    assert (await house.tell())["job_overdue_s", "backup"] == 60.0
    await house.ping(f"/ping/{TOKEN}")
    assert (await house.tell())["job_overdue_s", "backup"] == 0.0


async def test_a_restart_forgets_nothing(store: Store) -> None:
    async with House(store, [BACKUP]) as before:
        await before.ping(f"/ping/{TOKEN}")
    async with House(store, [BACKUP]) as after:
        after.now = NOW + DAY + 601_000
        assert (await after.tell())["job_overdue_s", "backup"] == 1.0


async def test_a_job_that_is_no_longer_expected_is_forgotten_and_a_new_one_begins_today(house: House) -> None:
    await house.ping(f"/ping/{TOKEN}")
    house.now += 5 * DAY
    other = JobOptions(name="report", token=Secret("f" * 16), every_s=86_400)
    await house.jobs.replace([other])
    assert await house.ping(f"/ping/{TOKEN}") == 404
    assert await house.kept() == Job("report", house.now)
    assert set(await house.tell()) == {("job_overdue_s", "report"), ("job_runs_s", "report")}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/ping/0123456789abcdee", 404),
        ("/ping/%00", 404),
        ("/ping/" + "x" * 4_000, 404),
        (f"/ping/{TOKEN}/stop", 400),
        (f"/ping/{TOKEN}/256", 400),
        (f"/ping/{TOKEN}/-1", 400),
        (f"/ping/{TOKEN}/٣", 400),
    ],
)
async def test_what_is_not_understood_changes_nothing(house: House, path: str, status: int) -> None:
    assert await house.ping(path) == status
    assert await house.kept() == Job("backup", NOW)


async def test_of_a_huge_body_the_end_is_kept(house: House) -> None:
    assert await house.ping(f"/ping/{TOKEN}/1", b"x" * (5 * BODY_BYTES_MAX) + b"\xffno space left") == 200
    words = (await house.kept()).words
    assert words.endswith("no space left")
    assert len(words) == 4_000


async def test_what_cannot_be_kept_is_not_acknowledged(house: House, store: Store) -> None:
    await store.close()
    assert await house.ping(f"/ping/{TOKEN}") == 503
    count = house.registry.get_sample_value("watchkeeper_pings_total", {"outcome": "not_kept"})
    assert count == 1
