"""What attackers try through a person's browser, tried in a real one: other sites, and pages that are left open. Markup
in whatever is stored is tried on every page (test_every_page.py)."""

from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Callable

import pytest
from playwright.sync_api import Error

from tests.system.browser import Reader
from tests.system.harness import Collector, Stage
from tests.system.lived import PASSWORD, USER, add_user


@pytest.fixture
def collector(stage: Stage) -> Collector:
    """With a user."""
    collector = stage.collector()
    collector.start()
    add_user(collector)
    return collector


@pytest.fixture
def reader(window: Callable[..., Reader], collector: Collector) -> Reader:
    return window(collector.url)


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
    collector: Collector, reader: Reader
) -> None:
    page = reader.log_in(USER, PASSWORD)
    evil = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), type("Evil", (_Evil,), {"target": collector.url})
    )
    threading.Thread(target=evil.serve_forever, args=(0.02,), daemon=True).start()
    reader.means("")  # whatever the other site's window shows is the other site's
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
    page = reader.log_in(USER, PASSWORD)
    reader.means("status of 401")  # by which the page knows
    reader.context.clear_cookies()
    with contextlib.suppress(Error):  # it may have noticed by itself, and be on its way
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_url("**/login*")
    assert page.locator("h1").inner_text() == "Log in"
