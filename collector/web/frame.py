"""What all pages have in common: the templates, the assets, the time each takes, and what is shown in trouble."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable

import jinja2
from aiohttp import web
from prometheus_client import CollectorRegistry, Histogram

from collector.store import StoreError
from collector.web.answers import Body, Missing, Unclear, answer
from collector.web.asked import View
from collector.web.assets import SCRIPT, Assets
from collector.web.forms import sentence_of
from collector.web.hosts import csv_url
from collector.web.menu import menu
from collector.web.words import Times, iso, rule_url, say_count
from collector.who import Refusal

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Frame:
    """`told`: whether there is a channel, so that somebody would be told."""

    def __init__(self, *, told: bool, now_ms: Callable[[], int], registry: CollectorRegistry) -> None:
        self.assets = Assets()
        self._told, self._now_ms = told, now_ms
        self._templates = jinja2.Environment(
            loader=jinja2.PackageLoader("collector.web"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._templates.globals |= {
            "asset": self.assets.url,
            "script": SCRIPT,
            "csv_url": csv_url,
            "count": say_count,
            "rule_url": rule_url,
        }
        self._seconds = Histogram(
            "watchkeeper_page_seconds",
            "Time from a page's request until its answer is made",
            ["page"],
            buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0),
            registry=registry,
        )

    def times(self, view: View) -> Times:
        return view.times(self._now_ms())

    def render(self, template: str, view: View, times: Times, **given: object) -> Body:
        layout = "fragment.html" if view.fragment else "page.html"
        text = self._templates.get_template(template).render(
            layout=layout,
            view=view,
            menu=menu(view.path, view.may),
            times=times,
            iso=iso,
            told=self._told,
            **given,
        )
        return Body(text)

    def page(self, name: str, handler: Handler) -> Handler:
        """A handler whose troubles become pages, and whose time is taken."""
        seconds = self._seconds.labels(name)

        async def wrapped(request: web.Request) -> web.StreamResponse:
            began = time.perf_counter()
            try:
                return await handler(request)
            except Missing as missing:
                return self.trouble(request, 404, "There is no such page", str(missing), missing.way)
            except Unclear as unclear:
                return self.trouble(request, 400, "That question is not clear", str(unclear))
            except StoreError as error:
                log.warning("The page %s could not be shown: %s", name, error)
                return self.trouble(request, 503, "The store cannot be read now", f"It says: {error}.")
            except Refusal as refusal:
                return self.trouble(request, refusal.status, "That was not done", sentence_of(refusal))
            except web.HTTPException:
                raise
            except Exception:
                log.exception("The page %s failed in a way nobody foresaw.", name)
                return self.trouble(
                    request, 500, "This page failed", "That is a fault of Watchkeeper; its log says more."
                )
            finally:
                seconds.observe(time.perf_counter() - began)

        return wrapped

    def trouble(
        self,
        request: web.Request,
        status: int,
        title: str,
        sentence: str,
        way: tuple[str, str] = ("/", "To the overview"),
    ) -> web.Response:
        """A page that says what is not well, and what to do."""
        view = View.of(request)
        body = self.render(
            "trouble.html", view, self.times(view), title=title, sentence=sentence, status=status, way=way
        )
        return answer(request, body, status=status)
