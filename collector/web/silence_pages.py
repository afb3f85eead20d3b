"""The page of silences and maintenance: what nobody is told of for a while, and what is planned."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, get_args

from aiohttp import web

from agent.options import duration_s
from collector.desks.policies import Policies
from collector.web.answers import answer
from collector.web.around import Known, works_in
from collector.web.asked import View, id_of, text_of
from collector.web.deeds import names_in
from collector.web.forms import Form, form_of, led_to
from collector.web.frame import Frame
from collector.web.join_pages import labels_in
from collector.web.silences import WEEKS, calendar, first_day, silence_rows, stamp, work_row
from collector.web.words import DAY_MS, Times
from collector.who import ASKED_BY, FORM_TOKEN, NOBODY, Handler, Refusal, needs
from rules.model import Severity
from rules.policy import Planned, Silence

OVER_SHOWN_MAX = 50
SEVERITIES: tuple[Severity, ...] = get_args(Severity)


class SilencePages:
    def __init__(
        self,
        frame: Frame,
        known: Known,
        policies: Policies,
        *,
        now_ms: Callable[[], int],
    ) -> None:
        self._frame, self._known, self._policies, self._now_ms = frame, known, policies, now_ms

    def routes(self) -> list[web.RouteDef]:
        def page(handler: Handler) -> Handler:
            return needs("monitoring.read", self._frame.page("silences", handler))

        def change(handler: Handler) -> Handler:
            return needs("monitoring.write", self._frame.page("silences", handler))

        return [
            web.get("/silences", page(self._all)),
            web.post("/silences", change(self._add)),
            web.post("/silences/{id}/end", change(self._end)),
            web.post("/maintenance", change(self._plan)),
            web.post("/maintenance/{id}/remove", change(self._drop)),
        ]

    async def _all(self, request: web.Request) -> web.Response:
        view = View.of(request)
        times = view.times(self._now_ms())
        until = stamp(first_day(times), times) + WEEKS * 7 * DAY_MS
        policy = self._known().policy
        works = [(work, works_in([(work, when)], times.now, until)) for work, when in policy.works]
        planned = works_in(policy.works, stamp(first_day(times), times), until)
        rows = silence_rows(self._policies.silences, times)
        body = self._frame.render(
            "silences.html",
            view,
            times,
            silences=[row for row in rows if row.mark.word != "over"],
            over=[row for row in reversed(rows) if row.mark.word == "over"][:OVER_SHOWN_MAX],
            works=[work_row(work, spans, times) for work, spans in works],
            weeks=calendar(planned, times) if works else [],
            may_write=request.get(ASKED_BY, NOBODY).may("monitoring.write"),
            severities=SEVERITIES,
            given={name: text_of(request, name) for name in ("rules", "host", "labels", "services")},
            form_token=request.get(FORM_TOKEN, ""),
        )
        return answer(request, body)

    # --- silences ---

    async def _add(self, request: web.Request) -> web.StreamResponse:
        form, who, now = await form_of(request), request[ASKED_BY], self._now_ms()
        end = _end(form, View.of(request).times(now))
        silence = Silence(**_match(form), start=now, end=end, by=who.name, comment=form["comment"][:1_000])
        await self._policies.add_silence(who, silence, everything=bool(form["everything"]))
        return led_to("/silences")

    async def _end(self, request: web.Request) -> web.StreamResponse:
        await self._policies.end_silence(request[ASKED_BY], id_of(request))
        return led_to("/silences")

    # --- maintenance ---

    async def _plan(self, request: web.Request) -> web.StreamResponse:
        form, who = await form_of(request), request[ASKED_BY]
        when = tuple(line for text in form["when"].splitlines() if (line := text.strip()))
        try:
            planned = Planned(
                **_match(form), name=form["name"][:200], when=when[0] if len(when) == 1 else when, by=who.name
            )
        except ValueError as error:
            raise Refusal(422, "unfit", str(error)) from None
        await self._policies.add_maintenance(who, planned)
        return led_to("/silences#maintenance")

    async def _drop(self, request: web.Request) -> web.StreamResponse:
        await self._policies.remove_maintenance(request[ASKED_BY], id_of(request))
        return led_to("/silences#maintenance")


# --- what a form says -------------------------------------------------------------------------------------------------


def _match(form: Form) -> Mapping[str, Any]:
    """Which problems are meant. Refusal."""
    where: dict[str, str | list[str]] = {}
    if hosts := names_in(form["host"]):
        where["host"] = hosts[0] if len(hosts) == 1 else list(hosts)
    where |= labels_in(form["labels"])
    severity = form["from_severity"] or "info"
    if severity not in SEVERITIES:
        raise Refusal(422, "invalid", f"the severity is one of {', '.join(SEVERITIES)}")
    return {
        "where": where,
        "rules": names_in(form["rules"]),
        "services": names_in(form["services"]),
        "from_severity": severity,
    }


def _end(form: Form, times: Times) -> int:
    """When a silence is to end: after so long, or at a time of the reader's clock. Refusal."""
    if until := form["until"]:
        try:
            at = datetime.fromisoformat(until)
            end = round((at if at.tzinfo else at.replace(tzinfo=times.zone)).timestamp() * 1000)
        except (ValueError, OverflowError):
            raise Refusal(422, "invalid", f"{until[:40]!r} is no time; write 2026-11-21 06:00") from None
    else:
        try:
            end = times.now + round(duration_s(form["for"]) * 1000)
        except ValueError as error:
            raise Refusal(422, "invalid", f"how long it lasts: {error}") from None
    return end
