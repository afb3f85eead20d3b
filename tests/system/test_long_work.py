"""What takes long says how far it is: at a terminal, on a page that is open, and before the collector can serve."""

from __future__ import annotations

import gzip
import json
import re
import sqlite3
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from agent.wire import Batch
from tests.agent.service_manager import ServiceManager
from tests.collector.cli.glass import Glass
from tests.conftest import Needs
from tests.system.browser import PHONE, Reader, grave, launch
from tests.system.fleet import EVERY_MS, Pusher
from tests.system.harness import Collector, Stage, get
from tests.system.programs import PATIENCE_S, ROOT, wait_until

RULE = {"name": "cpu-busy", "metric": "cpu_used_pct", "above": {"warning": 80, "critical": 95}}


@pytest.fixture(scope="module")
def browser(needs: Needs) -> Iterator[Browser]:
    needs("chromium")
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture
def collector(stage: Stage) -> Collector:
    collector = stage.collector(rules=[RULE], channels=[{"kind": "log", "name": "log"}])
    collector.start()
    return collector


@pytest.fixture
def reader(browser: Browser, collector: Collector) -> Iterator[Reader]:
    reader = Reader(browser, collector.url)
    yield reader
    reader.close()


# --- on a page --------------------------------------------------------------------------------------------------------


def test_a_replay_is_followed_live_ended_and_read_as_a_table(collector: Collector, reader: Reader) -> None:
    pusher = Pusher(collector.port, collector.add_host("web-1")["agent"]["token"])
    now = time.time_ns() // 1_000_000
    for seq, cpu in enumerate((5.0, 97.0, 97.0, 5.0)):
        at = now - (4 - seq) * EVERY_MS
        pusher.push([Batch(seq, at, now, EVERY_MS, {"cpu_used_pct": cpu}, [], {})])
    page = reader.open("/rules")
    page.get_by_role("link", name="cpu-busy").click()
    page.get_by_role("button", name=re.compile(r"last 14\sdays")).click()
    page.evaluate("window.kept = true")
    bar = page.locator("progress")
    expect(page.get_by_text("% judged")).to_be_visible(timeout=30_000)
    seen = int(bar.get_attribute("value") or 0)
    page.wait_for_function(
        "least => Number(document.querySelector('progress')?.value) > least", arg=seen, timeout=30_000
    )
    page.get_by_role("button", name="End it").click()
    expect(page.get_by_role("alert")).to_have_text("It was ended before it was done.")

    page.get_by_role("button", name=re.compile(r"last 1\sday")).click()
    page.evaluate("window.kept = true")
    row = page.locator("table.replayed tbody tr")
    expect(row).to_contain_text("cpu-busy", timeout=60_000)
    assert row.locator("td").nth(0).inner_text() == "1"
    assert page.evaluate("window.kept"), "the page was loaded anew instead of kept up to date"
    assert grave(page) == []
    assert reader.troubles == []


def test_without_javascript_the_page_asks_again_by_itself(browser: Browser, collector: Collector) -> None:
    reader = Reader(browser, collector.url, java_script_enabled=False, viewport=PHONE)
    page = reader.open("/rules/cpu-busy")
    page.get_by_role("button", name=re.compile(r"last 1\sday")).click()
    expect(page.get_by_text("Never fired: cpu-busy.")).to_be_visible(timeout=60_000)
    reader.close()


def test_a_service_is_made_changed_and_removed_by_hand(collector: Collector, reader: Reader) -> None:
    page = reader.open("/services")
    page.get_by_role("link", name="Make the first one here").click()
    page.get_by_label("Name", exact=False).first.fill("the shop")
    page.get_by_label("Hosts that must be there").fill("role=web")
    page.get_by_role("button", name="Make it").click()
    expect(page.locator("#name-wrong")).to_contain_text("cannot be the name of a service")
    expect(page.get_by_label("Hosts that must be there")).to_have_value("role=web")
    assert grave(page) == []
    page.locator("#name").fill("shop")
    page.get_by_label("Title").fill("The shop")
    page.get_by_role("button", name="Make it").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("The shop")
    page.get_by_role("link", name="Change or remove it").click()
    page.get_by_label("Available, % of the time").fill("99.5")
    page.get_by_role("button", name="Keep it so").click()
    expect(page.get_by_text("99.5 % promised")).to_be_visible()
    page.get_by_role("link", name="Change or remove it").click()
    page.get_by_text("Remove it", exact=True).click()
    page.get_by_role("button", name="Remove The shop").click()
    expect(page.get_by_text("No service yet.")).to_be_visible()
    said = [trouble for trouble in reader.troubles if "422" not in trouble]
    assert said == []


# --- at a terminal ----------------------------------------------------------------------------------------------------


def test_long_commands_draw_a_bar_on_a_terminal_that_is_gone_in_the_end(collector: Collector) -> None:
    config = str(collector.config)
    copy = str(collector.folder / "copy.db")
    with Glass("rules", "replay", "--last", "4d", "--config", config) as glass:
        shown = "\n".join(glass.shows("replaying   ["))
        assert "%  0:0" in shown
        glass.shows("Never fired: cpu-busy")
        assert "replaying" not in "\n".join(glass.screen.lines)
        assert glass.ends() == 0
    with Glass("backup", copy, "--config", config, columns=240) as glass:
        glass.shows("It was checked and is sound.")
        assert "copying" not in "\n".join(glass.screen.lines)
        assert glass.ends() == 0


# --- before it can serve ----------------------------------------------------------------------------------------------


def test_a_collector_that_changes_its_store_first_says_how_far_it_is(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store of an older version, so large that copying it takes a moment."""
    collector = stage.collector()
    old_and_large(collector.database)
    with closing(ServiceManager(tmp_path / "notify")) as manager:
        monkeypatch.setenv("NOTIFY_SOCKET", manager.address)
        collector.start(wait=False)
        seen = watch(collector, manager)
        messages = manager.hear()
    starting = [body for status, body in seen["/health"] if status == 200 and body["status"] == "starting"]
    assert starting, seen["/health"][-3:]
    assert {body["doing"] for body in starting} <= {
        "starting",
        "copying the store before it is changed",
        "changing the store to the form of this version",
    }
    shares = [body["share"] for body in starting if body["share"] is not None]
    assert shares == sorted(shares)
    assert {status for status, _ in seen["/ready"]} <= {0, 503, 200}
    assert any(body.get("code") == "starting" for status, body in seen["/ready"] if status == 503)
    statuses = [message["STATUS"] for message in messages if "STATUS" in message]
    assert any(status.startswith("Starting: copying the store before it is changed, ") for status in statuses)
    assert any("EXTEND_TIMEOUT_USEC" in message for message in messages)
    assert "Starting: copying the store before it is changed" in collector.said
    assert get(f"{collector.url}/health") == (200, '{"status":"ok"}')


def old_and_large(database: Path, mib: int = 160) -> None:
    files = (ROOT / "tests" / "data" / "stores").glob("*.db.gz")
    oldest_but_one = sorted(files, key=lambda file: int(file.name.partition("-")[0]))[-2]
    database.parent.mkdir(mode=0o700)
    database.write_bytes(gzip.decompress(oldest_but_one.read_bytes()))
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("CREATE TABLE ballast (x)")
        connection.executemany("INSERT INTO ballast VALUES (zeroblob(1048000))", [() for _ in range(mib)])
        connection.commit()


def watch(collector: Collector, manager: ServiceManager) -> dict[str, list[tuple[int, dict[str, object]]]]:
    """What /health and /ready answer until the collector is ready."""
    seen: dict[str, list[tuple[int, dict[str, object]]]] = {"/health": [], "/ready": []}

    def is_ready() -> bool:
        manager.hear()  # it has room for a few messages only
        for path, answers in seen.items():
            status, body = get(collector.url + path)
            answers.append((status, json.loads(body) if status else {}))
        return seen["/ready"][-1][0] == 200

    wait_until("the collector to be ready", is_ready, timeout_s=4 * PATIENCE_S, every_s=0.005)
    return seen


def test_a_page_that_is_asked_for_meanwhile_says_so_too(stage: Stage) -> None:
    collector = stage.collector()
    old_and_large(collector.database)
    collector.start(wait=False)
    pages: list[tuple[int, str | None, str]] = []

    def is_ready() -> bool:
        asked = urllib.request.Request(collector.url, headers={"Accept": "text/html"})
        try:
            with urllib.request.urlopen(asked, timeout=5) as answer:
                return bool(answer.status == 200)
        except urllib.error.HTTPError as error:
            with error:
                pages.append((error.code, error.headers["Retry-After"], error.read().decode()))
        except OSError:
            pass
        return False

    wait_until("a page", is_ready, timeout_s=4 * PATIENCE_S, every_s=0.005)
    said = [page for status, again, page in pages if (status, again) == (503, "5")]
    assert any("Copying the store before it is changed" in page and "<progress" in page for page in said)
