"""Takes the pictures of the README and of docs/advice.md from real pages: a collector, a small fleet that pushes to it,
and a browser.

`python -m tests.system.picture [FOLDER]` writes overview.png and what-fills-up.png into docs/ unless told otherwise. It
takes some minutes, most of which it waits for one of the hosts to be missed.
"""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType

from playwright.sync_api import sync_playwright

from tests.receivers import now_ms
from tests.system.browser import Reader, browsing, launch
from tests.system.fleet import EVERY_MS, FLEET, HOUR_MS, Pusher
from tests.system.harness import Collector
from tests.system.lived import PASSWORD
from tests.system.programs import ROOT, wait_until
from tests.system.scene import lived_in

FOLDER = ROOT / "docs"
BYTES_MAX = 150_000
SIZE = {"width": 1280, "height": 720}


def main(folder: Path = FOLDER) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        settings = {"packs": ["hosts", "services", "critical"]}
        collector = Collector(
            Path(scratch) / "collector", settings=settings, channels=[{"kind": "log", "name": "log"}]
        )
        collector.start()
        try:
            play(collector)
            take(collector.url, folder / "overview.png")
        finally:
            collector.end()
        with lived_in(Path(scratch) / "lived-in") as another:
            take_ahead(another.url, folder / "what-fills-up.png")
    for file in (folder / "overview.png", folder / "what-fills-up.png"):
        size = file.stat().st_size
        if size > BYTES_MAX:
            raise SystemExit(f"{file} has {size} bytes; at most {BYTES_MAX} belong into the repository")
        print(f"{file}: {size} bytes")


def play(collector: Collector) -> None:
    """Let the fleet live through an hour, and then wait until the host that fell silent is missed."""
    end = now_ms()
    pushers = {}
    for host in FLEET:
        config = collector.add_host(host.name)
        pushers[host.name] = Pusher(collector.port, config["agent"]["token"])
        pushers[host.name].push(host.batches(end - HOUR_MS, end))
    told = end
    gone = next(host for host in FLEET if host.name == "cam-2")

    def is_missed() -> bool:
        nonlocal told
        if now_ms() - told >= EVERY_MS:
            since, told = told, now_ms()
            for host in FLEET:
                if host is not gone:
                    pushers[host.name].push(host.batches(since, told, scene_end=end))
        return f">{gone.name}</a>" in collector.get("/alerts")[1]

    wait_until("the silent host to be missed", is_missed, timeout_s=90, every_s=0.5)
    time.sleep(2)


def take(url: str, file: Path) -> None:
    with sync_playwright() as playwright:
        browser = launch(playwright)
        page = browser.new_page(viewport=SIZE, color_scheme="dark", timezone_id="Europe/Berlin")  # type: ignore[arg-type]
        page.goto(url)
        page.wait_for_timeout(2_500)
        page.screenshot(path=file, full_page=True)
        browser.close()


def take_ahead(url: str, file: Path) -> None:
    """Of the page of advice, what fills up."""
    with browsing() as browser:
        reader = Reader(browser, url, timezone_id="Europe/Berlin")
        reader.log_in("ada", PASSWORD)
        reader.open("/advice").locator("section", has=reader.page.locator(".ahead")).screenshot(path=file)


def end_well(number: int, frame: FrameType | None) -> None:
    """As at the end: the collector that was started is not left behind."""
    raise SystemExit(128 + number)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, end_well)
    main(*map(Path, sys.argv[1:]))
