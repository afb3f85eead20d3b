"""What services should have and why, what became of earlier advice, what a policy would have done, and what becomes of
the room on hosts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from aiohttp import web
from msgspec import Struct

from collector.desks.advice import Advisor, Standing
from collector.desks.plays import Plays
from collector.store import Samples
from collector.store.advice import Advised, HookRun
from collector.web.ahead import drawn_ahead
from collector.web.answers import Missing, answer
from collector.web.asked import View
from collector.web.forms import form_of, led_to
from collector.web.frame import Frame
from collector.web.incidents import When, when
from collector.web.outlook import outlook, soonest
from collector.web.plays import RANGES, SHAPES, Play, Wanted, play_of, wanted_by
from collector.web.words import NOTHING, Times, say_duration, say_value, unit_of
from collector.who import ASKED_BY, FORM_TOKEN, NOBODY, Refusal, needs
from rules.capacity.report import HostReport
from rules.scaling.model import Direction, Evidence

HISTORY_MAX = RUNS_MAX = 50
DRAWN_MAX = 6
"""Of what fills up, the soonest are drawn."""
WHAT: dict[Direction, str] = {
    "up": "more",
    "down": "fewer",
    "hold": "as it is",
    "unknown": "not known",
}


class EvidenceRow(Struct, frozen=True):
    metric: str
    observed: str
    target: str
    wanted: str
    instances: int


class Row(Struct, frozen=True):
    """A service and what is said of it now. `change` is such as `3 → 5`; empty before the first look."""

    service: str
    what: str
    change: str
    reason: str
    confidence: str
    evidence: list[EvidenceRow]
    bounds: str
    auto: bool
    auto_by: str
    hook: str
    dry_run: bool
    ahead: str


class SaidRow(Struct, frozen=True):
    since: When
    lasted: str
    what: str
    change: str
    became: int
    followed: bool
    reason: str


class RunRow(Struct, frozen=True):
    began: When
    by: str
    change: str
    state: str
    answer: str


class AdvicePages:
    """`reports` are of each host that was looked at."""

    def __init__(
        self,
        frame: Frame,
        samples: Samples,
        advisor: Advisor,
        reports: Callable[[], Sequence[HostReport]],
        plays: Plays,
        *,
        now_ms: Callable[[], int],
    ) -> None:
        self._frame, self._samples, self._advisor, self._plays = frame, samples, advisor, plays
        self._reports, self._now_ms = reports, now_ms

    def routes(self) -> list[web.RouteDef]:
        page = self._frame.page
        return [
            web.get("/advice", needs("monitoring.read", page("advice", self._all))),
            web.get("/advice/{service}", needs("monitoring.read", page("scaling", self._one))),
            web.post("/advice/{service}/auto", needs("monitoring.config.update", page("auto", self._switch))),
        ]

    async def _all(self, request: web.Request) -> web.Response:
        view, reports = View.of(request), self._reports()
        times = view.times(self._now_ms())
        rows = [_row(self._standing(name)) for name in self._advisor.services]
        drawn = await drawn_ahead(self._samples, soonest(reports)[:DRAWN_MAX], times)
        body = self._frame.render(
            "advice.html", view, times, rows=rows, it=outlook(reports, times), drawn=drawn
        )
        return answer(request, body)

    async def _one(self, request: web.Request) -> web.Response:
        view, wanted = View.of(request), wanted_by(request)
        times = view.times(self._now_ms())
        standing = self._standing(request.match_info["service"])
        said = await self._advisor.history(standing.service, HISTORY_MAX)
        runs = await self._advisor.runs(standing.service, RUNS_MAX)
        play, trouble = await self._played(standing.service, wanted)
        body = self._frame.render(
            "scaling.html",
            view,
            times,
            it=_row(standing),
            policy=standing.policy,
            said=[_said(one, times) for one in said],
            runs=[_run(one, times) for one in runs],
            wanted=wanted,
            play=play,
            trouble=trouble,
            shapes=SHAPES,
            ranges=RANGES,
            may_switch=request.get(ASKED_BY, NOBODY).may("monitoring.config.update"),
            form_token=request.get(FORM_TOKEN, ""),
        )
        return answer(request, body)

    async def _played(self, service: str, wanted: Wanted | None) -> tuple[Play | None, str]:
        if wanted is None:
            return None, ""
        try:
            if wanted.past_ms is None:
                played = await self._plays.play(service, wanted.load, wanted.step_ms, wanted.tried)
            else:
                played = await self._plays.play_past(service, wanted.past_ms, wanted.step_ms, wanted.tried)
            return play_of(played), ""
        except Refusal as refusal:
            sentence = str(refusal)
            return None, f"{sentence[:1].upper()}{sentence[1:]}."

    async def _switch(self, request: web.Request) -> web.Response:
        """What runs programs without asking is switched on by who says that they know it."""
        form, who = await form_of(request), request[ASKED_BY]
        service = self._standing(request.match_info["service"]).service
        on = form["on"] == "yes"
        if on and form["sure"] != "yes":
            raise Refusal(
                422, "unsure", "tick the box, which says that you know that the hook then runs by itself"
            )
        await self._advisor.switch(who, service, on)
        return led_to(f"/advice/{service}")

    def _standing(self, service: str) -> Standing:
        standing = self._advisor.standing(service)
        if standing is None:
            raise Missing(f"There is no scaling policy of a service called {service[:100]!r}.")
        return standing


def _row(standing: Standing) -> Row:
    said, policy = standing.recommendation, standing.policy
    return Row(
        standing.service,
        "not looked at yet" if said is None else WHAT[said.direction],
        "" if said is None or said.direction == "unknown" else _change(said.current, said.wanted),
        "The first look comes within a minute." if said is None else said.reason,
        "" if said is None or said.direction == "unknown" else f"{100 * said.confidence:.0f} % sure",
        [] if said is None else [_evidence(one) for one in said.evidence],
        f"{policy.min} to {policy.max} instances",
        standing.auto,
        standing.auto_by,
        standing.hook,
        standing.dry_run,
        standing.ahead,
    )


def _change(before: int, after: int) -> str:
    return f"{before} → {after}" if before != after else f"{before}"


def _evidence(one: Evidence) -> EvidenceRow:
    unit = unit_of(one.metric.partition("{")[0])
    wanted = NOTHING if one.wanted is None else str(one.wanted)
    return EvidenceRow(
        one.metric, say_value(unit, one.observed), say_value(unit, one.target), wanted, one.instances
    )


def _said(one: Advised, times: Times) -> SaidRow:
    return SaidRow(
        when(one.since, times),
        say_duration(one.until - one.since),
        WHAT[one.direction],
        _change(one.before, one.wanted),
        one.became,
        one.became == one.wanted,
        one.reason,
    )


def _run(one: HookRun, times: Times) -> RunRow:
    state = f"{one.state}, tried only" if one.dry_run else one.state
    return RunRow(when(one.began_at, times), one.by, _change(one.before, one.wanted), state, one.answer)
