"""Every page, as it is lived with and as it is on the first day, wide and on a phone, light and dark: a picture of each
for whoever wants to look as a designer would, and what a machine can see of that. PICTURES names a folder for them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.system.browser import PHONE, WIDE, Reader, grave
from tests.system.harness import Collector
from tests.system.lived import PASSWORD
from tests.system.scene import lived_in

Window = Callable[..., Reader]
LIVED_IN = {
    "overview": "/",
    "overview-groups": "/?group=site",
    "overview-no-match": "/?q=nix",
    "host": "/hosts/{db-3}",
    "host-day": "/hosts/{db-3}?range=24h",
    "host-one-chart": "/hosts/{db-3}?metric=disk_used_pct",
    "host-fills-up": "/hosts/{backup}",
    "host-silent": "/hosts/{cam-2}",
    "host-never-heard": "/hosts/{never-heard}",
    "host-of-a-service": "/hosts/{service:shop}",
    "host-rules": "/hosts/{db-3}/rules",
    "host-alerts": "/hosts/{db-3}/alerts",
    "host-never-wrong": "/hosts/{web-7}/alerts",
    "host-added": "/hosts/new",
    "alerts": "/alerts",
    "alerts-no-match": "/alerts?q=nix",
    "incidents": "/incidents",
    "incident": "/incidents/{incident:/var}",
    "incident-reported": "/incidents/{incident:Smoke}",
    "incident-new": "/incidents/new",
    "services": "/services",
    "service": "/services/shop",
    "service-of-services": "/services/api",
    "service-new": "/services/_new",
    "advice": "/advice",
    "advice-played": "/advice/web?load=day&peak=3&start=2",
    "advice-with-a-hook": "/advice/jobs",
    "silences": "/silences",
    "rules": "/rules",
    "rule": "/rules/disk-full",
    "notices": "/notices",
    "audit": "/audit",
    "settings": "/settings",
    "settings-channels": "/settings/channels",
    "settings-users": "/settings/users",
    "settings-tokens": "/settings/tokens",
    "settings-joins": "/settings/joins",
    "account": "/account",
    "status": "/status",
    "no-such-page": "/nothing",
    "unclear": "/hosts/{db-3}?range=1y",
}
OPEN_ALL = """(() => {
  for (const one of document.querySelectorAll("details")) one.open = true;
  return document.documentElement.scrollWidth;
})()"""
FIRST_DAY = {
    "first-overview": "/",
    "first-host-added": "/hosts/new",
    "first-alerts": "/alerts",
    "first-incidents": "/incidents",
    "first-services": "/services",
    "first-advice": "/advice",
    "first-silences": "/silences",
    "first-rules": "/rules",
    "first-notices": "/notices",
    "first-audit": "/audit",
    "first-settings": "/settings",
    "first-channels": "/settings/channels",
    "first-users": "/settings/users",
    "first-tokens": "/settings/tokens",
    "first-joins": "/settings/joins",
    "first-status": "/status",
}


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    with lived_in(tmp_path_factory.mktemp("lived-in") / "collector") as collector:
        yield collector


@pytest.fixture(scope="module")
def first_day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """Nothing is set up, and nobody has come."""
    collector = Collector(tmp_path_factory.mktemp("first-day") / "collector")
    try:
        collector.start()
        yield collector
    finally:
        collector.end()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = Path(os.environ.get("PICTURES") or tmp_path / "pictures")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
def test_each_page_has_its_picture_and_nothing_in_it_is_too_wide_or_too_small_to_touch(
    window: Window,
    lived: Collector,
    first_day: Collector,
    folder: Path,
    viewport: dict[str, int],
    scheme: str,
) -> None:
    look = {"viewport": viewport, "color_scheme": scheme, "has_touch": viewport is PHONE}
    owner, stranger, first = (window(at.url, **look) for at in (lived, lived, first_day))
    owner.means("status of 404", "status of 400")
    owner.log_in("ada", PASSWORD)
    wrong = [
        *_looked_at(owner, {name: numbered(lived, path) for name, path in LIVED_IN.items()}, folder),
        *_looked_at(stranger, {"login": "/login", "status-of-a-stranger": "/status"}, folder),
        *_looked_at(first, FIRST_DAY, folder),
    ]
    assert wrong == []


def _looked_at(reader: Reader, pages: Mapping[str, str], folder: Path) -> Iterator[str]:
    """What is wrong, page by page."""
    scheme = reader.page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'")
    for name, path in pages.items():
        page = reader.open(path)
        page.wait_for_timeout(150)
        width, room = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        page.screenshot(path=folder / f"{name}-{room}-{scheme}.png", full_page=True)
        if width > room:
            yield f"{path} is {width} wide, on a screen of {room}"
        if room == PHONE["width"] and scheme == "light":
            yield from grave(page, "target-size")
        opened = page.evaluate(OPEN_ALL)
        if opened > room:
            yield f"{path} is {opened} wide once all of it is open, on a screen of {room}"


def numbered(collector: Collector, path: str) -> str:
    """With the numbers of hosts and incidents in the place of their names."""

    def number(found: re.Match[str]) -> str:
        _, of_incident, title = found[1].rpartition("incident:")
        if of_incident:
            return str(collector.ask_one("SELECT max(id) FROM incidents WHERE title LIKE ?", f"%{title}%"))
        return str(collector.ask_one("SELECT id FROM hosts WHERE name = ?", found[1]))

    return re.sub(r"\{([^}]*)\}", number, path)
