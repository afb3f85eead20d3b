"""What every channel has in common: options, what may be shown, and being found by its file alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import collector.channels
from agent.options import ConfigError, KindSet, convert, discover, parse_yaml
from collector.channels import ChannelOptions, Message, shown
from tests.collector.owed import notice

KINDS: dict[type, KindSet] = {ChannelOptions: KindSet(discover(collector.channels))}


def read(text: str) -> ChannelOptions:
    return convert(parse_yaml(text, file="c.yaml"), ChannelOptions, kinds=KINDS)


def test_every_kind_says_where_it_tells() -> None:
    kinds = discover(collector.channels)
    assert set(kinds) == {"apprise", "log", "mail", "pagerduty", "slack", "webhook"}
    assert all(len(kind.help) > 20 and hasattr(kind.module, "Channel") for kind in kinds.values())


def test_a_channel_is_read_from_yaml(tmp_path: Path) -> None:
    options = read(
        "kind: webhook\nname: ops\nurl: https://example.org/hook\nfrom_severity: critical\ntimeout: 3s\n"
    )
    assert (options.name, options.from_severity, options.timeout_s) == ("ops", "critical", 3.0)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("kind: log\nname: ''", "does not suit a channel"),
        ("kind: log\nname: 'a\"b'", "does not suit a channel"),
        ("kind: log\nname: a\ntimeout: 500ms", "lies between 1s and 2m"),
        ("kind: log\nname: a\ntimeout: 1h", "lies between 1s and 2m"),
        ("kind: slack\nname: a\nurl: hooks.slack.com/SECRET", "begins with http"),
        ("kind: slack\nname: a\nurl: 'https:///SECRET'", "begins with http"),
        ("kind: webhook\nname: a\nurl: 'http://x:SECRET/'", "begins with http"),
        ("kind: webhook\nname: a\nurl: ftp://x/SECRET", "begins with http"),
        ("kind: webhook\nname: a\nurl: http://x\nheaders: {'a b': SECRET}", "no header that can be set"),
        (
            "kind: webhook\nname: a\nurl: http://x\nheaders: {Content-Type: SECRET}",
            "no header that can be set",
        ),
        ('kind: webhook\nname: a\nurl: http://x\nheaders: {X-A: "SECRET\\nX-B: 1"}', "line break"),
        ('kind: webhook\nname: a\nurl: http://x\ntoken: "SECRET\\n"', "line break"),
        ("kind: webhook\nname: a\nurl: http://x\ntoken: t\nheaders: {authorization: SECRET}", "keep one"),
        ("kind: pagerduty\nname: a\nintegration_key: SECRET-1", "letters and digits alone"),
        (
            "kind: pagerduty\nname: a\nintegration_key: k\nurl: events.pagerduty.com/SECRET",
            "begins with http",
        ),
        ("kind: apprise\nname: a\nurl: nosuch://SECRET", "Apprise cannot send"),
        ("kind: apprise\nname: a\nurl: mailto://u:SECRET@h", "Apprise cannot send to it: Invalid ~From~"),
        ("kind: apprise\nname: a\nurl: mailto://u:SECRET@x.org?to=a@x.org,b@x.org", "leads to 2 recipients"),
        (
            "kind: apprise\nname: a\nurl: mailto://u:SECRET@x.org?to=a@x.org&cc=b@x.org",
            "leads to 2 recipients",
        ),
    ],
)
def test_a_mistake_is_told_in_plain_words_and_without_the_secret(text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint) as raised:
        read(text)
    assert "SECRET" not in str(raised.value)


def test_no_option_shows_its_secret() -> None:
    options = read("kind: webhook\nname: a\nurl: http://x/SECRET\ntoken: SECRET\nheaders: {X-Key: SECRET}")
    assert "SECRET" not in f"{options!r} {options}"


def test_the_link_and_the_doubt_stand_below_the_text() -> None:
    plain = Message(notice(text="the text\n"), "http://wk/incidents/7")
    assert plain.text == "the text\n\nhttp://wk/incidents/7"
    again = Message(notice(text="the text"), "http://wk/incidents/7", perhaps_again=True)
    assert again.text.startswith(plain.text)
    assert "had this before" in again.text


def test_a_title_is_one_line() -> None:
    assert Message(notice(title="a\r\nBcc: x@y\n b"), "").title == "a Bcc: x@y b"


@given(st.text(), st.lists(st.text(min_size=4), max_size=3))
def test_what_is_shown_is_short_printable_and_without_secrets(text: str, secrets: list[str]) -> None:
    said = shown(text + "".join(secrets), secrets, letters_max=100)
    assert len(said) <= 100
    assert said.isprintable()
    assert not any(
        secret in said.replace("****", "") for secret in secrets if secret.strip("*").split() == [secret]
    )
