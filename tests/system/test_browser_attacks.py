"""What attackers try through a person's browser, tried in a real one: markup in whatever is stored, and other sites."""

from __future__ import annotations

import http.server
import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from agent.wire import Batch, CheckState
from tests.conftest import Needs
from tests.system.browser import Reader, launch
from tests.system.fleet import EVERY_MS, Pusher
from tests.system.harness import Collector, Stage

EVIL = "\"'><img src=x onerror=window.pwned=1><script>window.pwned=1</script><svg onload=window.pwned=1>"
MOUNT = "/<img src=x onerror=window.pwned=1>"
PASSWORD = "correct horse battery"
RULE = {
    "name": "disk-full",
    "metric": "disk_used_pct",
    "above": {"critical": 95},
    "summary": "full {{host}} {{value}} " + EVIL.replace("{", "").replace("}", ""),
}
PAGES = (
    "/",
    f"/?q={EVIL}",
    "/?group=role",
    "/hosts/1",
    "/hosts/1/rules",
    "/hosts/1/alerts",
    "/alerts",
    f"/alerts?q={EVIL}",
    "/silences",
    f"/silences?rules={EVIL}&host={EVIL}&labels={EVIL}",
    "/rules",
    f"/rules?q={EVIL}",
    "/audit",
    f"/audit?who={EVIL}",
    "/incidents",
    f"/incidents?q={EVIL}",
    "/incidents/1",
    "/incidents/2",
    "/notices",
    "/status",
    "/account",
    "/api/monitoring/docs",
    f"/nothing/{EVIL}",
)


@pytest.fixture(scope="module")
def browser(needs: Needs) -> Iterator[Browser]:
    needs("chromium")
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture
def collector(stage: Stage) -> Collector:
    """With a user, and with markup wherever somebody from outside can put a word."""
    collector = stage.collector(rules=[RULE], channels=[{"kind": "log", "name": "log"}])
    collector.start()
    token = collector.add_host("web-1", f"role={EVIL}")["agent"]["token"]
    now = time.time_ns() // 1_000_000
    check = CheckState("shop", "http", "bad", 12.0, EVIL)
    samples = {"cpu_used_pct": 1.0, f'disk_used_pct{{mount="{MOUNT}"}}': 97.0}
    facts = {"os": EVIL, "kernel": EVIL}
    Pusher(collector.port, token).push([Batch(0, now, now, EVERY_MS, samples, [check], facts)])
    say(collector, "/users", {"name": "ada", "role": "owner", "password": PASSWORD})
    say(collector, "/incidents", {"title": EVIL, "severity": "critical", "text": EVIL, "services": [EVIL]})
    say(collector, "/silences", {"rules": [EVIL], "where": {"role": EVIL}, "for": "1h", "comment": EVIL})
    say(collector, "/maintenance", {"name": EVIL, "when": "daily 00:00 to 24:00", "subject": EVIL})
    return collector


@pytest.fixture
def reader(browser: Browser, collector: Collector) -> Iterator[Reader]:
    reader = Reader(browser, collector.url, user_agent=f"Firefox {EVIL}")
    yield reader
    reader.close()


def say(collector: Collector, path: str, body: dict[str, Any]) -> None:
    """As a program on this machine."""
    token = (collector.database.parent / "local.token").read_text().strip()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    request = urllib.request.Request(
        f"{collector.url}/api/monitoring{path}", json.dumps(body).encode(), headers, method="POST"
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status < 300


def log_in(reader: Reader) -> Page:
    page = reader.open("/login")
    page.fill("#name", "ada")
    page.fill("#password", PASSWORD)
    page.click("button")
    page.wait_for_url(reader.url + "/")
    return page


def test_nothing_that_is_stored_runs_in_a_readers_browser(collector: Collector, reader: Reader) -> None:
    page = log_in(reader)
    seen = 0
    for path in PAGES:
        page.goto(reader.url + path)
        page.wait_for_timeout(200)
        assert page.evaluate("window.pwned") is None, path
        assert (
            page.evaluate("document.querySelectorAll('img, svg[onload], script:not([src])').length") == 0
        ), path
        seen += page.content().count("&lt;img src=x")
    assert seen >= 5, "what was to be tried is not on the pages at all"
    assert [trouble for trouble in reader.troubles if "404" not in trouble] == []


class _Evil(http.server.BaseHTTPRequestHandler):
    """A site that has whoever looks at it send forms to the collector."""

    target = ""

    def do_GET(self) -> None:
        forms = "".join(
            f'<iframe name="f{number}"></iframe><form method="post" action="{self.target}{path}" target="f{number}">'
            '<input name="title" value="x"></form>'
            for number, path in enumerate(("/logout", "/account/sessions", "/api/monitoring/incidents"))
        )
        script = (
            "document.querySelectorAll('form').forEach((form) => form.submit());"
            f"fetch('{self.target}/api/monitoring/hosts', {{credentials: 'include'}})"
            ".then((answer) => answer.text()).then((text) => { document.title = text; }, () => {});"
        )
        body = f"<!doctype html><title>evil</title>{forms}<script>{script}</script>".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_another_site_changes_and_reads_nothing_in_a_readers_name(
    collector: Collector, reader: Reader, browser: Browser
) -> None:
    page = log_in(reader)
    evil = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), type("Evil", (_Evil,), {"target": collector.url})
    )
    threading.Thread(target=evil.serve_forever, args=(0.02,), daemon=True).start()
    incidents = collector.ask_one("SELECT count(*) FROM incidents")
    other = reader.context.new_page()
    other.goto(f"http://127.0.0.1:{evil.server_port}/")
    other.wait_for_timeout(500)
    assert other.title() == "evil"
    evil.shutdown()
    evil.server_close()
    page.goto(reader.url + "/account")
    assert page.locator("h1").inner_text() == "ada"
    assert collector.ask_one("SELECT count(*) FROM incidents") == incidents
    assert collector.ask_one("SELECT count(*) FROM sessions") == 1


def test_a_page_whose_session_is_over_leads_to_the_log_in(collector: Collector, reader: Reader) -> None:
    page = log_in(reader)
    reader.context.clear_cookies()
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_url("**/login*")
    assert page.locator("h1").inner_text() == "Log in"
