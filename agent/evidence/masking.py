"""The command of a program, fit to be shown: without what looks like a password, a token or a key."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

MASK = "***"

_WORD = r"(?:pass|pwd|secret|token|api|key|auth|cred|cookie|session|signature|private|dsn|login|bearer)"
_NAME = rf"[\w.-]*{_WORD}[\w.-]*"
# A secret's name and its value in one piece: --password=x, "token": "x", PGPASSWORD='x y', Authorization: Bearer x
_NAMED = re.compile(
    rf"(?i)({_NAME}[\"']?\s*[=:]\s*(?:(?:bearer|basic|digest|token)\s+)?)(\"[^\"]*\"?|'[^']*'?|[^\s\"',;&]+)"
)
_ALONE = re.compile(rf"(?i)-{{1,2}}{_NAME}")
_NEXT = re.compile(rf"(?i)(-{{1,2}}{_NAME}\s+)(\"[^\"]*\"?|'[^']*'?|[^\s\"'-][^\s\"']*)")
_BEARER = re.compile(r"(?i)\b(bearer|basic|digest)(\s+)[^\s\"']+")
_IN_URL = re.compile(r"(\w://[^/\s:@]*):[^@\s]+@")
USERS = ("-u", "--user", "--proxy-user")
_USER = re.compile(r"(?<!\S)(-u|--user|--proxy-user)([\s=]*[^\s:/]+):\S+")
# Mixed letters and digits without a break, as no name that a person chose has them.
_RANDOM = re.compile(r"(?<![\w/.-])(?=[\w+=-]*[0-9])(?=[\w+=-]*[A-Za-z])[A-Za-z0-9+=_-]{24,}(?![\w/.])")
_MYSQL = re.compile(r"(?:^|/)(?:mysql|mariadb)\w*$")
_MYSQL_PASSWORD = re.compile(r"-p.+")


def masked(arguments: Sequence[str]) -> str:
    """The arguments of a program in one line, the program itself first."""
    return " ".join(_each(arguments))


def _each(arguments: Sequence[str]) -> Iterator[str]:
    mysql = bool(arguments) and _MYSQL.search(arguments[0]) is not None
    before = ""
    for place, argument in enumerate(arguments):
        if _ALONE.fullmatch(before) and not argument.startswith("-"):
            yield MASK
        elif before in USERS and ":" in argument and "://" not in argument:
            yield f"{argument.partition(':')[0]}:{MASK}"
        elif place and mysql and _MYSQL_PASSWORD.fullmatch(argument):
            yield f"-p{MASK}"
        else:
            yield _in_text(argument) if place else argument
        before = argument if place else ""


def _in_text(text: str) -> str:
    """One argument, which may be a whole command for a shell."""
    name, equals, _ = text.partition("=")
    if equals and " " not in name and re.search(rf"(?i){_WORD}", name):
        return f"{name}={MASK}"
    text = _IN_URL.sub(rf"\1:{MASK}@", text)
    text = _NAMED.sub(rf"\1{MASK}", text)
    text = _NEXT.sub(rf"\1{MASK}", text)
    text = _BEARER.sub(rf"\1\2{MASK}", text)
    text = _USER.sub(rf"\1\2:{MASK}", text)
    return _RANDOM.sub(MASK, text)
