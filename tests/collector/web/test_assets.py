"""The style sheet and the script: light, kept by browsers, changed when they change."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from collector.web.assets import FOLDER, SCRIPT, Assets
from collector.web.fleet import BAR_STEP
from tests.collector.web.site import Site

STYLE_BYTES_MAX = 20 * 1024
SCRIPTS_BYTES_MAX = 24 * 1024


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with Site(tmp_path) as running:
        yield running


def test_there_is_one_style_sheet_and_it_is_light() -> None:
    (sheet,) = FOLDER.glob("*.css")
    assert sheet.stat().st_size < STYLE_BYTES_MAX


def test_all_scripts_together_are_light() -> None:
    assert sum(script.stat().st_size for script in FOLDER.glob("*.js")) < SCRIPTS_BYTES_MAX


def test_nothing_is_fetched_from_another_host() -> None:
    for file in FOLDER.iterdir():
        found = set(re.findall(r"https?://[^\s\"')]+", file.read_text()))
        assert found <= {"http://www.w3.org/2000/svg"}, file.name  # the name of SVG, which nobody fetches


def test_the_style_sheet_has_a_rule_for_each_length_of_a_bar() -> None:
    lengths = re.findall(r"\.p(\d+)\{--p:(\d+)%\}", (FOLDER / "look.css").read_text())
    assert (
        [int(name) for name, _ in lengths]
        == [int(share) for _, share in lengths]
        == list(range(BAR_STEP, 101, BAR_STEP))
    )


def test_an_assets_name_changes_with_its_content(tmp_path: Path) -> None:
    (tmp_path / "look.css").write_text("a {}")
    before = Assets(tmp_path).url("look.css")
    assert Assets(tmp_path).url("look.css") == before
    (tmp_path / "look.css").write_text("b {}")
    assert Assets(tmp_path).url("look.css") != before


@pytest.mark.parametrize(
    ("name", "kind"),
    [("look.css", "text/css"), (SCRIPT, "text/javascript"), ("icon.svg", "image/svg+xml")],
)
async def test_a_browser_may_keep_an_asset_for_ever(site: Site, name: str, kind: str) -> None:
    url = Assets().url(name)
    got = await site.get(url)
    assert got.status == 200
    if name != SCRIPT:
        assert got.source == (FOLDER / name).read_text()
    assert got.headers["Content-Type"].startswith(kind)
    assert "immutable" in got.headers["Cache-Control"]
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    again = await site.get(url, **{"If-None-Match": got.headers["ETag"]})
    assert (again.status, again.source) == (304, "")


async def test_an_asset_that_is_not_there_is_a_kind_404(site: Site) -> None:
    for path in ("/static/look.css", "/static/../pages.py", "/static/%2e%2e/pages.py", "/static/"):
        got = await site.get(path)
        assert got.status == 404
        assert "There is no such page" in got.text


async def test_all_scripts_are_served_as_one_each_in_a_scope_of_its_own(site: Site) -> None:
    got = await site.get(Assets().url(SCRIPT))
    for script in FOLDER.glob("*.js"):
        assert f"{{\n{script.read_text()}}}\n" in got.source
        assert "\nimport " not in script.read_text(), "an import cannot stand in a scope"
