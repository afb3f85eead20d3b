"""The system's own Chromium, headless and keeping to itself, and a window of it that notices what goes wrong."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright

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
STEPS_MAX = 400
PARTS_OF_A_DATE = 8
"""Day, month and so on, in which Tab goes on inside of one field."""

# A policy that is broken shows on the console too, but not everywhere; the event shows always.
TELL_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`broken policy: ${event.violatedDirective} by ${event.blockedURI || event.sourceFile}`));
"""
# What the keyboard is at: what a person reads there, whether they can see that they are there, and where it is.
AT = """(() => {
  const at = document.activeElement;
  if (!at || at === document.body || at === document.documentElement) return null;
  const style = getComputedStyle(at), box = at.getBoundingClientRect();
  const ringed = (one) => { const s = getComputedStyle(one);
    return (s.outlineStyle !== "none" && parseFloat(s.outlineWidth) > 0) || s.boxShadow !== "none"; };
  const name = at.getAttribute("aria-label") || (at.labels && at.labels[0] && at.labels[0].innerText)
    || at.innerText || at.getAttribute("title") || at.getAttribute("name") || at.getAttribute("placeholder") || "";
  window.metByKeys = window.metByKeys || new Map();
  if (!window.metByKeys.has(at)) window.metByKeys.set(at, window.metByKeys.size);
  return { number: window.metByKeys.get(at), name: name.trim().replace(/\\s+/g, " "), tag: at.tagName.toLowerCase(),
    seen: ringed(at) && style.visibility !== "hidden" && box.width > 0 && box.height > 0,
    inside: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
    html: at.outerHTML.slice(0, 160) };
})()"""
# Everything that a pointer could use and a person can see; of radio buttons of one name the keyboard stops at one.
USABLE = """(() => {
  const all = document.querySelectorAll(
    "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]:not([tabindex='-1'])");
  const radios = new Set();
  return [...all].filter((one) => {
    if (one.disabled || one.tabIndex < 0 || !one.checkVisibility({ visibilityProperty: true })) return false;
    if (one.tagName === "SUMMARY" && one.parentElement.tagName !== "DETAILS") return false;
    if (one.type !== "radio") return true;
    const key = one.name; if (radios.has(key)) return false; radios.add(key); return true;
  }).map((one) => [window.metByKeys.has(one) || (one.type === "radio"), one.outerHTML.slice(0, 160)]);
})()"""


def launch(playwright: Playwright) -> Browser:
    return playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)


@contextlib.contextmanager
def browsing() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = launch(playwright)
        try:
            yield browser
        finally:
            browser.close()


def grave(page: Page, *rules: str) -> list[str]:
    """What axe-core calls serious or critical about a page, and where; by all its rules, or by these."""
    options = {"runOnly": {"type": "rule", "values": list(rules)}} if rules else {}
    return [
        f"{page.url}: {found['id']}: {found['help']}: {[node['html'][:200] for node in found['nodes'][:3]]}"
        for found in Axe().run(page, options=options).response["violations"]
        if found["impact"] in ("serious", "critical")
    ]


class Reader:
    """Someone with a browser window. `troubles` is all that a developer's console would show in red, every policy that
    was broken, and every request that went elsewhere than to `url`, in whatever window came of it."""

    def __init__(self, browser: Browser, url: str, **settings: Any) -> None:
        self.url = url
        self._met: list[str] = []
        self._meant: list[str] = []
        self.context: BrowserContext = browser.new_context(**{"viewport": WIDE, **settings})
        self.context.add_init_script(TELL_VIOLATIONS)
        self.context.on("console", self._said)
        self.context.on("weberror", lambda error: self._met.append(str(error.error)))
        self.context.on("request", self._asked)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)

    @property
    def troubles(self) -> list[str]:
        return [trouble for trouble in self._met if not any(word in trouble for word in self._meant)]

    def means(self, *words: str) -> None:
        """What has one of these in it is what the test is about, such as `status of 404`."""
        self._meant += words

    def open(self, path: str) -> Page:
        self.page.goto(self.url + path)
        return self.page

    def log_in(self, name: str, password: str) -> Page:
        page = self.open("/login")
        page.fill("#name", name)
        page.fill("#password", password)
        page.keyboard.press("Enter")
        page.wait_for_url(self.url + "/")
        return page

    def close(self) -> None:
        self.context.close()

    def _said(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self._met.append(f"{message.type}: {message.text}")

    def _asked(self, request: Any) -> None:
        if not request.url.startswith((self.url + "/", "about:", "data:")):
            self._met.append(f"a request to {request.url}")


# --- by keys alone ----------------------------------------------------------------------------------------------------


def walk(page: Page) -> list[str]:
    """Press Tab from the beginning of a page to its end; what went wrong on the way: a place that cannot be seen, one
    that is not left again, something that a pointer could use and the keyboard does not come to."""
    wrong: list[str] = []
    last, stays = None, 0
    from_the_top(page)
    for _ in range(STEPS_MAX):
        page.keyboard.press("Tab")
        at = page.evaluate(AT)
        if at is None or (at["number"] == 0 and last not in (None, 0)):
            break
        stays = stays + 1 if at["number"] == last else 0
        if stays > PARTS_OF_A_DATE:
            wrong.append(f"{page.url}: Tab does not leave {at['html']}")
            break
        if not at["seen"] and not stays:  # the parts of a date show it in their own way
            wrong.append(f"{page.url}: it is not seen that the keyboard is at {at['html']}")
        if not at["inside"]:
            wrong.append(f"{page.url}: out of sight is {at['html']}")
        last = at["number"]
    else:
        wrong.append(f"{page.url}: there is no end to it")
    return wrong + [
        f"{page.url}: no key leads to {html}" for is_met, html in page.evaluate(USABLE) if not is_met
    ]


def from_the_top(page: Page) -> None:
    """The next Tab leads to what comes first, whatever a page gave the keyboard by itself."""
    page.evaluate(
        """(() => { window.metByKeys = new Map(); scrollTo(0, 0);
          const body = document.body; body.tabIndex = -1; body.focus(); body.removeAttribute("tabindex"); })()"""
    )


def go(page: Page, name: str, *, backwards: bool = False) -> None:
    """Press Tab until the keyboard is at what is called so."""
    page.evaluate("window.metByKeys = window.metByKeys || new Map()")
    met = []
    for _ in range(STEPS_MAX):
        page.keyboard.press("Shift+Tab" if backwards else "Tab")
        at = page.evaluate(AT)
        if at is None:
            continue
        met.append(at["name"])
        if at["name"].startswith(name):
            assert at["seen"], f"it is not seen that the keyboard is at {at['html']}"
            return
        if met.count(at["name"]) > 40:
            break
    raise AssertionError(f"no key leads to {name!r} on {page.url}; they lead to {sorted(set(met))}")


def follow(page: Page, name: str) -> None:
    """Go there and press Enter; it leads to another page, or to this one with something changed."""
    go(page, name)
    with page.expect_navigation():
        page.keyboard.press("Enter")
