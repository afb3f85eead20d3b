"""Who is told, as a person writes it: taken as meant, or refused where the mistake stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agent.options import ConfigError
from collector.config import load
from collector.config.policy import policy_of

OPS = "channels: [{kind: log, name: ops}, {kind: log, name: phone}]\n"


@pytest.mark.parametrize(
    ("written", "line", "problem"),
    [
        ("routes: [{channels: [opps]}]", 3, 'there is no channel or rotation "opps"; there are: ops, phone'),
        (
            "routes:\n  - channels: [ops]\n    escalate:\n      - after: 15m\n        channels: [boss]",
            7,
            'there is no channel or rotation "boss"',
        ),
        ("routes: [{channels: [ops], when: at night}]", 3, '"at night" is no time; write one such as'),
        ("routes: [{channels: [ops], repeat: 5s}]", 3, "repeat"),
        ("quiet_hours: 22 to 7", 3, '"22 to 7" is no time'),
        ("zone: Europe/Bärlin", 3, '"Europe/Bärlin" is no time zone that is known here'),
        ("on_call: [{name: duty, weeks: [ada]}]", 3, 'there is no channel "ada"; there are: ops, phone'),
        ("on_call: [{name: ops, weeks: [phone]}]", 3, 'there is a channel "ops" as well; rename one'),
        (
            "on_call: [{name: duty, weeks: [ops]}, {name: duty, weeks: [phone]}]",
            3,
            'two rotations called "duty"',
        ),
        ("maintenance: [{name: night, when: Saturday}]", 3, '"Saturday" is no time'),
        ("maintenance: [{name: ' ', when: daily 22:00 to 23:00}]", 3, "name is empty"),
    ],
)
def test_a_mistake_in_who_is_told_is_found_where_it_stands(
    tmp_path: Path, written: str, line: int, problem: str
) -> None:
    file = tmp_path / "collector.yaml"
    body = "".join(f"  {one}\n" for one in (OPS + written).splitlines())
    file.write_text("collector:\n" + body)
    with pytest.raises(ConfigError, match=re.escape(problem)) as mistake:
        load(file, {})
    assert f"{file}:{line}" in str(mistake.value)


def test_without_a_word_every_channel_hears_what_it_is_there_for(tmp_path: Path) -> None:
    file = tmp_path / "collector.yaml"
    file.write_text("collector:\n  " + OPS)
    policy = policy_of(load(file, {}).config)
    assert [(route.name, route.channels) for route in policy.routes] == [
        ("critical", ("*",)),
        ("all others", ("*",)),
    ]
