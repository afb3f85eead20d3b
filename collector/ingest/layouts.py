"""The series of a batch, recognised rather than read: a host sends the same list of names ten thousand times a day."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from weakref import WeakValueDictionary

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from agent import wire

log = logging.getLogger(__name__)

LAYOUTS_PER_HOST = 4
"""A host whose checks do not all run in every tick sends a few lists in turn."""
NAMES_MAX = 100_000
"""Names kept so that hosts share them and they need not be parsed twice. When full, it starts anew."""
HOUR_MS = 3_600_000
NEW_BYTES_PER_HOUR = 2 * 1024 * 1024
"""Of names in lists that a host did not send of late, for each of which the store keeps a row: four hundred lists of 70
series, or a dozen of 2,000."""
CUTS_MAX = 10
"""How often an hour what is kept of such a host may become less; then none of its samples are until the next."""


class Layout:
    """One list of names as sent, checked. `kept` is what is stored of it: sorted, and without what may not be.

    `order` picks the values of `kept` out of those sent; None when that changes nothing. `flags` say why some are left
    out, in the words of `Host.flags`; until `until`, if that is set.
    """

    __slots__ = ("__weakref__", "flags", "kept", "order", "sent", "until")

    def __init__(
        self,
        sent: tuple[str, ...],
        places: Sequence[int],
        flags: tuple[str, ...] = (),
        until: int | None = None,
    ) -> None:
        """`places` are those of `sent` to be kept."""
        self.sent, self.flags, self.until = sent, flags, until
        order = sorted(places, key=sent.__getitem__)
        self.kept = tuple([sent[at] for at in order])
        self.order: npt.NDArray[np.intp] | None = None
        if self.kept == sent:
            self.kept = sent  # one tuple, not two alike
        else:
            self.order = np.array(order, dtype=np.intp)


class _Lately(Struct):
    """What a host brought in one hour: bytes of names in new lists; once that is too much, the names that it has had
    in all lists since, and how often these became fewer."""

    hour: int
    new_bytes: int = 0
    lasting: frozenset[str] | None = None
    cuts: int = 0


class Layouts:
    """Remembers each host's last few layouts, and shares equal ones between hosts.

    What it remembers is bounded by the number of hosts, however often one of them changes its list.
    """

    def __init__(self) -> None:
        self._of_host: dict[int, list[Layout]] = {}
        self._shared: WeakValueDictionary[tuple[str, ...], Layout] = WeakValueDictionary()
        self._lately: dict[int, _Lately] = {}
        self._names: dict[str, str] = {}
        self._named: set[int] = set()

    def known(self, host: int, sent: tuple[str, ...], now: int) -> Layout | None:
        """The layout, if this host used it lately."""
        recent = self._of_host.get(host)
        if recent is None:
            return None
        for at, layout in enumerate(recent):
            if layout.sent == sent:
                if layout.until is not None and now >= layout.until:
                    return None
                if at:
                    recent.insert(0, recent.pop(at))
                return layout
        return None

    def learn(self, host: int, sent: tuple[str, ...], now: int) -> Layout:
        """The layout, once every name that would be stored is checked."""
        layout = self._shared.get(sent)
        if layout is None:
            layout = self._lasting(host, sent) if self._is_too_much(host, sent, now) else None
        if layout is None:
            layout = self._whole(host, sent)
            self._shared[layout.sent] = layout
        recent = self._of_host.setdefault(host, [])
        recent[:] = [layout, *(other for other in recent if other.sent != sent)][:LAYOUTS_PER_HOST]
        return layout

    def forget(self, hosts: Iterable[int]) -> None:
        """These are no more."""
        for host in hosts:
            self._of_host.pop(host, None)
            self._lately.pop(host, None)
            self._named.discard(host)

    def _whole(self, host: int, sent: tuple[str, ...]) -> Layout:
        """What is a name, cut to what one host may have."""
        cut = sent[: wire.SERIES_PER_HOST_MAX]
        flags: tuple[str, ...] = ("series",) if len(cut) < len(sent) else ()
        names = [self._name(host, name) for name in cut]
        places = [place for place, name in enumerate(names) if name is not None]
        if len(places) < len(cut):
            flags = (*flags, "names")
        shared = (said if name is None else name for said, name in zip(cut, names, strict=True))
        return Layout((*shared, *sent[len(cut) :]), places, flags)

    # --- a host whose list changes all the time ---

    def _is_too_much(self, host: int, sent: tuple[str, ...], now: int) -> bool:
        lately = self._lately.get(host)
        if lately is None or lately.hour != now // HOUR_MS:
            lately = self._lately[host] = _Lately(now // HOUR_MS)
        lately.new_bytes += sum(map(len, sent[: wire.SERIES_PER_HOST_MAX]))
        return lately.new_bytes > NEW_BYTES_PER_HOUR

    def _lasting(self, host: int, sent: tuple[str, ...]) -> Layout:
        """For the rest of the hour only those series that the host goes on sending."""
        lately = self._lately[host]
        if lately.lasting is None:
            kept = [set(layout.kept) for layout in self._of_host.get(host, ())]
            lately.lasting = frozenset(set.intersection(*kept)) if kept else frozenset()
        there = lately.lasting.intersection(sent)
        if len(there) < len(lately.lasting):
            lately.lasting, lately.cuts = there, lately.cuts + 1
        wanted: Collection[str] = there if lately.cuts <= CUTS_MAX else ()
        places = [place for place, name in enumerate(sent) if name in wanted]
        return Layout(sent, places, ("churn",), (lately.hour + 1) * HOUR_MS)

    def _name(self, host: int, name: str) -> str | None:
        """The name, one for all hosts; None when it is no name of a series."""
        shared = self._names.get(name)
        if shared is None:
            try:
                wire.parse_series(name)
            except ValueError as error:
                self._tell(host, str(error))
                return None
            if len(self._names) >= NAMES_MAX:
                self._names.clear()
            self._names[name] = shared = name
        return shared

    def _tell(self, host: int, why: str) -> None:
        """Once of each host."""
        if host not in self._named:
            self._named.add(host)
            log.warning("Host %d sends what is left out, the rest of its batches is kept: %s", host, why)
