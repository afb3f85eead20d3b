"""The series of a batch, recognised rather than read: a host sends the same list of names ten thousand times a day."""

from __future__ import annotations

from weakref import WeakValueDictionary

import numpy as np
import numpy.typing as npt

from agent import wire

LAYOUTS_PER_HOST = 4
"""A host whose checks do not all run in every tick sends a few lists in turn."""
NAMES_MAX = 100_000
"""Names kept so that hosts share them and they need not be parsed twice. When full, it starts anew."""


class Layout:
    """One list of names as sent, checked. `kept` is what is stored of it: sorted, cut to what one host may have.

    `order` picks the values of `kept` out of those sent; None when that changes nothing.
    """

    __slots__ = ("__weakref__", "excess", "kept", "order", "sent")

    def __init__(self, sent: tuple[str, ...]) -> None:
        self.sent = sent
        self.excess = len(sent) > wire.SERIES_PER_HOST_MAX
        order = sorted(range(min(len(sent), wire.SERIES_PER_HOST_MAX)), key=sent.__getitem__)
        self.kept = tuple(sent[at] for at in order)
        self.order: npt.NDArray[np.intp] | None = None
        if self.kept == sent:
            self.kept = sent  # one tuple, not two alike
        else:
            self.order = np.array(order, dtype=np.intp)


class Layouts:
    """Remembers each host's last few layouts, and shares equal ones between hosts.

    What it remembers is bounded by the number of hosts, however often one of them changes its list.
    """

    def __init__(self) -> None:
        self._of_host: dict[int, list[Layout]] = {}
        self._shared: WeakValueDictionary[tuple[str, ...], Layout] = WeakValueDictionary()
        self._names: dict[str, str] = {}

    def known(self, host: int, sent: tuple[str, ...]) -> Layout | None:
        """The layout, if this host used it lately."""
        recent = self._of_host.get(host)
        if recent is None:
            return None
        for at, layout in enumerate(recent):
            if layout.sent == sent:
                if at:
                    recent.insert(0, recent.pop(at))
                return layout
        return None

    def learn(self, host: int, sent: tuple[str, ...]) -> Layout:
        """The layout, once every name that would be stored is checked. ValueError names one that is none."""
        layout = self._shared.get(sent)
        if layout is None:
            cut = sent[: wire.SERIES_PER_HOST_MAX]
            layout = Layout((*(self._name(name) for name in cut), *sent[len(cut) :]))
            self._shared[layout.sent] = layout
        recent = self._of_host.setdefault(host, [])
        recent.insert(0, layout)
        del recent[LAYOUTS_PER_HOST:]
        return layout

    def _name(self, name: str) -> str:
        shared = self._names.get(name)
        if shared is None:
            wire.parse_series(name)
            if len(self._names) >= NAMES_MAX:
                self._names.clear()
            self._names[name] = shared = name
        return shared
