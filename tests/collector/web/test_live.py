"""Being told that something was stored: soon, seldom, and never more than there is room for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import msgspec
import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest

from collector.web.live import HOSTS_NAMED_MAX, Feed, News
from rules.model import Host, Incident, Outcome

PATIENCE_S = 10


def outcome(host: int, *, incident: bool = False) -> Outcome:
    incidents = [Incident(1, "host:1", "title", "critical", 0)] if incident else []
    return Outcome(host=Host(host, f"host-{host}"), incidents=incidents)


@asynccontextmanager
async def serving(feed: Feed) -> AsyncIterator[aiohttp.ClientSession]:
    app = web.Application()
    app.router.add_get("/events", feed.stream)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    try:
        async with aiohttp.ClientSession(f"http://{host}:{port}") as client:
            yield client
    finally:
        feed.close()
        await runner.cleanup()


class Reader:
    """Reads a stream event by event, as (name, data)."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def next(self) -> tuple[str, object]:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                block = (await self._answer.content.readuntil(b"\n\n")).decode()
                fields = dict(line.split(": ", 1) for line in block.strip().splitlines())
                if "event" in fields:
                    return fields["event"], msgspec.json.decode(fields["data"])

    async def until_told(self) -> object:
        while True:
            name, data = await self.next()
            if name == "changed":
                return data


async def test_a_page_is_told_which_hosts_and_whether_incidents_changed() -> None:
    feed = Feed(CollectorRegistry())
    async with serving(feed) as client, client.get("/events") as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        feed.publish([outcome(7), outcome(3)])
        assert await Reader(answer).until_told() == {"hosts": [3, 7], "incidents": False}
        feed.publish([outcome(7, incident=True)])
        assert await Reader(answer).until_told() == {"hosts": [7], "incidents": True}


async def test_what_comes_in_one_interval_is_told_at_once_and_only_once() -> None:
    feed = Feed(CollectorRegistry(), every_s=0.2, heartbeat_s=60)
    async with serving(feed) as client, client.get("/events") as answer:
        reader, loop = Reader(answer), asyncio.get_running_loop()
        feed.publish([outcome(1)])
        assert await reader.until_told() == {"hosts": [1], "incidents": False}
        first_at = loop.time()
        for host in (2, 3, 4, 3):
            feed.publish([outcome(host)])
        assert await reader.until_told() == {"hosts": [2, 3, 4], "incidents": False}
        assert loop.time() - first_at > 0.1


async def test_every_page_that_listens_is_told() -> None:
    feed = Feed(CollectorRegistry())
    async with serving(feed) as client, client.get("/events") as one, client.get("/events") as other:
        feed.publish([outcome(1)])
        assert await Reader(one).until_told() == await Reader(other).until_told()


async def test_a_quiet_stream_shows_that_it_lives() -> None:
    feed = Feed(CollectorRegistry(), heartbeat_s=0.05)
    async with serving(feed) as client, client.get("/events") as answer:
        assert await Reader(answer).next() == ("here", {})


class Right:
    """Whether whoever listens may do so, as a test has it."""

    def __init__(self) -> None:
        self.holds, self.asked = True, 0

    async def may_listen(self, _request: web.Request) -> bool:
        self.asked += 1
        return self.holds


async def test_who_may_listen_no_longer_hears_nothing_more_from_the_moment_that_we_are_told() -> None:
    registry, right = CollectorRegistry(), Right()
    feed = Feed(registry, right.may_listen, heartbeat_s=60)
    async with serving(feed) as client, client.get("/events") as answer:
        await answer.content.readuntil(b"\n\n")
        right.holds = False
        feed.ask_again()
        feed.publish([outcome(1)])
        async with asyncio.timeout(PATIENCE_S):
            assert await answer.content.read() == b""
        assert "watchkeeper_live_listeners 0.0" in generate_latest(registry).decode()


async def test_who_may_listen_still_goes_on_listening() -> None:
    right = Right()
    feed = Feed(CollectorRegistry(), right.may_listen, heartbeat_s=60)
    async with serving(feed) as client, client.get("/events") as answer:
        reader = Reader(answer)
        feed.ask_again()
        assert await reader.next() == ("here", {})
        feed.publish([outcome(1)])
        assert await reader.until_told()
        assert right.asked == 2, "once at first and once more when told; news alone cost no question"


async def test_what_another_process_took_away_is_noticed_with_the_next_sign_of_life(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("collector.web.live.ASK_AGAIN_S", 0.0)
    right = Right()
    feed = Feed(CollectorRegistry(), right.may_listen, heartbeat_s=0.05)
    async with serving(feed) as client, client.get("/events") as answer:
        assert await Reader(answer).next() == ("here", {})
        right.holds = False
        async with asyncio.timeout(PATIENCE_S):
            await answer.content.read()


async def test_the_browser_is_told_when_to_come_back() -> None:
    async with serving(Feed(CollectorRegistry())) as client, client.get("/events") as answer:
        assert await answer.content.readuntil(b"\n\n") == b"retry: 3000\n\n"


async def test_more_listeners_than_are_let_in_are_turned_away_kindly_and_counted() -> None:
    registry = CollectorRegistry()
    feed = Feed(registry, listeners_max=1)
    async with serving(feed) as client, client.get("/events") as first:
        async with client.get("/events") as second:
            assert second.status == 503
            assert second.headers["Retry-After"] == "15"
        feed.publish([outcome(1)])
        assert await Reader(first).until_told()
        metrics = generate_latest(registry).decode()
        assert "watchkeeper_live_listeners 1.0" in metrics
        assert "watchkeeper_live_turned_away_total 1.0" in metrics


async def test_a_page_that_is_closed_makes_room() -> None:
    feed = Feed(CollectorRegistry(), listeners_max=1, heartbeat_s=0.02)
    async with serving(feed) as client:
        async with client.get("/events") as answer:
            assert answer.status == 200
        async with asyncio.timeout(PATIENCE_S):
            while True:
                async with client.get("/events") as answer:
                    if answer.status == 200:
                        return


async def test_closing_ends_every_stream() -> None:
    feed = Feed(CollectorRegistry(), heartbeat_s=60)
    async with serving(feed) as client, client.get("/events") as answer:
        await answer.content.readuntil(b"\n\n")
        feed.close()
        async with asyncio.timeout(PATIENCE_S):
            assert await answer.content.read() == b""
        async with client.get("/events") as late:
            assert late.status == 503


async def test_publishing_without_listeners_keeps_nothing() -> None:
    feed = Feed(CollectorRegistry())
    feed.publish([outcome(1)])
    async with serving(feed) as client, client.get("/events") as answer:
        feed.publish([outcome(2)])
        assert await Reader(answer).until_told() == {"hosts": [2], "incidents": False}


@pytest.mark.parametrize("count", [HOSTS_NAMED_MAX, HOSTS_NAMED_MAX + 1])
def test_news_of_many_hosts_name_none(count: int) -> None:
    news = News(set())
    news.add([outcome(n) for n in range(count)])
    assert (news.hosts is None) == (count > HOSTS_NAMED_MAX)


def test_news_that_were_missed_become_one() -> None:
    news = News({1})
    news.merge(News({2}, incidents=True))
    assert news == News({1, 2}, incidents=True)
    news.merge(News(None))
    assert news == News(None, incidents=True)
