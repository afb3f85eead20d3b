"""Charts under fingers, on a phone's screen in a real browser, with touches as its system would send them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import CDPSession, Locator, Page, expect

from agent.wire import Batch
from collector.web.stretch import _moment as moment_of
from tests.system.browser import PHONE, Reader
from tests.system.fleet import EVERY_MS, MINUTE_MS, Pusher
from tests.system.harness import Collector
from tests.system.programs import wait_until

Window = Callable[..., Reader]
HOUR_MS = 60 * MINUTE_MS
RULES = [{"name": "load-high", "metric": "load1", "above": {"warning": 40, "critical": 50}}]


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """With a host whose load falls from 55 to 1 in as many minutes."""
    collector = Collector(tmp_path_factory.mktemp("charts") / "collector", rules=RULES)
    try:
        collector.start()
        push(collector)
        yield collector
    finally:
        collector.end()


def push(collector: Collector) -> None:
    pusher = Pusher(collector.port, collector.add_host("web-1")["agent"]["token"])
    now = time.time_ns() // 1_000_000
    pusher.push(
        Batch(55 - ago, now - ago * MINUTE_MS, now, EVERY_MS, {"load1": float(ago), "cpu_used_pct": 12.0}, [])
        for ago in range(55, 0, -1)
    )


@pytest.fixture
def reader(window: Window, collector: Collector) -> Reader:
    return window(collector.url, viewport=PHONE, has_touch=True, is_mobile=True)


class Fingers:
    """Fingers upon the load chart; places are parts of its width, and how far down on the screen."""

    def __init__(self, page: Page) -> None:
        self.plot: Locator = page.locator(".plot", has=page.get_by_text("1 min")).first
        self.plot.scroll_into_view_if_needed()
        self._page, self._cdp = page, self._session(page)
        box = self.plot.locator(".area").bounding_box()
        assert box is not None
        self._box = box

    @staticmethod
    def _session(page: Page) -> CDPSession:
        return page.context.new_cdp_session(page)

    def touch(self, kind: str, *parts: float, down: float = 60) -> None:
        points = [
            {"x": self._box["x"] + part * self._box["width"], "y": self._box["y"] + down, "id": number}
            for number, part in enumerate(parts)
        ]
        self._cdp.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    def drag(self, *ways: tuple[float, float]) -> None:
        """Each finger from one place to another, a little at a time, as fingers do."""
        for number in range(len(ways)):
            self.touch("touchStart", *(way[0] for way in ways[: number + 1]))
        for step in range(1, 11):
            self.touch("touchMove", *(start + (end - start) * step / 10 for start, end in ways))
        self.touch("touchEnd")


def shown(page: Page) -> tuple[int, int]:
    """From when to when the address says that charts are shown."""
    asked = parse_qs(urlsplit(page.url).query)
    return moment_of(asked["from"][0]), moment_of(asked["to"][0])


def test_one_finger_moves_through_time_and_never_beyond_now(reader: Reader) -> None:
    page = reader.open("/hosts/1")
    fingers, now = Fingers(page), time.time_ns() // 1_000_000
    fingers.drag((0.3, 0.8))
    page.wait_for_url("**from=*")
    start, end = shown(page)
    assert end - start == pytest.approx(HOUR_MS, rel=0.01)
    assert now - end == pytest.approx(HOUR_MS / 2, rel=0.1)
    expect(page.locator(".bar .soft")).to_contain_text(" to ")
    expect(page.locator(".slides")).to_have_count(0)

    before = page.url
    Fingers(page).drag((0.9, 0.05))
    page.wait_for_function("before => location.href !== before", arg=before)
    start, end = shown(page)
    assert end <= time.time_ns() // 1_000_000
    assert end - start == pytest.approx(HOUR_MS, rel=0.01)


def test_two_fingers_draw_a_chart_closer_and_wider_around_what_is_between_them(reader: Reader) -> None:
    page = reader.open("/hosts/1")
    now = time.time_ns() // 1_000_000
    Fingers(page).drag((0.4, 0.2), (0.6, 0.8))
    page.wait_for_url("**from=*")
    start, end = shown(page)
    assert end - start == pytest.approx(HOUR_MS / 3, rel=0.02)
    assert (start + end) / 2 == pytest.approx(now - HOUR_MS / 2, abs=MINUTE_MS)
    expect(page.locator(".bar .soft")).to_contain_text("20\N{NO-BREAK SPACE}min")

    before = page.url
    Fingers(page).drag((0.2, 0.4), (0.8, 0.6))
    page.wait_for_function("before => location.href !== before", arg=before)
    start, end = shown(page)
    assert end - start == pytest.approx(HOUR_MS, rel=0.05)


def test_a_finger_that_taps_or_rests_reads_the_values_at_that_time(reader: Reader) -> None:
    page = reader.open("/hosts/1")
    fingers = Fingers(page)
    fingers.touch("touchStart", 0.5)
    fingers.touch("touchEnd")
    tip = fingers.plot.locator(".tip")
    tells(tip, 30)
    fingers.touch("touchStart", 0.5)
    page.wait_for_timeout(500)
    fingers.touch("touchMove", 0.6)
    fingers.touch("touchMove", 0.75)
    tells(tip, 15)
    fingers.touch("touchEnd")
    tells(tip, 15)  # what was read does not go away with the finger
    assert "from=" not in page.url
    page.locator("h1").tap()
    expect(tip).to_have_count(0)


def tells(tip: Locator, value: float) -> None:
    """The page draws when it comes to it, and the finger may have moved on meanwhile."""
    wait_until(f"{value} to be read", lambda: read(tip) == pytest.approx(value, abs=2))


def read(tip: Locator) -> float:
    expect(tip.locator("li").nth(1)).to_contain_text("1 min")
    return float(tip.locator("li").nth(1).inner_text().split("\N{NO-BREAK SPACE}")[0].split()[-1])


def test_a_finger_that_goes_up_scrolls_the_page_and_leaves_the_chart_as_it_is(reader: Reader) -> None:
    page = reader.open("/hosts/1")
    fingers = Fingers(page)
    before = page.evaluate("scrollY")
    fingers.touch("touchStart", 0.5, down=100)
    for step in range(1, 15):
        fingers.touch("touchMove", 0.5, down=100 - 20 * step)
    fingers.touch("touchEnd")
    page.wait_for_function("before => scrollY > before + 100", arg=before)
    assert "from=" not in page.url
    assert fingers.plot.locator(".area").get_attribute("viewBox") == "0 0 1000 160"


def test_on_a_phone_the_limits_stand_in_words_below_the_chart(reader: Reader) -> None:
    page = reader.open("/hosts/1")
    legend = page.locator("figure", has=page.get_by_role("heading", name="Load")).locator(".legend")
    expect(legend).to_be_visible()
    expect(legend.locator("li.limit")).to_have_text(["limit 40", "limit 50"])


def test_with_keys_and_with_shift_and_the_mouse_one_moves_through_time_too(
    window: Window, collector: Collector
) -> None:
    page = window(collector.url).open("/hosts/1")
    fingers, now = Fingers(page), time.time_ns() // 1_000_000
    fingers.plot.focus()
    page.keyboard.press("PageUp")
    page.wait_for_url("**from=*")
    assert now - shown(page)[1] == pytest.approx(HOUR_MS / 2, rel=0.1)
    page.keyboard.press("PageDown")
    page.wait_for_function(
        "now => Date.parse(new URL(location).searchParams.get('to')) > now - 60000", arg=now
    )

    page.goto(f"{collector.url}/hosts/1")
    box = Fingers(page).plot.locator(".area").bounding_box()
    assert box is not None
    page.keyboard.down("Shift")
    page.mouse.move(box["x"] + 20, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 20 + box["width"] / 4, box["y"] + 40, steps=5)
    page.mouse.up()
    page.keyboard.up("Shift")
    page.wait_for_url("**from=*")
    assert now - shown(page)[1] == pytest.approx(HOUR_MS / 4, rel=0.15)
