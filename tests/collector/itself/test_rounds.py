"""Jobs that come round do so whatever happens to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest
from prometheus_client import CollectorRegistry

from collector.itself.rounds import Rounds
from collector.store import StoreError


@pytest.fixture
async def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
async def rounds(registry: CollectorRegistry) -> AsyncGenerator[Rounds, None]:
    rounds = Rounds(registry)
    yield rounds
    await rounds.stop()


class Job:
    """Counts how often it is done, and says when that was often enough."""

    def __init__(self, rounds_wanted: int, *, fault: str = "", takes_s: float = 0.0) -> None:
        self.times = self.at_once = self.at_once_most = 0
        self.enough = asyncio.Event()
        self._wanted, self._fault, self._takes_s = rounds_wanted, fault, takes_s

    async def __call__(self) -> None:
        self.times += 1
        self.at_once += 1
        self.at_once_most = max(self.at_once, self.at_once_most)
        if self.times >= self._wanted:
            self.enough.set()
        await asyncio.sleep(self._takes_s)
        self.at_once -= 1
        if self._fault:
            raise RuntimeError(self._fault)


async def test_a_job_is_done_again_and_again(rounds: Rounds) -> None:
    job = Job(3)
    rounds.start("tick", 0.01, job)
    async with asyncio.timeout(5):
        await job.enough.wait()


async def test_a_job_is_not_done_before_its_time(rounds: Rounds) -> None:
    job = Job(1)
    rounds.start("forget", 60, job)
    await asyncio.sleep(0.05)
    assert job.times == 0


async def test_a_job_that_fails_comes_round_again_is_counted_and_logged_once(
    rounds: Rounds, registry: CollectorRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    job = Job(4, fault="no room on the disk")
    rounds.start("seal", 0.01, job)
    async with asyncio.timeout(5):
        await job.enough.wait()
    await rounds.stop()
    errors = registry.get_sample_value("watchkeeper_job_errors_total", {"job": "seal"})
    assert errors is not None
    assert errors >= 3
    assert [record.message for record in caplog.records] == ["The job 'seal' failed; it comes round again."]


async def test_of_what_the_store_says_the_sentence_is_enough(
    rounds: Rounds, caplog: pytest.LogCaptureFixture
) -> None:
    tried = asyncio.Event()

    async def job() -> None:
        tried.set()
        raise StoreError("no room is left on the disk")

    rounds.start("seal", 0.01, job)
    async with asyncio.timeout(5):
        await tried.wait()
    await rounds.stop()
    [record] = caplog.records
    assert record.message == "The job 'seal' failed: no room is left on the disk; it comes round again."
    assert record.exc_info is None


async def test_a_job_that_takes_its_time_is_not_begun_twice_and_holds_up_no_other(rounds: Rounds) -> None:
    slow, quick = Job(2, takes_s=0.1), Job(10)
    rounds.start("repair", 0.01, slow)
    rounds.start("tick", 0.01, quick)
    async with asyncio.timeout(5):
        await slow.enough.wait()
        await quick.enough.wait()
    assert slow.at_once_most == 1


async def test_nothing_comes_round_after_the_end(rounds: Rounds) -> None:
    job = Job(1)
    rounds.start("tick", 0.01, job)
    await job.enough.wait()
    await rounds.stop()
    times = job.times
    await asyncio.sleep(0.05)
    assert job.times == times


async def test_a_job_can_be_called_before_its_time(rounds: Rounds) -> None:
    job = Job(1)
    rounds.start("forget", 60, job)
    rounds.soon("forget")
    async with asyncio.timeout(5):
        await job.enough.wait()
    await asyncio.sleep(0.02)
    assert job.times == 1
