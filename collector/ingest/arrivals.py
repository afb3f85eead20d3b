"""A batch as sent becomes an Arrival as judged: names checked, time corrected, values in one order."""

from __future__ import annotations

import re

import numpy as np
from msgspec import structs
from msgspec.structs import replace

from agent import wire
from collector.ingest.layouts import Layout
from rules.model import Arrival

AHEAD_MS_MAX = 2_000
"""An agent of ours never samples after it sends; so much is forgiven to a clock set back in between."""
SKEW_MS_MAX = 2_000
"""A larger difference between an agent's clock and ours is taken out of its times; a smaller one may be travel."""
BETWEEN = "¦"
"""In what checks said, as one text: a letter that may be shown, since all of it is looked at at once."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CONTROL_BUT_LINES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class NotStored(Exception):
    """This batch can never be stored, however often it is sent. `code` counts it; the text tells the agent why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def check_time(batch: wire.Batch, late_ms_max: int) -> None:
    """NotStored when the batch was too old as it was sent, or its times are not of one clock."""
    age_ms = batch.sent - batch.at
    if age_ms < -AHEAD_MS_MAX:
        raise NotStored("time", f"sampled {-age_ms} ms after it was sent: the two times are not of one clock")
    if age_ms > late_ms_max:
        most_s = late_ms_max // 1000
        raise NotStored("time", f"{age_ms // 1000} s old when it was sent; at most {most_s} s are taken")


def arrival(
    host: int, push: wire.Push, batch: wire.Batch, layout: Layout, floor: int, arrived_at: int
) -> Arrival:
    """`arrived_at` is when the request came in, so that a body's slow travel is not taken for a wrong clock."""
    skew_ms = arrived_at - batch.sent
    flags = layout.flags
    at = batch.at
    if not -SKEW_MS_MAX <= skew_ms <= SKEW_MS_MAX:
        at += skew_ms
        flags = ("clock", *flags)
    if batch.bye is not None:
        flags = (*flags, batch.bye)
    checks, said = in_words(batch.checks)
    values = np.fromiter(batch.samples.values(), np.float64, len(batch.samples))  # None becomes NaN
    return Arrival(
        host=host,
        spool=push.spool,
        seq=batch.seq,
        floor=floor,
        at=at,
        arrived_at=arrived_at,
        every_ms=batch.every_ms,
        skew_ms=skew_ms,
        layout=layout.kept,
        values=values if layout.order is None else values[layout.order],
        checks=checks,
        facts=None if batch.facts is None else _facts(batch.facts),
        labels=None if batch.labels is None else _labels(batch.labels),
        flags=flags,
        said=said,
    )


def in_words(checks: list[wire.CheckState]) -> tuple[list[wire.CheckState], str]:
    """In words that may be shown; and what they said in one text, which is empty where it could be of other answers."""
    said = _said(checks)
    if not said.isprintable():
        checks = [
            replace(check, id=_line(check.id), kind=_line(check.kind), detail=_lines(check.detail))
            for check in checks
        ]
        said = _said(checks)
    return checks, said if said.count(BETWEEN) == 4 * len(checks) - 1 else ""


def _said(checks: list[wire.CheckState]) -> str:
    return BETWEEN.join(
        [f"{one.id}{BETWEEN}{one.kind}{BETWEEN}{one.state}{BETWEEN}{one.detail}" for one in checks]
    )


def _facts(facts: dict[str, str]) -> dict[str, str]:
    return {_line(key): _lines(value) for key, value in facts.items()}


def _labels(labels: dict[str, str]) -> dict[str, str]:
    return {_line(key): _line(value) for key, value in labels.items()}


def evidence(found: wire.Evidence) -> wire.Evidence:
    """The same in words that may be shown."""
    return structs.replace(
        found,
        by_cpu=[_program(program) for program in found.by_cpu],
        by_memory=[_program(program) for program in found.by_memory],
        mount=_line(found.mount),
        folders=[wire.Folder(_line(folder.path), folder.bytes) for folder in found.folders],
        failed_units=found.failed_units and [_line(unit) for unit in found.failed_units],
        kernel=found.kernel and [_line(line) for line in found.kernel],
        unseen=[_line(sentence) for sentence in found.unseen],
    )


def _program(program: wire.Program) -> wire.Program:
    return structs.replace(program, name=_line(program.name), command=_line(program.command))


def _line(text: str) -> str:
    """With each control character replaced: these words go into logs, mails and terminals."""
    return text if text.isprintable() else _CONTROL.sub("�", text)


def _lines(text: str) -> str:
    return text if text.isprintable() else _CONTROL_BUT_LINES.sub("�", text)
