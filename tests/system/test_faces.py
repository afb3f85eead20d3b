"""What an operator does with the pages, in a real browser; and that everybody can use them."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.system.browser import Reader, follow, go
from tests.system.harness import Collector, Stage
from tests.system.lived import FULL, PASSWORD, USER, Host, add_user

RULES = [
    {"name": "disk-full", "metric": "disk_used_pct", "above": {"warning": 85, "critical": 95}},
    {"name": "cpu-busy", "metric": "cpu_used_pct", "above": {"warning": 80}, "for": "1h", "observe": True},
]
MAINTENANCE = [{"name": "Backups", "when": "daily 03:00 to 04:00"}]


@pytest.fixture
def collector(stage: Stage) -> Collector:
    """With one user, ada, who may do everything."""
    collector = stage.collector(
        rules=RULES, channels=[{"kind": "log", "name": "log"}], settings={"maintenance": MAINTENANCE}
    )
    collector.start()
    add_user(collector)
    return collector


@pytest.fixture
def reader(window: Callable[..., Reader], collector: Collector) -> Reader:
    return window(collector.url)


def test_from_the_first_log_in_to_the_post_mortem(collector: Collector, reader: Reader) -> None:
    reader.open("/")
    expect(reader.page.locator("h1")).to_have_text("Log in")
    page = reader.log_in(USER, PASSWORD)
    expect(page.locator("main")).to_contain_text("No host is watched yet.")
    page.get_by_role("link", name="Add the first one").click()
    page.get_by_role("button", name="Make the command").click()
    expect(page.locator("main pre")).to_contain_text("wk_join_")

    page = reader.open("/")
    host = Host(collector, "db-1", "role=db")
    host.send()
    expect(page.locator(f"#h{host.id}")).to_contain_text("up", timeout=8_000)
    page.locator(".seen time").hover()
    expect(page.locator(".seen time")).to_have_attribute("title", re.compile(r"20\d\d, .*\d:\d\d:\d\d"))
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


def test_the_main_ways_are_gone_by_keys_alone(collector: Collector, reader: Reader) -> None:
    """Tab and Enter, and what is typed; where the keyboard is, is seen at each step."""
    Host(collector, "db-1", "role=db").send(FULL)
    page = reader.open("/login")
    page.keyboard.type(USER)
    go(page, "Password")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{reader.url}/")
    follow(page, "incident 1")
    follow(page, "I have it")
    expect(page.locator(".facts")).to_contain_text("acknowledged by ada")
    follow(page, "Silence…")
    expect(page.locator("#rules")).to_have_value("disk-full")
    follow(page, "Silence it")
    expect(page.locator("table.silences").first).to_contain_text("rule disk-full, on db-1")
    page.goto(f"{reader.url}/incidents/1")
    go(page, "Write the post-mortem")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("A log grew.")
    follow(page, "Keep it")
    expect(page.locator(".written")).to_have_text("A log grew.")
    follow(page, "Overview")
    follow(page, "Add one")
    follow(page, "Make the command")
    expect(page.locator("main pre").first).to_contain_text("wk_join_")


def test_a_window_notices_whatever_goes_wrong_in_it(collector: Collector, reader: Reader) -> None:
    """Without this, every test in a browser might pass for want of looking."""
    page = reader.log_in(USER, PASSWORD)
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=\"http://127.0.0.1:9/x.png\">')")
    page.evaluate("console.error('an error of its own'); setTimeout(() => { throw new Error('thrown'); })")
    page.wait_for_timeout(300)
    other = reader.context.new_page()
    other.goto(collector.url.replace("127.0.0.1", "localhost"))
    found = "\n".join(reader.troubles)
    for word in ("broken policy: img-src", "an error of its own", "thrown", "a request to http://localhost:"):
        assert word in found
    reader.means("")


def test_several_alerts_are_dealt_with_at_once_by_keyboard(collector: Collector, reader: Reader) -> None:
    for name in ("db-1", "db-2", "db-3"):
        Host(collector, name, "role=db").send(FULL)
    page = reader.log_in(USER, PASSWORD)
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


def test_a_slash_leads_to_the_filter_of_hosts_from_a_page_that_has_none(
    collector: Collector, reader: Reader
) -> None:
    for name in ("db-1", "web-1"):
        Host(collector, name).send()
    page = reader.log_in(USER, PASSWORD)
    page.goto(f"{reader.url}/services")
    page.keyboard.press("/")
    expect(page.get_by_label("Filter hosts")).to_be_focused()
    page.keyboard.type("web")
    page.keyboard.press("Enter")
    expect(page.locator(".hosts tbody tr")).to_have_count(1)


def test_a_chart_is_zoomed_by_keyboard_and_by_dragging_and_the_address_carries_it(
    collector: Collector, reader: Reader
) -> None:
    host = Host(collector, "db-1")
    for minutes in range(50, 0, -1):
        host.send({"load1": float(minutes)}, ago_ms=minutes * 60_000)
    page = reader.log_in(USER, PASSWORD)
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


def test_all_of_it_works_without_javascript(window: Callable[..., Reader], collector: Collector) -> None:
    host = Host(collector, "db-1", "role=db")
    host.send(FULL)
    reader = window(collector.url, java_script_enabled=False)
    page = reader.log_in(USER, PASSWORD)
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
