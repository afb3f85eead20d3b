"""Adding a host by a page: a command with a fresh code, shown once, for those who may hand out codes."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.collector.whole import Answer, Whole, whole_collector

CODE = re.compile(r"wk_join_[a-z0-9]{12}_[A-Za-z0-9]{32}")
CONFIG = "  url: https://watch.example.org\n"


@pytest.fixture
async def whole(tmp_path: Path) -> AsyncIterator[Whole]:
    (tmp_path / "bundles").mkdir()
    async with whole_collector(tmp_path, CONFIG) as whole:
        yield whole


async def post(whole: Whole, **form: str) -> Answer:
    return await whole.post("/hosts/new", form)


async def test_looking_makes_no_code(whole: Whole) -> None:
    page = await whole.ask("/hosts/new")
    assert page.status == 200
    assert '<form method="post" action="/hosts/new"' in page.text
    assert await whole.parts.codes.all() == []


async def test_the_command_is_shown_on_the_very_answer_and_kept_nowhere(whole: Whole) -> None:
    (whole.state.parent / "bundles" / "cp311-x86_64.tar").write_bytes(b"an agent")
    page = await post(whole, labels="role=db, site=ams", uses="3", **{"for": "8 hours"})
    assert page.status == 200
    assert "sha256sum -c" in page.text
    assert CODE.search(page.text)
    assert page.headers["Cache-Control"] == "no-store"
    (made,) = await whole.parts.codes.all()
    assert (made.created_by, made.uses_max, made.labels) == ("local", 3, {"role": "db", "site": "ams"})
    assert made.expires_at - made.created_at == 8 * 3_600_000
    assert 'data-listens=""' in page.text, "it would be replaced while one reads it"


async def test_where_there_is_no_command_the_page_says_why_and_what_else_works(whole: Whole) -> None:
    page = await post(whole, **{"for": "30 minutes"})
    assert "there is nothing to install in" in page.text
    assert "watchkeeper-agent join https://watch.example.org wk_join_" in page.text


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
    whole: Whole, form: dict[str, str], word: str
) -> None:
    page = await post(whole, **form)
    assert page.status == 422
    assert word in page.text
    assert await whole.parts.codes.all() == []
