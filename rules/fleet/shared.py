"""Checks that several hosts run and that are judged as one: what is asked from many places is one question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from rules.labels import fits
from rules.model import CheckState
from rules.sla.model import Need

METRIC = "check_state"
NAMED_MAX = 12
"""Places that a message names one by one."""
REACHED = ("http", "tcp", "icmp", "dns", "tls")
"""Kinds of checks that go to something far away."""
VALUES: Mapping[CheckState, float] = {"ok": 0.0, "warn": 1.0, "bad": 2.0, "unknown": float("nan")}


class SharedCheck(Struct, frozen=True):
    """A check that all hosts with such labels run. It is bad when so many of them say so; `about` is the service that
    it asks about, or nothing."""

    id: str
    where: dict[str, str | list[str]]
    about: str = ""
    need: Need = "any"

    @property
    def subject(self) -> str:
        return f"check:{self.id}"

    @property
    def labels(self) -> dict[str, str]:
        """By which routes and silences know it."""
        return {"check": self.id, **({"service": self.about} if self.about else {})}

    def concerns(self, labels: Mapping[str, str]) -> bool:
        """Whether a host with these labels is one of the places."""
        return fits(self.where, labels)


def labels_of(subject: str, shared: Sequence[SharedCheck]) -> dict[str, str]:
    """What routes and silences hold a problem against that is about many hosts: what these have in common."""
    for check in shared:
        if check.subject == subject:
            return check.labels
    group = subject.removeprefix("group:")
    pairs = group.split(",") if group != subject else [subject.replace(":", "=", 1)]
    return {label: value for label, there, value in (pair.partition("=") for pair in pairs) if there}


class Answers(Struct):
    """What the places of one check say, by name. `series` is what the check's state is called at any of them; `away`
    are the places that are silent."""

    series: str = ""
    said: dict[str, tuple[CheckState, str]] = {}
    away: set[str] = set()

    @property
    def at_hand(self) -> Answers:
        """What those say that are heard: of the others is said elsewhere that they are silent."""
        return Answers(self.series, {name: said for name, said in self.said.items() if name not in self.away})

    def state(self, need: Need) -> CheckState:
        """Bad when so many say so. Where those of which nothing is known would decide, nothing is known."""
        states = [state for state, _ in self.said.values()]
        wanted = max(1, len(states)) if need == "all" else 1 if need == "any" else need
        bad, warn, unknown = (states.count(state) for state in ("bad", "warn", "unknown"))
        unknown += max(0, wanted - len(states))
        if bad >= wanted:
            return "bad"
        if bad + warn >= wanted:
            return "warn"
        return "unknown" if bad + warn + unknown >= wanted else "ok"

    def sentence(self, check: str, kind: str, state: CheckState) -> str:
        """`shop: 2 of 3 places do not reach it: web-1, web-2 (connection refused)`"""
        counting = {"bad": ("bad",), "unknown": ("unknown",)}.get(state, ("bad", "warn"))
        troubled = [name for name, (said, _) in self.said.items() if said in counting]
        verbs = {"bad": "do not reach it" if kind in REACHED else "find it bad", "unknown": "get no answer"}
        verb = verbs.get(state, "warn")
        detail = next((detail for name in troubled if (detail := self.said[name][1])), "")
        said = f"{check}: {len(troubled)} of {len(self.said)} places {verb}: {named(troubled)}"
        return f"{said} ({detail})" if detail else said


def named(names: Sequence[str]) -> str:
    """The first of them by name, in order."""
    more = len(names) - NAMED_MAX
    return ", ".join(sorted(names)[:NAMED_MAX]) + (f" and {more} more" if more > 0 else "")
