"""A line in the collector's own log, for those who collect logs anyway, and for a first look."""

from __future__ import annotations

import logging

from collector.channels import ChannelOptions, Message, PerHour, Sent, shown
from rules.model import Severity

LEVELS: dict[Severity, int] = {"info": logging.INFO, "warning": logging.WARNING, "critical": logging.ERROR}
LINE_LETTERS_MAX = 2_000


class Options(ChannelOptions, kw_only=True, frozen=True):
    """Nothing more is needed."""

    per_hour: PerHour | None = None  # a line costs nobody any sleep


class Channel:
    def __init__(self, options: Options) -> None:
        self.timeout_s = options.timeout_s
        self._log = logging.getLogger(f"watchkeeper.notices.{options.name}")

    async def send(self, message: Message) -> Sent:
        notice = message.notice
        level = logging.INFO if notice.reason == "resolved" else LEVELS[notice.severity]
        self._log.log(level, "%s", shown(line(message), letters_max=LINE_LETTERS_MAX))
        return Sent("written to the log")

    async def close(self) -> None:
        """Nothing is held open."""


def line(message: Message) -> str:
    """The title, what the text says beyond it, and where to read on. What may be done without logging in is left out: a
    log has other readers than those who are on call."""
    said = [part for part in map(str.strip, message.body.splitlines()) if part and part not in message.title]
    return "; ".join(filter(None, [message.title, *said, message.link]))
