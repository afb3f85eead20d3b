"""All that is said about who is told, with the times in it ready to be asked."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from rules.model import ChannelView, Series, Severity
from rules.policy.matching import Trouble
from rules.policy.muting import Maintenance, Mute, Silence, mute
from rules.policy.oncall import Rotation
from rules.policy.routes import DEFAULT_ROUTES, EVERY_CHANNEL, Route, When
from rules.policy.services import Services
from rules.sla.model import ServiceOptions
from rules.times.calendar import Times, times


class Policy:
    """A value: nothing in it changes. `zone` is meant wherever a time names none.

    `silences` and `maintenance` are those that are over as well as those that are or will be; it is the time that
    decides; `works` has each maintenance with its times. ValueError for a time that is written wrong.
    """

    def __init__(
        self,
        *,
        routes: Sequence[Route] = (),
        quiet_hours: When = (),
        on_call: Sequence[Rotation] = (),
        silences: Sequence[Silence] = (),
        maintenance: Sequence[Maintenance] = (),
        services: Sequence[ServiceOptions] = (),
        zone: str = "UTC",
    ) -> None:
        self.routes = tuple(routes) or DEFAULT_ROUTES
        self.silences, self.maintenance, self.zone = tuple(silences), tuple(maintenance), zone
        self._services = Services(services)
        self._silences_of: dict[str | None, list[Silence]] = {}
        for silence in self.silences:
            for host in silence.hosts or (None,):
                self._silences_of.setdefault(host, []).append(silence)
        self._on_call = {rotation.name: rotation.compiled(zone) for rotation in on_call}
        self.works = tuple((work, times(work.when, zone)) for work in self.maintenance)
        self._quiet = _perhaps(quiet_hours, zone)
        self._whens = [_perhaps(route.when, zone) for route in self.routes]
        self._quiets = [
            self._quiet if route.quiet_hours is None else _perhaps(route.quiet_hours, zone)
            for route in self.routes
        ]

    def mute(self, trouble: Trouble, services: Collection[str], now: int) -> Mute | None:
        """What keeps a trouble from being told now."""
        silences = self._silences_of.get(None, [])
        if (host := trouble.labels.get("host")) in self._silences_of:  # of hundreds, few are about one host
            silences = [*silences, *self._silences_of[host]]
        return mute(trouble, services, silences, self.works, now)

    def touched(self, labels: Mapping[str, str], series: Series | None) -> frozenset[str]:
        """The services that an alert about a series of such a host, or about the host itself, touches."""
        return self._services.touched(labels, series)

    def taken(
        self, troubles: Sequence[Trouble], services: Collection[str], now: int
    ) -> tuple[list[int], int | None]:
        """The places of the routes that such a problem takes now, and when that may change."""
        taken: list[int] = []
        changes: list[int] = []
        for place, (route, when) in enumerate(zip(self.routes, self._whens, strict=True)):
            if not any(route.fits(trouble, services) for trouble in troubles):
                continue
            if when is not None:
                if (change := when.next_change(now)) is not None:
                    changes.append(change)
                if not when.active(now):
                    continue
            taken.append(place)
            if not route.continue_:
                break
        return taken, min(changes, default=None)

    def named(self, names: Sequence[str], channels: Sequence[ChannelView], now: int) -> Iterator[str]:
        """The channels that are meant: themselves, every one, or whoever has the week."""
        for name in names:
            if name == EVERY_CHANNEL:
                yield from (channel.name for channel in channels)
            else:
                yield self._on_call[name].who(now) if name in self._on_call else name

    def hand_over(self, names: Sequence[str], now: int) -> int | None:
        """When another one may have the week."""
        changes = (self._on_call[name].next_change(now) for name in names if name in self._on_call)
        return min(changes, default=None)

    def quiet_until(self, place: int | None, severity: Severity, now: int) -> int | None:
        """The end of the quiet hours, when it is not grave enough to disturb them on the route of that place; None
        when it may be told now."""
        quiet = self._quiet if place is None else self._quiets[place]
        return None if quiet is None or severity == "critical" else quiet.until(now)


def _perhaps(when: When, zone: str) -> Times | None:
    return times(when, zone) if when else None
