"""What users and API tokens may be called."""

from __future__ import annotations

import re

_USER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._@+-]{0,62}[A-Za-z0-9])?")
_TOKEN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
_EMAIL = re.compile(r"[^\s@<>\"]{1,64}@[^\s@<>\"]{1,189}")
TAKEN = frozenset({"local", "nobody", "link", "watchkeeper"})
"""What the trail calls those who are no users."""


def parse_user_name(text: str) -> str:
    """ValueError says what is allowed."""
    name = text.strip()
    if not _USER.fullmatch(name):
        raise ValueError(
            f"{name[:80]!r} is no name of a user; use letters, digits, dots and dashes, such as ada or ada@example.org"
        )
    if name.casefold() in TAKEN:
        raise ValueError(f"{name!r} is what Watchkeeper calls itself; choose another name")
    return name


def parse_token_name(text: str) -> str:
    """ValueError says what is allowed."""
    if not _TOKEN.fullmatch(text):
        raise ValueError(
            f"{text[:80]!r} is no name of a token; use letters, digits, dots and dashes, such as ci"
        )
    return text


def parse_email(text: str) -> str:
    """Empty means none. ValueError says what is allowed."""
    if text and not _EMAIL.fullmatch(text):
        raise ValueError(f"{text[:80]!r} is no address for mail; write one such as ada@example.org")
    return text
