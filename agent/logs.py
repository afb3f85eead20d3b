"""Where the agent's log goes: stderr, in the form that whoever reads there expects."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Mapping
from typing import Literal, TextIO

import msgspec

Form = Literal["text", "json"]
# journald keeps a level per line, taken from a prefix as in <syslog.h>.
SYSLOG = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}


def set_up(form: Form, environ: Mapping[str, str], stream: TextIO = sys.stderr) -> None:
    """Send what is logged from INFO on to `stream`."""
    handler = logging.StreamHandler(stream)
    if form == "json":
        handler.setFormatter(Json())
    elif is_journal(environ, stream):
        handler.setFormatter(Journal())
    else:
        handler.setFormatter(Text())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def is_journal(environ: Mapping[str, str], stream: TextIO) -> bool:
    """Whether the stream goes to journald: JOURNAL_STREAM names its device and inode, and may have been inherited."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def complaint(words: str, environ: Mapping[str, str], stream: TextIO = sys.stderr) -> str:
    """What ends us: as it stands for a person, and as an error for journald."""
    return f"<{SYSLOG[logging.ERROR]}>{words}" if is_journal(environ, stream) else words


class Text(logging.Formatter):
    """A line that begins with its time, UTC, and its level."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s.%(msecs)03dZ %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
        self.converter = time.gmtime


class Journal(logging.Formatter):
    """Each line, those of a traceback too, with its level in front; the time is journald's."""

    def format(self, record: logging.LogRecord) -> str:
        level = SYSLOG.get(record.levelno, 6)
        return "\n".join(f"<{level}>{line}" for line in super().format(record).splitlines())


class Json(logging.Formatter):
    """One JSON object in each line."""

    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = {
            "at": f"{at}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()
