"""Which checks of the config each host is to run, and the asking that brings them to its agent.

An agent says with each push which set it runs, by a hash. Whenever that is not the set that its host's labels come to
now, the answer carries the right one, so a lost answer, a new label or another config need no remembering.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Raw

from agent.wire import DEFINITIONS_BYTES_MAX, DEFINITIONS_MAX, Ask, AskDefinitions
from collector.config import Definition

log = logging.getLogger(__name__)

NOTHING = AskDefinitions("", [])


class Definitions:
    """`labels` tells those of a host, its name as `host` among them, and None while they are not known."""

    def __init__(
        self, definitions: Sequence[Definition], labels: Callable[[int], Mapping[str, str] | None]
    ) -> None:
        self._definitions = definitions
        self._labels = labels
        self._known: dict[int, tuple[Mapping[str, str], AskDefinitions]] = {}

    def __len__(self) -> int:
        return len(self._definitions)

    def replace(self, definitions: Sequence[Definition]) -> None:
        """From each host's next push on these hold."""
        self._definitions = definitions
        self._known.clear()

    def forget(self, hosts: Iterable[int]) -> None:
        """These are no more."""
        for host in hosts:
            self._known.pop(host, None)

    def asks(self, host: int, has: str | None) -> Sequence[Ask]:
        """What the answer to a push should ask, where the agent says that it runs `has`; None is one of a version that
        runs none."""
        if has is None:
            return ()
        wanted = self._of(host)
        return () if wanted is None or wanted.hash == has else (wanted,)

    def _of(self, host: int) -> AskDefinitions | None:
        if not self._definitions:
            return NOTHING
        labels = self._labels(host)
        if labels is None:
            return None
        known = self._known.get(host)
        if known is None or known[0] != labels:
            self._known[host] = known = (labels, self._gather(labels))
        return known[1]

    def _gather(self, labels: Mapping[str, str]) -> AskDefinitions:
        texts = [one.text for one in self._definitions if one.concerns(labels)]
        fit = as_many_as_fit(texts)
        if len(fit) < len(texts):
            name = labels.get("host", "?")
            log.error(
                "%d checks are for host %s; the first %d are all it can take.", len(texts), name, len(fit)
            )
        return AskDefinitions(fingerprint(fit), [Raw(text) for text in fit])


def as_many_as_fit(texts: Sequence[bytes]) -> Sequence[bytes]:
    """The first of them, within what one agent takes."""
    size, count = 0, 0
    for text in texts[:DEFINITIONS_MAX]:
        size += len(text)
        if size > DEFINITIONS_BYTES_MAX:
            break
        count += 1
    return texts[:count]


def fingerprint(texts: Sequence[bytes]) -> str:
    """Empty for none."""
    return hashlib.sha256(b"\n".join(texts)).hexdigest()[:32] if texts else ""
