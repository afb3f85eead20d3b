"""What an agent says before it stops, asked of a real systemd."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent import wire
from agent.parting import how_we_stop, meant_by, word
from tests.agent.checks.own_systemd import OwnSystemd, own_systemd
from tests.conftest import Needs

HERE = Path("/")
POWEROFF = [
    ("watchkeeper-agent.service", "stop"),
    ("shutdown.target", "start"),
    ("poweroff.target", "start"),
    ("systemd-poweroff.service", "start"),
    ("umount.target", "start"),
]
REBOOT = [(unit.replace("poweroff", "reboot"), kind) for unit, kind in POWEROFF]


@pytest.mark.parametrize(
    ("jobs", "bye", "because"),
    [
        (POWEROFF, "shutdown", "the host stays down"),
        ([("halt.target", "start")], "shutdown", "the host stays down"),
        (REBOOT, "restart", "a host that does not come back from its reboot is to be missed"),
        ([("kexec.target", "start")], "restart", "another kernel is a reboot too"),
        ([("watchkeeper-agent.service", "restart")], "restart", "the agent alone is started again"),
        (
            [("watchkeeper-agent.service", "stop")],
            "restart",
            "the host goes on, and nobody watches it any more",
        ),
        ([("poweroff.target", "stop")], "restart", "a shutdown that was called off"),
        ([], "restart", "somebody sent a signal"),
    ],
)
def test_what_systemds_jobs_mean(jobs: list[tuple[str, str]], bye: str, because: str) -> None:
    assert meant_by(iter(jobs)) == bye, because


@pytest.fixture(scope="module")
def systemd(needs: Needs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnSystemd]:
    needs.that(os.geteuid() == 0, "needs root, for a systemd of its own")
    needs("dbus-daemon")
    needs.that(
        Path("/usr/lib/systemd/systemd").exists(), "needs systemd (on Debian: apt-get install systemd)"
    )
    with own_systemd(tmp_path_factory.mktemp("systemd")) as systemd:
        systemd.write("slow.service", "[Service]\nType=notify\nExecStart=/bin/sleep 3600")
        for target in ("poweroff", "reboot"):
            systemd.write(f"{target}.target", "Requires=slow.service\nAfter=slow.service")
        yield systemd


@pytest.mark.parametrize(("target", "bye"), [("poweroff", "shutdown"), ("reboot", "restart")])
def test_what_systemd_has_in_hand_decides(systemd: OwnSystemd, target: str, bye: str) -> None:
    assert how_we_stop(systemd.bus, HERE) == "restart"
    systemd.ctl("start", "--no-block", f"{target}.target")
    try:
        assert f"{target}.target start waiting" in " ".join(systemd.ctl("list-jobs", "--no-legend").split())
        assert how_we_stop(systemd.bus, HERE) == bye
    finally:
        systemd.ctl("cancel")
        systemd.ctl("stop", "slow.service")


def test_a_systemd_that_gives_no_answer_is_not_waited_for(
    systemd: OwnSystemd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.parting.ANSWER_S_MAX", 0.2)
    with systemd.hung():
        assert how_we_stop(systemd.bus, HERE) == "restart"


def test_without_systemd_it_is_taken_for_a_moment(tmp_path: Path) -> None:
    assert how_we_stop(str(tmp_path / "bus"), tmp_path / "none") == "restart"
    assert how_we_stop(str(tmp_path / "bus"), HERE) == "restart"


def test_a_bye_is_a_batch_without_samples() -> None:
    assert wire.tail(word("shutdown", 10_000)) == b',"every_ms":10000,"samples":{},"bye":"shutdown"}'
