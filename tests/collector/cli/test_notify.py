"""`watchkeeper notify`, against a real mail server and a real receiver: good, refusing, silent, and not configured."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
import yaml

from collector.__main__ import main
from tests.receivers import SLACK_PATH, HttpReceiver, MailReceiver


@pytest.fixture
def config(tmp_path: Path, mail: MailReceiver, http: HttpReceiver) -> Path:
    channels = [
        {
            "kind": "mail",
            "name": "mail",
            "to": ["ops@example.org"],
            "from": "wk@example.org",
            "server": f"127.0.0.1:{mail.port}",
            "encryption": "none",
            "timeout": "1s",
        },
        {"kind": "slack", "name": "ops", "url": f"{http.url}{SLACK_PATH}", "timeout": "1s"},
    ]
    file = tmp_path / "collector.yaml"
    file.write_text(yaml.safe_dump({"collector": {"channels": channels}}))
    return file


async def notify(*arguments: str | Path) -> int:
    return await asyncio.to_thread(main, ["notify", *map(str, arguments)])


async def test_a_test_message_arrives_and_the_answer_is_shown(
    config: Path, mail: MailReceiver, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await notify("test", "mail", "--config", config) == 0
    assert capsys.readouterr().out == "mail took it: the mail server answered 250 2.0.0 Taken as 1\n"
    (taken,) = mail.taken
    assert taken.title.startswith("TEST of the channel mail, sent by Watchkeeper on ")
    assert "Nothing is wrong." in taken.text


@pytest.mark.parametrize(
    ("behaviour", "answer"),
    [
        ("refuse", "mail did not take it: the mail server answered 550 5.1.1 There is no such user here\n"),
        ("hang", "mail did not take it: 127.0.0.1:{port} was silent for 1 s\n"),
    ],
)
async def test_what_went_wrong_is_shown_and_is_the_exit_code(
    config: Path, mail: MailReceiver, capsys: pytest.CaptureFixture[str], behaviour: str, answer: str
) -> None:
    mail.behaviour = behaviour
    assert await notify("test", "mail", "--config", config) == 1
    assert capsys.readouterr().out == answer.format(port=mail.port)


async def test_a_channel_that_is_not_there_is_a_mistake_that_names_those_that_are(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await notify("test", "pager", "--config", config) == 2
    assert 'there is no channel "pager" in the config; there are: mail, ops' in capsys.readouterr().err


async def test_the_channels_are_listed(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await notify("list", "--config", config) == 0
    assert capsys.readouterr().out.splitlines() == [
        "CHANNEL  KIND   FROM",
        "mail     mail   warning",
        "ops      slack  warning",
    ]
    assert await notify("list", "--json", "--config", config) == 0
    assert msgspec.json.decode(capsys.readouterr().out)[1] == {
        "name": "ops",
        "kind": "slack",
        "from_severity": "warning",
    }


async def test_without_a_channel_the_list_says_the_next_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "collector.yaml"
    file.write_text("collector: {}\n")
    assert await notify("list", "--config", file) == 0
    assert "nobody will be told" in capsys.readouterr().out
