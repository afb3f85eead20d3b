"""Advice on scaling, once a minute: what each service should have and why, and where it is switched on, the hook.

All that is said and done is kept beside what really became of it.
"""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence

import numpy as np
from msgspec.structs import replace
from prometheus_client import CollectorRegistry, Counter

from collector.advice.hooks import Hooks
from collector.advice.loads import past_load
from collector.advice.seeing import Hosts, Numbers, Resting, instances_of, read_numbers, see
from collector.config.scaling import ScalingOptions
from collector.desks.advice import Standing
from collector.desks.trail import Audit
from collector.health import Component
from collector.store import Samples
from collector.store.advice import Advice, Advised, HookRun, Switch
from collector.who import Refusal, Who
from rules.capacity.slope import Numbers as Load
from rules.capacity.slope import Times
from rules.model import Host
from rules.scaling.ahead import RECENT_MS, Study, foresee, study
from rules.scaling.decide import EXPIRES_MS, decide
from rules.scaling.model import Change, Foreseen, Past, Recommendation, ScalingPolicy, Seen
from rules.scaling.smooth import LONGEST_MS, remembered
from rules.words import counted

__all__ = ["Advisor"]

log = logging.getLogger(__name__)

Post = Callable[[str, Sequence[tuple[str, dict[str, str], float]]], Awaitable[None]]
"""Hands metric, labels and value of series to where services post metrics of themselves."""

STUDY_MS = 3_600_000
RECENT_MAX = 60
"""A round a minute."""


class Advisor:
    """`round` is to be called once a minute. Its words on a service are of the last round; a StoreError leaves them."""

    def __init__(
        self,
        advice: Advice,
        samples: Samples,
        hosts: Hosts,
        options: Mapping[str, ScalingOptions],
        *,
        resting: Resting = lambda host, now: False,
        post: Post | None = None,
        audit: Audit,
        now_ms: Callable[[], int],
        registry: CollectorRegistry,
    ) -> None:
        self._advice, self._samples, self._hosts, self._resting = advice, samples, hosts, resting
        self._now_ms, self._post, self._audit = now_ms, post, audit
        self._options = dict(options)
        self._minds: dict[str, _Mind] = {}
        self._switches: dict[str, Switch] = {}
        self._hooks = Hooks(advice, now_ms)
        self._said = Counter(
            "watchkeeper_scaling_recommendations",
            "Recommendations that differ from the one before",
            ["direction"],
            registry=registry,
        )

    async def start(self) -> None:
        """StoreError. Runs of hooks that were cut short are noted as such."""
        now = self._now_ms()
        if cut_short := await self._advice.interrupted(now):
            log.warning("%d runs of scaling hooks were cut short; what they did is not known.", cut_short)
        await self._read_switches()

    async def recall(self) -> None:
        """Instead of `start` and rounds, beside a collector that makes them: know what was said last. StoreError."""
        await self._read_switches()
        for service in self._options:
            for advised in await self._advice.said(service, 1):
                mind = _Mind(service, advised.became, Past((), ()))
                mind.recommendation = _recommended(advised)
                self._minds[service] = mind

    async def _read_switches(self) -> None:
        self._switches = {switch.service: switch for switch in await self._advice.switches()}

    async def stop(self) -> None:
        """Hooks that are being run are ended, and noted at the next start as not known."""
        await self._hooks.stop()

    def replace(self, options: Mapping[str, ScalingOptions]) -> None:
        """From the next round on these hold."""
        self._options = dict(options)
        self._minds = {service: mind for service, mind in self._minds.items() if service in options}

    async def round(self) -> None:
        """Look at every service, say what it should have, and run what is to be run."""
        if not self._options:
            return
        now, policies = self._now_ms(), {name: one.policy for name, one in self._options.items()}
        numbers = await read_numbers(
            self._samples, (metric for policy in policies.values() for metric in policy.metrics)
        )
        hosts = list(self._hosts())
        sources = {host.name: host for host in hosts if host.is_service}
        for service, policy in policies.items():
            instances = instances_of(policy.where, hosts, self._resting, now)
            seen = see(service, policy, instances, numbers, sources, now)
            await self._look_at(service, policy, instances, numbers, seen, now)
            if self._post is not None:
                await self._post(service, self._as_series(service))

    def _as_series(self, service: str) -> list[tuple[str, dict[str, str], float]]:
        """What is said of a service, for rules and charts: there is nothing to advise where it is scaled anyway."""
        said = self._minds[service].recommendation
        assert said is not None
        more = 0 if self.is_auto(service) else said.wanted - said.current
        return [
            ("instances", {}, float(said.current)),
            ("instances_wanted", {}, float(said.wanted)),
            ("instances_to_add", {}, float(max(0, more))),
            ("instances_to_remove", {}, float(max(0, -more))),
        ]

    # --- what it says ---

    @property
    def services(self) -> list[str]:
        return sorted(self._options)

    def standing(self, service: str) -> Standing | None:
        """None when there is no policy for it."""
        options = self._options.get(service)
        if options is None:
            return None
        mind, hook = self._minds.get(service), options.hook
        learnt = mind.learnt if mind else None
        switch = self._switches.get(service)
        return Standing(
            service,
            options.policy,
            mind.recommendation if mind else None,
            auto=self.is_auto(service),
            auto_by=switch.changed_by if switch else "config",
            hook="none" if hook is None else "webhook" if hook.url is not None else "command",
            dry_run=hook is not None and hook.dry_run,
            ahead=learnt.reason if learnt else "",
            test=learnt.test if learnt else None,
        )

    async def history(self, service: str | None, limit: int) -> list[Advised]:
        """What was said and what became of it, newest first. StoreError."""
        return await self._advice.said(service, limit)

    async def runs(self, service: str | None, limit: int) -> list[HookRun]:
        """What hooks did, newest first. StoreError."""
        return await self._advice.runs(service, limit)

    def health(self) -> Component:
        switched_on = sum(map(self.is_auto, self._options))
        return Component(
            "advice", "ok", f"{counted(len(self._options), 'service')}, {switched_on} scaled automatically."
        )

    # --- what people and programs do ---

    def is_auto(self, service: str) -> bool:
        switch, options = self._switches.get(service), self._options.get(service)
        return options is not None and options.hook is not None and (switch.on if switch else options.auto)

    async def switch(self, who: Who, service: str, on: bool) -> None:
        """Scale without asking from now on, or no longer. Refusal; StoreError."""
        options = self._known(service)
        if on and options.hook is None:
            raise Refusal(409, "no_hook", f"{service} has no hook, so there is nothing that could be run")
        before = self.is_auto(service)
        switch = Switch(service, on, self._now_ms(), who.name)
        await self._audit.noted(
            who,
            "scaling.auto",
            self._advice.switch(switch),
            before={"service": service, "auto": before},
            after=lambda _: {"service": service, "auto": on},
        )
        self._switches[service] = switch

    async def scale(self, service: str, replicas: int, by: str, *, dry_run: bool = False) -> HookRun:
        """Run the hook by hand, and wait for its end. Refusal; StoreError."""
        options = self._known(service)
        policy = options.policy
        if not policy.min <= replicas <= policy.max:
            sentence = f"{service} may have {policy.min} to {policy.max}, not {replicas}"
            raise Refusal(422, "out_of_bounds", sentence)
        hosts = instances_of(policy.where, self._hosts(), self._resting, self._now_ms())
        current = len(hosts) if policy.current is None else policy.current
        return await self._hooks.run(
            service, options.hook, current, replicas, "asked for", by, dry_run=dry_run
        )

    def _known(self, service: str) -> ScalingOptions:
        if service not in self._options:
            known = ", ".join(self.services) or "none"
            raise Refusal(404, "not_found", f'"{service:.100}" has no scaling policy; there are: {known}')
        return self._options[service]

    # --- one service ---

    async def _look_at(
        self,
        service: str,
        policy: ScalingPolicy,
        hosts: Sequence[Host],
        numbers: Numbers,
        seen: Seen,
        now: int,
    ) -> None:
        mind = await self._mind(service, seen.count, now)
        if mind.count != seen.count:
            change = Change(now, mind.count, seen.count)
            await self._advice.changed(service, change)
            mind.past = replace(mind.past, changes=(*mind.past.changes, change))
            mind.count = seen.count
        foreseen = await self._foresee(mind, policy, hosts, numbers, seen, now)
        said = decide(mind.service, policy, seen, mind.past, now, foreseen)
        mind.past = remembered(replace(mind.past, wanted=(*mind.past.wanted, (now, said.unsmoothed))), now)
        await self._note(mind, said)
        if said.direction in ("up", "down") and self.is_auto(service):
            self._hooks.begin(service, self._options[service].hook, said)

    async def _mind(self, service: str, count: int, now: int) -> _Mind:
        """What is remembered of a service. After a start that is what the store knows, and as if what there is had been
        wanted: nothing is taken away for a silence that was ours."""
        if service not in self._minds:
            changes = await self._advice.changes(service, now - LONGEST_MS)
            self._minds[service] = _Mind(
                service, changes[-1].after if changes else count, Past(((now, count),), tuple(changes))
            )
        return self._minds[service]

    async def _note(self, mind: _Mind, said: Recommendation) -> None:
        last = mind.advised
        if last is not None and (last.direction, last.wanted) == (said.direction, said.wanted):
            advised = replace(last, until=said.at, became=said.current)
        else:
            if last is not None:
                await self._advice.say(replace(last, until=said.at, became=said.current))
            advised = Advised(
                said.service, said.at, said.at, said.direction, said.current, said.wanted, said.current,
                said.confidence, said.reason, said.evidence,
            )  # fmt: skip
            self._said.labels(said.direction).inc()
        await self._advice.say(advised)
        mind.advised, mind.recommendation = advised, said

    async def _foresee(
        self,
        mind: _Mind,
        policy: ScalingPolicy,
        hosts: Sequence[Host],
        numbers: Numbers,
        seen: Seen,
        now: int,
    ) -> Foreseen | None:
        if policy.look_ahead is None:
            return None
        metric, target = next(iter(policy.targets.items()))
        named = numbers.names.get(metric, {})
        series = [(host.id, name) for host in hosts for name in named.get(host.id, [])[:1]]
        by_ms = round(policy.look_ahead.by_s * 1000)
        mind.saw(now, [instance.value(metric) for instance in seen.instances], target)
        if now >= mind.study_at:
            past = await past_load(self._samples, series, target, now)
            mind.learnt = await asyncio.to_thread(study, *past, by_ms)
            mind.study_at = _next_study(mind.service, now)
        if mind.learnt is None or mind.learnt.pattern is None:
            return None
        return foresee(mind.learnt, *mind.recent(now), now, by_ms)


class _Mind:
    """What is remembered of a service from one round to the next."""

    def __init__(self, service: str, count: int, past: Past) -> None:
        self.service, self.count, self.past = service, count, past
        self.learnt: Study | None = None
        self.study_at = 0
        self.advised: Advised | None = None
        self.recommendation: Recommendation | None = None
        self._recent: deque[tuple[int, float]] = deque(maxlen=RECENT_MAX)

    def saw(self, now: int, values: Sequence[float | None], target: float) -> None:
        """What each instance is at; those that do not say are taken to be as the others are."""
        known = [value for value in values if value is not None]
        if known:
            self._recent.append((now, sum(known) / len(known) * len(values) / target))

    def recent(self, now: int) -> tuple[Times, Load]:
        """The load of the last hour, as far as it was looked at since our start."""
        seen = [(at, load) for at, load in self._recent if at > now - RECENT_MS]
        return np.array([at for at, _ in seen], np.int64), np.array([load for _, load in seen], np.float64)


def _recommended(said: Advised) -> Recommendation:
    """As it was when it was last said."""
    return Recommendation(
        service=said.service,
        at=said.until,
        direction=said.direction,
        current=said.became,
        wanted=said.wanted,
        unsmoothed=said.wanted,
        reason=said.reason,
        evidence=said.evidence,
        confidence=said.confidence,
        expires_at=said.until + EXPIRES_MS,
    )


def _next_study(service: str, now: int) -> int:
    """Once an hour, each service in a minute of its own."""
    own = zlib.crc32(service.encode()) % STUDY_MS
    return (now - own) // STUDY_MS * STUDY_MS + STUDY_MS + own
