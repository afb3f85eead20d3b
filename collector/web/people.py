"""Who may come in: users, tokens of programs, and join codes of hosts. What is secret is shown once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import get_args

from aiohttp import web
from msgspec import Struct

from collector.desks.codes import Codes
from collector.desks.people import Desk
from collector.web.answers import answer
from collector.web.asked import View
from collector.web.forms import Form, form_of, led_to, sentence_of
from collector.web.frame import Frame
from collector.web.words import DAY_MS
from collector.who import ASKED_BY, FORM_TOKEN, Permission, Refusal, Who, needs

TOKEN_SPANS = {"30 days": 30 * DAY_MS, "90 days": 90 * DAY_MS, "a year": 365 * DAY_MS, "ever": 0}


class Made(Struct, frozen=True):
    """A secret that is shown this once: what it is, its text, and how it is used."""

    what: str
    text: str
    how: str


Doing = Callable[[Form, Who], Awaitable[Made | None]]


class People:
    """`roles` are those there are."""

    def __init__(
        self, frame: Frame, desk: Desk, codes: Codes, roles: Sequence[str], *, now_ms: Callable[[], int]
    ) -> None:
        self._frame, self._desk, self._codes = frame, desk, codes
        self._roles, self._now_ms = list(roles), now_ms

    def routes(self) -> list[web.RouteDef]:
        users: Permission = "monitoring.users.manage"
        tokens: Permission = "monitoring.tokens.manage"
        return [
            self._get("/settings/users", users, self._users),
            self._post("/settings/users", users, self._users, self._add_user),
            self._post("/settings/users/change", users, self._users, self._change_user),
            self._get("/settings/tokens", tokens, self._tokens),
            self._post("/settings/tokens", tokens, self._tokens, self._add_token),
            self._post("/settings/tokens/revoke", tokens, self._tokens, self._revoke_token),
            self._get("/settings/joins", tokens, self._joins),
            self._post("/settings/joins/revoke", tokens, self._joins, self._revoke_join),
        ]

    def _get(
        self, path: str, needed: Permission, given: Callable[[], Awaitable[dict[str, object]]]
    ) -> web.RouteDef:
        async def show(request: web.Request) -> web.Response:
            return self._page(request, path, await given())

        return web.get(path, needs(needed, self._frame.page(path.rpartition("/")[2], show)))

    def _post(
        self, path: str, needed: Permission, given: Callable[[], Awaitable[dict[str, object]]], do: Doing
    ) -> web.RouteDef:
        """What is done leads back to the page, or shows there what is to be seen once; what is refused, why."""
        shown = "/".join(path.split("/")[:3])

        async def post(request: web.Request) -> web.Response:
            form = await form_of(request)
            try:
                made = await do(form, request[ASKED_BY])
            except Refusal as refusal:
                return self._page(request, shown, await given(), refusal=refusal, typed=form)
            return (
                led_to(f"{shown}?done=1") if made is None else self._page(request, shown, await given(), made)
            )

        return web.post(path, needs(needed, self._frame.page(shown.rpartition("/")[2], post)))

    def _page(
        self,
        request: web.Request,
        path: str,
        given: dict[str, object],
        made: Made | None = None,
        *,
        refusal: Refusal | None = None,
        typed: Form | None = None,
    ) -> web.Response:
        view = View.of(request)
        body = self._frame.render(
            f"{path.rpartition('/')[2]}.html",
            view,
            view.times(self._now_ms()),
            made=made,
            typed=typed or Form({}),
            trouble=sentence_of(refusal) if refusal is not None else "",
            done="done" in request.query,
            form_token=request.get(FORM_TOKEN, ""),
            **given,
        )
        return answer(request, body, status=refusal.status if refusal is not None else 200)

    # --- users ---

    async def _users(self) -> dict[str, object]:
        return {"users": await self._desk.users(), "roles": self._roles}

    async def _add_user(self, form: Form, who: Who) -> None:
        if form["password"] != form["again"]:
            raise Refusal(422, "unfit", "the two passwords are not alike; type the same one twice")
        await self._desk.add_user(who, form["name"], form["role"], form["password"], email=form["email"])

    async def _change_user(self, form: Form, who: Who) -> None:
        desk, name = self._desk, form["name"]
        match form["do"]:
            case "role":
                await desk.set_role(who, name, form["role"])
            case "password":
                await desk.set_password(who, name, form["password"])
            case "disable":
                await desk.disable(who, name)
            case "enable":
                await desk.enable(who, name)
            case _:
                raise Refusal(422, "invalid", "a user can get a role or a password, be disabled or enabled")

    # --- tokens ---

    async def _tokens(self) -> dict[str, object]:
        return {
            "tokens": await self._desk.api_tokens(),
            "permissions": get_args(Permission),
            "spans": list(TOKEN_SPANS),
        }

    async def _add_token(self, form: Form, who: Who) -> Made:
        span = _one_of(TOKEN_SPANS, form["for"])
        text, token = await self._desk.add_api_token(
            who,
            form["name"],
            form.all("permission"),
            expires_at=self._now_ms() + span if span else None,
        )
        return Made(f"The token {token.name}", text, "Programs send it as Authorization: Bearer …")

    async def _revoke_token(self, form: Form, who: Who) -> None:
        await self._desk.revoke_api_token(who, form["id"])

    # --- join codes ---

    async def _joins(self) -> dict[str, object]:
        return {"joins": await self._codes.all()}

    async def _revoke_join(self, form: Form, who: Who) -> None:
        await self._codes.revoke(who, form["id"])


def _one_of(spans: Mapping[str, int], wanted: str) -> int:
    if wanted not in spans:
        raise Refusal(422, "for", f"it can hold for {' or '.join(spans)}")
    return spans[wanted]
