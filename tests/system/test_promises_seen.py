"""What is promised, advised and set, in a real browser: read, tried and changed as people do it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from agent.wire import Batch, CheckState
from tests.receivers import now_ms
from tests.system.browser import Reader
from tests.system.fleet import Pusher
from tests.system.harness import Collector, Stage
from tests.system.lived import EVERY_MS, PASSWORD, ask, long_ago
from tests.system.programs import wait_until

SETTINGS: dict[str, Any] = {
    "packs": ["hosts"],
    "access": {"status_page": True, "roles": {"viewer": ["monitoring.read"]}},
    "status_page": {"title": "Status of Acme"},
    "services": [
        {"name": "shop", "title": "Web shop", "checks": [{"id": "shop"}], "objective_pct": 99.5},
        {"name": "pay", "title": "Payments", "hosts": {"where": {"role": "db"}},
         "maintenance": ["daily 03:00 to 03:30"]},
        {"name": "api", "title": "API for partners", "depends_on": {"services": ["shop", "pay"]},
         "objective_pct": None},
    ],
    "scaling": [
        {"service": "web", "where": {"role": "web"}, "min": 1, "max": 6},
        {"service": "jobs", "current": 3, "hook": {"command": ["/bin/true"]}},
    ],
    "capacity": {"prices": {"core": 12, "gib": 3}},
    "thresholds": {"memory_critical_pct": 96},
}  # fmt: skip


def push(collector: Collector) -> None:
    """Three hosts and their last two hours, in which one of them fills up."""
    now = now_ms()
    for name, role in (("web-1", "web"), ("web-2", "web"), ("db-1", "db")):
        pusher = Pusher(collector.port, collector.add_host(name, f"role={role}")["agent"]["token"])
        batches = []
        for place in range(720):
            at = now - (719 - place) * EVERY_MS
            part = place / 720
            samples: dict[str, float | None] = {
                "cpu_used_pct": 88.0 if role == "web" else 12.0,
                "memory_used_pct": 55.0,
                'disk_used_pct{mount="/"}': 40.0,
                'disk_used_pct{mount="/var"}': 60 + 20 * part if role == "db" else 48.0,
                "pressure_io_some_pct": 34.0 if role == "db" else 1.0,
            }
            checks = []
            if name == "web-1":
                samples['check_state{check="shop",kind="http"}'] = 0.0
                checks = [CheckState("shop", "http", "ok", 120.0, "answered 200")]
            batches.append(
                Batch(
                    place, at, now, EVERY_MS, samples, checks, {"cores": "8", "memory_bytes": str(32 << 30)}
                )
            )
        pusher.push(batches)


@pytest.fixture
def collector(stage: Stage) -> Collector:
    collector = stage.collector(settings=SETTINGS, channels=[{"kind": "log", "name": "log"}])
    long_ago(collector)
    collector.start()
    push(collector)
    opened = {"title": "orders pile up", "severity": "warning", "services": ["shop"]}
    number = ask(collector, "POST", "incidents", opened)["id"]
    ask(
        collector,
        "POST",
        f"incidents/{number}/updates",
        {"text": "Orders are confirmed late\nNo order is lost."},
    )
    wait_until("services to be known", lambda: " available in " in collector.get("/services")[1])
    return collector


@pytest.fixture
def reader(window: Callable[..., Reader], collector: Collector) -> Reader:
    return window(collector.url)


def test_what_is_promised_is_read_and_leads_to_the_incident(reader: Reader) -> None:
    page = reader.open("/")
    page.get_by_role("link", name="Services", exact=True).click()
    shop = page.locator("article", has_text="Web shop")
    expect(shop).to_contain_text("99.5 % promised")
    expect(shop).to_contain_text("allowed")
    shop.get_by_role("link", name="Web shop").click()
    expect(page.locator("h1")).to_contain_text("Web shop")
    expect(page.locator("main")).to_contain_text("How fast it is used")
    page.get_by_text("Day by day", exact=True).click()
    expect(page.locator("details.days")).to_contain_text("down for 26 min")
    page.get_by_role("link", name="incident 1").click()
    expect(page.locator("h1")).to_contain_text("shop is bad")


def test_a_threshold_is_changed_and_takes_effect(reader: Reader, collector: Collector) -> None:
    reader.means("status of 422")
    page = reader.open("/settings")
    expect(page.get_by_label("memory critical, %")).to_be_disabled()
    expect(page.locator(".limits")).to_contain_text("collector.yaml:")
    page.get_by_label("memory warning, %").fill("50")
    page.get_by_role("button", name="Set them").click()
    expect(page.get_by_role("status")).to_contain_text("That holds from now on.")
    expect(page.get_by_label("memory warning, %")).to_have_value("50")
    page.get_by_label("memory warning, %").fill("99")
    page.get_by_role("button", name="Set them").click()
    expect(page.get_by_role("alert")).to_contain_text("has to lie below what is critical")
    rule = reader.open("/rules")
    expect(rule.locator("main")).to_contain_text("memory-high")
    host = collector.add_host("new-1")["agent"]["token"]
    now = now_ms()
    samples: dict[str, float | None] = {"memory_used_pct": 55.0}
    batches = [Batch(n, now - (90 - n) * EVERY_MS, now, EVERY_MS, samples, []) for n in range(91)]
    Pusher(collector.port, host).push(batches)
    expect(reader.open("/alerts").locator("main")).to_contain_text("new-1")


def test_a_load_is_played(reader: Reader) -> None:
    page = reader.open("/advice/web")
    page.get_by_label("Load").select_option("peak")
    page.get_by_label("Peak, if made up").fill("4")
    page.get_by_role("button", name="Play it").click()
    expect(page.locator("#play table")).to_contain_text("reactive HPA")
    expect(page.locator("#play .line")).to_have_count(4)


def test_a_hook_is_let_run_by_itself_only_by_who_ticks_the_box(reader: Reader) -> None:
    page = reader.open("/advice/jobs")
    page.get_by_role("button", name="Let it run by itself").click()
    expect(page.locator("main")).to_contain_text("It is only advised")
    page.get_by_label("I know that its hook then changes").check()
    page.get_by_role("button", name="Let it run by itself").click()
    expect(page.locator("main")).to_contain_text("Its hook runs without asking")


def test_the_first_user_is_made_and_makes_a_user_and_a_token(
    window: Callable[..., Reader], reader: Reader, collector: Collector
) -> None:
    page = reader.open("/settings/users")
    expect(page.locator("main")).to_contain_text("No user yet.")
    add(page, "ada", "owner")
    page.wait_for_url("**/login?next=**")
    log_in(page, "ada")
    expect(page).to_have_url(f"{collector.url}/settings/users?done=1")
    add(page, "eve", "viewer")
    expect(page.locator("table.users")).to_contain_text("eve")
    page.get_by_role("link", name="Tokens").click()
    page.get_by_label("What it is for").fill("ci")
    page.get_by_role("button", name="Make it").click()
    token = page.locator(".once pre").inner_text()
    assert token.startswith("wk_")
    page.get_by_role("link", name="Tokens").click()
    expect(page.locator("table")).to_contain_text("ci")
    assert token not in page.content()
    page.get_by_role("link", name="Channels").click()
    page.get_by_role("button", name="Send a test by log").click()
    expect(page.get_by_role("status")).to_contain_text("log took the test")
    page.get_by_role("link", name="Join codes").click()
    page.get_by_role("link", name="add a host").click()
    expect(page.locator("h1")).to_have_text("Add a host")
    viewer = window(collector.url)
    viewer.means("status of 403")
    log_in(viewer.open("/login"), "eve")
    expect(viewer.page.locator("nav", has_text="More")).not_to_contain_text("Settings")
    assert viewer.page.goto(f"{collector.url}/settings").status == 403  # type: ignore[union-attr]


def add(page: Page, name: str, role: str) -> None:
    page.get_by_label("Name", exact=True).fill(name)
    page.locator("#role").select_option(role)
    page.get_by_label("Password, ten letters at least").fill(PASSWORD)
    page.get_by_label("The same once more").fill(PASSWORD)
    page.get_by_role("button", name="Add them").click()


def log_in(page: Page, name: str) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()


def test_everybody_sees_the_status_page_and_nothing_else(
    window: Callable[..., Reader], collector: Collector
) -> None:
    owner = window(collector.url)
    add(owner.open("/settings/users"), "ada", "owner")
    owner.page.wait_for_url("**/login?next=**")
    stranger = window(collector.url)
    page = stranger.open("/status")
    expect(page.locator("h1")).to_have_text("Some systems are degraded")
    expect(page.locator("main")).to_contain_text("Orders are confirmed late")
    expect(page.locator("main")).to_contain_text("Web shop")
    expect(page.locator("article.service", has_text="Web shop")).to_contain_text("99.959 %")
    assert "web-1" not in page.content()
    page.get_by_role("link", name="Status of Acme").click()
    expect(page).to_have_url(f"{collector.url}/status")
    page.goto(f"{collector.url}/services")
    page.wait_for_url("**/login?next=**")
