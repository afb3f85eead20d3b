"""A small house for advice: a real store with hosts that push, and an advisor that looks when it is told to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from agent.options import Secret
from collector.advice import Advisor
from collector.config.scaling import HookOptions, ScalingOptions
from collector.desks.trail import Audit
from collector.store import Store
from collector.stores.sqlite import open_store
from rules.model import Host
from rules.scaling.model import CPU, Recommendation
from tests.collector.stores.builders import NOW, TICK, batch

MINUTE = 60_000
WEB = {"role": "web"}
PLAIN = {"service": "shop", "where": WEB, "targets": {CPU: 70.0}, "look_ahead": None}


def hook(tmp_path: Path, body: str = "echo done", **more: Any) -> HookOptions:
    """A program that notes what it was told in a file called `told`, then does as `body` says."""
    script = tmp_path / "hook"
    script.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path / "told"}\n{body}\n')
    script.chmod(0o755)
    return HookOptions(command=(str(script), "{{service}}", "{{from}}", "{{to}}"), **more)


def webhook(url: str, **more: Any) -> HookOptions:
    return HookOptions(url=Secret(url), secret=Secret("a secret of sixteen letters"), **more)


class House:
    def __init__(self, folder: Path, **options: Any) -> None:
        self.folder = folder
        self.options = {"shop": ScalingOptions(**{**PLAIN, **options})}
        self.now = NOW
        self.hosts: list[Host] = []
        self.resting: set[str] = set()
        self.posted: dict[str, float] = {}

    async def open(self) -> House:
        self.store: Store = await open_store(self.folder / "state", role="collector")
        self.advisor = Advisor(
            self.store.advice,
            self.store.samples,
            lambda: self.hosts,
            self.options,
            resting=lambda host, now: host.name in self.resting,
            post=self._post,
            audit=Audit(self.store.people, lambda: self.now),
            now_ms=lambda: self.now,
            registry=CollectorRegistry(),
        )
        await self.advisor.start()
        self.hosts = await self.store.hosts.all()
        return self

    async def _post(self, service: str, found: Sequence[tuple[str, dict[str, str], float]]) -> None:
        assert service == "shop"
        self.posted = {metric: value for metric, _, value in found}

    async def close(self) -> None:
        await self.advisor.stop()
        await self.store.close()

    async def restart(self) -> None:
        await self.close()
        await self.open()

    async def __aenter__(self) -> House:
        return await self.open()

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def join(self, *names: str, labels: dict[str, str] | None = None) -> None:
        """Hosts that were enrolled long ago."""
        for name in names:
            await self.store.hosts.enrol(
                name, WEB if labels is None else labels, f"token-{name}", b"s" * 32, self.now - 60 * MINUTE
            )

    async def push(self, **cpu: float | None) -> None:
        """Each host named says how busy it is; None is one that has no answer."""
        ids = {host.name: host.id for host in await self.store.hosts.all()}
        await self.store.commit(
            [
                batch(ids[name], self.now, {CPU: math.nan if value is None else value}, seq=self.now // TICK)
                for name, value in cpu.items()
            ]
        )
        self.hosts = await self.store.hosts.all()

    async def look(self, **cpu: float | None) -> Recommendation:
        """A push of each, a round, and what it says of the shop."""
        if cpu:
            await self.push(**cpu)
        self.hosts = await self.store.hosts.all()
        await self.advisor.round()
        standing = self.advisor.standing("shop")
        assert standing is not None
        assert standing.recommendation is not None
        return standing.recommendation

    def later(self, minutes: float) -> None:
        self.now += round(minutes * MINUTE)

    @property
    def told(self) -> list[str]:
        """What the hook was told, a line each."""
        file = self.folder / "told"
        return file.read_text().splitlines() if file.exists() else []
