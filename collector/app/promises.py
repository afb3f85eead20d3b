"""Promises, joined: which services there are, how they stand, and who writes that down."""

from __future__ import annotations

from collections.abc import Callable

from collector.api.ticks import Ticks
from collector.config import CollectorConfig, Loaded
from collector.itself.leaps import Leaps
from collector.promises import Accounts, Keeping, Numbers, Services, Works
from collector.store import Store


def accounts(store: Store, loaded: Loaded) -> Accounts:
    """For whoever asks beside a collector."""
    services = Services(loaded.config.services, store.promises)
    return Accounts(store, services.all, Works(loaded.config, store.policy))


class Promised:
    """All of it upon one open store."""

    def __init__(
        self,
        store: Store,
        config: CollectorConfig,
        ticks: Ticks,
        leaps: Leaps,
        now_ms: Callable[[], int],
    ) -> None:
        self.works = Works(config, store.policy)
        self.services = Services(config.services, store.promises)
        self.accounts = Accounts(store, self.services.all, self.works)
        self._keeping = Keeping(
            store, self.services, works=self.works, now_ms=now_ms, in_doubt=leaps.in_doubt
        )
        self._numbers = Numbers(self.accounts, ticks.gauges, now_ms)

    def configure(self, config: CollectorConfig) -> None:
        """The config was read anew."""
        self.works.configure(config)
        self.services.replace(config.services)

    async def round(self) -> None:
        """Write down what is new, then say how things stand. StoreError."""
        await self._keeping.round()
        await self._numbers.round()
