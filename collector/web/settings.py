"""What holds and where each of it is from, the limits that can be changed here, and the channels, each with a test."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from itertools import groupby
from typing import Any

import msgspec
import yaml
from aiohttp import web
from msgspec import Struct

from collector.config.runtime import Line, lines
from collector.desks.settings import Settings
from collector.desks.trail import Audit
from collector.messages import ChannelState, Failed, Sent
from collector.web.answers import Missing, answer
from collector.web.asked import View, text_of
from collector.web.forms import form_of, led_to, sentence_of
from collector.web.frame import Frame
from collector.web.incidents import When, when
from collector.web.standing import Mark
from collector.web.words import Times, say_count
from collector.who import ASKED_BY, FORM_TOKEN, NOBODY, Permission, Refusal, needs

SHORT_LETTERS = 60
DETAILS_LETTERS_MAX = 20_000
THRESHOLDS = "thresholds."
LEGENDS = {
    "cpu": "CPU",
    "memory": "Memory",
    "response_time": "Response time",
    "uptime": "The whole fleet's aims",
    "scale": "When scaling begins",
}


States = Callable[[], Awaitable[list[ChannelState]]]
Try = Callable[[str], Awaitable[Sent | Failed]]
"""Sends a test by a channel. KeyError when there is none of that name."""


class Row(Struct, frozen=True):
    """`where` is file and line, or the variable, of what cannot be changed here, and `place` the same without folders.
    `details` is a long value, written out; `value` says then how much there is of it."""

    key: str
    name: str
    value: str
    details: str
    source: str
    where: str
    place: str
    changeable: bool
    help: str


class ChannelRow(Struct, frozen=True):
    name: str
    mark: Mark
    said: str
    sent: When | None
    waiting: int


class SettingsPages:
    def __init__(
        self,
        frame: Frame,
        settings: Settings,
        states: States,
        test: Try,
        audit: Audit,
        *,
        now_ms: Callable[[], int],
    ) -> None:
        self._frame, self._desk = frame, settings
        self._states, self._test, self._audit, self._now_ms = states, test, audit, now_ms

    def routes(self) -> list[web.RouteDef]:
        page = self._frame.page
        read: Permission = "monitoring.config.read"
        update: Permission = "monitoring.config.update"
        return [
            web.get("/settings", needs(read, page("settings", self._settings))),
            web.get("/settings/channels", needs(read, page("channels", self._channels))),
            web.post("/settings/thresholds", needs(update, page("thresholds", self._set))),
            web.post("/settings/channels/{name}/test", needs(update, page("channel-test", self._try))),
        ]

    # --- what holds ---

    async def _settings(self, request: web.Request) -> web.Response:
        return self._shown(request)

    async def _set(self, request: web.Request) -> web.Response:
        """What was changed in the form, and nothing else; an empty field goes back to its default."""
        form = await form_of(request)
        changes = {
            line.key: _typed(wanted)
            for line in lines(self._desk.held.loaded)
            if line.key.startswith(THRESHOLDS) and line.changeable and form.all(line.key)
            if (wanted := form[line.key]) != _text(line.value)
        }
        if not changes:
            return led_to("/settings?done=nothing")
        try:
            await self._desk.change(request[ASKED_BY], changes)
        except Refusal as refusal:
            return self._shown(request, refusal, {key: form[key] for key in changes})
        return led_to("/settings?done=thresholds")

    def _shown(
        self, request: web.Request, refusal: Refusal | None = None, typed: Mapping[str, str] | None = None
    ) -> web.Response:
        view, wanted = View.of(request), text_of(request, "q")
        rows = [_row(line) for line in lines(self._desk.held.loaded)]
        thresholds = [row for row in rows if row.key.startswith(THRESHOLDS)]
        body = self._frame.render(
            "settings.html",
            view,
            view.times(self._now_ms()),
            groups=[(LEGENDS[key], list(some)) for key, some in groupby(thresholds, _subject)],
            typed=typed or {},
            may_change=request.get(ASKED_BY, NOBODY).may("monitoring.config.update"),
            rows=[row for row in rows if wanted.lower() in row.key.lower()],
            wanted=wanted,
            done=request.query.get("done", ""),
            trouble=sentence_of(refusal) if refusal is not None else "",
            form_token=request.get(FORM_TOKEN, ""),
        )
        return answer(request, body, status=refusal.status if refusal is not None else 200)

    # --- channels ---

    async def _channels(self, request: web.Request) -> web.Response:
        return await self._channels_shown(request, "", "")

    async def _try(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        try:
            outcome = await self._test(name)
        except KeyError:
            raise Missing(f"There is no channel called {name[:100]!r}.") from None
        await self._audit.record(request[ASKED_BY], "channel.test", after={"channel": name})
        if isinstance(outcome, Sent):
            return await self._channels_shown(request, f"{name} took the test: {outcome.answer}", "")
        return await self._channels_shown(request, "", f"{name} did not take the test: {outcome.answer}")

    async def _channels_shown(self, request: web.Request, done: str, trouble: str) -> web.Response:
        view = View.of(request)
        times = view.times(self._now_ms())
        body = self._frame.render(
            "channels.html",
            view,
            times,
            rows=[_channel(state, times) for state in await self._states()],
            done=done,
            trouble=trouble,
            may_test=request.get(ASKED_BY, NOBODY).may("monitoring.config.update"),
            form_token=request.get(FORM_TOKEN, ""),
        )
        return answer(request, body)


def _row(line: Line) -> Row:
    name = line.key.removeprefix(THRESHOLDS).removesuffix("_pct").replace("_", " ").replace("cpu", "CPU")
    unit = ", %" if line.key.endswith("_pct") else ""
    value, details = _text(line.value), ""
    if isinstance(line.value, list | dict) and len(value) > SHORT_LETTERS:
        details = yaml.safe_dump(line.value, sort_keys=False, allow_unicode=True)[:DETAILS_LETTERS_MAX]
        value = say_count(len(line.value), "entry", "entries")
    return Row(
        line.key,
        f"{name}{unit}",
        value,
        details,
        line.source,
        line.where,
        line.where.rpartition("/")[2],
        line.changeable,
        line.help,
    )


def _subject(row: Row) -> str:
    name = row.key.removeprefix(THRESHOLDS)
    if name == "response_time_target":
        return "uptime"
    return next(subject for subject in LEGENDS if name.startswith(subject))


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:.10g}"
    if value is None or value in ([], {}):
        return "none"
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ", ".join(value)
    return msgspec.json.encode(value).decode()


def _typed(text: str) -> float | str | None:
    """What a field says: a number where it is one, nothing where it is empty."""
    try:
        return float(text) if text else None
    except ValueError:
        return text


def _channel(state: ChannelState, times: Times) -> ChannelRow:
    mark = Mark("up", "works") if state.sent_at is not None else Mark("unknown", "not used yet")
    if state.failure:
        mark = Mark("critical", "closed") if state.closed else Mark("warning", "failing")
    sent = None if state.sent_at is None else when(state.sent_at, times)
    return ChannelRow(state.name, mark, state.failure, sent, state.waiting)
