"""Checks that the collector defines for this host: kept over a restart, held against what this host accepts.

The collector is believed to know what should be watched, not to own the host. So its checks are of the kinds in
`accept:` alone, go to no address that `agent.net.reach` keeps from them, read no file of the host, and never take the
place of a check that the host has of its own. What is wrong with one is its answer, so that it is read where it was
wanted: at the collector.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from agent import wire
from agent.checks import Check, CheckOptions, Measured
from agent.config import PlannedCheck, complete
from agent.net.reach import beyond_host, beyond_link
from agent.options import ConfigError, Kind, KindSet, Node, convert, parse_yaml, say_size
from agent.sampler import Question

log = logging.getLogger(__name__)

FILE = "definitions.json"
NONE = wire.AskDefinitions("", [])
FILE_BYTES_MAX = 2 * wire.DEFINITIONS_BYTES_MAX
TIMEOUT_S, TIMEOUT_S_MAX = 1.0, 30
BODY_BYTES_MAX = 1024 * 1024
WHENCE = "a check of the collector's"

_decode = msgspec.json.Decoder(wire.AskDefinitions).decode


class Unfit(Struct, frozen=True):
    """A check that cannot be run here: it answers why."""

    id: str
    kind_name: str
    why: str

    def build(self) -> Unfit:
        return self

    def question(self, check: Check) -> Question:
        return Question(self.id, self.kind_name, TIMEOUT_S, check)

    def measure(self, at_s: float) -> Measured:
        return Measured({}, "unknown", self.why)


class Kept:
    """The last definitions that came, in a file of the state folder.

    A file that cannot be read is as none, for the collector sends again what we do not say we have. One that cannot be
    written is said; the definitions hold until the next start.
    """

    def __init__(self, state: Path) -> None:
        self._file = state / FILE
        self.now = self._read()

    def keep(self, told: wire.AskDefinitions) -> bool:
        """False when these are the ones that we have, or more than may come."""
        if told.hash == self.now.hash:
            return False
        sizes = [len(bytes(text)) for text in told.checks]
        if sum(sizes) > wire.DEFINITIONS_BYTES_MAX or max(sizes, default=0) > wire.DEFINITION_BYTES_MAX:
            log.error("the collector defines more than %d bytes of checks: left", wire.DEFINITIONS_BYTES_MAX)
            return False
        self.now = told
        try:
            self._write(wire.encode(told))
        except OSError as error:
            log.warning("the collector's checks cannot be kept in %s: %s", self._file, error.strerror)
        return True

    def _read(self) -> wire.AskDefinitions:
        try:
            with self._file.open("rb") as file:
                return _decode(file.read(FILE_BYTES_MAX))
        except FileNotFoundError:
            return NONE
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            log.warning("%s cannot be used, the collector is asked for it again: %s", self._file, error)
            return NONE

    def _write(self, text: bytes) -> None:
        """Whole or not at all."""
        beside = self._file.with_suffix(".new")
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._file)
        except OSError:
            with contextlib.suppress(OSError):
                beside.unlink()
            raise


def plan(
    texts: Sequence[bytes | msgspec.Raw],
    own: Iterable[PlannedCheck],
    kinds: Mapping[str, Kind],
    accept: Sequence[str],
    *,
    accept_loopback: bool,
) -> Iterator[PlannedCheck | Unfit]:
    """What to run of the definitions beside the host's own checks; one that has an id of those is left out and said."""
    taken = {check.id for check in own}
    reach = beyond_link if accept_loopback else beyond_host
    for text in texts[: max(0, wire.CHECKS_PER_BATCH_MAX - len(taken))]:
        check = _planned(bytes(text), kinds, accept)
        if check.id in taken:
            log.warning("%s is left out: this host has a check %s of its own", WHENCE, check.id)
            continue
        taken.add(check.id)
        if isinstance(check, Unfit):
            yield check
        elif check.options.enabled:
            yield replace(check, reach=reach)


def _planned(text: bytes, kinds: Mapping[str, Kind], accept: Sequence[str]) -> PlannedCheck | Unfit:
    """Whatever is wrong with a definition, it is no more than the answer of that check: it may keep no agent from
    starting."""
    id, kind = "?", "?"
    try:
        node = parse_yaml(text.decode(), file=WHENCE)
        id, kind = _word(node, "id", "?"), _word(node, "kind", "?")
        id = kind if id == "?" else id
        if kind in kinds and kind not in accept:
            known = ", ".join(accept) or "none"
            why = f"kind {kind} is not run for the collector; accept: of this host has {known}"
            return Unfit(id, kind, why)
        options = convert(node, CheckOptions, kinds={CheckOptions: KindSet(dict(kinds))})
        check = complete(kinds[kind], options)
        check.build()
    except ConfigError as mistake:
        return Unfit(id, kind, f"its definition is wrong: {mistake.path or 'it'}: {mistake.problem}")
    except UnicodeDecodeError:
        return Unfit(id, kind, "its definition is wrong: it is no text")
    except Exception as error:
        log.exception("a fault in the agent; the check %s of the collector's is not run", id)
        return Unfit(id, kind, f"its definition meets a fault in the agent: {error!r}")
    fault = _fault(check)
    return Unfit(id, kind, f"not run for the collector: {fault}") if fault else check


def _fault(check: PlannedCheck) -> str:
    """What a check of the host's own config may do and one of the collector's may not; empty when it is all right."""
    options = check.options
    if not check.id.isprintable():
        return "its id has characters that cannot be printed"
    if options.timeout_s > TIMEOUT_S_MAX:
        return f"its timeout is over {TIMEOUT_S_MAX} s, for which this host's other checks would wait"
    if getattr(options, "body_bytes_max", 0) > BODY_BYTES_MAX:
        return f"its body_max is over {say_size(BODY_BYTES_MAX)}, which would be held in this host's memory"
    if getattr(options, "ca_file", ""):
        return "ca_file names a file of this host"
    return ""


def _word(node: Node, key: str, otherwise: str) -> str:
    """What is written there, if it is a word or number that may be a name."""
    found = node.get(key)
    fits = 0 < len(found.text) <= 200 and found.text.isprintable()
    return found.text if fits else otherwise
