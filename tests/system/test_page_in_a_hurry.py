"""Who asks for something else is answered next, however long the page wants to rest."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from tests.system.browser import Reader
from tests.system.harness import Stage
from tests.system.programs import wait_until

SLOW_MS = 2_000
"""So long an answer is under way once; after it, the page would rest ten times as long."""
SLOWLY = f"""
const fast = fetch;
fetch = async (...asked) => {{
  if (window.slow) {{
    window.slow = false;
    await new Promise((resolve) => setTimeout(resolve, {SLOW_MS}));
  }}
  return fast(...asked);
}};
"""


def test_a_filter_is_answered_next_though_another_answer_is_on_its_way(
    stage: Stage, window: Callable[..., Reader]
) -> None:
    collector = stage.collector()
    collector.start()
    for name in ("web-1", "web-2", "db-1"):
        collector.add_host(name)
    reader = window(collector.url)
    reader.context.add_init_script(SLOWLY)
    page = reader.open("/")
    expect(page.locator("table.hosts tbody tr")).to_have_count(3)
    page.evaluate("window.slow = true")
    page.locator("input[name=q]").fill("web")
    wait_until("the first to be on its way", lambda: not page.evaluate("window.slow"), every_s=0.1)
    page.locator("input[name=q]").fill("web-2")
    expect(page.locator("table.hosts caption")).to_contain_text("1 of 3", timeout=4 * SLOW_MS)
