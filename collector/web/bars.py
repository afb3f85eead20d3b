"""The last days of a service as bars, and as a table in which days of which there is the same to say
are one row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import groupby

from msgspec import Struct

from collector.web.public import WORDS, PublicDay, PublicState
from collector.web.words import NBSP, say_count, say_duration

STEP, WIDTH, HEIGHT = 10, 7, 32


class Bar(Struct, frozen=True):
    """A day that is told apart, as an SVG path with its words."""

    d: str
    state: PublicState
    text: str


class Row(Struct, frozen=True):
    """A day, or several of which there is the same to say."""

    dates: str
    days: str
    word: str
    parts: str


class Bars(Struct, frozen=True):
    """`good` and `blank` are SVG paths of all days that were well, or of which nothing is known yet; `told` are the
    others, the newest last. `rows` hold every day, the newest first. `summary` says it in a sentence."""

    width: int
    good: str
    blank: str
    told: list[Bar]
    rows: list[Row]
    summary: str


def bars_of(days: Sequence[PublicDay]) -> Bars:
    placed = list(enumerate(days))
    told = [
        Bar(
            _shape(STEP * place, day.state),
            day.state,
            f"{_date(day)}: {', '.join(_parts(day)) or WORDS[day.state]}",
        )
        for place, day in placed
        if day.known and day.state != "good"
    ]
    return Bars(
        STEP * len(days) - (STEP - WIDTH),
        _path(place for place, day in placed if day.known and day.state == "good"),
        _path(place for place, day in placed if not day.known),
        told,
        _rows(days),
        _summary(days, told),
    )


def _rows(days: Sequence[PublicDay]) -> list[Row]:
    runs = [list(run) for _, run in groupby(days, lambda day: (_word(day), _parts(day) and day.start))]
    return [
        Row(
            _date(run[0]) if len(run) == 1 else f"{_date(run[0])} to {_date(run[-1])}",
            say_count(len(run), "day") if len(run) > 1 else "",
            _word(run[0]),
            ", ".join(_parts(run[0])),
        )
        for run in reversed(runs)
    ]


def _shape(x: int, state: PublicState) -> str:
    """Told apart in grey too: what is not known and what was announced is hatched, what was half well is shorter."""
    if state in ("unknown", "maintenance"):
        return "".join(f"M{x},{y}h{WIDTH}v4h-{WIDTH}z" for y in range(0, HEIGHT, 7))
    top = 10 if state == "degraded" else 0
    return f"M{x},{top}h{WIDTH}V{HEIGHT}h-{WIDTH}z"


def _path(places: Iterable[int]) -> str:
    return "".join(f"M{STEP * place},0h{WIDTH}v{HEIGHT}h-{WIDTH}z" for place in places)


def _date(day: PublicDay) -> str:
    at = datetime.fromtimestamp(day.start / 1000, UTC)
    return f"{at.day}{NBSP}{at:%b}"


def _word(day: PublicDay) -> str:
    return WORDS[day.state] if day.known else "not watched yet"


def _parts(day: PublicDay) -> list[str]:
    """For how long it was not simply well, and how."""
    return [
        f"{word} for {say_duration(ms)}"
        for word, ms in (
            ("down", day.bad_ms),
            ("degraded", day.degraded_ms),
            ("in maintenance", day.maintenance_ms),
            ("unknown", day.unknown_ms),
        )
        if ms >= 1_000
    ]


def _summary(days: Sequence[PublicDay], told: Sequence[Bar]) -> str:
    known = sum(day.known for day in days)
    if not known:
        return f"Nothing is written down yet of the last {len(days)} days."
    said = [f"{say_count(len(told), 'day')} of {known} with something to tell" if told else "no trouble"]
    if known < len(days):
        said.append(f"{len(days) - known} not watched yet")
    return f"The last {len(days)} days: {', '.join(said)}."
