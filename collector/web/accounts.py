"""Logging in and out, making the first user, and one's own account. All of it works without JavaScript."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol
from urllib.parse import quote

from aiohttp import web

from collector.store.people import User
from collector.web.answers import answer
from collector.web.asked import View
from collector.web.forms import form_of, led_to, sentence_of
from collector.web.frame import Frame, Handler
from collector.who import ASKED_BY, FORM_TOKEN, Refusal, needs


class SessionSeen(Protocol):
    """A session as its user may see it."""

    @property
    def name(self) -> str: ...
    @property
    def created_at(self) -> int: ...
    @property
    def seen_at(self) -> int: ...
    @property
    def address(self) -> str: ...
    @property
    def browser(self) -> str: ...
    @property
    def is_this(self) -> bool: ...


class Own(Protocol):
    """What people do about themselves. Every method may raise Refusal and StoreError; those that take an answer put a
    cookie into it."""

    async def log_in(
        self, request: web.Request, answer: web.StreamResponse, name: str, password: str
    ) -> User: ...
    async def begin_session(self, request: web.Request, answer: web.StreamResponse, user: User) -> None: ...
    async def log_out(self, request: web.Request, answer: web.StreamResponse) -> bool: ...
    async def account(self, request: web.Request) -> tuple[User, Sequence[SessionSeen]] | None: ...
    async def change_password(
        self, request: web.Request, answer: web.StreamResponse, old: str, new: str
    ) -> None: ...
    async def end_session(self, request: web.Request, name: str) -> None: ...
    async def end_other_sessions(self, request: web.Request) -> int: ...
    async def programs(self, request: web.Request) -> int: ...
    async def end_programs(self, request: web.Request) -> None: ...


class Setup(Protocol):
    """The making of the first user."""

    async def is_open(self, code: str) -> bool: ...
    async def make_owner(self, code: str, name: str, password: str) -> User: ...


class Accounts:
    """`safe_next` makes of what an address says the path of ours to go on to."""

    def __init__(self, frame: Frame, own: Own, setup: Setup, *, safe_next: Callable[[str], str]) -> None:
        self._frame, self._own, self._setup, self._safe_next = frame, own, setup, safe_next

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/login", self._open("login", self._ask_who)),
            web.post("/login", self._open("login", self._log_in)),
            web.get("/setup", self._open("setup", self._ask_first)),
            web.post("/setup", self._open("setup", self._make_first)),
            web.get("/account", self._open("account", self._account)),
            web.post("/account/password", self._open("account", self._change_password)),
            web.post("/account/sessions", self._open("account", self._end_sessions)),
            web.post("/account/programs", self._open("account", self._end_programs)),
            web.post("/logout", self._open("logout", self._log_out)),
        ]

    def _open(self, name: str, handler: Handler) -> Handler:
        """Everybody may come to these pages: they are about whoever comes."""

        return needs(None, self._frame.page(name, handler))

    # --- in and out ---

    async def _ask_who(self, request: web.Request) -> web.StreamResponse:
        if request[ASKED_BY].kind in ("user", "local"):
            return led_to(self._safe_next(request.query.get("next", "/")))
        return self._login_page(request, request.query.get("next", "/"))

    async def _log_in(self, request: web.Request) -> web.StreamResponse:
        form = await form_of(request)
        name, wanted = form["name"], form["next"] or "/"
        done = led_to(self._safe_next(wanted))
        try:
            await self._own.log_in(request, done, name, form["password"])
        except Refusal as refusal:
            return self._login_page(request, wanted, name=name, refusal=refusal)
        return done

    def _login_page(
        self, request: web.Request, wanted: str, *, name: str = "", refusal: Refusal | None = None
    ) -> web.Response:
        return self._page(
            request,
            "login.html",
            refusal,
            name=name,
            next=self._safe_next(wanted),
            done=request.query.get("done", ""),
            title="Log in",
        )

    async def _log_out(self, request: web.Request) -> web.StreamResponse:
        done = led_to("/login")
        if not await self._own.log_out(request, done):
            done.headers["Location"] = "/login?done=here"
        return done

    # --- the first user ---

    async def _ask_first(self, request: web.Request) -> web.StreamResponse:
        return await self._setup_page(request, request.query.get("code", ""))

    async def _make_first(self, request: web.Request) -> web.StreamResponse:
        form = await form_of(request)
        code, name, password = (form[key] for key in ("code", "name", "password"))
        done = led_to("/")
        try:
            _see_that_both_are_alike(password, form["again"])
            user = await self._setup.make_owner(code, name, password)
        except Refusal as refusal:
            return await self._setup_page(request, code, name=name, refusal=refusal)
        await self._own.begin_session(request, done, user)
        return done

    async def _setup_page(
        self, request: web.Request, code: str, *, name: str = "", refusal: Refusal | None = None
    ) -> web.Response:
        if not await self._setup.is_open(code):
            raise Refusal(
                403, "setup_over", "this link does not hold any more; look for a newer one, or log in"
            )
        return self._page(request, "setup.html", refusal, name=name, code=code, title="The first user")

    # --- one's own account ---

    async def _account(self, request: web.Request) -> web.StreamResponse:
        return await self._account_page(request, None)

    async def _change_password(self, request: web.Request) -> web.StreamResponse:
        form = await form_of(request)
        new = form["password"]
        done = led_to("/account?done=password")
        try:
            _see_that_both_are_alike(new, form["again"])
            await self._own.change_password(request, done, form["old"], new)
        except Refusal as refusal:
            return await self._account_page(request, refusal)
        return done

    async def _end_sessions(self, request: web.Request) -> web.StreamResponse:
        form = await form_of(request)
        if name := form["session"]:
            await self._own.end_session(request, name)
        else:
            await self._own.end_other_sessions(request)
        return led_to("/account?done=sessions")

    async def _end_programs(self, request: web.Request) -> web.StreamResponse:
        await self._own.end_programs(request)
        return led_to("/account?done=programs")

    async def _account_page(self, request: web.Request, refusal: Refusal | None) -> web.StreamResponse:
        found = await self._own.account(request)
        if found is None:
            return led_to("/" if request[ASKED_BY].kind == "local" else f"/login?next={quote('/account')}")
        user, sessions = found
        programs = await self._own.programs(request)
        done = request.query.get("done", "") if refusal is None else ""
        return self._page(
            request,
            "account.html",
            refusal,
            user=user,
            sessions=sessions,
            programs=programs,
            done=done,
            title="Your account",
        )

    def _page(
        self, request: web.Request, template: str, refusal: Refusal | None, **given: object
    ) -> web.Response:
        """A page with a form, and with what was wrong with it when it was sent before."""
        view = View.of(request)
        trouble = sentence_of(refusal) if refusal is not None else ""
        body = self._frame.render(
            template,
            view,
            self._frame.times(view),
            form_token=request[FORM_TOKEN],
            trouble=trouble,
            **given,
        )
        page = answer(request, body, status=refusal.status if refusal is not None else 200)
        if refusal is not None and refusal.retry_after_s is not None:
            page.headers["Retry-After"] = str(refusal.retry_after_s)
        return page


def _see_that_both_are_alike(password: str, again: str) -> None:
    if password != again:
        raise Refusal(422, "unfit", "the two passwords are not alike; type the same one twice")
