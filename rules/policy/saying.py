"""Why somebody is not told, in words."""

from __future__ import annotations

from collections.abc import Callable

from rules.model import Why, Withheld

_WHYS: dict[Why, str] = {
    "observe": "the rule is only being tried",
    "silence": "a silence by {}",
    "maintenance": "maintenance ({})",
    "quiet hours": "quiet hours",
    "acknowledged": "{} has acknowledged it",
    "snoozed": "it was put off",
    "group": "it is told together with others",
    "cap": "there were so many messages that it is told together with others",
    "flapping": "it keeps coming and going, so its end is told once it has been quiet",
    "no route": "no route fits it",
}


def not_told(entry: Withheld, clock: Callable[[int], str]) -> str:
    """`mail is not told before 07:00: quiet hours.` `clock` says a time."""
    who = entry.channel or "Nobody"
    verb = "is not told" if entry.channel else "is told"
    until = "" if entry.until is None else f" before {clock(entry.until)}"
    return f"{who} {verb}{until}: {_WHYS[entry.why].format(entry.detail or 'somebody')}."
