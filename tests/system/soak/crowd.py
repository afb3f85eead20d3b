"""All that can happen to a collector at once: hosts, browsers, programs, and those who mean ill."""

from __future__ import annotations

import asyncio
import itertools
import random
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from typing import Any

import aiohttp
import msgspec
from aiohttp import ClientSession, ClientTimeout, CookieJar

from agent import wire
from tests.bench.client import Connection
from tests.bench.pushes import EVERY_MS, PushingHost, Tails
from tests.bench.trace import ticks
from tests.system.far_side import FarSide

EVERY_S = 1.0
"""From one push of a host to the next: an hour of batches passes in six minutes."""
SPELL = 15
"""So many pushes a host is well; then it breaches for as many, unless it is one of those that never do."""
PUSHES_PER_CONNECTION = 40
LATE_MS = 600_000
WRONG_EVERY = 50
PAGES = (
    "/", "/hosts/{host}", "/hosts/{host}?range=7d", "/hosts/{host}/alerts", "/hosts/{host}/rules", "/alerts",
    "/incidents", "/incidents/{incident}", "/services", "/advice", "/rules", "/silences", "/notices", "/settings",
    "/settings/channels", "/audit", "/account", "/status", "/login", "/nothing/here",
    "/hosts/{host}/series.csv?name=cpu_used_pct",
)  # fmt: skip
BASE = "/api/monitoring"
FILLED = {"service": "shop", "metric": "cpu_used_pct", "series": "cpu_used_pct", "month": "2026-10"}
FINE = frozenset((*range(200, 400), 400, 401, 403, 404, 409, 422, 429))


class Crowd:
    """`done` counts what happened, `faults` says what should not have. `tokens` are those of hosts, `token` opens
    everything, `job` is what a job calls."""

    def __init__(
        self, url: str, tokens: Sequence[str], token: str, login: tuple[str, str], job: str, far: FarSide
    ) -> None:
        self.done: Counter[str] = Counter()
        self.faults: list[str] = []
        self._url, self._port, self._login, self._job, self._far = (
            url,
            int(url.rpartition(":")[2]),
            login,
            job,
            far,
        )
        self._tokens = tokens
        self._token = {"Authorization": f"Bearer {token}"}
        self._chance = random.Random(7)
        self._hosts: dict[int, PushingHost] = {}
        self._seqs: Counter[int] = Counter()

    async def work(self, seconds: float, deeds_per_s: float = 4.0) -> None:
        """Everything goes on for so long; each kind of deed but pushes so often."""
        turns: list[Callable[[ClientSession], Awaitable[None]]] = [
            *(
                self._read_page,
                self._ask,
                self._listen,
                self._log_in,
                self._act_for_a_user,
                self._ping,
                self._post,
            ),
            *(
                self._silence,
                self._token_comes_and_goes,
                self._host_comes_and_goes,
                self._incident,
                self._come_back,
            ),
            *(self._mean_ill, self._be_deaf),
        ]
        async with ClientSession(
            self._url, cookie_jar=CookieJar(unsafe=True), timeout=ClientTimeout(30)
        ) as here:
            self._doors = await self._doors_of(here)
            await self._get_in(here)
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._push(number)) for number in range(len(self._tokens) - 5)]
                tasks += [group.create_task(self._again(turn, here, 1 / deeds_per_s)) for turn in turns]
                await asyncio.sleep(seconds)
                for task in tasks:
                    task.cancel()
        await asyncio.to_thread(self._far.behave, http="accept")

    async def _again(
        self, deed: Callable[[ClientSession], Awaitable[None]], here: ClientSession, every_s: float
    ) -> None:
        await asyncio.sleep(self._chance.random())
        while True:
            try:
                await deed(here)
            except (aiohttp.ClientError, TimeoutError) as error:
                self.faults.append(f"{deed.__name__}: {error!r}")
            self.done[deed.__name__.strip("_")] += 1
            await asyncio.sleep(every_s * self._chance.uniform(0.5, 1.5))

    async def _do(self, here: ClientSession, method: str, path: str, **options: Any) -> tuple[int, bytes]:
        async with here.request(method, path, allow_redirects=False, **options) as answer:
            body = await answer.read()
            if answer.status not in FINE:
                self.faults.append(f"{method} {path}: {answer.status} {body[:200]!r}")
            return answer.status, body

    async def _call(self, here: ClientSession, method: str, path: str, body: Any = None) -> Any:
        """A door of the API, by the token."""
        given = {} if body is None else {"json": body}
        _, answer = await self._do(here, method, BASE + path, headers=self._token, **given)
        return msgspec.json.decode(answer) if answer[:1] in (b"{", b"[") else {}

    # --- hosts ---

    async def _push(self, number: int) -> None:
        """One host. A third of them breach, by spells, each at times of its own."""
        host = self._hosts.setdefault(number, PushingHost(number, self._tokens[number], _tails()))
        await asyncio.sleep(self._chance.random() * EVERY_S)
        for round_ in itertools.count():
            answered = asyncio.Event()
            _, line = await asyncio.get_running_loop().create_connection(
                lambda: Connection(host), "127.0.0.1", self._port
            )
            line.answered = lambda _, told=answered: told.set()
            try:
                for turn in range(PUSHES_PER_CONNECTION):
                    spell = (round_ * PUSHES_PER_CONNECTION + turn + number) // SPELL
                    line.breach = number % 3 == 0 and spell % 2 == 1
                    answered.clear()
                    line.send()
                    await answered.wait()
                    if line.fault:
                        self.faults.append(f"push of {number}: {line.fault}")
                    self.done["push"] += 1
                    await asyncio.sleep(EVERY_S * self._chance.uniform(0.8, 1.2))
            finally:
                line.close()

    async def _come_back(self, here: ClientSession) -> None:
        """An agent that was cut off sends what it has of the last minutes, oldest first, in one push."""
        number = len(self._tokens) - 1 - self._chance.randrange(4)
        now = time.time_ns() // 1_000_000
        first, batches = now - LATE_MS, []
        for at in range(first, now, LATE_MS // wire.BATCHES_PER_PUSH_MAX + 1):
            seq, tick = self._seqs[number], ticks()[self._seqs[number] % len(ticks())]
            self._seqs[number] += 1
            batches.append(wire.Batch(seq, at, now, EVERY_MS, tick.samples, tick.checks))
        push = wire.Push(v=1, spool=f"{number + 1:032x}", boot_id="late", batches=batches)
        headers = {"Authorization": f"Bearer {self._tokens[number]}", "Content-Type": "application/json"}
        await self._do(here, "POST", wire.PATH, data=wire.encode(push), headers=headers)
        await asyncio.sleep(1)

    async def _host_comes_and_goes(self, here: ClientSession) -> None:
        name = f"guest-{self._chance.randrange(10**9)}"
        made = await self._call(here, "POST", "/hosts", {"name": name, "labels": {"role": "guest"}})
        if "token" not in made:
            self.faults.append(f"a host was not enrolled: {made}")
            return
        now, tick = time.time_ns() // 1_000_000, ticks()[0]
        series = {**tick.samples, wire.series_name("guest", {"name": name}): 1.0}
        push = wire.Push(
            1, f"{self._chance.getrandbits(128):032x}", "guest", [wire.Batch(0, now, now, EVERY_MS, series)]
        )
        headers = {"Authorization": f"Bearer {made['token']}", "Content-Type": "application/json"}
        await self._do(here, "POST", wire.PATH, data=wire.encode(push), headers=headers)
        await self._do(here, "GET", f"/hosts/{made['id']}")
        await self._call(here, "DELETE", f"/hosts/{made['id']}")

    # --- people ---

    async def _get_in(self, here: ClientSession) -> None:
        name, password = self._login
        await self._do(here, "POST", "/login", data={"name": name, "password": password, "next": "/"})

    async def _log_in(self, _: ClientSession) -> None:
        """A browser that nobody knows: in, and out again; now and then it is wrong, and has to wait."""
        async with ClientSession(
            self._url, cookie_jar=CookieJar(unsafe=True), timeout=ClientTimeout(30)
        ) as mine:
            stranger = {
                "name": f"eve-{self._chance.randrange(10**9)}",
                "password": "guessed badly",
                "next": "/",
            }
            if self.done["log_in"] % WRONG_EVERY == 0:
                await self._do(mine, "POST", "/login", data=stranger)
            await self._get_in(mine)
            _, page = await self._do(mine, "GET", "/account")
            if found := re.search(rb'name="csrf" value="([^"]+)"', page):
                await self._do(mine, "POST", "/logout", data={"csrf": found[1].decode()})
                self.done["log_out"] += 1

    async def _read_page(self, here: ClientSession) -> None:
        path = PAGES[self.done["read_page"] % len(PAGES)]
        host, incident = self._chance.randint(1, len(self._tokens)), self._chance.randint(1, 400)
        await self._do(here, "GET", path.format(host=host, incident=incident))

    async def _listen(self, here: ClientSession) -> None:
        """Several pages are opened together, and dropped at once, in the middle, or after the first event."""

        async def one(how: int) -> None:
            async with here.get(f"{BASE}/events") as stream:
                if how:
                    await stream.content.readany()
                if how == 2:
                    await asyncio.wait_for(stream.content.readuntil(b"changed"), 10)

        await asyncio.gather(*(one(number % 3) for number in range(6)))

    # --- programs ---

    async def _doors_of(self, here: ClientSession) -> list[str]:
        """The address of every door that only tells something, its names filled in."""
        document = await self._call(here, "GET", "/openapi.json")
        found = []
        for path, methods in document["paths"].items():
            if "get" not in methods or path.endswith("/events"):
                continue
            asked = methods["get"]["parameters"]
            needed = [one["name"] for one in asked if one["required"] and one["in"] == "query"]
            query = "&".join(f"{name}={FILLED.get(name, '1')}" for name in needed)
            found.append(f"{path.replace('{name}', 'shop')}?{query}")
        return found

    async def _ask(self, here: ClientSession) -> None:
        for _ in range(3):
            path = self._doors[self._chance.randrange(len(self._doors))]
            number = str(self._chance.randint(1, len(self._tokens)))
            await self._do(here, "GET", path.replace("{id}", number), headers=self._token)

    async def _act_for_a_user(self, here: ClientSession) -> None:
        name, password = self._login
        pair = await self._call(here, "POST", "/login", {"name": name, "password": password})
        pair = await self._call(
            here, "POST", "/login/refresh", {"refresh_token": pair.get("refresh_token", "?")}
        )
        bearer = {"Authorization": f"Bearer {pair.get('access_token', '?')}"}
        await self._do(here, "GET", f"{BASE}/me", headers=bearer)
        await self._call(here, "POST", "/login/revoke", {"token": pair.get("access_token", "?")})

    async def _ping(self, here: ClientSession) -> None:
        for how in ("/start", "", f"/{self._chance.choice((0, 0, 0, 1))}"):
            await self._do(here, "POST", f"/ping/{self._job}{how}", data=b"what it said")

    async def _post(self, here: ClientSession) -> None:
        path = f"/{self._chance.choice(('cart', 'pay', 'search'))}"
        took = {
            "name": "response_time_ms",
            "value": self._chance.lognormvariate(4, 1),
            "labels": {"path": path},
        }
        counted = {"name": "orders_count", "value": 1}
        await self._call(here, "POST", "/metrics", {"service": "shop", "metrics": [took, counted]})

    async def _silence(self, here: ClientSession) -> None:
        made = await self._call(here, "POST", "/silences", {"where": {"role": "guest"}, "for": "5m"})
        await self._call(here, "DELETE", f"/silences/{made.get('id', 0)}")

    async def _token_comes_and_goes(self, here: ClientSession) -> None:
        wanted = {"name": f"robot-{self._chance.randrange(10**9)}", "permissions": ["monitoring.read"]}
        made = await self._call(here, "POST", "/tokens", wanted)
        await self._do(here, "GET", f"{BASE}/hosts", headers={"Authorization": f"Bearer {made.get('token')}"})
        await self._call(here, "DELETE", f"/tokens/{made.get('about', {}).get('id')}")

    async def _incident(self, here: ClientSession) -> None:
        made = await self._call(
            here, "POST", "/incidents", {"title": "the shop is slow", "severity": "warning"}
        )
        number = made.get("id")
        await self._call(here, "POST", f"/incidents/{number}/notes", {"text": "looking at it"})
        await self._call(here, "PATCH", f"/incidents/{number}", {"state": "resolved"})

    # --- who means ill, and what fails ---

    async def _mean_ill(self, here: ClientSession) -> None:
        """Half a request, no HTTP at all, a token that does not hold, a body that is none."""
        for said in (b"GET / HTTP/1.1\r\nHost: x\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b""):
            _, writer = await asyncio.open_connection("127.0.0.1", self._port)
            writer.write(said)
            await writer.drain()
            writer.close()
        wrong = {"Authorization": f"Bearer wk_agent_default_{self._chance.randrange(10**11):012}_{'a' * 40}"}
        await self._do(here, "POST", wire.PATH, data=b"{}", headers=wrong)
        torn = {"Authorization": f"Bearer {self._tokens[-1]}", "Content-Encoding": "gzip"}
        await self._do(here, "POST", wire.PATH, data=b"\x1f\x8b no zip", headers=torn)

    async def _be_deaf(self, _: ClientSession) -> None:
        """Now and then nobody takes notices, for a while."""
        await asyncio.sleep(20)
        await asyncio.to_thread(self._far.behave, http="status:503")
        await asyncio.sleep(5)
        await asyncio.to_thread(self._far.behave, http="accept")


@cache
def _tails() -> Tails:
    """Packed once for all hosts."""
    return Tails()
