"""A message as a page of HTML, as mail programs show it: no style sheet, no picture, nothing fetched from anywhere."""

from __future__ import annotations

from functools import lru_cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from collector.messages import PERHAPS_AGAIN, Message

COLOURS = {"critical": "#cf3f22", "warning": "#b47600", "info": "#59626b", "resolved": "#16826a"}


def page(message: Message) -> str:
    """The title, what the text says, and buttons for what can be done. All of it escaped."""
    notice = message.notice
    word = "resolved" if notice.reason == "resolved" else notice.severity
    headline = message.title.removeprefix(word.upper()).strip()
    return _template().render(
        colour=COLOURS[word],
        word=word,
        headline=headline,
        paragraphs=[part.splitlines() for part in notice.text.strip().split("\n\n")],
        message=message,
        perhaps_again=PERHAPS_AGAIN,
    )


@lru_cache(maxsize=1)
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("collector.channels"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("mail.html")
