"""The screen of `top` as lines of text, for a terminal of any size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

from msgspec import Struct

from collector.cli.labels import labels_in_words
from collector.cli.remote.answers import Check, Host, Incident, IncidentDetails, ms
from collector.cli.remote.hosts import METRICS, TO_ADD_ONE, state_word, value_rows
from collector.cli.remote.incidents import incident_rows, standing
from collector.cli.remote.paper import ago, cut, plain
from collector.cli.remote.status import in_a_sentence
from collector.cli.tables import table
from collector.cli.top.follower import Focus, HostPage, Seen, Trouble
from collector.cli.top.view import View, incidents_of, key_of, rows_of
from rules import words
from rules.model import RANK

Style = Literal["plain", "dim", "head", "ok", "info", "warning", "critical", "unknown", "chosen"]
STYLE_OF: dict[str, Style] = {
    "silent": "critical",
    "never_heard": "dim",
    "stopped": "dim",
    "restarting": "dim",
    "bad": "critical",
    "warn": "warning",
}
NAME_MIN, NAME_MAX, STATE_MIN = 8, 30, 7
METER = 6
METERS_FROM_WIDTH = 100
KEYS = "Enter opens  a acknowledges  / filters  w c m d l n sorts  ? keys  q quits"
PAGE_KEYS = "Escape goes back  a acknowledges  up and down scroll  ? keys  q quits"
HELP = (
    "up, down, j, k, page up, page down, home, end: choose, or scroll",
    "Enter: all about the incident or host that is chosen; Escape: back",
    "a: say that you have it; of a host, all that nobody has yet",
    "/: show only what holds a text; Escape takes it away",
    "w: the worst first; c, m, d, l: by processor, memory, disk, load; n: by name",
    "r: look again now (it looks every 2 s by itself)",
    "q: quit",
)


class Line(Struct, frozen=True):
    text: str
    style: Style = "plain"
    key: Focus = None


class Row(Struct, frozen=True):
    """A line whose text is made once it is to be seen: of ten thousand hosts some dozens are."""

    text: Callable[[], str]
    style: Style
    key: Focus


def draw(
    view: View,
    seen: Seen | None,
    trouble: Trouble | None,
    said: str,
    where: str,
    size: tuple[int, int],
    now: int,
) -> list[Line]:
    """As many lines as the terminal has, none wider than it. `view` is put right where it points past the end."""
    height, width = size
    head, body = _head(view, seen, trouble, where, now), _body(view, seen, width)
    room = max(0, height - len(head) - 1)
    _follow_the_chosen(view, body, room)
    shown = body[view.first : view.first + room]
    below = [Line("")] * (room - len(shown))
    lines = [*[*head, *shown, *below][: max(0, height - 1)], _foot(view, seen, said)]
    return [_fitted(line, width, view.chosen if view.focus is None else None) for line in lines]


def _fitted(line: Line | Row, width: int, chosen: Focus) -> Line:
    is_chosen = line.key is not None and line.key == chosen
    text = line.text if isinstance(line, Line) else line.text()
    return Line(cut(plain(text), width), "chosen" if is_chosen else line.style, line.key)


def _follow_the_chosen(view: View, body: Sequence[Line | Row], room: int) -> None:
    places = {line.key: place for place, line in enumerate(body) if line.key is not None}
    if view.focus is None and places:
        if view.chosen not in places:
            view.chosen = next(iter(places))
        place = places[view.chosen]
        if place < view.first or view.first > len(body):
            view.first = place
        if place == min(places.values()):
            view.first = 0  # with the headings above it
        if place >= view.first + room:
            view.first = place - room + 1
    view.first = max(0, min(view.first, len(body) - room))


def _head(view: View, seen: Seen | None, trouble: Trouble | None, where: str, now: int) -> list[Line]:
    if seen is None:
        lines = [Line(f"watchkeeper  {where}", "head"), Line("looking …" if trouble is None else "")]
    else:
        at = words.moment(seen.at)[11:]
        lines = [
            Line(f"watchkeeper  {where}  as of {at}, {_order(view)}", "head"),
            Line(
                f"{seen.health.status}: {in_a_sentence(seen.health)}",
                STYLE_OF.get(seen.health.status) or seen.health.status,
            ),
        ]
    if trouble is not None:
        lasts = words.duration(now - trouble.since)
        lines.append(
            Line(f"NOTHING NEW since {words.moment(trouble.since)[11:]} ({lasts}): {trouble.why}", "critical")
        )
    elif view.text and view.focus is None:
        lines.append(Line(f"only what holds “{view.text}”", "dim"))
    return lines


def _order(view: View) -> str:
    return "worst first" if view.sort == "worst" else f"by {view.sort}"


def _foot(view: View, seen: Seen | None, said: str) -> Line:
    if view.asking:
        titles = [one.title for one in (seen.incidents if seen else []) if one.id in view.asking]
        which = ", ".join(map(str, view.asking))
        return Line(f"Say that you have incident {which} ({'; '.join(titles)})? y or n", "warning")
    if view.typing:
        return Line(f"/{view.text}_", "warning")
    if said:
        return Line(said)
    return Line(KEYS if view.focus is None else PAGE_KEYS, "dim")


def _body(view: View, seen: Seen | None, width: int) -> Sequence[Line | Row]:
    if view.help:
        return [Line(text) for text in HELP]
    if seen is None:
        return []
    if view.focus is not None:
        return _page(view, seen)
    incidents, hosts = rows_of(seen, view)
    lines: list[Line] = []
    if incidents:
        lines += [*_incidents(incidents, seen.at), Line("")]
    return [*lines, *_hosts(hosts, seen, view, width)]


# --- the list ---------------------------------------------------------------------------------------------------------


def _incidents(incidents: Sequence[Incident], now: int) -> list[Line]:
    heads, rows, numbers = incident_rows(incidents, now)
    head, *texts = table(heads, [[plain(cell) for cell in row] for row in rows], numbers)
    lines = [Line(head, "head")]
    for text, one in zip(texts, incidents, strict=True):
        lines.append(Line(text, "dim" if one.state == "acknowledged" else one.severity, key_of(one)))
    return lines


def _hosts(hosts: Sequence[Host], seen: Seen, view: View, width: int) -> list[Line | Row]:
    if not hosts:
        none = "No such host." if view.text else f"No host yet; {TO_ADD_ONE}"
        return [Line(none, "dim")]
    wide = min(NAME_MAX, max(NAME_MIN, *(len(host.name) for host in hosts)))
    meters = width >= METERS_FROM_WIDTH
    column = METER + 6 if meters else 6
    names = "".join(f"{name.rjust(column)}" for name in ("CPU", "MEMORY", "DISK"))
    states = max(STATE_MIN, *(len(state_word(host)) for host in hosts))
    head = f"{'HOST':{wide}}  {'STATE':{states}} {names} {'LOAD':>7} {'ALERTS':>6} {'SEEN':>12}  LABELS"
    by_gravity = sorted(seen.alerts, key=lambda one: RANK[one.severity])
    gravest = {alert.host: alert.severity for alert in by_gravity}
    rows: list[Line | Row] = [Line(head, "head")]
    for host in hosts:
        style = STYLE_OF.get(host.state) or gravest.get(host.id) or "plain"
        rows.append(Row(partial(_host, host, seen, (wide, states, column), meters), style, key_of(host)))
    return rows


def _host(host: Host, found: Seen, wide: tuple[int, int, int], meters: bool) -> str:
    """`wide` are the columns of its name, of its state, and of each share."""
    name, state, column = wide
    used = (found.readings[METRICS[metric]].get(host.id) for metric in ("CPU", "MEMORY", "DISK"))
    shares = "".join(_share(value, meters).rjust(column) for value in used)
    load = found.readings[METRICS["LOAD"]].get(host.id)
    seen = ago(None if host.heard_at is None else ms(host.heard_at), found.at)
    loaded = "" if load is None else f"{load:.2f}"
    return (
        f"{cut(plain(host.name), name):{name}}  {state_word(host):{state}} {shares} {loaded:>7} "
        f"{host.open_alerts or '':>6} {seen:>12}  {labels_in_words(host.labels)}"
    )


def _share(value: float | None, meters: bool) -> str:
    if value is None:
        return ""
    full = round(min(max(value, 0.0), 100.0) / 100 * METER)
    return f"{'■' * full + '·' * (METER - full) if meters else ''}{value:4.0f}%"


# --- everything about one ---------------------------------------------------------------------------------------------


def _page(view: View, seen: Seen) -> list[Line]:
    if seen.focus != view.focus or seen.page is None:
        return [Line("looking …", "dim")]
    return (
        _host_page(seen.page, seen) if isinstance(seen.page, HostPage) else _incident_page(seen.page, seen.at)
    )


def _host_page(page: HostPage, seen: Seen) -> list[Line]:
    host = page.details.host
    heard = ago(None if host.heard_at is None else ms(host.heard_at), seen.at)
    lines = [
        Line(
            f"{host.name}: {state_word(host)}, seen {heard}  {labels_in_words(host.labels)}",
            STYLE_OF.get(host.state, "head"),
        )
    ]
    lines += [Line(f"{name} {text}", "dim") for name, text in sorted(page.details.facts.items())]
    lines += _alerts(host.id, seen)
    if page.checks:
        lines += [Line(""), *_checks(page.checks, seen.at)]
    head, *texts = table(("SERIES", "NOW"), value_rows(page.latest.values), {"NOW"})
    return [*lines, Line(""), Line(head, "head"), *map(Line, texts)]


def _alerts(host: int, seen: Seen) -> list[Line]:
    alerts = [alert for alert in seen.alerts if alert.host == host]
    if not alerts:
        return []
    rows = [
        (
            str(one.incident),
            one.severity,
            words.duration(seen.at - ms(one.since)),
            plain(one.summary or one.rule),
        )
        for one in alerts
    ]
    head, *texts = table(("INCIDENT", "STATE", "SINCE", "WHAT"), rows, {"INCIDENT", "SINCE"})
    hint = "   (a: say that you have them)" if incidents_of(host, seen) else ""
    lines = [Line(""), Line(head + hint, "head")]
    return [*lines, *(Line(text, one.severity) for text, one in zip(texts, alerts, strict=True))]


def _checks(checks: Sequence[Check], now: int) -> list[Line]:
    rows = [(one.id, one.kind, one.state, ago(ms(one.at), now), plain(one.detail)) for one in checks]
    head, *texts = table(("CHECK", "KIND", "STATE", "SINCE", ""), rows, {"SINCE"})
    return [
        Line(head, "head"),
        *(Line(text, STYLE_OF.get(one.state, "plain")) for text, one in zip(texts, checks, strict=True)),
    ]


def _incident_page(page: IncidentDetails, now: int) -> list[Line]:
    one = page.incident
    lines = [Line(f"incident {one.id}: {one.title}", one.severity), Line(standing(one, now), "dim")]
    lines += [Line(text) for text in one.text.splitlines()]
    rows = [
        (words.moment(ms(event.at)), event.kind, event.by, plain(event.text))
        for event in reversed(page.timeline)
    ]
    head, *texts = table(("WHEN", "WHAT", "WHO", ""), rows)
    return [*lines, Line(""), Line(head, "head"), *map(Line, texts)]
