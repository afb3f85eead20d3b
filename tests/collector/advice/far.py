"""A real receiver of signed orders, as particular or as rude as a test wants it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from agent.options import Secret
from collector.advice.orders import Order, Ran
from collector.advice.webhook import post

SECRET = "a secret of sixteen letters or more"
ORDER = Order(7, "shop", 3, 5, "up", "cpu is at 96 %", "auto", 1_760_000_000_123)


class Far:
    """The far side: keeps what came, and answers as it is told to."""

    def __init__(self) -> None:
        self.taken: list[tuple[dict[str, str], bytes]] = []
        self.answer: Callable[[], Awaitable[web.StreamResponse]] = self.well
        self.url = ""

    async def well(self) -> web.StreamResponse:
        return web.Response(text="scaling")

    async def take(self, request: web.Request) -> web.StreamResponse:
        self.taken.append((dict(request.headers), await request.read()))
        return await self.answer()

    def answers(self, status: int, text: str = "", **more: str) -> None:
        async def answer() -> web.StreamResponse:
            return web.Response(status=status, text=text, headers=more)

        self.answer = answer

    async def ask(self, timeout_s: float = 10) -> Ran:
        return await post(Secret(f"{self.url}/hooks/sesame"), Secret(SECRET), timeout_s, ORDER)


@asynccontextmanager
async def receiving() -> AsyncGenerator[Far, None]:
    far = Far()
    app = web.Application()
    app.router.add_post("/hooks/sesame", far.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    far.url = f"http://127.0.0.1:{port}"
    yield far
    await runner.cleanup()
