"""The pages in a real browser, from a real collector that hosts push to."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from agent.wire import Batch, CheckState
from collector.web.menu import DAILY
from tests.conftest import Needs
from tests.system.browser import PHONE, WIDE, Reader, launch
from tests.system.fleet import EVERY_MS, Pusher
from tests.system.harness import Collector, Stage

SEEN = {
    "cpu_used_pct": 12.0,
    "memory_used_pct": 61.0,
    'disk_used_pct{mount="/"}': 48.0,
    "load1": 0.4,
    "load5": 0.5,
    "collector_rtt_ms": 3.0,
}
PAGES = (
    "/",
    "/?group=role",
    "/hosts/1",
    "/hosts/1?range=24h",
    "/hosts/1/rules",
    "/hosts/1/alerts",
    "/alerts",
    "/incidents",
    "/incidents/1",
    "/incidents/new",
    "/silences",
    "/rules",
    "/audit",
    "/notices",
    "/status",
)
FULL_AT_ONCE = {"name": "disk-full", "metric": "disk_used_pct", "above": {"warning": 85, "critical": 95}}


class Host:
    """A host whose every batch is a step of a test."""

    def __init__(self, collector: Collector, name: str, *labels: str) -> None:
        token = collector.add_host(name, *labels)["agent"]["token"]
        self._pusher = Pusher(collector.port, token)
        self._seq = 0

    def send(self, changed: dict[str, float | None] | None = None, *, ago_ms: int = 0) -> None:
        now = time.time_ns() // 1_000_000
        checks = [CheckState("shop", "http", "ok", 12.0, "answered 200")]
        facts = {"os": "Debian GNU/Linux 12", "cores": "4"}
        samples: dict[str, float | None] = {**SEEN, **(changed or {})}
        self._pusher.push([Batch(self._seq, now - ago_ms, now, EVERY_MS, samples, checks, facts)])
        self._seq += 1


@pytest.fixture(scope="module")
def browser(needs: Needs) -> Iterator[Browser]:
    needs("chromium")
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture
def collector(stage: Stage) -> Collector:
    collector = stage.collector(rules=[FULL_AT_ONCE], channels=[{"kind": "log", "name": "log"}])
    collector.start()
    return collector


@pytest.fixture
def reader(browser: Browser, collector: Collector) -> Iterator[Reader]:
    reader = Reader(browser, collector.url)
    yield reader
    reader.close()


def test_the_overview_follows_what_is_stored(collector: Collector, reader: Reader) -> None:
    host = Host(collector, "web-1")
    host.send()
    page = reader.open("/")
    page.evaluate("window.kept = true")
    row = page.locator("#h1")
    expect(row).to_contain_text("12\N{NO-BREAK SPACE}%")
    host.send({"cpu_used_pct": 77.0})
    expect(row).to_contain_text("77\N{NO-BREAK SPACE}%", timeout=5_000)
    host.send({'disk_used_pct{mount="/var"}': 97.0})
    expect(page.locator("#i1")).to_contain_text("disk /var 97 % > 95 %", timeout=5_000)
    expect(page).to_have_title("1\N{NO-BREAK SPACE}problem · Watchkeeper")
    expect(row).to_contain_text("critical")
    host.send({'disk_used_pct{mount="/var"}': 40.0})
    expect(page.locator("#i1")).to_have_count(0, timeout=5_000)
    assert page.evaluate("window.kept"), "the page was loaded anew instead of kept up to date"
    assert reader.troubles == []


def test_a_value_that_changed_fades(collector: Collector, reader: Reader) -> None:
    host = Host(collector, "web-1")
    host.send()
    page = reader.open("/")
    page.evaluate(
        """() => { window.faded = []; new MutationObserver((changes) => {
             for (const { target } of changes) if (target.matches("td.changed")) window.faded.push(target.textContent);
           }).observe(document.body, { subtree: true, attributes: true, attributeFilter: ["class"] }); }"""
    )
    host.send({"cpu_used_pct": 77.0})
    expect(page.locator("#h1")).to_contain_text("77\N{NO-BREAK SPACE}%")
    assert set(page.evaluate("window.faded")) == {"77\N{NO-BREAK SPACE}%"}


def test_a_new_host_appears_by_itself(collector: Collector, reader: Reader) -> None:
    page = reader.open("/")
    expect(page.locator("main")).to_contain_text("No host is watched yet.")
    Host(collector, "web-1").send()
    expect(page.locator("#h1")).to_contain_text("up", timeout=8_000)


def test_what_one_does_on_a_page_survives_its_updates(collector: Collector, reader: Reader) -> None:
    host = Host(collector, "web-1")
    host.send()
    page = reader.open("/hosts/1")
    page.locator("details.values summary").first.click()
    page.locator("nav.choice a").first.focus()
    host.send({"cpu_used_pct": 77.0})
    expect(page.locator(".ends").first).to_contain_text("77\N{NO-BREAK SPACE}%", timeout=5_000)
    assert page.locator("details.values").first.get_attribute("open") is not None
    assert page.evaluate("document.activeElement.textContent") == "1 hour"
    assert reader.troubles == []


def test_the_filter_follows_while_one_types(collector: Collector, reader: Reader) -> None:
    for name in ("web-1", "web-2", "db-1"):
        Host(collector, name, "role=" + name.split("-")[0]).send()
    page = reader.open("/")
    page.locator("input[name=q]").press_sequentially("web")
    expect(page.locator("table.hosts caption")).to_contain_text("2 of 3\N{NO-BREAK SPACE}hosts")
    expect(page.locator("#h3")).to_have_count(0)
    assert page.evaluate("document.activeElement.name") == "q"
    assert page.url.endswith("/?q=web")
    page.locator("select[name=group]").select_option("role")
    expect(page.locator("tr.group")).to_have_text("role web 2\N{NO-BREAK SPACE}hosts")


def test_a_page_says_that_it_lost_the_collector_and_finds_it_again(
    collector: Collector, reader: Reader
) -> None:
    host = Host(collector, "web-1")
    host.send()
    page = reader.open("/")
    expect(page.locator("#updated")).to_contain_text("updated")
    assert collector.stop(signal.SIGTERM, timeout_s=10) == 0, (
        "a page that listens kept the collector from ending"
    )
    expect(page.locator("#updated")).to_contain_text("Connection lost since", timeout=15_000)
    assert "lost-touch" in (page.locator("body").get_attribute("class") or "")
    collector.start()
    host.send({"cpu_used_pct": 77.0})
    expect(page.locator("#h1")).to_contain_text("77\N{NO-BREAK SPACE}%", timeout=15_000)
    expect(page.locator("#updated")).to_contain_text("updated")
    assert "lost-touch" not in (page.locator("body").get_attribute("class") or "")


def test_a_chart_tells_the_values_under_the_pointer(collector: Collector, reader: Reader) -> None:
    host = Host(collector, "web-1")
    for minutes in range(30, 0, -1):
        host.send({"load1": float(minutes)}, ago_ms=minutes * 60_000)
    page = reader.open("/hosts/1")
    plot = page.locator("figure", has=page.get_by_role("heading", name="Load")).locator(".plot")
    area = plot.locator(".area").bounding_box()
    assert area is not None
    page.mouse.move(area["x"] + area["width"] * 0.75, area["y"] + 40)
    tip = plot.locator(".tip")
    expect(tip).to_contain_text("1 min")
    assert float(tip.locator("li").nth(1).inner_text().split()[-1]) == pytest.approx(15, abs=2)
    page.mouse.move(area["x"] + area["width"] * 0.75, area["y"] - 200)
    expect(tip).to_have_count(0)
    assert reader.troubles == []


def test_times_are_the_readers(browser: Browser, collector: Collector) -> None:
    Host(collector, "web-1").send()
    reader = Reader(browser, collector.url, timezone_id="America/St_Johns")
    expect(reader.open("/").locator(".zone")).to_have_text("Times are in America/St_Johns.")
    reader.page.reload()
    assert "America/St_Johns" in reader.page.content()
    reader.close()


def test_a_page_is_complete_without_javascript(browser: Browser, collector: Collector) -> None:
    Host(collector, "web-1", "role=web").send({'disk_used_pct{mount="/var"}': 97.0})
    reader = Reader(browser, collector.url, java_script_enabled=False)
    page = reader.open("/")
    expect(page.locator("#i1")).to_contain_text("disk /var 97 % > 95 %")
    page.locator("input[name=q]").fill("nix")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("main")).to_contain_text("No host matches “nix”.")
    page = reader.open("/hosts/1")
    expect(page.locator(".plot").first).to_be_visible()
    page.locator("details.values summary").first.click()
    expect(page.locator("details.values td").first).to_be_visible()
    reader.close()


def test_the_keyboard_goes_everywhere_and_is_seen(collector: Collector, reader: Reader) -> None:
    Host(collector, "web-1").send()
    page = reader.open("/")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_visible()
    met = []
    places = [entry.url for entry in DAILY]
    for _ in range(2 + len(places) + 4):
        page.keyboard.press("Tab")
        met.append(
            page.evaluate(
                "(({name, innerText}, href) => href || name || innerText)"
                "(document.activeElement, document.activeElement.getAttribute('href'))"
            )
        )
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert met == ["/", *places, "More", "q", "group", "/hosts/new", "/hosts/1"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
def test_no_page_breaks_the_rules_or_the_width(
    browser: Browser, collector: Collector, tmp_path: Path, viewport: dict[str, int], scheme: str
) -> None:
    long = Host(collector, "a-host-with-a-name-that-nobody-would-want-to-read-aloud.example", "role=web")
    for minutes in range(50, 0, -1):
        long.send({'disk_used_pct{mount="/var/lib/a/very/long/path"}': 97.0}, ago_ms=minutes * 60_000)
    Host(collector, "db-1", "role=db").send()
    Host(collector, "never-heard")
    reader = Reader(browser, collector.url, viewport=viewport, color_scheme=scheme)
    for number, path in enumerate(PAGES):
        page = reader.open(path)
        page.wait_for_timeout(300)
        page.screenshot(path=tmp_path / f"{number}-{viewport['width']}-{scheme}.png", full_page=True)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= viewport["width"], f"{path} is {width} wide"
    assert reader.troubles == []
    reader.close()
