"""The log channel: one line a notice."""

from __future__ import annotations

import logging

import pytest

from collector.channels import Message, Sent
from collector.channels.log import Channel, Options
from collector.messages import Action
from rules.model import Reason, Severity
from tests.collector.owed import notice


@pytest.mark.parametrize(
    ("severity", "reason", "level"),
    [
        ("info", "first", logging.INFO),
        ("warning", "escalated", logging.WARNING),
        ("critical", "first", logging.ERROR),
        ("critical", "resolved", logging.INFO),
    ],
)
async def test_a_notice_is_one_line_at_the_level_of_its_severity(
    caplog: pytest.LogCaptureFixture, severity: Severity, reason: Reason, level: int
) -> None:
    caplog.set_level(logging.INFO)
    message = Message(
        notice(severity=severity, reason=reason, text="two\nlines\x1b[31m"), "http://wk/incidents/7"
    )
    assert await Channel(Options(name="ops")).send(message) == Sent("written to the log")
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("watchkeeper.notices.ops", level)
    assert record.getMessage() == "web-1: disk / is at 97 %; two; lines [31m; http://wk/incidents/7"


async def test_what_the_title_says_is_not_said_again_and_nobody_can_act_from_a_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    text = "disk / is at 97 %\n  since 02:00:07 UTC; critical, rule disk-full\n\nRunbook: http://wiki/disk"
    acts = (Action("Acknowledge", "http://wk/links/acknowledge/7"),)
    await Channel(Options(name="ops")).send(Message(notice(text=text), "http://wk/incidents/7", actions=acts))
    assert caplog.records[0].getMessage() == (
        "web-1: disk / is at 97 %; since 02:00:07 UTC; critical, rule disk-full; Runbook: http://wiki/disk; "
        "http://wk/incidents/7"
    )


async def test_a_long_notice_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    await Channel(Options(name="ops")).send(Message(notice(text="x" * 10_000), ""))
    assert len(caplog.records[0].getMessage()) == 2_000
