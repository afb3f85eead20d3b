"""What a person looks at, and what a key does to it: no terminal is needed for either."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from msgspec import Struct

from collector.cli.labels import labels_in_words
from collector.cli.remote.answers import Host, Incident
from collector.cli.remote.hosts import METRICS, state_word
from collector.cli.top.follower import Focus, Seen
from rules.model import RANK

Sort = Literal["worst", "cpu", "memory", "disk", "load", "name"]
SORTS: dict[str, Sort] = {"w": "worst", "c": "cpu", "m": "memory", "d": "disk", "l": "load", "n": "name"}
FILTER_LETTERS_MAX = 100

Row = Incident | Host


class View(Struct):
    """`chosen` is the row that keys are about, by what it is, so that it stays when others come and go; `typing` while
    a filter is being written; `asking` are incidents that wait for a yes; `first` is the topmost line of the body."""

    sort: Sort = "worst"
    text: str = ""
    chosen: Focus = None
    focus: Focus = None
    typing: bool = False
    asking: list[int] = []
    help: bool = False
    first: int = 0


class Wish(Struct, frozen=True):
    """What a key has done beyond the view itself."""

    quit: bool = False
    look: bool = False
    say: str = ""
    acknowledge: tuple[int, ...] = ()


NOTHING = Wish()


def key_of(row: Row) -> Focus:
    return ("incident" if isinstance(row, Incident) else "host", row.id)


# --- the rows ---------------------------------------------------------------------------------------------------------


def rows_of(seen: Seen, view: View) -> tuple[list[Incident], list[Host]]:
    """The gravest incidents first, those that nobody has before the others, the newest first; then the
    hosts as they are to be sorted."""
    text = view.text.lower()
    incidents = [one for one in seen.incidents if text in one.title.lower()]
    incidents.sort(key=lambda one: (-RANK[one.severity], one.state == "acknowledged", -one.id))
    hosts = [host for host in seen.hosts if not text or text in _described(host)]
    hosts.sort(key=_order(seen, view.sort))
    return incidents, hosts


def _described(host: Host) -> str:
    return f"{host.name} {state_word(host)} {labels_in_words(host.labels)}".lower()


def _order(seen: Seen, sort: Sort) -> Callable[[Host], tuple[object, ...]]:
    if sort == "name":
        return lambda host: (host.name,)
    if sort != "worst":
        values = seen.readings[METRICS[sort.upper()]]
        return lambda host: (-values.get(host.id, -1.0), host.name)
    gravest: dict[int, int] = {}
    for alert in seen.alerts:
        gravest[alert.host] = max(RANK[alert.severity], gravest.get(alert.host, 0))
    used = [seen.readings[METRICS[name]] for name in ("CPU", "MEMORY", "DISK")]
    return lambda host: (
        host.state != "silent",
        -gravest.get(host.id, -1),
        -host.open_alerts,
        host.state != "never_heard",
        -max(values.get(host.id, 0.0) for values in used),
        host.name,
    )


def incidents_of(host: int, seen: Seen) -> list[int]:
    """Those about a host that nobody has yet."""
    return sorted(
        {alert.incident for alert in seen.alerts if alert.host == host and not alert.acknowledged_by}
    )


# --- the keys ---------------------------------------------------------------------------------------------------------


def press(view: View, key: str, seen: Seen | None, page_lines: int) -> Wish:
    """Keys go by their names: letters as they are, and up, down, page up, page down, home, end, enter, escape, back."""
    if view.asking:
        numbers, view.asking = tuple(view.asking), []
        return Wish(acknowledge=numbers) if key in ("y", "Y") else NOTHING
    if view.typing:
        _type(view, key)
        return NOTHING
    if view.help:
        view.help = False
        return Wish(quit=key == "q")
    match key:
        case "q":
            return Wish(quit=True)
        case "?":
            view.help = True
        case "escape" | "back" | "left":
            return _leave(view)
        case "a" if seen is not None:
            view.asking = to_acknowledge(view, seen)
            return NOTHING if view.asking else Wish(say="there is nothing that nobody has yet")
        case "/" if view.focus is None:
            view.typing = True
        case "r":
            return Wish(look=True)
        case "enter" | "right" if view.focus is None and view.chosen is not None:
            view.focus, view.first = view.chosen, 0
            return Wish(look=True)
        case _ if view.focus is not None:
            _scroll(view, key, page_lines)
        case _ if key in SORTS:
            view.sort, view.first = SORTS[key], 0
        case _ if seen is not None:
            _move(view, key, [*map(key_of, _flat(seen, view))], page_lines)
    return NOTHING


def _flat(seen: Seen, view: View) -> Sequence[Row]:
    incidents, hosts = rows_of(seen, view)
    return [*incidents, *hosts]


def to_acknowledge(view: View, seen: Seen) -> list[int]:
    """The incidents that the chosen row is about, and that nobody has."""
    noun, number = view.focus or view.chosen or ("host", 0)
    if noun == "host":
        return incidents_of(number, seen)
    return [one.id for one in seen.incidents if one.id == number and one.state == "open"]


def _leave(view: View) -> Wish:
    """One step back: out of a page, then out of a filter."""
    if view.focus is not None:
        view.focus, view.first = None, 0
        return Wish(look=True)
    view.text = ""
    return NOTHING


def _type(view: View, key: str) -> None:
    match key:
        case "enter":
            view.typing = False
        case "escape":
            view.typing, view.text = False, ""
        case "back":
            view.text = view.text[:-1]
        case _ if len(key) == 1 and key.isprintable() and len(view.text) < FILTER_LETTERS_MAX:
            view.text += key


def _steps(key: str, page_lines: int) -> int | None:
    return {
        "up": -1, "k": -1, "down": 1, "j": 1, "page up": -page_lines, "page down": page_lines,
        "home": -(10**9), "end": 10**9,
    }.get(key)  # fmt: skip


def _move(view: View, key: str, keys: Sequence[Focus], page_lines: int) -> None:
    steps = _steps(key, page_lines)
    if steps is None or not keys:
        return
    place = keys.index(view.chosen) if view.chosen in keys else 0
    view.chosen = keys[min(max(0, place + steps), len(keys) - 1)]


def _scroll(view: View, key: str, page_lines: int) -> None:
    """Where a page ends, the drawing knows."""
    steps = _steps(key, page_lines)
    if steps is not None:
        view.first = max(0, view.first + steps)
