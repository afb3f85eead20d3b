"""Logging in and out, making the first user, and one's own account. All of it works without JavaScript."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol
from urllib.parse import quote

from aiohttp import web

from collector.store.people import User
from collector.web.answers import answer
from collector.web.asked import View
from collector.web.frame import Frame, Handler
from collector.who import ASKED_BY, FORM_TOKEN, Refusal, needs

FORM_BYTES_MAX = 16 * 1024
FIELD_LETTERS_MAX = 2_000
FORM_KIND = "application/x-www-form-urlencoded"


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
    async def log_out(self, request: web.Request, answer: web.StreamResponse) -> None: ...
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

        async def refusing(request: web.Request) -> web.StreamResponse:
            try:
                return await handler(request)
            except Refusal as refusal:
                return self._frame.trouble(request, refusal.status, "That was not done", _sentence(refusal))

        return needs(None, self._frame.page(name, refusing))

    # --- in and out ---

    async def _ask_who(self, request: web.Request) -> web.StreamResponse:
        if request[ASKED_BY].kind in ("user", "local"):
            return _led_to(self._safe_next(request.query.get("next", "/")))
        return self._login_page(request, request.query.get("next", "/"))

    async def _log_in(self, request: web.Request) -> web.StreamResponse:
        form = await _form(request)
        name, wanted = form.get("name", ""), form.get("next", "/")
        done = _led_to(self._safe_next(wanted))
        try:
            await self._own.log_in(request, done, name, form.get("password", ""))
        except Refusal as refusal:
            return self._login_page(request, wanted, name=name, refusal=refusal)
        return done

    def _login_page(
        self, request: web.Request, wanted: str, *, name: str = "", refusal: Refusal | None = None
    ) -> web.Response:
        return self._page(
            request, "login.html", refusal, name=name, next=self._safe_next(wanted), title="Log in"
        )

    async def _log_out(self, request: web.Request) -> web.StreamResponse:
        done = _led_to("/login")
        await self._own.log_out(request, done)
        return done

    # --- the first user ---

    async def _ask_first(self, request: web.Request) -> web.StreamResponse:
        return await self._setup_page(request, request.query.get("code", ""))

    async def _make_first(self, request: web.Request) -> web.StreamResponse:
        form = await _form(request)
        code, name, password = (form.get(key, "") for key in ("code", "name", "password"))
        done = _led_to("/")
        try:
            _see_that_both_are_alike(password, form.get("again", ""))
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
        form = await _form(request)
        new = form.get("password", "")
        done = _led_to("/account?done=password")
        try:
            _see_that_both_are_alike(new, form.get("again", ""))
            await self._own.change_password(request, done, form.get("old", ""), new)
        except Refusal as refusal:
            return await self._account_page(request, refusal)
        return done

    async def _end_sessions(self, request: web.Request) -> web.StreamResponse:
        form = await _form(request)
        if name := form.get("session", ""):
            await self._own.end_session(request, name)
        else:
            await self._own.end_other_sessions(request)
        return _led_to("/account?done=sessions")

    async def _end_programs(self, request: web.Request) -> web.StreamResponse:
        await self._own.end_programs(request)
        return _led_to("/account?done=programs")

    async def _account_page(self, request: web.Request, refusal: Refusal | None) -> web.StreamResponse:
        found = await self._own.account(request)
        if found is None:
            return _led_to("/" if request[ASKED_BY].kind == "local" else f"/login?next={quote('/account')}")
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
        trouble = _sentence(refusal) if refusal is not None else ""
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


async def _form(request: web.Request) -> Mapping[str, str]:
    """The fields of a form, each once and of a decent length. Refusal."""
    if request.content_type != FORM_KIND:
        raise Refusal(415, "encoding", "this takes forms as browsers send them")
    if request.content_length is None or request.content_length > FORM_BYTES_MAX:
        raise Refusal(413, "too_large", f"a form has at most {FORM_BYTES_MAX} bytes here")
    fields = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
    if any(len(value) > FIELD_LETTERS_MAX for value in fields.values()):
        raise Refusal(413, "too_large", f"a field has at most {FIELD_LETTERS_MAX} letters here")
    return fields


def _see_that_both_are_alike(password: str, again: str) -> None:
    if password != again:
        raise Refusal(422, "unfit", "the two passwords are not alike; type the same one twice")


def _led_to(path: str) -> web.Response:
    return web.Response(status=303, headers={"Location": path, "Cache-Control": "no-store"})


def _sentence(refusal: Refusal) -> str:
    text = str(refusal)
    return f"{text[:1].upper()}{text[1:]}."
