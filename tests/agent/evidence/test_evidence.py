"""A closer look: everything in it is from this very host, it ends in time, and it is taken once."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

import pytest

from agent import evidence, wire
from agent.clock import system_clock
from agent.evidence import Lookout, gather
from agent.net.dial import Deadline
from agent.workers import Workers
from tests.agent.this_machine import has_a_disk
from tests.conftest import Needs


def look(about: int = 7) -> wire.Evidence:
    workers = Workers("evidence", 8)
    try:
        return gather(about, system_clock(), workers)
    finally:
        workers.close()


def test_it_holds_what_an_admin_would_look_at_first(needs: Needs, monkeypatch: pytest.MonkeyPatch) -> None:
    needs.that(has_a_disk(), "needs a disk that is mounted and can be written to")
    monkeypatch.setattr(evidence, "WALK_S", 0.5)
    found = look()
    assert found.about == 7
    assert found.by_memory
    assert found.mount.startswith("/")
    assert found.folders
    assert all(folder.path.startswith(found.mount) for folder in found.folders)
    assert 0 < found.took_ms < 15_000
    push = wire.Push(v=1, spool="0" * 32, boot_id="b", batches=[wire.Batch(0, 0, 0, 100, {})], evidence=found)
    assert wire.decode_push(wire.encode(push)) == push
    assert len(wire.encode(found)) < 32_000


def hang() -> None:
    time.sleep(1.0)


def late(deadline: Deadline) -> float:
    time.sleep(0.35)
    return deadline.left_s()


def fail() -> None:
    raise PermissionError(13, "Permission denied", "/dev/kmsg")


def test_what_hangs_or_fails_is_said_and_the_rest_is_there(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(evidence, "WALK_S", 0.0)
    monkeypatch.setattr(evidence, "PART_S_MAX", 0.3)
    monkeypatch.setattr(evidence, "GRACE_S", 0.19)
    monkeypatch.setattr("agent.evidence.programs.greediest", late)
    monkeypatch.setattr(evidence, "_largest", hang)
    monkeypatch.setattr("agent.evidence.kernel_log.last_lines", lambda now: fail())
    monkeypatch.setattr("agent.evidence.failed_units", lambda: 1 / 0)
    found = look()
    assert (found.mount, found.folders, found.kernel, found.failed_units) == ("", [], None, None)
    assert found.unseen == [
        "the programs: no answer within 0 s",
        "the fullest disk: no answer within 0 s",
        "the failed units: ZeroDivisionError: division by zero",
        "the kernel's log: /dev/kmsg: Permission denied",
    ]
    assert [record.levelno for record in caplog.records] == [logging.ERROR], "only the fault of ours"


class Desk:
    """Where evidence is delivered to; looking closer takes as long as a test wants."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.delivered: list[int] = []
        self.began: list[int] = []
        self.may_end = threading.Event()
        self.may_end.set()
        self.now_s = 0.0
        self.fault = False
        monkeypatch.setattr(evidence, "gather", self._gather)
        self.lookout = Lookout(
            lambda found: self.delivered.append(found.about), system_clock(), lambda: self.now_s
        )

    def _gather(self, about: int, clock: object, workers: object) -> wire.Evidence:
        self.began.append(about)
        assert self.may_end.wait(10)
        if self.fault:
            raise ZeroDivisionError
        return wire.Evidence(about, 0, 0)

    def look(self, about: int, after_s: float = 0.0) -> None:
        self.now_s += after_s
        self.lookout.look(about)

    def rest(self) -> None:
        assert self.lookout._thread is not None
        self.lookout._thread.join(10)


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(monkeypatch)


def test_it_looks_once_however_often_it_is_asked(desk: Desk) -> None:
    for _ in range(5):
        desk.look(1, after_s=60)
        desk.rest()
    assert desk.delivered == [1]


def test_one_look_at_a_time_and_a_rest_after_it(desk: Desk) -> None:
    desk.may_end.clear()
    desk.look(1)
    desk.look(2)
    desk.may_end.set()
    desk.rest()
    desk.look(2)
    assert desk.began == [1]
    desk.look(2, after_s=31)
    desk.rest()
    assert desk.delivered == [1, 2]


def test_a_fault_while_looking_is_logged_and_ends_nothing(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.fault = True
    desk.look(1)
    desk.rest()
    assert "there is no evidence about 1" in caplog.text
    desk.fault = False
    desk.look(2, after_s=31)
    desk.rest()
    assert desk.delivered == [2]


def test_a_host_without_systemd_has_no_failed_units(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("agent.checks.systemd.BOOTED", tmp_path / "nonexistent")
    assert evidence.failed_units() == []
