"""What the commands about scaling and capacity ask; who answers is handed to them."""

from __future__ import annotations

from typing import Protocol

from collector.store.advice import Advised, HookRun
from rules.capacity.slope import Numbers, Times
from rules.scaling.model import ScalingPolicy


class Counsel(Protocol):
    """Every method may raise StoreError."""

    def policy(self, service: str) -> ScalingPolicy:
        """ValueError when there is none."""
        ...

    async def history(self, service: str, limit: int) -> tuple[list[Advised], list[HookRun]]:
        """What was said of a service, and what its hook did, newest first. ValueError when it has no policy."""
        ...

    async def scale(self, service: str, replicas: int, by: str, *, dry_run: bool) -> HookRun:
        """Run a service's hook and wait for its end. ValueError when that may not be."""
        ...

    async def load(self, service: str, end: int, past_ms: int, step_ms: int) -> tuple[Times, Numbers]:
        """How many instances a service kept busy to 100 %, up to `end`. ValueError without hosts of ours."""
        ...
