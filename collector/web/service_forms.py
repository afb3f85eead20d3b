"""Making, changing and removing a service on a page: the API's own acts, with what is wrong beside each field."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web
from msgspec.structs import replace

from collector.desks.services import Services
from collector.store import Samples, StoreError
from collector.web.answers import Missing, answer
from collector.web.asked import View
from collector.web.forms import form_of, led_to, sentence_of
from collector.web.frame import Frame
from collector.web.service_fields import (
    BLANK,
    SPARE_ROWS,
    UNKNOWN,
    CheckRow,
    Fields,
    fields_of,
    read,
    typed_in,
    version_of,
)
from collector.web.services import window_said
from collector.who import ASKED_BY, FORM_TOKEN, Permission, Refusal, needs
from rules import words
from rules.model import Series
from rules.sla.model import SPANS, ServiceOptions

NEW = "/services/_new"
"""No service can be called that, so no service's page is hidden by it."""
FORM_BYTES_MAX = 128 * 1024
CHECKS_OFFERED_MAX = 200
MEANWHILE = (
    "Somebody changed this service while you did. What they wrote is on its page; what you typed still stands here, "
    "and takes the place of theirs when you keep it once more."
)
RIGHT: Permission = "monitoring.config.update"


class ServiceForms:
    def __init__(self, frame: Frame, samples: Samples, services: Services) -> None:
        self._frame, self._samples, self._services = frame, samples, services

    def routes(self) -> list[web.RouteDef]:
        """To be added before that of a service's own page."""
        page = self._frame.page
        return [
            web.get(NEW, needs(RIGHT, page("service_form", self._new))),
            web.post(NEW, needs(RIGHT, page("service_form", self._make))),
            web.get("/services/{name}/edit", needs(RIGHT, page("service_form", self._edit))),
            web.post("/services/{name}/edit", needs(RIGHT, page("service_form", self._change))),
            web.post("/services/{name}/remove", needs(RIGHT, page("service_form", self._drop))),
        ]

    # --- a new one ---

    async def _new(self, request: web.Request) -> web.Response:
        return await self._page(request, BLANK, None)

    async def _make(self, request: web.Request) -> web.Response:
        form = await form_of(request, bytes_max=FORM_BYTES_MAX)
        fields = typed_in(form)
        service, wrong = read(fields)
        return await self._kept(request, fields, service, wrong, None)

    # --- one that is there ---

    async def _edit(self, request: web.Request) -> web.Response:
        before = await self._changeable(request)
        fields = fields_of(before)
        if read(fields)[0] is None:
            raise Refusal(
                409,
                "unfit",
                "this service was made by a program in words that a form cannot hold; change it by the API",
            )
        return await self._page(request, fields, before)

    async def _change(self, request: web.Request) -> web.Response:
        form = await form_of(request, bytes_max=FORM_BYTES_MAX)
        fields = typed_in(form)
        before = await self._changeable(request)
        fields = replace(fields, values={**fields.values, "name": before.name})
        if form["upon"] != version_of(before):
            return await self._page(request, fields, before, MEANWHILE, 409)
        service, wrong = read(fields)
        return await self._kept(request, fields, service, wrong, before)

    async def _drop(self, request: web.Request) -> web.Response:
        before = await self._changeable(request)
        try:
            await self._services.remove(request[ASKED_BY], before.name)
        except Refusal as refusal:
            return await self._page(request, fields_of(before), before, sentence_of(refusal), refusal.status)
        return led_to("/services")

    async def _changeable(self, request: web.Request) -> ServiceOptions:
        name = request.match_info["name"]
        found = await self._services.find(name)
        if found is None:
            raise Missing(f"There is no service called {name[:100]!r}.", ("/services", "To the services"))
        if self._services.is_written(name):
            raise Refusal(
                409, "refused", f'"{name}" stands in the config of the collector; change it there and reload'
            )
        return found

    # --- keeping and showing it ---

    async def _kept(
        self,
        request: web.Request,
        fields: Fields,
        service: ServiceOptions | None,
        wrong: dict[str, str],
        before: ServiceOptions | None,
    ) -> web.Response:
        if service is None or wrong:
            return await self._page(request, replace(fields, wrong=wrong), before, status=422)
        try:
            await self._services.put(request[ASKED_BY], service, upon=before)
        except Refusal as refusal:
            if refusal.code == "changed_meanwhile" and before is None:
                wrong = {"name": f"There is a service called {service.name} already; change that one."}
                return await self._page(request, replace(fields, wrong=wrong), None, status=422)
            if refusal.code == "changed_meanwhile":
                return await self._page(request, fields, await self._changeable(request), MEANWHILE, 409)
            sentence = sentence_of(refusal)
            if words.unseen(service.title):
                wrong, sentence = {"title": sentence}, ""
            elif fields.depends:  # what cannot be seen from one alone is how services stand on each other
                wrong, sentence = {"depends": sentence}, ""
            return await self._page(request, replace(fields, wrong=wrong), before, sentence, refusal.status)
        except StoreError as error:
            if error.passing:
                raise
            return await self._page(request, fields, before, sentence_of(error), 422)
        return led_to(f"/services/{service.name}")

    async def _page(
        self,
        request: web.Request,
        fields: Fields,
        before: ServiceOptions | None,
        trouble: str = "",
        status: int = 200,
    ) -> web.Response:
        view = View.of(request)
        others = [one for one in await self._services.all() if before is None or one.name != before.name]
        spare = [CheckRow()] * SPARE_ROWS
        body = self._frame.render(
            "service_form.html",
            view,
            self._frame.times(view),
            before=before,
            upon=version_of(before),
            typed=fields.values,
            checks=[*fields.checks, *spare],
            depends=fields.depends,
            others=others,
            wrong=fields.wrong,
            trouble=trouble or ("Some of it cannot be; see below." if fields.wrong else ""),
            windows={span: window_said(span) for span in SPANS},
            unknown=UNKNOWN,
            known_checks=await self._known_checks(),
            form_token=request.get(FORM_TOKEN, ""),
        )
        return answer(request, body, status=status)

    async def _known_checks(self) -> Sequence[str]:
        """The names of checks that some host has, to be chosen from."""
        names = {value.name for value in await self._samples.latest_of("check_state")}
        ids = {Series.parse(name).labels.get("check", "") for name in names}
        return sorted(ids - {""})[:CHECKS_OFFERED_MAX]
