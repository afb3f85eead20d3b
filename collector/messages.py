"""The contract between the notifier and the channels: a message on its way out, what can be done from within it, and
what became of it.

A floor: it knows no channel and no notifier, so that neither needs to know the other.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol

from msgspec import Struct

from rules.model import Notice

PERHAPS_AGAIN = "You may have had this before: an earlier try was cut off and may have got through."


Deed = Literal["open", "acknowledge", "snooze", "acknowledge_all"]


class Grant(Struct, frozen=True):
    """What the bearer of a link may do, for a while and without logging in: to one incident, or, where there is a
    `notice`, to all that this message says go on. `channel` is where they got it."""

    incident: int
    deed: Deed
    channel: str
    notice: str = ""


class NoGrant(Exception):
    """A link is not, or no longer, worth anything; the sentence says which."""


class Action(Struct, frozen=True):
    """What a person can do from within a message: the address leads to a page that asks once."""

    label: str
    url: str


class Message(Struct, frozen=True):
    """A notice on its way out. `link` leads to the incident's page; `perhaps_again` warns that an earlier try may
    have got through before we could write it down. `html` is the page that a channel is to show where it can, if
    that is another than it would make itself."""

    notice: Notice
    link: str
    perhaps_again: bool = False
    actions: tuple[Action, ...] = ()
    html: str = ""

    @property
    def title(self) -> str:
        """One line, whatever the notice holds: it becomes a mail's subject."""
        return " ".join(self.notice.title.split())

    @property
    def body(self) -> str:
        """What there is to say under the title, for a channel that shows the links in its own way."""
        parts = [self.notice.text.strip(), PERHAPS_AGAIN if self.perhaps_again else ""]
        return "\n\n".join(part for part in parts if part)

    @property
    def text(self) -> str:
        """All that goes under the title, links included, for a channel that knows nothing but text."""
        links = "\n".join([self.link, *(f"{action.label}: {action.url}" for action in self.actions)])
        parts = [self.notice.text.strip(), links, PERHAPS_AGAIN if self.perhaps_again else ""]
        return "\n\n".join(part for part in parts if part)


class Sent(Struct, frozen=True):
    """The far side took it; `answer` is what it said."""

    answer: str


class Failed(Struct, frozen=True):
    """It was not taken, or nobody knows. `permanent`: trying this notice again is of no use. `closed`: no notice gets
    through this channel until somebody puts it right, here or there. `retry_after_s`: what the far side asked for.
    `unsure`: it may have been taken all the same, so that another try may be a repeat."""

    answer: str
    permanent: bool = False
    closed: bool = False
    retry_after_s: float | None = None
    unsure: bool = False


class Channel(Protocol):
    timeout_s: float
    """How long one try takes at most. The notifier ends one that takes noticeably longer."""

    def __init__(self, options: Any) -> None: ...

    async def send(self, message: Message) -> Sent | Failed:
        """One try. May raise anything: the notifier counts that as a failure that may pass."""
        ...

    async def close(self) -> None: ...


class ChannelState(Struct, frozen=True):
    """How a channel does, for people. `failure` is what its last try said if that failed, else ""; `closed` that
    nothing gets through until somebody puts it right."""

    name: str
    waiting: int
    failure: str = ""
    closed: bool = False
    sent_at: int | None = None
    failed_at: int | None = None
