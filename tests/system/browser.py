"""The system's own Chromium, headless and keeping to itself, and a page in it that notices what goes wrong."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect

CHROMIUM = "/usr/bin/chromium"
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_MS = 20_000
expect.set_options(timeout=PATIENCE_MS)
WIDE, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}

# A policy that is broken shows on the console too, but not everywhere; the event shows always.
TELL_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`broken policy: ${event.violatedDirective} by ${event.blockedURI || event.sourceFile}`));
"""


def launch(playwright: Playwright) -> Browser:
    return playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)


def grave(page: Page) -> list[str]:
    """What axe-core calls serious or critical about a page, and where."""
    return [
        f"{page.url}: {found['id']}: {found['nodes'][0]['html']}"
        for found in Axe().run(page).response["violations"]
        if found["impact"] in ("serious", "critical")
    ]


class Reader:
    """Someone with a browser window. `troubles` is all that a developer's console would show in red, and every request
    that went elsewhere than to `url`."""

    def __init__(self, browser: Browser, url: str, **settings: Any) -> None:
        self.url = url
        self.troubles: list[str] = []
        self.context: BrowserContext = browser.new_context(**{"viewport": WIDE, **settings})
        self.context.add_init_script(TELL_VIOLATIONS)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("request", self._asked)

    def open(self, path: str) -> Page:
        self.page.goto(self.url + path)
        return self.page

    def close(self) -> None:
        self.context.close()

    def _said(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.troubles.append(f"{message.type}: {message.text}")

    def _asked(self, request: Any) -> None:
        if not request.url.startswith(self.url + "/"):
            self.troubles.append(f"a request to {request.url}")
