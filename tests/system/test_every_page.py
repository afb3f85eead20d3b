"""Every page there is, found in the collector as it runs, in a real browser: everybody can use it, also by keys alone,
on every screen; and nothing that anybody said runs in whoever reads it."""

from __future__ import annotations

import asyncio
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page

from collector.access.gate import AGENTS_BELOW
from tests.collector.whole import whole_collector
from tests.system.browser import PHONE, WIDE, Reader, from_the_top, grave, walk
from tests.system.harness import Collector, Stage
from tests.system.lived import PASSWORD, USER, Say, add_user, furnish, plainly, rules, settings

Window = Callable[..., Reader]
LAST_MONTH = f"{datetime.now(UTC).replace(day=1) - timedelta(days=1):%Y-%m}"
FILLED = {
    "/hosts/{id}/series.csv": "/hosts/{db}/series.csv?name=load1",
    "/hosts/{id}": "/hosts/{db}",
    "/incidents/{id}": "/incidents/2",
    "/advice/{service}": "/advice/web",
    "/services/{name}/edit": "/services/made/edit",
    "/services/{name}/report/{month}": f"/services/shop/report/{LAST_MONTH}",
    "/services/{name}": "/services/shop",
    "/rules/{name}": "/rules/disk-full",
    "/rules/plays/{id}": "/rules/plays/1",
}
"""What a person would have followed a link to; what is below one of these is filled in so too."""
BY_A_LINK_OF_ITS_OWN = ("/links/", "/setup", "/{rest")
"""Pages that only a sealed link in a message or in the log opens, and the one for addresses that are none."""
NO_PAGES = (AGENTS_BELOW, "/api/monitoring/events")
BESIDES = (
    "/?group=role",
    "/?q=none-such",
    "/hosts/{db}?range=24h",
    "/hosts/{db}?metric=load1",
    "/incidents/1",
    "/incidents/3",
    "/alerts?state=all",
    "/services/api",
    "/advice/jobs",
    "/advice/web?load=day&peak=3&start=2",
    "/nothing",
)
"""The same pages otherwise filled."""
BY_COLOUR = ("color-contrast", "link-in-text-block")
"""What axe finds otherwise by night than by day."""
EVIL = "\"'><img src=x onerror=window.pwned=1><svg onload=window.pwned=1>"
RAN = "window.pwned || document.querySelectorAll('img, svg[onload], script:not([src]), [onerror], [onload]').length"


def paths_of(folder: Path) -> list[str]:
    """Every address that answers GET, as it is written in the code."""
    found: list[str] = []

    async def read() -> None:
        async with whole_collector(folder) as whole:
            for route in whole.app.router.routes():
                if route.method == "GET" and route.resource is not None:
                    found.append(route.resource.canonical)

    thread = threading.Thread(target=asyncio.run, args=(read(),))  # a browser's event loop runs in this one
    thread.start()
    thread.join()
    return found


def filled(path: str) -> str:
    for written, address in FILLED.items():
        if path == written or path.startswith(f"{written}/"):
            return path.replace(written, address)
    return path


def address_of(collector: Collector, path: str) -> str:
    return path.replace("{db}", str(collector.ask_one("SELECT id FROM hosts WHERE name = 'db-1'")))


def besides(collector: Collector) -> list[str]:
    return [address_of(collector, path) for path in BESIDES]


def kind_of(collector: Collector, address: str, token: str) -> str:
    """The media type of a good answer; what a program gets that asks wrongly has none."""
    request = urllib.request.Request(collector.url + address, headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            kind: str = answer.headers.get_content_type()
            return kind if answer.url == collector.url + address else "elsewhere"
    except urllib.error.HTTPError as error:
        with error:
            if error.headers.get_content_type() == "text/html":
                pytest.fail(f"{address} is answered {error.code}")
        return ""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory, lived: Collector) -> list[str]:
    """Every page's address at this collector: what is answered as HTML to who may see everything."""
    token = (lived.database.parent / "local.token").read_text().strip()
    found = []
    for path in sorted(set(paths_of(tmp_path_factory.mktemp("routes")))):
        if path.startswith((*NO_PAGES, *BY_A_LINK_OF_ITS_OWN)):
            continue
        address = address_of(lived, filled(path))
        if "{" not in address:
            if kind_of(lived, address, token) == "text/html":
                found.append(address)
        else:
            assert path.startswith(("/api/", "/static/", "/ping/", "/install/", "/status/badge/")), (
                f"say in FILLED which {path} is to be looked at"
            )
    return found


def lives(stage: Stage, say: Say) -> Collector:
    collector = stage.collector(
        rules=rules(say), settings=settings(say), channels=[{"kind": "log", "name": "log"}]
    )
    furnish(collector, say)
    add_user(collector)
    return collector


@pytest.fixture(scope="module")
def lived(long_stage: Stage) -> Collector:
    return lives(long_stage, plainly)


def test_there_are_as_many_pages_as_the_menu_and_more(pages: list[str]) -> None:
    assert {"/", "/alerts", "/incidents/2", "/hosts/new", "/settings/users", "/status"} <= set(pages)
    assert len(pages) > 25


def test_everybody_can_use_every_page(lived: Collector, pages: list[str], window: Window) -> None:
    """axe finds nothing serious, by day and by night."""
    reader = window(lived.url)
    reader.means("status of 404")
    page = reader.log_in(USER, PASSWORD)
    found = []
    for path in [*pages, *besides(lived)]:
        page.emulate_media(color_scheme="light")
        page.goto(reader.url + path)
        found += grave(page)
        page.emulate_media(color_scheme="dark")
        found += [f"by night: {trouble}" for trouble in grave(page, *BY_COLOUR)]
    assert not found, "\n".join(["", *found])


@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
def test_the_keyboard_goes_everywhere_is_seen_and_never_caught(
    lived: Collector, pages: list[str], window: Window, viewport: dict[str, int]
) -> None:
    """It begins with a way past the menu; and nothing is wider than the screen."""
    reader = window(lived.url, viewport=viewport)
    page = reader.log_in(USER, PASSWORD)
    found = []
    for path in pages:
        page.goto(reader.url + path)
        found += walk(page)
        if page.locator("header nav").count() and not skips_the_menu(page):
            found.append(f"{path} has no way past its menu")
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > viewport["width"]:
            found.append(f"{path} is {width} wide")
    assert not found, "\n".join(["", *found])


def skips_the_menu(page: Page) -> bool:
    """Tab, Enter and Tab once more lead behind it."""
    from_the_top(page)
    for key in ("Tab", "Enter", "Tab"):
        page.keyboard.press(key)
    return bool(page.evaluate("!document.activeElement.closest('header')"))


# --- what somebody said -----------------------------------------------------------------------------------------------


def evilly(text: str) -> str:
    return text + EVIL


def test_nothing_that_anybody_said_runs_in_a_readers_browser(
    stage: Stage, pages: list[str], window: Window
) -> None:
    """Markup wherever a host, a service, a person or a config can put a word, also in what a kernel logged."""
    collector = lives(stage, evilly)
    reader = window(collector.url, user_agent=f"Firefox {EVIL}")
    reader.means("status of 404")
    page = reader.log_in(USER, PASSWORD)
    asked = [
        f"{path}?q={EVIL}&group={EVIL}&who={EVIL}&rules={EVIL}&host={EVIL}"
        for path in ("/", "/audit", "/rules")
    ]
    seen: dict[str, int] = {}
    for path in [*pages, *besides(collector), *asked, f"/nothing/{EVIL}"]:
        page.goto(reader.url + path)
        page.wait_for_timeout(100)
        assert not page.evaluate(RAN), path
        seen[path] = page.content().count("&lt;img src=x")
    shown = {path for path, times in seen.items() if times}
    must = {
        "/",
        address_of(collector, "/hosts/{db}"),
        "/incidents/2",
        "/incidents/3",
        "/alerts",
        "/silences",
        "/services",
        "/status",
    }
    assert must <= shown, f"what was to be tried is not on {sorted(must - shown)}"
    text = reader.open("/incidents/2").locator("main").text_content() or ""
    for word in ("Out of memory: Killed process 4711", "java -jar shop.jar", "dmesg: not allowed"):
        assert f"{word}{EVIL}" in text, "the evidence is not on the page of its incident"
