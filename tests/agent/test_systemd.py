"""What is said to systemd: over a real datagram socket, and to a real systemd."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from agent.systemd import Systemd
from tests.agent.checks.own_systemd import OwnSystemd, own_systemd
from tests.agent.quiet import quiet
from tests.agent.receiver import TOKEN, Receiver
from tests.agent.service_manager import ServiceManager
from tests.conftest import Needs
from tests.waiting import until

ROOT = Path(__file__).parents[2]


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[ServiceManager]:
    with closing(ServiceManager(tmp_path / "notify")) as manager:
        yield manager


def told(manager: ServiceManager, **environ: str) -> Systemd:
    return Systemd({"NOTIFY_SOCKET": manager.address, **environ}, lambda: 123_456_789)


def test_each_message_is_as_sd_notify_writes_it(manager: ServiceManager) -> None:
    systemd = told(manager, WATCHDOG_USEC="30000000")
    systemd.starting(5.5)
    systemd.ready()
    systemd.status("14 checks,\nall ok")
    systemd.alive()
    systemd.reloading()
    systemd.reloaded(5.5)
    systemd.stopping()
    assert manager.hear() == [
        {"EXTEND_TIMEOUT_USEC": "11000000"},
        {"READY": "1"},
        {"STATUS": "14 checks, all ok"},
        {"WATCHDOG": "1"},
        {"RELOADING": "1", "MONOTONIC_USEC": "123456"},
        {"READY": "1"},
        {"STOPPING": "1", "STATUS": "stopping"},
    ]


def test_a_status_is_said_when_it_changes(manager: ServiceManager) -> None:
    systemd = told(manager)
    for words in ("fine", "fine", "bad " * 1_000, "fine"):
        systemd.status(words)
    assert [len(message["STATUS"]) for message in manager.hear()] == [4, 500, 4]


def test_a_watchdog_hears_three_beats_in_its_time(manager: ServiceManager) -> None:
    assert told(manager, WATCHDOG_USEC="30000000").beat_s == 10
    assert told(manager, WATCHDOG_USEC="30000000", WATCHDOG_PID=str(os.getpid())).beat_s == 10


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"},
    ],
)
def test_without_a_watchdog_of_ours_there_are_no_beats(
    manager: ServiceManager, environ: dict[str, str]
) -> None:
    systemd = told(manager, **environ)
    systemd.alive()
    systemd.starting(1.0)
    assert systemd.beat_s is None
    assert (manager.count("WATCHDOG"), manager.count("WATCHDOG_USEC")) == (0, 0)


def test_a_check_that_may_take_longer_than_the_watchdog_makes_it_patient(manager: ServiceManager) -> None:
    systemd = told(manager, WATCHDOG_USEC="30000000")
    systemd.starting(120.5)
    assert (
        manager.said == manager.hear() == [{"EXTEND_TIMEOUT_USEC": "241000000", "WATCHDOG_USEC": "361500000"}]
    )
    assert systemd.beat_s == 120.5
    systemd.reloaded(200.0)
    assert manager.hear()[1:] == [{"READY": "1", "WATCHDOG_USEC": "600000000"}]


def test_programs_that_checks_run_do_not_inherit_the_socket(manager: ServiceManager) -> None:
    environ = {
        "NOTIFY_SOCKET": manager.address,
        "WATCHDOG_USEC": "1",
        "WATCHDOG_PID": "1",
        "PATH": "/usr/bin",
    }
    Systemd(environ)
    assert environ == {"PATH": "/usr/bin"}


def test_a_socket_may_be_abstract() -> None:
    name = f"watchkeeper-test-{os.getpid()}"
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as sock:
        sock.bind(f"\0{name}")
        Systemd({"NOTIFY_SOCKET": f"@{name}"}).ready()
        sock.setblocking(False)
        assert sock.recv(100) == b"READY=1"


@pytest.mark.parametrize("address", ["", "vsock:2:1234", "relative"])
def test_without_a_socket_it_tells_nobody(address: str, caplog: pytest.LogCaptureFixture) -> None:
    systemd = Systemd({"NOTIFY_SOCKET": address} if address else {})
    systemd.ready()
    assert caplog.records == []


def test_a_socket_that_takes_nothing_is_said_once(
    tmp_path: Path, manager: ServiceManager, caplog: pytest.LogCaptureFixture
) -> None:
    systemd = told(manager)
    manager.close()
    for _ in range(3):
        systemd.ready()
    assert [record.message for record in caplog.records] == [
        "systemd cannot be told how it goes: Connection refused"
    ]


def test_a_manager_that_does_not_read_holds_up_nothing(manager: ServiceManager) -> None:
    systemd = told(manager, WATCHDOG_USEC="1000000")
    for _ in range(5_000):
        systemd.alive()
    assert manager.count("WATCHDOG") > 0


# --- a real systemd ---------------------------------------------------------------------------------------------------

UNIT = """\
[Service]
Type=notify
WorkingDirectory={root}
ExecStart={python} -m agent run --config {config}
ExecReload=/bin/kill -HUP $MAINPID
WatchdogSec=5s
TimeoutStopSec=10s
Restart=on-watchdog"""


@pytest.fixture
def systemd(needs: Needs, tmp_path: Path) -> Iterator[OwnSystemd]:
    needs.that(os.geteuid() == 0, "needs root, for a systemd of its own")
    needs("dbus-daemon")
    needs.that(
        Path("/usr/lib/systemd/systemd").exists(), "needs systemd (on Debian: apt-get install systemd)"
    )
    (tmp_path / "systemd").mkdir()
    with own_systemd(tmp_path / "systemd") as systemd:
        yield systemd


def test_under_systemd_it_starts_reloads_hangs_and_stops_as_a_unit_should(
    systemd: OwnSystemd, tmp_path: Path
) -> None:
    def show(name: str) -> str:
        return systemd.ctl("show", "-P", name, "ours.service")

    checks = [*quiet("load"), {"kind": "load", "timeout": "500ms"}]
    with closing(Receiver()) as receiver:
        section = {"collector": receiver.url, "token": TOKEN, "every": "200ms", "checks": checks}
        config = tmp_path / "agent.yaml"
        config.write_text(yaml.safe_dump({"agent": section | {"state": str(tmp_path / "state")}}))
        systemd.write("ours.service", UNIT.format(root=ROOT, python=sys.executable, config=config))
        systemd.ctl("start", "ours.service")
        assert show("ActiveState") == "active"
        until(lambda: show("StatusText") == f"1 check, all ok; connected to 127.0.0.1:{receiver.port}", 20)
        config.write_text(config.read_text().replace("agent:", "agent:\n  labels: {role: db}"))
        systemd.ctl("reload", "ours.service")
        receiver.wait_for(lambda: {"role": "db"} in [batch.labels for batch in receiver.batches])
        os.kill(int(show("MainPID")), 19)  # SIGSTOP: it hangs, and systemd starts another
        until(lambda: show("NRestarts") == "1" and show("ActiveState") == "active", 20)
        count = len(receiver.batches)
        receiver.wait_for(lambda: len(receiver.batches) > count + 2)
        systemd.ctl("stop", "ours.service")
        assert (show("ActiveState"), show("Result")) == ("inactive", "success")
        assert receiver.batches[-1].bye == "restart"
