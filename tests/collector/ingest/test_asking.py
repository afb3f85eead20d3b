"""What goes with the answer to a push, and what an agent sends because it was asked."""

from __future__ import annotations

import msgspec
import pytest

from agent import wire
from collector.store import StoreError
from tests.collector.door import NOW, Door, open_door


class Inquiring:
    """Asks every host for evidence, and keeps what comes."""

    def __init__(self) -> None:
        self.got: list[tuple[int, wire.Evidence, int]] = []
        self.trouble: str | None = None

    def asks(self, host: int) -> list[wire.Ask]:
        return [wire.AskEvidence(17), wire.AskSample()] if host == 1 else []

    async def answered(self, host: int, found: wire.Evidence, arrived_at: int) -> None:
        if self.trouble:
            raise StoreError(self.trouble)
        self.got.append((host, found, arrived_at))


async def test_what_is_to_be_asked_goes_with_the_answer_and_evidence_is_handed_on() -> None:
    inquiries = Inquiring()
    async with open_door(inquiries=inquiries) as door:
        asks = [{"kind": "evidence", "about": 17}, {"kind": "sample"}]
        assert (await door.push()).json == {"results": ["ok"], "asks": asks}
        found = {"about": 17, "at": NOW, "took_ms": 5, "unseen": ["a\u001b[31mb"], "failed_units": []}
        other = {"pid": 1, "name": "x\u0007", "command": "x\ny", "cpu_pct": 1.5, "memory_bytes": 3}
        await door.push(evidence=found | {"by_cpu": [other]})
        [(host, evidence, arrived_at)] = inquiries.got
        assert (host, evidence.about, arrived_at) == (1, 17, NOW)
        assert (evidence.unseen, evidence.failed_units) == (["a\ufffd[31mb"], [])
        assert evidence.by_cpu == [wire.Program(1, "x\ufffd", "x\ufffdy", 1.5, 3)]
        assert len(door.arrivals) == 2


async def test_what_an_agent_saw_of_others_is_handed_on() -> None:
    got: list[tuple[int, list[wire.Looked]]] = []
    async with open_door(looked=lambda host, looked: got.append((host, list(looked)))) as door:
        await door.push()
        assert got == []
        await door.push(looked=[{"about": 7, "reached": True}, {"about": 8, "detail": "no way"}])
        assert got == [(1, [wire.Looked(7, True), wire.Looked(8, None, "no way")])]


@pytest.mark.parametrize(
    ("sent", "has"), [({}, None), ({"definitions": ""}, ""), ({"definitions": "ab"}, "ab")]
)
async def test_which_definitions_an_agent_has_decides_what_it_is_asked(
    sent: dict[str, str], has: str | None
) -> None:
    def defined(host: int, has: str | None) -> list[wire.Ask]:
        heard.append((host, has))
        return [wire.AskDefinitions("cd", [msgspec.Raw(b'{"kind":"icmp"}')])]

    heard: list[tuple[int, str | None]] = []
    async with open_door(inquiries=Inquiring(), defined=defined) as door:
        answer = await door.push(**sent)
    assert heard == [(1, has)]
    ask = {"kind": "definitions", "hash": "cd", "checks": [{"kind": "icmp"}]}
    assert answer.json["asks"] == [{"kind": "evidence", "about": 17}, {"kind": "sample"}, ask]


async def test_evidence_that_cannot_be_kept_puts_the_push_off_before_a_batch_is_taken() -> None:
    inquiries = Inquiring()
    inquiries.trouble = "the disk is full"
    async with open_door(inquiries=inquiries) as door:
        answer = await door.push(evidence={"about": 17, "at": NOW, "took_ms": 5})
        assert (answer.status, answer.json["code"], door.arrivals) == (503, "store", [])


async def test_a_door_that_asks_nothing_passes_evidence_over(door: Door) -> None:
    answer = await door.push(evidence={"about": 17, "at": NOW, "took_ms": 5})
    assert answer.json == {"results": ["ok"]}
