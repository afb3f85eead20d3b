"""Advice, built upon a store: in a running collector, and for a command beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry

from collector.advice import Advisor, Post
from collector.advice.capacity import Capacity, look_at
from collector.advice.loads import past_load
from collector.advice.seeing import fitting, instances_of
from collector.config import CollectorConfig, Loaded
from collector.config.scaling import ScalingOptions
from collector.desks.advice import Standing
from collector.desks.trail import Audit
from collector.store import Store
from collector.store.advice import Advised, HookRun
from collector.who import Refusal
from rules.capacity.report import HostReport
from rules.capacity.slope import Numbers, Times
from rules.memory.watch import Watch
from rules.model import Host, Series
from rules.policy import Policy
from rules.policy.matching import Trouble
from rules.scaling.model import CPU, ScalingPolicy

FULL_PCT = 100.0
ADVISE_S = 60


def policies(config: CollectorConfig) -> dict[str, ScalingOptions]:
    return {options.service: options for options in config.scaling}


def advisor(
    store: Store,
    config: CollectorConfig,
    watch: Callable[[], Watch],
    registry: CollectorRegistry,
    now_ms: Callable[[], int],
    audit: Audit,
    post: Post | None = None,
) -> Advisor:
    """One that sees the fleet as the judge does. `watch` may raise StoreError, which ends a round."""
    return Advisor(
        store.advice,
        store.samples,
        lambda: hosts_of(watch()),
        policies(config),
        resting=Resting(lambda: watch().policy),
        post=post,
        audit=audit,
        now_ms=now_ms,
        registry=registry,
    )


def capacity(
    store: Store, config: CollectorConfig, watch: Callable[[], Watch], now_ms: Callable[[], int]
) -> Capacity:
    return Capacity(store.samples, lambda: hosts_of(watch()), config.capacity, now_ms=now_ms)


def hosts_of(watch: Watch) -> list[Host]:
    return [memory.host for memory in watch.hosts.values()]


class Resting:
    """Whether a host is in maintenance, whoever else may have silenced it."""

    def __init__(self, policy: Callable[[], Policy]) -> None:
        self._policy = policy
        self._known: tuple[Policy, Policy] | None = None

    def __call__(self, host: Host, now: int) -> bool:
        policy = self._policy()
        if not policy.maintenance:
            return False
        if self._known is None or self._known[0] is not policy:
            self._known = policy, Policy(maintenance=policy.maintenance, zone=policy.zone)
        trouble = Trouble("critical", subject=host.subject, labels=host.binding_labels)
        return self._known[1].mute(trouble, (), now) is not None


class Counsel:
    """What commands ask of advice, upon a store that a collector may be at work in. StoreError."""

    def __init__(self, store: Store, loaded: Loaded, now_ms: Callable[[], int]) -> None:
        self._config, self._store, self._now_ms = loaded.config, store, now_ms

    def policy(self, service: str) -> ScalingPolicy:
        """ValueError when there is none."""
        return self._options(service).policy

    async def standings(self) -> list[Standing]:
        """How it stood with each service that has a policy when a collector last looked at it."""
        advisor = await self._advisor()
        await advisor.recall()
        return [standing for service in advisor.services if (standing := advisor.standing(service))]

    async def history(self, service: str, limit: int) -> tuple[list[Advised], list[HookRun]]:
        """What was said of a service, and what its hook did, newest first. ValueError when it has no policy."""
        self._options(service)
        advice = self._store.advice
        return await advice.said(service, limit), await advice.runs(service, limit)

    async def report(self, host: Host) -> HostReport:
        return await look_at(self._store.samples, host, self._config.capacity, self._now_ms())

    async def scale(self, service: str, replicas: int, by: str, *, dry_run: bool) -> HookRun:
        """Run a service's hook and wait for its end. ValueError when that may not be."""
        self._options(service)
        advisor = await self._advisor()
        try:
            return await advisor.scale(service, replicas, by, dry_run=dry_run)
        except Refusal as refusal:
            raise ValueError(str(refusal)) from None

    async def load(self, service: str, end: int, past_ms: int, step_ms: int) -> tuple[Times, Numbers]:
        """How many instances a service kept busy to 100 %, up to `end`. ValueError without hosts of ours."""
        policy = self.policy(service)
        hosts = await self._store.hosts.all()
        instances = instances_of(policy.where, hosts, lambda host, now: False, self._now_ms())
        named = fitting(CPU, await self._store.samples.latest_of(Series.parse(CPU).metric))
        theirs = {host.id for host in instances}
        series = first_of_each((row.host, row.name) for row in named if row.host in theirs)
        if not series:
            raise ValueError(f"no host of {service} that was heard within the hour says its {CPU}")
        return await past_load(self._store.samples, series, FULL_PCT, end, past_ms, step_ms)

    async def _advisor(self) -> Advisor:
        """One that makes no rounds."""
        hosts = await self._store.hosts.all()
        return Advisor(
            self._store.advice,
            self._store.samples,
            lambda: hosts,
            policies(self._config),
            audit=Audit(self._store.people, self._now_ms),
            now_ms=self._now_ms,
            registry=CollectorRegistry(),
        )

    def _options(self, service: str) -> ScalingOptions:
        known = policies(self._config)
        if service not in known:
            names = ", ".join(known) or "none"
            raise ValueError(f'"{service:.100}" has no policy in `scaling:`; there are: {names}')
        return known[service]


def first_of_each(series: Iterable[tuple[int, str]]) -> list[tuple[int, str]]:
    found: dict[int, str] = {}
    for host, name in series:
        found.setdefault(host, name)
    return list(found.items())
