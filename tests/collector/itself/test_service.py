"""What is said to systemd, over a real datagram socket; at the end by a real collector."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from collector.itself.service import Service
from tests.agent.service_manager import ServiceManager
from tests.system.programs import ROOT, environ, free_port


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[ServiceManager]:
    with closing(ServiceManager(tmp_path / "notify")) as manager:
        yield manager


class Clock:
    def __init__(self) -> None:
        self.s = 0.0

    def __call__(self) -> int:
        return round(self.s * 1e9)


def test_each_message_is_as_sd_notify_writes_it(manager: ServiceManager) -> None:
    service = Service({"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "60000000"}, lambda: 123_456_789)
    service.ready()
    service.status("Judging 2 hosts\nby 9 rules.")
    service.alive()
    service.reloading()
    service.ready()
    service.stopping()
    assert manager.hear() == [
        {"READY": "1"},
        {"STATUS": "Judging 2 hosts by 9 rules."},
        {"WATCHDOG": "1"},
        {"RELOADING": "1", "MONOTONIC_USEC": "123456"},
        {"READY": "1"},
        {"STOPPING": "1", "STATUS": "Stopping."},
    ]


def test_a_status_is_said_when_it_changes(manager: ServiceManager) -> None:
    service = Service({"NOTIFY_SOCKET": manager.address})
    for words in ("fine", "fine", "bad " * 1_000, "fine"):
        service.status(words)
    assert [len(message["STATUS"]) for message in manager.hear()] == [4, 500, 4]


def test_a_start_that_takes_long_says_how_far_it_is_and_is_waited_for(manager: ServiceManager) -> None:
    service = Service({"NOTIFY_SOCKET": manager.address})
    for words in ("half of it", "half of it", "all of it"):
        service.starting(words)
    assert manager.hear() == [
        {"STATUS": "half of it"},
        {"EXTEND_TIMEOUT_USEC": "120000000"},
        {"EXTEND_TIMEOUT_USEC": "120000000"},
        {"STATUS": "all of it"},
        {"EXTEND_TIMEOUT_USEC": "120000000"},
    ]


def test_the_watchdog_hears_four_beats_in_its_time_however_often_we_tick(manager: ServiceManager) -> None:
    clock = Clock()
    service = Service({"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "60000000"}, clock)
    for second in range(60):
        clock.s = second
        service.alive()
    assert manager.count("WATCHDOG") == 4


@pytest.mark.parametrize(
    "environ", [{}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}]
)
def test_a_watchdog_that_is_not_ours_hears_nothing(manager: ServiceManager, environ: dict[str, str]) -> None:
    Service({"NOTIFY_SOCKET": manager.address, **environ}).alive()
    assert manager.hear() == []


def test_what_we_start_cannot_speak_in_our_name() -> None:
    environ = {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "1", "WATCHDOG_PID": str(os.getpid()), "PATH": "/bin"}
    Service(environ)
    assert environ == {"PATH": "/bin"}


def test_a_name_without_a_file_is_spoken_to_as_well() -> None:
    with closing(ServiceManager(Path(f"\0watchkeeper-{os.getpid()}"))) as manager:
        Service({"NOTIFY_SOCKET": f"@watchkeeper-{os.getpid()}"}).ready()
        assert manager.hear() == [{"READY": "1"}]


def test_a_manager_that_is_gone_is_a_line_in_the_log_and_nothing_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    service = Service({"NOTIFY_SOCKET": str(tmp_path / "gone")})
    service.ready()
    service.stopping()
    assert [record.getMessage() for record in caplog.records] == [
        "systemd cannot be told how it goes: No such file or directory"
    ]


def test_a_collector_is_ready_when_it_answers_beats_reloads_and_says_goodbye(
    tmp_path: Path, manager: ServiceManager
) -> None:
    port = free_port()
    config = tmp_path / "collector.yaml"
    config.write_text(f"collector: {{listen: '127.0.0.1:{port}', state: state, rules: [more.yaml]}}")
    (tmp_path / "more.yaml").write_text("rules: []")
    command = [sys.executable, "-m", "collector", "serve", "--config", str(config)]
    told = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "4000000"}
    with (tmp_path / "log").open("w") as log:
        child = subprocess.Popen(command, cwd=ROOT, env=environ() | told, stderr=log)
    try:
        manager.wait_for(lambda: manager.count("READY") == 1, limit_s=30)
        assert urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=10).status == 200
        manager.wait_for(lambda: manager.count("WATCHDOG") >= 2)
        assert manager.status.startswith("Judging 0 hosts by ")

        (tmp_path / "more.yaml").write_text("rules: [{no: rule}]")
        child.send_signal(signal.SIGHUP)
        manager.wait_for(lambda: manager.count("READY") == 2)
        assert "rules are left as they were" in (tmp_path / "log").read_text()
        child.terminate()
        assert child.wait(30) == 0
    finally:
        child.kill()
        child.wait()
    assert manager.keys() == ["READY", "RELOADING", "MONOTONIC_USEC", "READY", "STOPPING"]
