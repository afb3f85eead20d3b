"""What is promised of services, whether it is kept, and the papers that show it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TypeVar

from aiohttp import web
from msgspec import Struct

from collector.desks.promises import Accounts
from collector.desks.services import Services
from collector.store import DAY_MS, Store
from collector.store.promises import Day
from collector.web.answers import HEADERS, Body, Missing, answer
from collector.web.asked import View
from collector.web.bars import Bars, bars_of
from collector.web.fleet import BAR_STEP
from collector.web.frame import Frame
from collector.web.incidents import When, when
from collector.web.made_of import MARKS, fleet_of, groups_of
from collector.web.public import DAYS, available, public_service
from collector.web.standing import Mark
from collector.web.words import NOTHING, Times
from collector.who import ASKED_BY, NOBODY, Who, needs
from rules.sla.budget import Budget, availability_pct
from rules.sla.model import Class, ServiceOptions, Span, Tally
from rules.sla.paper import STYLE, as_csv, as_html
from rules.sla.summary import Outage, Summary
from rules.sla.words import percent, share, span_in_words

MONTHS = 6
OUTAGES_SHOWN_MAX = 50
WINDOWS = {"24h": "24 hours", "7d": "7 days", "30d": "30 days", "90d": "90 days"}
LONG_WINDOWS = {"5m": "5 minutes", "30m": "30 minutes", "1h": "hour", "6h": "6 hours", "3d": "3 days"}
T = TypeVar("T")


class BudgetShown(Struct, frozen=True):
    """`look` are the classes of a bar that shows how much of it is used."""

    look: str
    allowed: str
    used: str
    left: str


class Row(Struct, frozen=True):
    """A service in a list of them, and at the top of its own page. `sentence` is empty while nothing is known."""

    name: str
    title: str
    mark: Mark
    since: When | None
    cause: str
    bars: Bars
    available: str
    sentence: str
    budget: BudgetShown | None


class Burn(Struct, frozen=True):
    window: str
    rate: str
    look: str


class OutageRow(Struct, frozen=True):
    began: When
    lasted: str
    cause: str
    repaired: bool
    incident: int | None
    title: str


class ServicePages:
    def __init__(
        self,
        frame: Frame,
        store: Store,
        accounts: Accounts,
        services: Services,
        *,
        now_ms: Callable[[], int],
    ) -> None:
        self._frame, self._store, self._accounts = frame, store, accounts
        self._services, self._now_ms = services, now_ms

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/services", needs("monitoring.read", self._frame.page("services", self._all))),
            web.get("/services/{name}", needs("monitoring.read", self._frame.page("service", self._one))),
            web.get(
                "/services/{name}/report/{month}",
                needs("monitoring.read", self._frame.page("report", self._paper)),
            ),
        ]

    async def _all(self, request: web.Request) -> web.Response:
        view = View.of(request)
        times = view.times(self._now_ms())
        services = sorted(await self._services.all(), key=lambda service: service.called.lower())
        known = {one.service: one for one in await self._accounts.summaries(None, times.now)}
        days = await asyncio.gather(*(self._accounts.days(one.name, DAYS, times.now) for one in services))
        rows = [
            _row(service, known.get(service.name), own, times)
            for service, own in zip(services, days, strict=True)
        ]
        body = self._frame.render("services.html", view, times, rows=rows, may_change=_may_change(request))
        return answer(request, body)

    async def _one(self, request: web.Request) -> web.Response:
        view = View.of(request)
        times = view.times(self._now_ms())
        service = await self._named(request.match_info["name"])
        known = {one.service: one for one in await self._accounts.summaries(None, times.now)}
        days = await self._accounts.days(service.name, DAYS, times.now)
        states = {name: one.state for name, one in known.items()}
        fleet = await fleet_of(self._store, service, states, times.now)
        summary = known.get(service.name)
        body = self._frame.render(
            "service.html",
            view,
            times,
            it=_row(service, summary, days, times),
            facts=_facts(service, summary),
            latency=_latency(summary),
            burns=_burns(summary),
            outages=await self._outages(service, summary, times),
            outages_max=OUTAGES_SHOWN_MAX,
            groups=groups_of(service, fleet),
            months=_months(days, times),
            is_written=self._services.is_written(service.name),
            may_change=_may_change(request),
        )
        return answer(request, body)

    async def _outages(
        self, service: ServiceOptions, summary: Summary | None, times: Times
    ) -> list[OutageRow]:
        if summary is None:
            return []
        since = times.now - DAYS * DAY_MS
        found = await _known(self._accounts.outages(service.name, since, times.now))
        return [_outage(one, times) for one in reversed(found[-OUTAGES_SHOWN_MAX:])]

    async def _paper(self, request: web.Request) -> web.Response:
        month, _, kind = request.match_info["month"].partition(".")
        service = await self._named(request.match_info["name"])
        report = await _known(self._accounts.report(service.name, month, self._now_ms()))
        if kind == "csv":
            text = await asyncio.to_thread(as_csv, report)
            return answer(request, Body(text), kind="text/csv", file_name=f"{service.name}-{month}.csv")
        if kind:
            raise Missing("A report is a page, or with .csv behind its month a table.")
        page = answer(request, Body(await asyncio.to_thread(as_html, report)))
        page.headers["Content-Security-Policy"] = _with_own_style(HEADERS["Content-Security-Policy"])
        return page

    async def _named(self, name: str) -> ServiceOptions:
        found = await self._services.find(name)
        if found is None:
            raise Missing(f"There is no service called {name[:100]!r}.", ("/services", "To the services"))
        return found


def _may_change(request: web.Request) -> bool:
    who: Who = request.get(ASKED_BY, NOBODY)
    return who.may("monitoring.config.update")


async def _known(asking: Awaitable[T]) -> T:
    """ValueError says what is not known: then there is no such page."""
    try:
        return await asking
    except ValueError as error:
        sentence = str(error)
        raise Missing(f"{sentence[:1].upper()}{sentence[1:]}.") from None


def _with_own_style(policy: str) -> str:
    """A report brings its style along, so that it can be kept as one file; that very style is let in here."""
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    return policy.replace("style-src 'self'", f"style-src 'sha256-{digest}'")


# --- in words ---------------------------------------------------------------------------------------------------------


def _row(service: ServiceOptions, summary: Summary | None, days: Sequence[Day], times: Times) -> Row:
    state: Class = "unknown" if summary is None else summary.state
    shown = public_service(service, state, days, times.now)
    first = times.now // DAY_MS * DAY_MS - (DAYS - 1) * DAY_MS
    whole = sum((day.tally for day in days if day.start >= first), Tally())
    return Row(
        service.name,
        service.called,
        MARKS[state],
        None if summary is None else when(summary.since, times),
        "" if summary is None else summary.cause,
        bars_of(shown.days),
        available(availability_pct(whole, service)),
        "" if summary is None else summary.sentence,
        None if summary is None or summary.budget is None else _budget(summary.budget),
    )


def _budget(budget: Budget) -> BudgetShown:
    used_pct = 100 * budget.used_ms / budget.allowed_ms if budget.allowed_ms else 0.0
    bar = min(100, BAR_STEP * max(1, round(used_pct / BAR_STEP))) if budget.used_ms else 0
    look = "critical" if budget.left_ms < 0 else "warning" if used_pct >= 75 else ""
    left = budget.left_ms
    return BudgetShown(
        f"meter {look} p{bar}",
        span_in_words(budget.allowed_ms),
        span_in_words(budget.used_ms),
        span_in_words(left) if left >= 0 else f"{span_in_words(-left)} too much",
    )


def _facts(service: ServiceOptions, summary: Summary | None) -> list[str]:
    facts = [service.name]
    if service.objective_pct is None:
        facts.append("nothing is promised of it")
    else:
        over = summary.period if summary else window_said(service.window)
        facts.append(f"{percent(service.objective_pct)} promised over {over}")
    if service.hours:
        facts.append(f"in its hours: {', '.join(service.hours)}")
    if service.maintenance:
        facts.append(f"worked on: {', '.join(service.maintenance)}")
    facts.append(
        "unknown time counts as down" if service.unknown == "down" else "unknown time does not count"
    )
    return facts


def window_said(span: Span) -> str:
    """What is promised over, such as 30 days or a month."""
    return WINDOWS.get(span, f"a {span}")


def _latency(summary: Summary | None) -> str:
    latency = summary.latency if summary else None
    if latency is None:
        return ""
    reached = NOTHING if latency.reached_pct is None else share(latency.reached_pct)
    promised = percent(latency.promised_pct)
    return f"It answered within {latency.limit_ms:g} ms {reached} of the time, {promised} promised."


def _burns(summary: Summary | None) -> list[Burn]:
    if summary is None or summary.objective_pct is None:
        return []
    return [
        Burn(LONG_WINDOWS.get(window, window), NOTHING if rate is None else f"{rate:.1f}", _burn_look(rate))
        for window, rate in summary.burn_rates.items()
    ]


def _burn_look(rate: float | None) -> str:
    return "" if rate is None or rate <= 1 else "bad" if rate > 6 else "fast"


def _outage(one: Outage, times: Times) -> OutageRow:
    return OutageRow(
        when(one.start, times),
        span_in_words(one.ms),
        one.cause,
        one.repaired,
        one.incident,
        one.incident_title,
    )


def _months(days: Sequence[Day], times: Times) -> list[str]:
    """Those of which there may be a report, the newest first."""
    if not days:
        return []
    at = datetime.fromtimestamp(times.now / 1000, times.zone)
    months = [
        f"{at.year - (at.month <= back):04}-{(at.month - back - 1) % 12 + 1:02}" for back in range(MONTHS)
    ]
    first = datetime.fromtimestamp(days[0].start / 1000, times.zone)
    return [month for month in months if month >= f"{first:%Y-%m}"]
