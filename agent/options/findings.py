"""What was found when somebody looked whether a house is in order: how `watchkeeper doctor` and `watchkeeper-agent
doctor` say it, to people and to programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec
from msgspec import Struct

Mark = Literal["ok", "look", "bad"]
MARKS: tuple[Mark, ...] = ("ok", "look", "bad")
"""In rising order of trouble; the place of the worst is the exit code."""


class Finding(Struct, frozen=True):
    """One thing that was looked at. `do` says what to do about it, where there is something to be done."""

    about: str
    mark: Mark
    words: str
    do: str = ""


class Findings(Struct, frozen=True):
    """What programs are told."""

    mark: Mark
    findings: list[Finding]


def worst(findings: Sequence[Finding]) -> Mark:
    return max((finding.mark for finding in findings), key=MARKS.index, default="ok")


def exit_code(findings: Sequence[Finding]) -> int:
    return MARKS.index(worst(findings))


def as_text(findings: Sequence[Finding]) -> str:
    """A line for each thing, below it what to do, and at the end how many want something."""
    wide = max((len(finding.about) for finding in findings), default=0)
    lines = []
    for finding in findings:
        lines.append(f"{finding.mark:4}  {finding.about:{wide}}  {finding.words}")
        lines += [f"{'':4}  {'':{wide}}  > {line}" for line in finding.do.splitlines()]
    counts = {mark: sum(finding.mark == mark for finding in findings) for mark in MARKS}
    if worst(findings) == "ok":
        return "\n".join([*lines, "", "All is well."])
    return "\n".join([*lines, "", f"{counts['bad']} bad, {counts['look']} to look at, {counts['ok']} ok."])


def as_json(findings: Sequence[Finding]) -> str:
    whole = Findings(worst(findings), list(findings))
    return msgspec.json.format(msgspec.json.encode(whole), indent=2).decode()
