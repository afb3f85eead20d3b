"""Messages in the words of the house: templates found, tried when they are read, and never at a message's cost."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from prometheus_client import CollectorRegistry

from agent.options import ConfigError
from collector.config import load
from collector.messages import Action, Message
from collector.wording import Wording, load_wording
from tests.collector.owed import notice

PAGE = Path(__file__).parents[2] / "docs" / "channels.md"
LINK = "https://wk.example.org/incidents/7"
CONFIG = """
collector:
  templates: templates
  channels:
    - {kind: log, name: ops}
    - {kind: log, name: phone}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "collector.yaml").write_text(CONFIG)
    (tmp_path / "templates").mkdir()
    return tmp_path / "templates"


def wording(folder: Path, registry: CollectorRegistry | None = None) -> Wording:
    return load_wording(load(folder.parent / "collector.yaml", {}), registry or CollectorRegistry())


def message(channel: str = "ops") -> Message:
    return Message(notice(channel=channel), LINK, actions=(Action("Acknowledge", f"{LINK}/ack"),))


def test_without_templates_a_message_stays_as_it_is(folder: Path) -> None:
    assert wording(folder).dress(message()) == message()


def test_a_title_of_the_house_takes_the_place_of_ours_and_the_text_stays(folder: Path) -> None:
    [template] = re.findall(r"```jinja\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    (folder / "title.txt").write_text(template)
    dressed = wording(folder).dress(message())
    assert dressed.title == "CRITICAL web-1: disk / of web-1 is at 97 % [first]"
    assert dressed.notice.text == message().notice.text


def test_times_in_a_template_go_by_the_zone_that_is_set(folder: Path) -> None:
    config = folder.parent / "collector.yaml"
    config.write_text(config.read_text() + "  zone: Asia/Kathmandu\n")
    (folder / "text.txt").write_text("{{ started_at.strftime('%H:%M %z') }}")
    told = message()
    began = datetime.fromtimestamp(told.notice.started_at / 1000, ZoneInfo("Asia/Kathmandu"))
    assert wording(folder).dress(told).notice.text == f"{began:%H:%M} +0545"


def test_a_channels_own_template_goes_before_that_for_all(folder: Path) -> None:
    (folder / "phone").mkdir()
    (folder / "text.txt").write_text("for all: {{ link }}")
    (folder / "phone" / "text.txt").write_text("{{ host }}!")
    words = wording(folder)
    assert words.dress(message()).notice.text == f"for all: {LINK}"
    assert words.dress(message("phone")).notice.text == "web-1!"


def test_what_html_is_made_of_is_escaped(folder: Path) -> None:
    (folder / "mail.html").write_text("<p>{{ title }}</p>{% for one in actions %}{{ one.label }}{% endfor %}")
    told = Message(notice(title="<script>"), LINK, actions=message().actions)
    assert wording(folder).dress(told).html == "<p>&lt;script&gt;</p>Acknowledge"


@pytest.mark.parametrize(
    "template",
    [
        "{{ nothing }}",
        "{{ alerts[99].summary }}",
        "{{ 1 / 0 }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    ],
    ids=["a name that means nothing", "what is not there", "an error", "a way out of the sandbox"],
)
def test_a_template_that_fails_costs_no_message_and_is_told_once(
    folder: Path, template: str, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "title.txt").write_text(template)
    registry = CollectorRegistry()
    words = wording(folder, registry)
    assert words.dress(message()) == message()
    assert words.dress(message()) == message()
    assert caplog.text.count("title.txt fails, so our own words are used") == 1
    assert registry.get_sample_value("watchkeeper_template_errors_total") == 2


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("title.txt", "line one\n{% if %}", r"templates/title\.txt:2: "),
        ("titel.txt", "x", "what can be written anew is title.txt, text.txt, mail.html"),
        ("pager/title.txt", "x", "in a folder that is called as a channel is"),
        ("title.txt", b"\xff\xfe\xff", "it cannot be read"),
    ],
    ids=["a mistake in it", "a slip in its name", "a channel that is not there", "no text"],
)
def test_a_mistake_is_found_when_it_is_read(
    folder: Path, name: str, content: str | bytes, complaint: str
) -> None:
    file = folder / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError, match=complaint):
        wording(folder)


def test_a_folder_that_is_not_there_is_a_mistake_in_the_config(folder: Path) -> None:
    folder.rmdir()
    with pytest.raises(ConfigError, match=r"collector\.yaml:3: .*is not a folder"):
        wording(folder)
