"""What an incident's page says of the evidence: how each host looked when its alert began.

Pure: rows of the store and the time in, words for the template out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from agent.wire import Program
from collector.store import EvidenceRow
from collector.web.incidents import When, when
from collector.web.words import Times, say_number, say_value
from rules.model import Host


class ProgramRow(Struct, frozen=True):
    command: str
    pid: int
    cpu: str
    memory: str


class Looked(Struct, frozen=True):
    """`kernel` and `units` are None where they could not be seen; `unseen` says why."""

    host: tuple[int, str] | None
    when: When
    by_cpu: list[ProgramRow]
    by_memory: list[ProgramRow]
    mount: str
    folders: list[tuple[str, str]]
    units: list[str] | None
    kernel: list[str] | None
    unseen: list[str]


def looks(rows: Sequence[EvidenceRow], hosts: Mapping[int, Host], times: Times) -> list[Looked]:
    """In the order in which they came."""
    return [_look(row, hosts, times) for row in rows]


def _look(row: EvidenceRow, hosts: Mapping[int, Host], times: Times) -> Looked:
    found, host = row.found, hosts.get(row.host)
    return Looked(
        (host.id, host.name) if host else None,
        when(row.arrived_at, times, seconds=True),
        [_program(program) for program in found.by_cpu],
        [_program(program) for program in found.by_memory],
        found.mount,
        [(folder.path, say_value("B", folder.bytes)) for folder in found.folders],
        found.failed_units,
        found.kernel,
        found.unseen,
    )


def _program(program: Program) -> ProgramRow:
    cpu = f"{say_number(program.cpu_pct)}\N{NO-BREAK SPACE}%"
    return ProgramRow(program.command or program.name, program.pid, cpu, say_value("B", program.memory_bytes))
