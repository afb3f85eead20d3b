"""Logs go to stderr: for a person with the time, for journald with its level prefix, or as one JSON object a line."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from datetime import UTC, datetime
from typing import Literal, TextIO

from collector.who import BEING_ANSWERED

Format = Literal["text", "json"]

_PREFIX = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}


class NamesTheRequest(logging.Filter):
    """Adds the id of the request that was being answered when something was logged, where the words do not hold it."""

    def filter(self, record: logging.LogRecord) -> bool:
        request_id = record.request_id = BEING_ANSWERED.get()
        if request_id and request_id not in record.getMessage():
            record.msg, record.args = f"{record.getMessage()} request_id={request_id}", ()
        return True


class TextLines(logging.Formatter):
    """A line that begins with its time, UTC, and its level: as the agent's do, which `up` mixes with ours."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s.%(msecs)03dZ %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
        self.converter = time.gmtime


class JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "from": record.name,
            "message": record.getMessage(),
        }
        if request_id := getattr(record, "request_id", ""):
            line["request_id"] = request_id
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class JournalLines(logging.Formatter):
    """journald writes the time itself and reads the level from a prefix on every line."""

    def format(self, record: logging.LogRecord) -> str:
        prefix = f"<{_PREFIX.get(record.levelno, 6)}>"
        return "\n".join(prefix + line for line in super().format(record).splitlines())


def set_up(form: Format) -> None:
    handler = logging.StreamHandler(sys.stderr)
    if form == "json":
        handler.setFormatter(JsonLines())
    elif is_journal(sys.stderr):
        handler.setFormatter(JournalLines("%(message)s"))
    else:
        handler.setFormatter(TextLines())
    handler.addFilter(NamesTheRequest())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("apprise").setLevel(logging.ERROR)


def complaint(words: str) -> str:
    """What ends us, for stderr: as it stands for a person, and as an error for journald."""
    return f"<{_PREFIX[logging.ERROR]}>{words}" if is_journal(sys.stderr) else words


def is_journal(stream: TextIO) -> bool:
    """Whether the stream goes to journald: JOURNAL_STREAM names its device and inode, and may have been inherited."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
