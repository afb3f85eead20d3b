"""The page of one rule, and what it would have said of the past: asked for there, followed while it is reckoned."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence

from aiohttp import web
from msgspec import Struct

from collector.config import WrittenRule
from collector.desks.replays import Messages, Replay, Replays, RuleReplayed
from collector.store import Store
from collector.web.answers import Missing, answer
from collector.web.asked import View
from collector.web.forms import form_of, led_to
from collector.web.frame import Frame
from collector.web.incidents import When, when
from collector.web.rule_pages import rule_row
from collector.web.words import MINUTE_MS, Times, rule_url, say_count, say_duration
from collector.who import ASKED_BY, FORM_TOKEN, NOBODY, Refusal, Who, needs

DAYS = (1, 3, 7, 14, 30, 90)
GUESSED_FROM = 0.03
"""Before so much of it is done, how long it will take is anybody's guess."""


class Row(Struct, frozen=True):
    rule: str
    fired: int
    hosts: int
    in_all: str
    longest: str
    stands: str
    late: str
    told: str


class Shown(Struct, frozen=True):
    """A replay in words. `share` is in percent, and `goes_on` says that it is still at work."""

    goes_on: bool
    share: int | None
    said: str
    trouble: str
    begin: When | None
    end: When | None
    rows: list[Row]
    quiet: list[str]
    messages: str


class ReplayPages:
    """`written` are the rules there are, and `keep_ms` says for how long samples are kept."""

    def __init__(
        self,
        frame: Frame,
        store: Store,
        replays: Replays,
        *,
        written: Callable[[], Sequence[WrittenRule]],
        keep_ms: Callable[[], float],
        now_ms: Callable[[], int],
    ) -> None:
        self._frame, self._store, self._replays = frame, store, replays
        self._written, self._keep_ms, self._now_ms = written, keep_ms, now_ms

    def routes(self) -> list[web.RouteDef]:
        page = self._frame.page
        return [
            web.get("/rules/{name}", needs("monitoring.read", page("rule", self._one))),
            web.post("/rules/{name}/replay", needs("monitoring.write", page("replay", self._begin))),
            web.post("/rules/{name}/replay/stop", needs("monitoring.write", page("replay", self._stop))),
        ]

    async def _one(self, request: web.Request) -> web.Response:
        view, written = View.of(request), self._named(request)
        times, rule = view.times(self._now_ms()), written.rule
        alerts = await self._store.incidents.open_alerts()
        hosts = [host for host in await self._store.hosts.all() if not host.is_service]
        replay, running = self._replays.of(rule.name), self._replays.running
        body = self._frame.render(
            "rule.html",
            view,
            times,
            command=shlex.join(["watchkeeper", "rules", "replay", f"--rule={rule.name}", "--last", "7d"]),
            it=rule_row(written, {rule.name: sum(alert.rule == rule.name for alert in alerts)}),
            hosts=len(hosts),
            concerned=sum(rule.concerns(host.binding_labels) for host in hosts),
            replay=None if replay is None else shown(replay, times),
            other=running if running is not None and running.rule != rule.name else None,
            other_url="" if running is None else rule_url(running.rule),
            days=self._offered(),
            may=request.get(ASKED_BY, NOBODY).may("monitoring.write"),
            form_token=request.get(FORM_TOKEN, ""),
        )
        return answer(request, body)

    async def _begin(self, request: web.Request) -> web.Response:
        form, rule = await form_of(request), self._named(request).rule
        days = next((days for days in self._offered() if str(days) == form["days"]), None)
        if days is None:
            raise Refusal(422, "invalid", f"it can look back {' or '.join(map(str, self._offered()))} days")
        await self._end_what_has_no_page(request[ASKED_BY])
        await self._replays.begin(request[ASKED_BY], rule.name, days)
        return led_to(f"{rule_url(rule.name)}#replay")

    async def _stop(self, request: web.Request) -> web.Response:
        rule = self._named(request).rule
        await self._replays.stop(request[ASKED_BY], rule.name)
        return led_to(f"{rule_url(rule.name)}#replay")

    async def _end_what_has_no_page(self, who: Who) -> None:
        """Of a rule that was taken away meanwhile nobody could end it."""
        running = self._replays.running
        if running is not None and all(one.rule.name != running.rule for one in self._written()):
            await self._replays.stop(who, running.rule)

    def _offered(self) -> list[int]:
        """As far back as there may be samples."""
        kept = self._keep_ms() / (24 * 60 * MINUTE_MS)
        return [days for days in DAYS if days <= max(1, kept)]

    def _named(self, request: web.Request) -> WrittenRule:
        name = request.match_info["name"]
        found = next((one for one in self._written() if one.rule.name == name), None)
        if found is None:
            raise Missing(
                f"No rule is called {name[:100]!r} now: it was taken away, or has another name since.",
                ("/rules", "To the rules that hold"),
            )
        return found


# --- in words ---------------------------------------------------------------------------------------------------------


def shown(replay: Replay, times: Times) -> Shown:
    found = replay.found
    fired = [one for one in found.rules if one.fired or one.late] if found else []
    return Shown(
        goes_on=replay.state == "running",
        share=None if replay.share is None else round(100 * replay.share),
        said=_said(replay, times),
        trouble=_trouble(replay),
        begin=when(found.start_ms, times) if found else None,
        end=when(found.end_ms, times) if found else None,
        rows=[_row(one) for one in fired],
        quiet=[one.rule for one in found.rules if one not in fired] if found else [],
        messages=_messages(found.messages) if found else "",
    )


def _said(replay: Replay, times: Times) -> str:
    lasted = (replay.ended_at or times.now) - replay.began_at
    asked = f"{say_count(replay.days, 'day')}, asked by {replay.by}"
    if replay.state == "running":
        return f"{asked}; {say_duration(lasted)} so far{_left(replay.share, lasted)}."
    if replay.found is None:
        return f"{asked}."
    judged = (
        f"{say_count(replay.found.batches, 'batch', 'batches')} of {say_count(replay.found.hosts, 'host')}"
    )
    return f"{asked}: {judged}, judged in {say_duration(lasted)}."


def _left(share: float | None, lasted: float) -> str:
    if share is None or share < GUESSED_FROM:
        return ""
    return f", about {say_duration(lasted * (1 - share) / share)} to go"


def _trouble(replay: Replay) -> str:
    if replay.state == "failed":
        return f"The replay came to nothing: {replay.trouble}."
    return "It was ended before it was done." if replay.state == "stopped" else ""


def _row(one: RuleReplayed) -> Row:
    told = ", ".join(f"{channel} {count}" for channel, count in sorted(one.told.items()))
    return Row(
        one.rule,
        one.fired,
        one.hosts,
        say_duration(one.lasted_ms),
        say_duration(one.longest_ms),
        str(one.open_at_the_end or ""),
        str(one.late or ""),
        "nobody, it is only being tried" if one.observe else told or "nobody",
    )


def _messages(messages: Sequence[Messages]) -> str:
    if not messages:
        return "Nobody would have been told anything."
    by_channel: dict[str, list[Messages]] = {}
    for one in messages:
        by_channel.setdefault(one.channel, []).append(one)
    return f"It would have sent: {'; '.join(_channel(name, some) for name, some in by_channel.items())}."


def _channel(name: str, some: Sequence[Messages]) -> str:
    reasons = ", ".join(f"{one.count} {one.reason}" for one in some)
    return f"{name} {sum(one.count for one in some)} ({reasons})"
