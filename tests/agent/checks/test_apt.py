"""Updates on Debian: the real apt, with lists and installed packages of its own."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.checks import Measured
from agent.checks._apt import FIRST_AFTER_S, Apt, Waiting, counted
from agent.checks.updates import Check, Options
from tests.agent.checks.own_apt import OwnApt
from tests.conftest import Needs

HOUR_S = 3_600.0
SAID = """\
Inst base-files [12.4+deb12u11] (12.4+deb12u15 Debian:12.15/oldstable [amd64])
Conf base-files (12.4+deb12u15 Debian:12.15/oldstable [amd64])
Inst linux-image-6.1.0-41-amd64 (6.1.158-1 Debian-Security:12/oldstable-security [amd64])
Inst libgcrypt20 [1.10.1-3] (1.10.1-3+deb12u1 Debian:12.15/oldstable, Debian-Security:12/oldstable-security [amd64]) []
Remv old [1.0]
"""


@pytest.fixture
def own_apt(needs: Needs, tmp_path: Path) -> OwnApt:
    needs("apt-get")
    apt = OwnApt(tmp_path / "apt")
    apt.install({"one": "1.0", "two": "1.0", "three": "1.0"})
    apt.offer("Debian", "bookworm", {"one": "1.1", "two": "1.0", "three": "1.1"})
    apt.offer("Debian-Security", "bookworm-security", {"three": "1.2"})
    return apt


@pytest.fixture
def check(own_apt: OwnApt, tmp_path: Path) -> Check:
    apt = Apt(HOUR_S, own_apt.program, own_apt.lists, own_apt.status)
    return Check(Options(), tmp_path / "ubuntus", apt)


def when(check: Check, at_s: float, question: Callable[[Measured], bool]) -> Measured:
    """What it says at that time, as soon as it says what is asked for."""
    deadline_s = time.monotonic() + 60
    while not question(found := check.measure(at_s)):
        assert time.monotonic() < deadline_s, found
        time.sleep(0.05)
    return found


def pending(found: Measured) -> tuple[float | None, float | None]:
    return found.samples.get("updates_pending"), found.samples.get("updates_security_pending")


def test_what_apt_would_upgrade_is_told_a_while_after_the_start(own_apt: OwnApt, check: Check) -> None:
    own_apt.update()
    for at_s in (0.0, FIRST_AFTER_S - 1):
        found = check.measure(at_s)
        assert (found.samples, found.state, found.detail) == ({}, "ok", "apt has not been asked yet")
    found = when(check, FIRST_AFTER_S, lambda found: bool(found.samples))
    assert pending(found) == (2, 1)
    assert (found.state, found.detail) == ("ok", "")
    assert 0 <= (found.samples["updates_counted_ago_s"] or 0) < 60


def test_no_tick_waits_for_apt(own_apt: OwnApt, check: Check) -> None:
    own_apt.update()
    own_apt.says("sleep 30")
    check.measure(0.0)
    for at_s in (60.0, 70.0, 80.0):
        began_s = time.monotonic()
        assert check.measure(at_s).detail == "apt has not been asked yet"
        assert time.monotonic() - began_s < 1.0


def test_apt_is_asked_again_when_something_changed_and_never_sooner_than_it_may(
    own_apt: OwnApt, check: Check, tmp_path: Path
) -> None:
    own_apt.update()
    asked = tmp_path / "asked"
    own_apt.says(f'echo >> {asked}; exec env APT_CONFIG={{config}} apt-get "$@"')
    check.measure(0.0)
    when(check, 60.0, lambda found: pending(found) == (2, 1))
    for hour in range(1, 24):
        check.measure(60.0 + hour * HOUR_S)
    assert asked.read_text() == "\n", "nothing had changed"
    day_s = 60.0 + 24 * HOUR_S
    own_apt.install({"one": "1.0", "two": "1.0", "three": "1.2"})
    when(check, day_s, lambda found: pending(found) == (1, 0))
    own_apt.install({"one": "1.1", "two": "1.0", "three": "1.2"})
    assert pending(check.measure(day_s + HOUR_S - 1)) == (1, 0)
    when(check, day_s + HOUR_S, lambda found: pending(found) == (0, 0))
    assert asked.read_text() == "\n" * 3


def test_it_runs_with_the_lowest_priority(own_apt: OwnApt, check: Check, tmp_path: Path) -> None:
    own_apt.update()
    told = tmp_path / "told"
    own_apt.says(f"cut -d' ' -f19 /proc/self/stat > {told}.new; mv {told}.new {told}")
    check.measure(0.0)
    when(check, 60.0, lambda found: told.exists())
    assert told.read_text() == "19\n"


def test_an_apt_that_fails_says_why_and_is_asked_again(own_apt: OwnApt, check: Check) -> None:
    own_apt.update()
    own_apt.says("echo 'E: dpkg was interrupted, run dpkg --configure -a' >&2; exit 100")
    check.measure(0.0)
    found = when(check, 60.0, lambda found: found.state == "unknown")
    assert found.detail == "apt-get ended with 100: E: dpkg was interrupted, run dpkg --configure -a"
    assert set(found.samples.values()) == {None}
    own_apt.says('exec env APT_CONFIG={config} apt-get "$@"')
    assert check.measure(60.0 + HOUR_S / 2).state == "unknown"
    assert pending(when(check, 60.0 + HOUR_S, lambda found: found.state == "ok")) == (2, 1)


def test_one_that_says_too_much_is_ended(own_apt: OwnApt, check: Check) -> None:
    own_apt.update()
    own_apt.says("yes 'Inst x [1] (2 Debian [all])'")
    check.measure(0.0)
    found = when(check, 60.0, lambda found: found.state == "unknown")
    assert found.detail == "apt-get wrote more than 4MiB; it was killed"


def test_without_lists_nothing_is_taken_for_no_updates(own_apt: OwnApt, check: Check) -> None:
    found = check.measure(60.0)
    assert (found.samples, found.state) == ({}, "ok")
    assert found.detail == "apt has no lists of packages; `apt-get update` fetches them"


def test_how_old_the_lists_are_is_told(own_apt: OwnApt, check: Check) -> None:
    own_apt.update()
    for folder in (own_apt.lists, own_apt.lists / "partial"):
        os.utime(folder, (time.time() - 30 * 86_400,) * 2)
    check.measure(0.0)
    found = when(check, 60.0, lambda found: bool(found.samples))
    assert found.samples["updates_counted_ago_s"] == pytest.approx(30 * 86_400, abs=120)


def test_it_can_be_left_unasked(own_apt: OwnApt, tmp_path: Path) -> None:
    own_apt.update()
    apt = Apt(0.0, own_apt.program, own_apt.lists, own_apt.status)
    check = Check(Options(apt_every_s=0), tmp_path / "ubuntus", apt)
    check.measure(0.0)
    found = check.measure(1e6)
    assert found.detail == "this system does not count the updates that wait to be installed"


def test_what_is_not_installed_yet_is_no_update_and_security_is_known_by_its_source() -> None:
    assert counted(SAID) == Waiting(updates=2, security=1)
    assert counted("") == Waiting(0, 0)


def test_the_apt_of_this_host_is_understood(needs: Needs) -> None:
    """Held against the summary in words, which apt counts itself."""
    needs("apt-get")
    apt = Apt(HOUR_S)
    needs.that(apt.is_here and apt.looked_at_s() is not None, "needs apt with lists: run apt-get update")
    check = Check(Options(), Path("/nowhere"), apt)
    check.measure(0.0)
    found = when(check, 60.0, lambda found: bool(found.samples))
    command = ["apt-get", "--simulate", "-o", "Debug::NoLocking=true", "dist-upgrade"]
    said = subprocess.run(
        command, capture_output=True, text=True, check=True, env=os.environ | {"LC_ALL": "C"}
    )
    upgraded = re.search(r"^(\d+) upgraded, \d+ newly installed", said.stdout, re.MULTILINE)
    assert upgraded is not None
    assert found.samples["updates_pending"] == int(upgraded[1])
