"""Pages of a whole collector, asked for by whoever sits at the machine, and read as people read them."""

from __future__ import annotations

import html
import re

from tests.collector.api.house import House


async def page(house: House, path: str, status: int = 200) -> str:
    answer = await house.send("GET", path)
    assert answer.status == status, answer
    return answer.body.decode()


def text_of(source: str) -> str:
    """What stands there between the tags, with plain blanks."""
    return html.unescape(" ".join(re.sub(r"<[^>]*>", " ", source).split())).replace("\N{NO-BREAK SPACE}", " ")
