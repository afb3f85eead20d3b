"""What the writer knows to stand in the tables as it is to stand there, for its thread alone."""

from __future__ import annotations

from collector.stores.sqlite.layouts import WrittenLayouts
from rules.model import Host


class Written:
    """Forgotten when a transaction comes to nothing: what was learned in it is not so."""

    def __init__(self) -> None:
        self.layouts = WrittenLayouts()
        self._said_of_hosts: dict[int, tuple[object, object, object, int]] = {}

    def clear(self) -> None:
        self.layouts.clear()
        self._said_of_hosts.clear()

    def forget(self, host: int) -> None:
        """There is no such host any more."""
        self._said_of_hosts.pop(host, None)

    def take(self, host: Host) -> bool:
        """Note that the host's row is about to be written; False when that would write what was written last.

        It tells by the very objects, which batch after batch are the same ones: that costs a tenth of a look into the
        table, and now and then a row is written for nothing.
        """
        labels, facts, own_labels, facts_at = self._said_of_hosts.get(host.id, (None, None, None, 0))
        is_same = labels is host.labels and facts is host.facts and own_labels is host.own_labels
        if is_same and facts_at == host.facts_at:
            return False
        self._said_of_hosts[host.id] = host.labels, host.facts, host.own_labels, host.facts_at
        return True
