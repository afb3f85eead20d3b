"""What an agent says before it stops."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent import wire
from agent.parting import how_we_stop, meant_by, word

POWEROFF = """\
1181 probe.service              stop  running
1187 shutdown.target            start waiting
1179 poweroff.target            start waiting
1180 systemd-poweroff.service   start waiting
1183 umount.target              start waiting
"""
REBOOT = POWEROFF.replace("poweroff", "reboot")
RESTART = "812 watchkeeper-agent.service restart running\n"


@pytest.mark.parametrize(
    ("jobs", "bye", "because"),
    [
        (POWEROFF, "shutdown", "the host stays down"),
        (POWEROFF.replace("poweroff", "halt"), "shutdown", "the host stays down"),
        (REBOOT, "restart", "a host that does not come back from its reboot is to be missed"),
        (REBOOT.replace("reboot", "kexec"), "restart", "another kernel is a reboot too"),
        (RESTART, "restart", "the agent alone is started again"),
        (
            "813 watchkeeper-agent.service stop running\n",
            "restart",
            "the host goes on, and nobody watches it",
        ),
        ("No jobs running.\n", "restart", "somebody sent a signal"),
        ("7 poweroff.target stop waiting\n", "restart", "a shutdown that was called off"),
        ("", "restart", "systemd said nothing"),
    ],
)
def test_what_systemds_jobs_mean(jobs: str, bye: str, because: str) -> None:
    assert meant_by(jobs) == bye, because


def test_without_systemd_it_is_taken_for_a_moment(tmp_path: Path) -> None:
    assert how_we_stop(tmp_path / "none") == "restart"


def test_a_systemd_that_gives_no_answer_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.parting.JOBS", ("sleep", "100"))
    monkeypatch.setattr("agent.parting.ANSWER_S_MAX", 0.05)
    assert how_we_stop(tmp_path) == "restart"
    monkeypatch.setattr("agent.parting.JOBS", ("no-such-program",))
    assert how_we_stop(tmp_path) == "restart"


def test_a_bye_is_a_batch_without_samples() -> None:
    assert wire.tail(word("shutdown", 10_000)) == b',"every_ms":10000,"samples":{},"bye":"shutdown"}'
