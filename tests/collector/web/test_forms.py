"""What plain forms send: read with care, and refused in words."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from collector.web.forms import FIELD_LETTERS_MAX, FORM_BYTES_MAX, form_of, sentence_of
from collector.who import needs
from tests.collector.web.site import Site


def echo(site: Site) -> list[web.RouteDef]:
    async def tell(request: web.Request) -> web.Response:
        form = await form_of(request)
        return web.Response(text=f"{form['a']}|{form['none']}|{form.all('b')}")

    return [web.post("/echo", needs(None, site.pages.frame.page("echo", tell)))]


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with Site(tmp_path, more=echo) as site:
        yield site


async def test_a_field_is_read_without_the_space_around_it_and_may_come_several_times(site: Site) -> None:
    async with site.client.post("/echo", data=[("a", " x "), ("b", "1"), ("b", "2")]) as answer:
        assert await answer.text() == "x||['1', '2']"


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"json": {"a": "x"}}, 415),
        ({"data": {"a": "x" * (FIELD_LETTERS_MAX + 1)}}, 413),
        ({"data": {"a": "x" * FORM_BYTES_MAX}}, 413),
    ],
)
async def test_what_is_no_decent_form_is_refused_on_a_page(
    site: Site, given: dict[str, object], status: int
) -> None:
    async with site.client.post("/echo", **given) as answer:
        assert answer.status == status
        assert "That was not done" in await answer.text()


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("a form has at most 9 bytes", "A form has at most 9 bytes."),
        ("need: 3 of 1 can never be well.", "Need: 3 of 1 can never be well."),
        ("d3 depends on it", "d3 depends on it."),
        ("web-1.example.org is gone", "web-1.example.org is gone."),
        ('"till" depends on "shop"', '"till" depends on "shop".'),
    ],
)
def test_a_mistake_becomes_a_sentence_and_a_name_that_it_begins_with_stays(said: str, sentence: str) -> None:
    assert sentence_of(ValueError(said)) == sentence
