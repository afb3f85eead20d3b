"""Which services a problem touches: those that it is a part of, and those that stand on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rules.labels import fits
from rules.model import Series
from rules.sla.model import ServiceOptions

LABEL = "service"
"""What the source of a service's own metrics is labelled with."""


class Services:
    """What services are made of, ready to be asked about one alert."""

    def __init__(self, services: Iterable[ServiceOptions]) -> None:
        self._of_check: dict[str, list[tuple[str, Mapping[str, str | list[str]]]]] = {}
        self._of_hosts: list[tuple[str, Mapping[str, str | list[str]]]] = []
        self._above: dict[str, list[str]] = {}
        for service in services:
            for check in service.checks:
                self._of_check.setdefault(check.id, []).append((service.name, check.where))
            if service.hosts is not None:
                self._of_hosts.append((service.name, service.hosts.where))
            for name in service.depends_on.services if service.depends_on is not None else ():
                self._above.setdefault(name, []).append(service.name)

    def touched(self, labels: Mapping[str, str], series: Series | None) -> frozenset[str]:
        """By an alert about a series of a host with these labels, or about the host itself."""
        check = series.labels.get("check", "") if series is not None else ""
        parts = [*self._of_check.get(check, ()), *self._of_hosts]
        found = {name for name, where in parts if fits(where, labels)}
        if LABEL in labels:
            found.add(labels[LABEL])
        ahead = list(found)
        while ahead:
            new = set(self._above.get(ahead.pop(), ())) - found
            found |= new
            ahead += new
        return frozenset(found)
