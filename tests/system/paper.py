"""Puts a night on paper: docs/a-night.md, in the order of time, with every message as it was read."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from html.parser import HTMLParser
from itertools import groupby, zip_longest
from typing import TYPE_CHECKING

from tests.receivers import Received

if TYPE_CHECKING:
    from tests.system.night import Story

INTRO = """\
# A night

This is what a person on call gets to read in a bad night. It was not written but played: `make night` starts a
collector and three agents in network namespaces of their own, breaks things for real, and writes this page from what
a mail server, a Slack and a pager received. A test plays it too and fails when a message is missing, comes twice or
tells of what is over.

The night is played at {pace} the pace of life, so that it takes two minutes: agents tick every {every} instead of
every 10 s, and where a rule says `for: 5m` here it is {five_minutes}. All else is as it comes: the rules are those that
hold by default, less those about CPU and memory, because the three hosts share one machine's, which is busy playing
them. The pager is told of what is critical; mail and Slack, of warnings too.
"""


def write(story: Story, picture: str) -> str:
    """The whole page, as Markdown."""
    pace = story.pace
    parts = [
        INTRO.format(
            pace=f"{pace.times:g} times", every=f"{pace.every_s:g} s", five_minutes=f"{300 / pace.times:g} s"
        ),
        in_short(story),
        "## What happened\n",
        *timeline(story),
        "## What became of every notice\n",
        deliveries(story),
        gaps(story),
        "## The overview while gw-1 was down\n",
        fenced(story.worst_page),
        "## The overview in the morning\n",
        f"![The overview in the morning]({picture})\n",
        fenced(story.last_page),
    ]
    return "\n".join(parts)


def in_short(story: Story) -> str:
    """How many messages there were for how many causes."""
    by_cause: dict[int, list[str]] = {}
    for row in story.notices:
        if row["channel"] == "mail":
            by_cause.setdefault(row["incident"], []).append(row["reason"])
    causes = "; ".join(f"incident {number}: {', '.join(reasons)}" for number, reasons in by_cause.items())
    return (
        f"In short: {len(story.mails())} mails for {len(by_cause)} causes ({causes}), and as much in Slack.\n"
    )


def timeline(story: Story) -> list[str]:
    """What was done and what was received, each at its time."""
    told = [(received.at_ms, said(received)) for received in [*story.received, *story.paged]]
    done = [(step.at_ms, f"**{clock(step.at_ms)}** {step.words}\n") for step in story.steps]
    return [words for _, words in sorted(done + told, key=lambda line: line[0])]


def said(received: Received) -> str:
    """One message as it was read."""
    head = {"mail": f"Mail to {received.to}", "slack": "Slack", "post": "Pager"}[received.kind]
    if received.kind == "post":
        return f"*{clock(received.at_ms)} {head}:* {received.title}\n"
    text = f"Subject: {received.title}\n\n{received.text}"
    if received.kind == "slack":
        text = html.unescape(received.text)  # as Slack shows it
    return f"*{clock(received.at_ms)} {head}*\n\n{fenced(text)}"


def deliveries(story: Story) -> str:
    """The rows of all notices, as the collector keeps them."""
    lines = [
        "| decided | channel | why | title | tries | sent | after | perhaps again |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in story.notices:
        cells = [clock(row["created_at"]), row["channel"], row["reason"], row["title"], row["tries"]]
        if row["delivery"] == "sent":
            after_s = (row["sent_at"] - row["created_at"]) / 1000
            cells += [clock(row["sent_at"]), f"{after_s:.1f} s", "yes" if row["perhaps_again"] else ""]
        else:
            cells += ["left out: it was over by then", "", ""]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines) + "\n"


def gaps(story: Story) -> str:
    named = ", ".join(f"{name} {gap:.1f} s" for name, gap in story.largest_gap_s.items())
    return (
        f"The longest time between two samples of a host: {named}. gw-1 was dead; what web-1 and db-1 saw while nobody "
        "heard them came late and is there.\n"
    )


def clock(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%H:%M:%S}"


def fenced(text: str) -> str:
    return f"```text\n{text.strip()}\n```\n"


# --- a page as text ---------------------------------------------------------------------------------------------------


class _Text(HTMLParser):
    """Keeps what a person sees of the main part, a line for each block and each row of a table."""

    HIDDEN = ("script", "style", "form", "nav")
    BLOCKS = ("h1", "h2", "p", "tr", "caption", "li", "section", "table", "pre")

    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self._hidden = 0
        self._in_headline = False
        self._more_columns = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in self.HIDDEN
        self._in_headline |= tag == "h1"
        if tag in self.BLOCKS:
            self.text.append("\n")
        elif tag in ("td", "th"):
            self.text.append("|")
            self._more_columns = int(dict(attrs).get("colspan") or 1) - 1
        elif tag == "span" and self._in_headline:
            self.text.append(" · ")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in self.HIDDEN
        self._in_headline &= tag != "h1"
        if tag in self.BLOCKS:
            self.text.append("\n")
        elif tag in ("td", "th"):
            self.text.append("|" * self._more_columns)

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.text.append(re.sub(r"\s+", " ", data))


def text_of(page: str) -> str:
    """A page of ours as plain text; the columns of each table in line."""
    parser = _Text()
    parser.feed(page[page.index("<main") :])
    lines = [
        re.sub(r"[ ·]* · | +", lambda gap: " · " if "·" in gap[0] else " ", line)
        for line in "".join(parser.text).split("\n")
    ]
    told = [line.strip(" ·") for line in lines]
    done: list[str] = []
    for is_table, group in groupby(filter(None, told), key=lambda line: line.startswith("|")):
        rows = list(group)
        done += in_columns(rows) if is_table else rows
    return "\n".join(done)


def in_columns(lines: Sequence[str]) -> list[str]:
    rows = [[cell.strip() for cell in line[1:].split("|")] for line in lines]
    widths = [max(map(len, column)) for column in zip_longest(*rows, fillvalue="")]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip()
        for row in rows
    ]
