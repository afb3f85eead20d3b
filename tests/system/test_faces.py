"""What an operator does with the pages, in a real browser; and that everybody can use them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from agent.wire import Batch, CheckState
from tests.conftest import Needs
from tests.system.browser import PHONE, WIDE, Reader, launch
from tests.system.fleet import EVERY_MS, Pusher
from tests.system.harness import PATIENCE_S, ROOT, Collector, Stage, environ, wait_until

PASSWORD = "correct horse battery"
RULES = [
    {"name": "disk-full", "metric": "disk_used_pct", "above": {"warning": 85, "critical": 95}},
    {"name": "cpu-busy", "metric": "cpu_used_pct", "above": {"warning": 80}, "for": "1h", "observe": True},
]
MAINTENANCE = [{"name": "Backups", "when": "daily 03:00 to 04:00"}]
SAMPLES = {"cpu_used_pct": 12.0, "memory_used_pct": 61.0, 'disk_used_pct{mount="/"}': 48.0, "load1": 0.4}
FULL = {'disk_used_pct{mount="/var"}': 97.0}
PAGES = {
    "login": "/login",
    "overview": "/",
    "groups": "/?group=role",
    "host": "/hosts/{host}",
    "host-zoomed": "/hosts/{host}?metric=load1",
    "host-rules": "/hosts/{host}/rules",
    "host-alerts": "/hosts/{host}/alerts",
    "add-a-host": "/hosts/new",
    "alerts": "/alerts",
    "incidents": "/incidents",
    "incident": "/incidents/1",
    "incident-over": "/incidents/2",
    "report": "/incidents/new",
    "silences": "/silences",
    "rules": "/rules",
    "notices": "/notices",
    "audit": "/audit",
    "account": "/account",
    "nothing": "/nothing",
}


@pytest.fixture(scope="module")
def browser(needs: Needs) -> Iterator[Browser]:
    needs("chromium")
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture
def collector(stage: Stage) -> Collector:
    """With one user, ada, who may do everything."""
    collector = stage.collector(
        rules=RULES, channels=[{"kind": "log", "name": "log"}], settings={"maintenance": MAINTENANCE}
    )
    collector.start()
    done = subprocess.run(
        [sys.executable, "-m", "collector", "user", "add", "ada", "--role", "owner", "--password-stdin",
         "--config", str(collector.config)],
        input=PASSWORD, cwd=ROOT, env=environ(), capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    # Until the collector has noticed, whoever is on this machine needs no log-in.
    wait_until("the user to count", lambda: "Log in" in collector.get("/")[1])
    return collector


@pytest.fixture
def reader(browser: Browser, collector: Collector) -> Iterator[Reader]:
    reader = Reader(browser, collector.url)
    yield reader
    reader.close()


class Host:
    def __init__(self, collector: Collector, name: str, *labels: str) -> None:
        token = collector.add_host(name, *labels)["agent"]["token"]
        self._pusher, self._seq = Pusher(collector.port, token), 0
        self.id = collector.ask_one("SELECT id FROM hosts WHERE name = ?", name)

    def send(self, changed: dict[str, float | None] | None = None, *, ago_ms: int = 0) -> None:
        now = time.time_ns() // 1_000_000
        samples: dict[str, float | None] = {**SAMPLES, **(changed or {})}
        checks = [CheckState("shop", "http", "ok", 12.0, "answered 200")]
        facts = {"os": "Debian GNU/Linux 12", "cores": "4"}
        self._pusher.push([Batch(self._seq, now - ago_ms, now, EVERY_MS, samples, checks, facts)])
        self._seq += 1


def log_in(reader: Reader) -> Page:
    page = reader.open("/login")
    page.fill("#name", "ada")
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(reader.url + "/")
    return page


def test_from_the_first_log_in_to_the_post_mortem(collector: Collector, reader: Reader) -> None:
    reader.open("/")
    expect(reader.page.locator("h1")).to_have_text("Log in")
    page = log_in(reader)
    expect(page.locator("main")).to_contain_text("No host is watched yet.")
    page.get_by_role("link", name="Add the first one").click()
    page.get_by_role("button", name="Make the command").click()
    expect(page.locator("main pre")).to_contain_text("wk_join_")

    page = reader.open("/")
    host = Host(collector, "db-1", "role=db")
    host.send()
    expect(page.locator(f"#h{host.id}")).to_contain_text("up", timeout=8_000)
    host.send(FULL)
    expect(page.locator("#i1")).to_contain_text("disk /var 97 % > 95 %", timeout=8_000)

    page.locator("#i1 a.go").click()
    page.get_by_role("button", name="I have it").first.click()
    expect(page.locator(".facts")).to_contain_text("acknowledged by ada")
    expect(page.locator(".timeline")).to_contain_text("ada has it.")

    page.get_by_role("link", name="Silence…").click()
    expect(page.locator("#rules")).to_have_value("disk-full")
    page.locator("#comment").fill("new disks come at noon")
    page.get_by_role("button", name="Silence it").click()
    expect(page.locator("table.silences").first).to_contain_text("rule disk-full, on db-1")
    page.get_by_role("button", name="End it").click()
    expect(page.locator("main")).to_contain_text("Nothing is silenced.")

    page = reader.open("/incidents/1")
    page.get_by_text("Write the post-mortem").click()
    page.locator("#postmortem-text").fill("A log grew.\n\n<b>Nobody</b> looked.")
    page.get_by_role("button", name="Keep it").click()
    expect(page.locator(".written")).to_have_text("A log grew.\n\n<b>Nobody</b> looked.")
    page.get_by_text("Go on with the post-mortem").click()
    expect(page.locator("#postmortem-text")).to_have_value("A log grew.\n\n<b>Nobody</b> looked.")

    page = reader.open("/audit")
    expect(page.locator("table.audit")).to_contain_text("silence.end")
    assert reader.troubles == []


def test_several_alerts_are_dealt_with_at_once_by_keyboard(collector: Collector, reader: Reader) -> None:
    for name in ("db-1", "db-2", "db-3"):
        Host(collector, name, "role=db").send(FULL)
    page = log_in(reader)
    page.keyboard.press("g")
    page.keyboard.press("a")
    expect(page.locator("h1")).to_have_text("Alerts")
    expect(page.locator("tbody tr")).to_have_count(3)
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.locator("#ticked")).to_have_text("2 ticked:")
    Host(collector, "db-4").send(FULL)  # the list changes below the ticks
    expect(page.locator("tbody tr")).to_have_count(4, timeout=8_000)
    assert page.locator("#live input:checked").count() == 2
    page.get_by_role("button", name="I have them").press("Enter")
    expect(page.locator("[role=status]")).to_contain_text("2\N{NO-BREAK SPACE}alerts acknowledged.")
    expect(page.locator("tr.taken")).to_have_count(2)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert reader.troubles == []


def test_a_chart_is_zoomed_by_keyboard_and_by_dragging_and_the_address_carries_it(
    collector: Collector, reader: Reader
) -> None:
    host = Host(collector, "db-1")
    for minutes in range(50, 0, -1):
        host.send({"load1": float(minutes)}, ago_ms=minutes * 60_000)
    page = log_in(reader)
    page.goto(f"{reader.url}/hosts/{host.id}")
    plot = page.locator("figure", has=page.get_by_role("heading", name="Load")).locator(".plot")
    plot.focus()
    for _ in range(5):
        page.keyboard.press("ArrowLeft")
    expect(plot.locator(".tip")).to_contain_text("1 min")
    for _ in range(12):
        page.keyboard.press("Shift+ArrowLeft")
    expect(plot.locator(".picked")).to_have_count(1)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/hosts/{host.id}?from=*")
    expect(page.locator(".bar .soft")).to_contain_text(" to ")
    span_ms = page.evaluate(
        "(() => { const at = new URL(location).searchParams;"
        " return Date.parse(at.get('to')) - Date.parse(at.get('from')); })()"
    )
    assert 8 * 60_000 < span_ms < 14 * 60_000
    zoomed = page.url
    page.go_back()
    expect(page.locator(".bar .soft")).to_have_count(0)

    area = plot.locator(".area").bounding_box()
    assert area is not None
    page.mouse.move(area["x"] + area["width"] * 0.25, area["y"] + 40)
    page.mouse.down()
    page.mouse.move(area["x"] + area["width"] * 0.75, area["y"] + 40, steps=4)
    page.mouse.up()
    page.wait_for_url(f"**/hosts/{host.id}?from=*")
    expect(page.locator(".bar .soft")).to_contain_text("30\N{NO-BREAK SPACE}min")

    page.goto(zoomed)  # as somebody who was sent the address
    expect(page.locator(".bar .soft")).to_contain_text(" to ")
    page.get_by_role("link", name="Wider").click()
    expect(page.locator(".plot").first).to_be_visible()
    assert reader.troubles == []


def test_all_of_it_works_without_javascript(browser: Browser, collector: Collector) -> None:
    host = Host(collector, "db-1", "role=db")
    host.send(FULL)
    reader = Reader(browser, collector.url, java_script_enabled=False)
    page = log_in(reader)
    page.goto(reader.url + "/alerts")
    page.get_by_role("checkbox").check()
    page.get_by_role("button", name="Silence them").click()
    expect(page.locator("[role=status]")).to_contain_text("1\N{NO-BREAK SPACE}alert silenced.")
    page.goto(f"{reader.url}/hosts/{host.id}")
    page.get_by_role("link", name="Closer").click()
    assert "from=" in page.url
    page.goto(reader.url + "/incidents/new")
    page.fill("#title", "Smoke")
    page.get_by_role("button", name="Open an incident").click()
    expect(page.locator("h1")).to_contain_text("Smoke")
    page.get_by_label("What ended it").fill("a fan")
    page.get_by_role("button", name="It is over").click()
    expect(page.locator("h1")).to_contain_text("resolved")
    reader.close()


def lived_in(collector: Collector, reader: Reader) -> tuple[Page, int]:
    """Something of everything, and ada logged in; and the number of a host that has a problem."""
    hosts = [Host(collector, "db-1", "role=db"), Host(collector, "web-1", "role=web")]
    for minutes in range(50, 0, -2):
        for host in hosts:
            changed = FULL if host is hosts[0] and minutes < 20 else {}
            host.send(
                {"load1": minutes / 20, "cpu_used_pct": 10 + minutes, **changed}, ago_ms=minutes * 60_000
            )
    Host(collector, "never-heard")
    page = log_in(reader)
    page.goto(reader.url + "/incidents/new")
    page.fill("#title", "Smoke in room 2")
    page.fill("#text", "The fan of rack 4 burns.")
    page.get_by_role("button", name="Open an incident").click()
    page.get_by_label("What ended it").fill("a bucket of sand")
    page.get_by_role("button", name="It is over").click()
    page.get_by_text("Write the post-mortem").click()
    page.locator("#postmortem-text").fill("A fan burned.\nWe buy others.")
    page.get_by_role("button", name="Keep it").click()
    page.goto(reader.url + "/silences")
    page.fill("#rules", "cpu-*")
    page.fill("#comment", "load test")
    page.get_by_role("button", name="Silence it").click()
    page.fill("#name", "New racks")
    page.fill("#when", "Saturday 22:00 to Sunday 06:00")
    page.get_by_role("button", name="Plan it").click()
    return page, hosts[0].id


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
def test_everybody_can_use_every_page(
    browser: Browser, collector: Collector, tmp_path: Path, viewport: dict[str, int], scheme: str
) -> None:
    """axe finds nothing serious; and a picture of each page is left for whoever wants to look."""
    reader = Reader(browser, collector.url, viewport=viewport, color_scheme=scheme)
    page, host = lived_in(collector, reader)
    axe, found = Axe(), []
    for name, path in PAGES.items():
        page.goto(reader.url + path.format(host=host))
        page.wait_for_timeout(200)
        page.screenshot(path=tmp_path / f"{name}-{viewport['width']}-{scheme}.png", full_page=True)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= viewport["width"], f"{path} is {width} wide"
        for violation in axe.run(page).response["violations"]:
            if violation["impact"] in ("serious", "critical"):
                where = [node["html"][:200] for node in violation["nodes"][:3]]
                found.append(f"{path}: {violation['id']}: {violation['help']}: {json.dumps(where)}")
    assert found == []
    assert [trouble for trouble in reader.troubles if "404" not in trouble] == []
    reader.close()
