from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.checks import Measured
from agent.checks._dbus import Reader
from agent.checks.systemd import Check, Options, units_in
from tests.agent.checks.apart import as_nobody
from tests.agent.checks.own_systemd import PATIENCE_S, OwnSystemd, own_systemd
from tests.conftest import Needs

FAILED = "systemd_failed_units"
SERVICE = "[Service]\nExecStart=/bin/sleep 3600"
FAILING = "[Service]\nType=oneshot\nExecStart=/bin/false"
HERE = Path("/")


def active(unit: str) -> str:
    return f'systemd_unit_active{{unit="{unit}"}}'


# --- a real systemd ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def running(needs: Needs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnSystemd]:
    needs.that(os.geteuid() == 0, "needs root, for a systemd of its own")
    needs("dbus-daemon")
    needs.that(
        Path("/sys/fs/cgroup").is_dir(),
        "needs /sys, with the control groups that systemd puts its units into",
    )
    needs.that(
        Path("/usr/lib/systemd/systemd").exists(), "needs systemd (on Debian: apt-get install systemd)"
    )
    with own_systemd(tmp_path_factory.mktemp("systemd")) as systemd:
        yield systemd


@pytest.fixture
def systemd(running: OwnSystemd) -> Iterator[OwnSystemd]:
    """The same for all tests here, without what an earlier one did."""
    yield running
    running.ctl("stop", "ours-*")
    running.ctl("reset-failed")


def asking(systemd: OwnSystemd, **options: Any) -> Check:
    return Check(Options(**options), systemd.bus, HERE)


def add(systemd: OwnSystemd, **units: str) -> None:
    for name, text in units.items():
        systemd.write(f"ours-{name}.service", text)
    systemd.ctl("daemon-reload")


def awaited(check: Check, state: str, words: str = "") -> Measured:
    """What the check says as soon as that is its state, with these words."""
    end = time.monotonic() + 15
    while (found := check.measure(0.0)).state != state or words not in found.detail:
        assert time.monotonic() < end, found
        time.sleep(0.01)
    return found


def test_when_nothing_has_failed_all_is_well(systemd: OwnSystemd) -> None:
    assert asking(systemd).measure(0.0) == Measured({FAILED: 0})


def test_a_failed_unit_is_a_warning_that_names_it(systemd: OwnSystemd) -> None:
    add(systemd, a=FAILING, b=FAILING, c=SERVICE)
    check = asking(systemd)
    for name in "bca":
        systemd.ctl("start", f"ours-{name}")
    assert check.measure(0.0) == Measured({FAILED: 2}, "warn", "failed: ours-a.service, ours-b.service")
    assert len(systemd.ctl("list-units", "--state=failed", "--no-legend", "--plain").splitlines()) == 2
    systemd.ctl("reset-failed")
    assert check.measure(1.0) == Measured({FAILED: 0})


def test_a_unit_that_may_fail_does_not_count(systemd: OwnSystemd) -> None:
    add(systemd, a=FAILING, b=FAILING)
    systemd.ctl("start", "ours-a", "ours-b")
    found = asking(systemd, may_fail=("*-a.service", "other*")).measure(0.0)
    assert found == Measured({FAILED: 1}, "warn", "failed: ours-b.service")
    assert asking(systemd, may_fail=("ours-*",)).measure(0.0) == Measured({FAILED: 0})


def test_of_many_failed_units_some_are_named(systemd: OwnSystemd) -> None:
    names = [f"many{number:02}" for number in range(13)]
    add(systemd, **dict.fromkeys(names, FAILING))
    systemd.ctl("start", *(f"ours-{name}" for name in names))
    found = asking(systemd).measure(0.0)
    assert found.samples == {FAILED: 13}
    assert found.detail.endswith(", ours-many09.service and 3 more")


def test_a_unit_that_must_be_active_is_followed(systemd: OwnSystemd) -> None:
    add(systemd, shop=SERVICE)
    check = asking(systemd, units=("ours-shop", "ours-none.timer"))
    shop, none = active("ours-shop.service"), active("ours-none.timer")
    lost = "there is no ours-none.timer"
    found = check.measure(0.0)
    assert (found.state, found.detail) == ("bad", f"ours-shop.service is inactive (dead); {lost}")
    systemd.ctl("start", "ours-shop")
    assert check.measure(1.0) == Measured({FAILED: 0, shop: 1, none: 0}, "bad", lost)
    systemd.ctl("kill", "--signal=KILL", "ours-shop")
    found = awaited(check, "bad", "is failed")
    assert check.measure(2.0).samples == {FAILED: 1, shop: 0, none: 0}, "systemd counts a moment later"
    assert found.detail == f"ours-shop.service is failed (failed); {lost}"


def test_a_unit_that_starts_is_a_warning_and_one_that_starts_again_and_again_is_bad(
    systemd: OwnSystemd,
) -> None:
    again = "[Service]\nExecStart=/bin/false\nRestart=always\nRestartSec=3600"
    add(systemd, slow="[Service]\nType=oneshot\nExecStart=/bin/sleep 3600", again=again)
    systemd.ctl("start", "--no-block", "ours-slow", "ours-again")
    slow, looping = asking(systemd, units=("ours-slow",)), asking(systemd, units=("ours-again",))
    assert awaited(slow, "warn").detail == "ours-slow.service is starting"
    assert awaited(looping, "bad", "restart").detail == "ours-again.service is activating (auto-restart)"


def test_a_systemd_that_hangs_is_said_within_the_limit_and_asked_again(systemd: OwnSystemd) -> None:
    add(systemd, shop=SERVICE)
    check = asking(systemd, units=("ours-shop",), timeout_s=0.4)
    check.measure(0.0)
    with systemd.hung():
        began = time.monotonic()
        found = check.measure(1.0)
        assert time.monotonic() - began < 1.5
        assert found.state == "unknown"
        assert found.detail == "systemd cannot be asked: no answer within 0.4 s"
        assert found.samples == {FAILED: None, active("ours-shop.service"): None}
    assert awaited(check, "bad").samples[FAILED] == 0


def test_a_bus_that_was_started_again_is_found_again(systemd: OwnSystemd) -> None:
    check = asking(systemd)
    assert check.measure(0.0).state == "ok"
    systemd.ctl("kill", "--signal=KILL", "dbus.service")
    end = time.monotonic() + PATIENCE_S
    while check.measure(1.0).state != "ok":
        assert time.monotonic() < end
        time.sleep(0.01)
        systemd.ctl("reset-failed")


def test_a_bus_that_lets_us_not_in_says_so(systemd: OwnSystemd) -> None:
    Path(systemd.bus).parent.chmod(0o711)
    fd = os.open(Path(systemd.bus).parent, os.O_RDONLY | os.O_DIRECTORY)  # nobody may go by the path there
    found = as_nobody(lambda: Check(Options(), f"/proc/self/fd/{fd}/bus", HERE).measure(0.0))
    os.close(fd)
    assert (found.state, found.samples) == ("unknown", {FAILED: None})
    assert found.detail.startswith(f"systemd cannot be asked: /proc/self/fd/{fd}/bus")


# --- none at all ------------------------------------------------------------------------------------------------------


def test_a_host_without_systemd_is_silent_unless_a_unit_is_wanted(tmp_path: Path) -> None:
    missing = tmp_path / "no"
    assert Check(Options(), str(missing), missing).measure(0.0) == Measured(
        {}, detail="systemd does not run this host"
    )
    wanted = Check(Options(units=("shop",)), str(missing), missing).measure(0.0)
    assert (wanted.state, wanted.detail) == ("unknown", "systemd does not run this host")


def test_a_host_without_a_bus_is_silent_too(tmp_path: Path) -> None:
    missing = tmp_path / "no"
    said = f"systemd cannot be asked: there is no bus at {missing}"
    assert Check(Options(), str(missing), HERE).measure(0.0) == Measured({}, detail=said)


# --- buses as bad as they come ----------------------------------------------------------------------------------------


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[Callable[[Callable[[socket.socket], None]], str]]:
    """A socket at whose other end a function says what it likes; its path."""
    with contextlib.ExitStack() as at_the_end:

        def start(talk: Callable[[socket.socket], None]) -> str:
            path = str(tmp_path / "bus")
            listener = at_the_end.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(path)
            listener.listen()

            def serve() -> None:
                sock, _ = listener.accept()
                with sock, contextlib.suppress(OSError):
                    sock.settimeout(5)
                    talk(sock)

            thread = threading.Thread(target=serve)
            thread.start()
            at_the_end.callback(thread.join)
            return path

        yield start


def lets_in(sock: socket.socket) -> None:
    sock.recv(100)
    sock.sendall(b"OK 0123456789abcdef\r\n")
    sock.recv(7)
    sock.recv(4096)


def says(answer: bytes) -> Callable[[socket.socket], None]:
    def talk(sock: socket.socket) -> None:
        sock.recv(100)
        sock.sendall(answer)

    return talk


def drips(sock: socket.socket) -> None:
    lets_in(sock)
    for byte in struct.pack("<cBBBIII", b"l", 2, 0, 1, 0, 1, 1000):
        sock.sendall(bytes([byte]))
    while True:
        sock.sendall(b"\0")
        time.sleep(0.05)


def repeats(message: bytes) -> Callable[[socket.socket], None]:
    def talk(sock: socket.socket) -> None:
        lets_in(sock)
        while True:
            sock.sendall(message)

    return talk


@pytest.mark.parametrize(
    ("talk", "why"),
    [
        (lambda sock: time.sleep(0.6), "no answer within 0.3 s"),
        (says(b""), "{bus}: "),
        (says(b"REJECTED EXTERNAL\r\n"), "{bus} does not let this user in"),
        (says(b"x" * 1000), "{bus} does not speak D-Bus as we do"),
        (repeats(b"HTTP/1.1 400 Bad Request"), "{bus} does not speak D-Bus as we do"),
        (
            repeats(struct.pack("<cBBBIII", b"l", 2, 0, 1, 2**31, 1, 0)),
            "{bus} does not speak D-Bus as we do",
        ),
        (repeats(struct.pack("<cBBBIII", b"l", 4, 0, 1, 0, 1, 0)), "{bus} does not speak D-Bus as we do"),
        (drips, "no answer within 0.3 s"),
    ],
)
def test_a_bus_that_answers_as_none_should(bus: Any, talk: Callable[[socket.socket], None], why: str) -> None:
    path = bus(talk)
    began = time.monotonic()
    found = Check(Options(timeout_s=0.3), path, HERE).measure(0.0)
    assert time.monotonic() - began < 1.5
    assert (found.state, found.samples) == ("unknown", {FAILED: None})
    assert found.detail.startswith(f"systemd cannot be asked: {why.format(bus=path)}")


@given(st.binary(max_size=200))
def test_whatever_is_no_list_of_units_is_a_value_error(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        list(units_in(Reader(data, "<")))


def test_a_unit_needs_a_name() -> None:
    with pytest.raises(msgspec.ValidationError, match="one of them has no name"):
        msgspec.convert({"units": [""]}, Options)
