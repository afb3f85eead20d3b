"""Adding a host by a page: a command with a fresh code, shown once, for those who may hand out codes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from aiohttp import web
from msgspec import Struct

from collector.web.join_pages import JoinPages
from collector.who import Who
from tests.collector.web.site import Page, Site


class Told(Struct, frozen=True):
    command: str | None
    by_hand: str
    trouble: str = ""


class Codes:
    """Hands out what it is given to hand out, and remembers for whom."""

    def __init__(self) -> None:
        self.made: list[tuple[str, Mapping[str, str], int, int]] = []
        self.told = Told("curl … | sh", "watchkeeper-agent join x")

    async def make(
        self,
        who: Who,
        /,
        *,
        labels: Mapping[str, str],
        uses: int,
        for_ms: int,
        host: int | None,
        request: web.Request,
    ) -> tuple[str, object]:
        self.made.append((who.name, labels, uses, for_ms))
        return "wk_join_x", None

    async def tell(self, code: str, /) -> Told:
        assert code == "wk_join_x"
        return self.told


@pytest.fixture
def codes() -> Codes:
    return Codes()


@pytest.fixture
async def site(tmp_path: Path, codes: Codes) -> AsyncIterator[Site]:
    async with Site(tmp_path, more=lambda site: JoinPages(site.pages.frame, codes).routes()) as site:
        yield site


async def post(site: Site, **form: str) -> Page:
    async with site.client.post("/hosts/new", data=form) as answer:
        return Page(answer.status, answer.headers, await answer.text())


async def test_looking_makes_no_code(site: Site, codes: Codes) -> None:
    page = await site.get("/hosts/new")
    assert page.status == 200
    assert codes.made == []
    assert page.all("form", method="post", action="/hosts/new")


async def test_the_command_is_shown_on_the_very_answer_and_kept_nowhere(site: Site, codes: Codes) -> None:
    page = await post(site, labels="role=db, site=ams", uses="3", **{"for": "8 hours"})
    assert page.status == 200
    assert "curl … | sh" in page.text
    assert page.headers["Cache-Control"] == "no-store"
    assert codes.made == [("local", {"role": "db", "site": "ams"}, 3, 8 * 3_600_000)]
    assert page.all("body")[0]["data-listens"] == "", "it would be replaced while one reads it"


async def test_where_there_is_no_command_the_page_says_why_and_what_else_works(
    site: Site, codes: Codes
) -> None:
    codes.told = Told(None, "watchkeeper-agent join x", "No bundle was built for this collector.")
    page = await post(site, **{"for": "30 minutes"})
    assert "No bundle was built" in page.text
    assert "watchkeeper-agent join x" in page.text


@pytest.mark.parametrize(
    ("form", "word"),
    [
        ({"uses": "0", "for": "8 hours"}, "1 to 100000"),
        ({"uses": "many", "for": "8 hours"}, "1 to 100000"),
        ({"for": "ever"}, "holds for 30 minutes or"),
        ({"labels": "role", "for": "8 hours"}, "is no label"),
    ],
)
async def test_what_makes_no_sense_is_refused_and_makes_no_code(
    site: Site, codes: Codes, form: dict[str, str], word: str
) -> None:
    page = await post(site, **form)
    assert page.status == 422
    assert word in page.text
    assert codes.made == []
