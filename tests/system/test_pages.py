"""The pages in a real browser, from a real collector that hosts push to."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from collector.web.menu import DAILY
from tests.system.browser import Reader
from tests.system.harness import Collector, Stage
from tests.system.lived import Host

Window = Callable[..., Reader]
FULL_AT_ONCE = {"name": "disk-full", "metric": "disk_used_pct", "above": {"warning": 85, "critical": 95}}


@pytest.fixture
def collector(stage: Stage) -> Collector:
    collector = stage.collector(rules=[FULL_AT_ONCE], channels=[{"kind": "log", "name": "log"}])
    collector.start()
    return collector


@pytest.fixture
def reader(window: Window, collector: Collector) -> Reader:
    return window(collector.url)


def test_the_overview_follows_what_is_stored(collector: Collector, reader: Reader) -> None:
    host = Host(collector, "web-1")
    host.send()
    page = reader.open("/")
    page.evaluate("window.kept = true")
    row = page.locator(f"#h{host.id}")
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
    expect(page.locator(f"#h{host.id}")).to_contain_text("77\N{NO-BREAK SPACE}%")
    assert set(page.evaluate("window.faded")) == {"77\N{NO-BREAK SPACE}%"}


def test_a_new_host_appears_by_itself(collector: Collector, reader: Reader) -> None:
    page = reader.open("/")
    expect(page.locator("main")).to_contain_text("No host is watched yet.")
    host = Host(collector, "web-1")
    host.send()
    expect(page.locator(f"#h{host.id}")).to_contain_text("up", timeout=8_000)


def test_what_one_does_on_a_page_survives_its_updates(collector: Collector, reader: Reader) -> None:
    host = Host(collector, "web-1")
    host.send()
    page = reader.open(f"/hosts/{host.id}")
    page.locator("details.values summary").first.click()
    page.locator("nav.choice a").first.focus()
    host.send({"cpu_used_pct": 77.0})
    expect(page.locator(".ends").first).to_contain_text("77\N{NO-BREAK SPACE}%", timeout=5_000)
    assert page.locator("details.values").first.get_attribute("open") is not None
    assert page.evaluate("document.activeElement.textContent") == "1 hour"


def test_the_filter_follows_while_one_types(collector: Collector, reader: Reader) -> None:
    hosts = [Host(collector, name, "role=" + name.split("-")[0]) for name in ("web-1", "web-2", "db-1")]
    for host in hosts:
        host.send()
    page = reader.open("/")
    page.locator("input[name=q]").press_sequentially("web")
    expect(page.locator("table.hosts caption")).to_contain_text("2 of 3\N{NO-BREAK SPACE}hosts")
    expect(page.locator(f"#h{hosts[-1].id}")).to_have_count(0)
    assert page.evaluate("document.activeElement.name") == "q"
    assert page.url.endswith("/?q=web")
    page.locator("select[name=group]").select_option("role")
    expect(page.locator("tr.group")).to_have_text("role web 2\N{NO-BREAK SPACE}hosts")


def test_a_page_says_that_it_lost_the_collector_and_finds_it_again(
    collector: Collector, reader: Reader
) -> None:
    host = Host(collector, "web-1")
    reader.means("net::ERR_")
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
    expect(page.locator(f"#h{host.id}")).to_contain_text("77\N{NO-BREAK SPACE}%", timeout=15_000)
    expect(page.locator("#updated")).to_contain_text("updated")
    assert "lost-touch" not in (page.locator("body").get_attribute("class") or "")


def test_a_chart_tells_the_values_under_the_pointer(collector: Collector, reader: Reader) -> None:
    host = Host(collector, "web-1")
    for minutes in range(30, 0, -1):
        host.send({"load1": float(minutes)}, ago_ms=minutes * 60_000)
    page = reader.open(f"/hosts/{host.id}")
    plot = page.locator("figure", has=page.get_by_role("heading", name="Load")).locator(".plot")
    area = plot.locator(".area").bounding_box()
    assert area is not None
    page.mouse.move(area["x"] + area["width"] * 0.75, area["y"] + 40)
    tip = plot.locator(".tip")
    expect(tip).to_contain_text("1 min")
    assert float(tip.locator("li").nth(1).inner_text().split()[-1]) == pytest.approx(15, abs=2)
    page.mouse.move(area["x"] + area["width"] * 0.75, area["y"] - 200)
    expect(tip).to_have_count(0)


def test_times_are_the_readers(window: Window, collector: Collector) -> None:
    Host(collector, "web-1").send()
    reader = window(collector.url, timezone_id="America/St_Johns")
    expect(reader.open("/").locator(".zone")).to_have_text("Times are in America/St_Johns.")
    reader.page.reload()
    assert "America/St_Johns" in reader.page.content()


def test_a_page_is_complete_without_javascript(window: Window, collector: Collector) -> None:
    host = Host(collector, "web-1", "role=web")
    host.send({'disk_used_pct{mount="/var"}': 97.0})
    reader = window(collector.url, java_script_enabled=False)
    page = reader.open("/")
    expect(page.locator("#i1")).to_contain_text("disk /var 97 % > 95 %")
    page.locator("input[name=q]").fill("nix")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("main")).to_contain_text("No host matches “nix”.")
    page = reader.open(f"/hosts/{host.id}")
    expect(page.locator(".plot").first).to_be_visible()
    page.locator("details.values summary").first.click()
    expect(page.locator("details.values td").first).to_be_visible()


def test_the_keyboard_goes_everywhere_and_is_seen(collector: Collector, reader: Reader) -> None:
    host = Host(collector, "web-1")
    host.send()
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
    assert met == ["/", *places, "More", "q", "group", "/hosts/new", f"/hosts/{host.id}"]
