"""What the documentation says of each key: its type, its default, its meaning."""

from __future__ import annotations

import msgspec
import pytest

from agent.options import convert, parse_yaml
from agent.options.describe import OptionLine, describe
from tests.agent.options.settings import Http, Settings, settings


def test_every_key_of_a_struct_is_described() -> None:
    size, time = "B KiB MiB GiB TiB kB MB GB TB", "ms s m h d w"
    assert describe(Http) == [
        OptionLine(key="id", type="text", default='""', unit="", help="its name"),
        OptionLine(key="every", type="duration", default="10s", unit=time, help="how often it is asked"),
        OptionLine(key="url", type="text", default=None, unit="", help="what to ask"),
        OptionLine(key="timeout", type="duration", default="5s", unit=time, help=""),
        OptionLine(key="body", type="size", default="1MiB", unit=size, help=""),
    ]


def test_keys_of_nested_structs_are_described_with_their_path() -> None:
    lines = {line.key: line for line in describe(Settings)}
    assert {key: lines[key].default for key in lines if "." in key} == {
        "above.warning": "null",
        "above.critical": "null",
        "limits.warning": "80",
        "limits.critical": "95",
        "checks[].id": '""',
        "checks[].every": "10s",
        "main_check.id": '""',
        "main_check.every": "10s",
    }


class Tree(msgspec.Struct):
    name: str
    branches: list[Tree] = []


def test_a_struct_that_holds_itself_is_described_once() -> None:
    assert [line.key for line in describe(Tree)] == ["name", "branches"]
    read = convert(parse_yaml("name: a\nbranches: [{name: b}]", file="x.yaml"), Tree)
    assert read == Tree("a", [Tree("b")])


def test_types_and_defaults_are_in_words() -> None:
    lines = {line.key: (line.type, line.default) for line in describe(Settings)}
    assert lines["port"] == ("whole number", "8420")
    assert lines["enabled"] == ("true or false", "true")
    assert lines["mode"] == ("one of push, pull", "push")
    assert lines["above"] == ("number or mapping", "80")
    assert lines["steps"] == ("list of duration", '["1m", "5m"]')
    assert lines["labels"] == ("mapping to text", "{}")
    assert lines["token"] == ("secret text or null, or token_file: PATH", "null")
    assert next(line.help for line in describe(Settings) if line.key == "port") == "where to listen"


@pytest.mark.parametrize(
    "default", ["a b", "127.0.0.1:80", "/a/*", "*", "a: b", "a:", "- a", "{{x}}", " a", "#", "é"]
)
def test_a_default_of_any_text_can_be_written_back(default: str) -> None:
    (line,) = describe(msgspec.defstruct("One", [("a", str, default)]))
    assert parse_yaml(f"a: {line.default}", file="x.yaml").plain() == {"a": default}


def test_every_default_can_be_written_back() -> None:
    flat = [line for line in describe(Settings) if not set("[].") & set(line.key)]
    written = ", ".join(f"{line.key}: {line.default}" for line in flat)
    assert settings(written) == Settings()
