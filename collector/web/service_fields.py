"""A service as the fields of a form, and back: each mistake is a sentence beside the field that it is about."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from collector.web.deeds import names_in
from collector.web.forms import Form, sentence_of
from collector.web.join_pages import labels_in
from collector.who import Refusal
from rules.labels import listed
from rules.sla.model import (
    SPANS,
    CheckPart,
    HostPart,
    Labels,
    LatencyOptions,
    Need,
    ServiceOptions,
    ServicePart,
    see_that_it_is_a_name,
)
from rules.times.calendar import times
from rules.times.zones import zone_named

TITLE_LETTERS_MAX = 200
SPARE_ROWS = 2
UNKNOWN = {"excluded": "is left out", "down": "counts as down"}
T = TypeVar("T")


class CheckRow(Struct, frozen=True):
    """A check as it is typed: its name, the hosts whose word counts, and how many of them it must be well from."""

    id: str = ""
    where: str = ""
    need: str = "all"


class Fields(Struct, frozen=True):
    """All that is typed, as it was typed; `wrong` says by field what is to be written otherwise."""

    values: dict[str, str]
    checks: list[CheckRow]
    depends: list[str]
    wrong: dict[str, str] = {}


BLANK = Fields(
    {
        "name": "", "title": "", "hosts": "", "hosts_need": "all", "depends_need": "all", "objective": "99.9",
        "window": "30d", "limit": "", "share": "99", "metric": LatencyOptions().metric, "hours": "",
        "maintenance": "", "zone": "UTC", "unknown": "excluded",
    },
    [],
    [],
)  # fmt: skip


def fields_of(service: ServiceOptions) -> Fields:
    """A service as somebody would have typed it."""
    hosts, below, latency = service.hosts, service.depends_on, service.latency
    values = {
        "name": service.name,
        "title": service.title,
        "hosts": "" if hosts is None else where_text(hosts.where) or "host=*",
        "hosts_need": "all" if hosts is None else str(hosts.need),
        "depends_need": "all" if below is None else str(below.need),
        "objective": "" if service.objective_pct is None else number_text(service.objective_pct),
        "window": service.window,
        "limit": "" if latency is None else number_text(latency.limit_ms),
        "share": BLANK.values["share"] if latency is None else number_text(latency.share_pct),
        "metric": BLANK.values["metric"] if latency is None else latency.metric,
        "hours": "\n".join(service.hours),
        "maintenance": "\n".join(service.maintenance),
        "zone": service.zone,
        "unknown": service.unknown,
    }
    checks = [CheckRow(part.id, where_text(part.where), str(part.need)) for part in service.checks]
    return Fields(values, checks, [] if below is None else list(below.services))


def typed_in(form: Form) -> Fields:
    """What a form holds, as it was typed. Refusal for one that no page of ours has sent."""
    columns = [[text.strip() for text in form.all(f"check_{name}")] for name in ("id", "where", "need")]
    if len({len(column) for column in columns}) > 1:
        raise Refusal(422, "invalid", "of each check its name, its hosts and how many are to be sent")
    rows = [CheckRow(*row) for row in zip(*columns, strict=True) if row[0] or row[1]]
    return Fields(
        {name: form[name].replace("\r\n", "\n") for name in BLANK.values}, rows, form.all("depends")
    )


def version_of(service: ServiceOptions | None) -> str:
    """Which service it is, in a few letters: so that of two who change it at once, the second is told."""
    return "" if service is None else hashlib.sha256(msgspec.json.encode(service)).hexdigest()[:16]


# --- what it says -----------------------------------------------------------------------------------------------------


def read(fields: Fields) -> tuple[ServiceOptions | None, dict[str, str]]:
    """The service, or by field what is to be written otherwise."""
    reading = _Reading(fields.values)
    checks = [reading.check(place, row) for place, row in enumerate(fields.checks)]
    options: dict[str, Any] = {
        "name": reading.take("name", _name),
        "title": fields.values["title"][:TITLE_LETTERS_MAX],
        "checks": [part for part in checks if part is not None],
        "hosts": reading.hosts(),
        "depends_on": reading.depends_on(fields.depends),
        "objective_pct": reading.take("objective", _objective),
        "latency": reading.latency(),
        "window": reading.take("window", _window),
        "hours": reading.take("hours", reading.times),
        "maintenance": reading.take("maintenance", reading.times),
        "zone": reading.take("zone", _zone),
        "unknown": reading.take("unknown", _unknown),
    }
    if not (fields.checks or fields.values["hosts"] or fields.depends):
        reading.wrong["made_of"] = "Say what it is made of: checks, hosts, or services that it stands on."
    if reading.wrong:
        return None, reading.wrong
    try:
        # Made out of plain values, as the API makes it, so that nothing is kept that it would not take.
        plain = msgspec.to_builtins(ServiceOptions(**options))
        return msgspec.convert(plain, ServiceOptions), {}
    except (ValueError, msgspec.ValidationError) as error:
        return None, {"made_of": sentence_of(error)}


class _Reading:
    """Takes field by field what each says, and gathers what is wrong with it."""

    def __init__(self, values: dict[str, str]) -> None:
        self._values = values
        self.wrong: dict[str, str] = {}

    def take(self, name: str, parse: Callable[[str], T]) -> T | None:
        return self._parsed(name, self._values[name], parse)

    def check(self, place: int, row: CheckRow) -> CheckPart | None:
        name = f"check{place}"
        if not row.id:
            self.wrong[name] = "Name the check as well."
        where = self._parsed(name, row.where, where_in)
        need = self._parsed(name, row.need, need_in)
        if name in self.wrong or where is None or need is None:
            return None
        return CheckPart(id=row.id, where=where, need=need)

    def hosts(self) -> HostPart | None:
        where, need = self.take("hosts", where_in), self.take("hosts_need", need_in)
        return HostPart(where=where, need=need) if where and need is not None else None

    def depends_on(self, names: Sequence[str]) -> ServicePart | None:
        need = self.take("depends_need", need_in)
        if not names or need is None:
            return None
        try:
            return ServicePart(services=list(names), need=need)
        except ValueError as error:
            self.wrong["depends_need"] = sentence_of(error)
            return None

    def latency(self) -> LatencyOptions | None:
        if not self._values["limit"]:
            return None
        limit, share = self.take("limit", _limit), self.take("share", _share)
        if limit is None or share is None:
            return None
        return LatencyOptions(
            limit_ms=limit, share_pct=share, metric=self._values["metric"] or "http_total_ms"
        )

    def times(self, text: str) -> list[str]:
        lines = [line for part in text.splitlines() if (line := part.strip())]
        if lines:
            times(lines, "UTC")
        return lines

    def _parsed(self, name: str, text: str, parse: Callable[[str], T]) -> T | None:
        try:
            return parse(text)
        except (ValueError, Refusal) as error:
            self.wrong.setdefault(name, sentence_of(error))
            return None


def where_in(text: str) -> Labels:
    """role=web, site=ams, site=oslo: a name that comes twice may have either value. Refusal."""
    found: Labels = {}
    for pair in names_in(text):
        for name, value in labels_in(pair).items():
            found[name] = [*listed(found[name]), value] if name in found else value
    return found


def where_text(where: Labels) -> str:
    return ", ".join(f"{name}={value}" for name, values in where.items() for value in listed(values))


def number_text(number: float) -> str:
    """As short as it can be said: 99 for 99.0, and each nine of 99.99999999999, which is not 100."""
    short = f"{number:.10g}"
    return short if float(short) == number else repr(number)


def need_in(text: str) -> Need:
    if text in ("", "all"):
        return "all"
    if text == "any":
        return "any"
    if text.isascii() and text.isdecimal() and 0 < int(text[:9]) <= 1_000_000:
        return int(text)
    raise ValueError(f'"{text:.40}" is not how many; write all, any, or a number from 1 on')


def _name(text: str) -> str:
    see_that_it_is_a_name(text)
    return text


def _zone(text: str) -> str:
    zone_named(text)
    return text


def _window(text: str) -> str:
    if text not in SPANS:
        raise ValueError(f"it is promised over one of {', '.join(SPANS)}")
    return text


def _unknown(text: str) -> str:
    if text not in UNKNOWN:
        raise ValueError(f"unknown time is one of {', '.join(UNKNOWN)}")
    return text


def _objective(text: str) -> float | None:
    return _number(text, "99.9", below=100) if text else None


def _share(text: str) -> float:
    return _number(text, "99", below=100)


def _limit(text: str) -> float:
    return _number(text, "300", below=86_400_000)


def _number(text: str, such_as: str, *, below: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < below:
        raise ValueError(
            f'"{text:.40}" is not a number above 0 and below {below:g}; write one such as {such_as}'
        )
    return number
