"""Reading YAML: what plain text means, where each value stands, and what is said about text that is no YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.options import ConfigError, overlay_environment, parse_yaml, read_yaml
from agent.options.yamlnode import NODES_MAX


def mistake(text: str) -> str:
    """The one line said about `text`."""
    with pytest.raises(ConfigError) as caught:
        parse_yaml(text, file="x.yaml")
    return str(caught.value)


# What plain text means

MEANS: dict[str, Any] = {
    "true": True,
    "False": False,
    "null": None,
    "~": None,
    "": None,
    "0": 0,
    "-17": -17,
    "+5": 5,
    "2.50": 2.5,
    ".5": 0.5,
    "1e3": 1000.0,
    # YAML 1.1 would make something else of each of these.
    "1:30": "1:30",
    "off": "off",
    "on": "on",
    "yes": "yes",
    "No": "No",
    "0777": "0777",
    "0x1F": "0x1F",
    "1_000": "1_000",
    "2024-01-01": "2024-01-01",
    ".inf": ".inf",
    "-.inf": "-.inf",
    ".nan": ".nan",
    "1e999": "1e999",
    "=": "=",
    "'true'": "true",
    '"5"': "5",
    "|\n  two\n  lines": "two\nlines",
}


@pytest.mark.parametrize(("written", "meant"), MEANS.items())
def test_plain_text_means_what_it_says(written: str, meant: Any) -> None:
    plain = parse_yaml(f"a: {written}", file="x.yaml").plain()["a"]
    assert (plain, type(plain)) == (meant, type(meant))


@pytest.mark.parametrize("key", ["on", "5", "true", "2024-01-01", "null"])
def test_a_key_is_its_text(key: str) -> None:
    assert parse_yaml(f"{key}: 1", file="x.yaml").plain() == {key: 1}


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "\ufeff"])
def test_an_empty_file_is_an_empty_mapping(text: str) -> None:
    assert parse_yaml(text, file="x.yaml").plain() == {}


def test_a_value_may_be_repeated_by_an_alias() -> None:
    assert parse_yaml("a: &x [1, 2]\nb: *x", file="x.yaml").plain() == {"a": [1, 2], "b": [1, 2]}


# Where a value stands


def test_every_value_knows_its_line_and_path() -> None:
    root = parse_yaml("agent:\n  checks:\n    - id: a\n    -\n      id: b\n      a b: 1\n", file="x.yaml")
    second = root.get("agent").get("checks").items()[1]
    assert [(node.line, node.path) for node in (second, second.get("id"), second.get("a b"))] == [
        (5, "agent.checks[1]"),
        (5, "agent.checks[1].id"),
        (6, 'agent.checks[1]."a b"'),
    ]


def test_an_absent_section_is_an_empty_mapping() -> None:
    absent = parse_yaml("collector: {}", file="x.yaml").get("agent")
    assert (absent.plain(), absent.path, absent.line) == ({}, "agent", None)


def test_a_section_with_nothing_in_it_is_an_empty_mapping() -> None:
    assert parse_yaml("agent:\n# all is commented out", file="x.yaml").get("agent").get("spool").plain() == {}


def test_a_misspelt_section_is_found() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_yaml("agent: {}\ncolector: {}", file="x.yaml").only("agent", "collector")
    assert str(caught.value) == (
        'x.yaml:2: colector: unknown key; did you mean "collector"? allowed: agent, collector'
    )


def test_a_node_shows_its_place_and_not_its_value() -> None:
    assert repr(parse_yaml("token: s3cret", file="x.yaml").get("token")) == "Node(x.yaml:1: token)"


# What is no YAML

MISTAKES = {
    "a: 1\nb: 2\na: 3": "x.yaml:3: a: written twice; the first is on line 1",
    "a:\n  b: 1\n  'b': 2": "x.yaml:3: a.b: written twice; the first is on line 2",
    "- a": "x.yaml:1: expected a mapping (key: value) at the top, got a list",
    "just text": "x.yaml:1: expected a mapping (key: value) at the top, got text",
    "a: 1\n---\nb: 2": "x.yaml:2: a second document begins here; a file holds one",
    "? [a]\n: b": "x.yaml:1: a key must be plain text; text that begins with { or [ needs quotes",
    "a: {{host}}": "x.yaml:1: a: a key must be plain text; text that begins with { or [ needs quotes",
    "<<: {a: b}": "x.yaml:1: merge keys (<<) are not understood; write the keys out",
    "?\n: b": "x.yaml:1: a key is missing before the colon",
    "a: *b": "x.yaml:1: a: *b repeats nothing that stands above it",
    "a: &a [*a]": "x.yaml:1: a[0]: *a repeats nothing that stands above it",
    "a: !!int 5": (
        "x.yaml:1: a: tags such as tag:yaml.org,2002:int are not understood; put text in quotes instead"
    ),
    'a: "\\ud800"': "x.yaml:1: a: holds characters that are not Unicode text",
    'a: "\\UFFFFFFFF"': "x.yaml: not valid YAML: an escape is beyond Unicode",
    "a: 1\nb: \x07": "x.yaml:2: not valid YAML: the character U+0007",
    "a: 1\nb: [1,\nc: 2\n": (
        "x.yaml:2: not valid YAML: while parsing a flow sequence, expected ',' or ']', but got '<stream end>'"
    ),
    "a: 1\nb: 'open\nc: 2\n": (
        "x.yaml:2: not valid YAML: while scanning a quoted scalar, found unexpected end of stream"
    ),
    "summary: disk: full": (
        "x.yaml:1: not valid YAML: mapping values are not allowed here; "
        "text that holds ': ' needs quotes, or the indentation is wrong"
    ),
    "a:\n\tb: 1": (
        "x.yaml:2: not valid YAML: while scanning for the next token, found character '\\t' that cannot start "
        "any token; indent with spaces, not tabs"
    ),
    "a: @here": (
        "x.yaml:1: not valid YAML: while scanning for the next token, found character '@' that cannot start "
        "any token; text that begins with it needs quotes"
    ),
}


@pytest.mark.parametrize(("text", "said"), MISTAKES.items())
def test_a_mistake_is_one_line_with_its_place(text: str, said: str) -> None:
    assert mistake(text) == said


def test_deep_nesting_is_refused_before_it_is_read() -> None:
    assert mistake("a: " + "[" * 100_000).endswith("is nested deeper than 32 levels")


def test_depth_through_aliases_counts() -> None:
    deep = "".join(f"a{n}: &a{n} {'[' * 20}{f'*a{n - 1}' if n else ''}{']' * 20}\n" for n in range(3))
    assert mistake(deep).endswith("is nested deeper than 32 levels")


def test_aliases_that_multiply_are_refused() -> None:
    bomb = "a0: &a0 [x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
    )
    assert mistake(bomb).endswith(f"more than {NODES_MAX} values, counting what aliases repeat")


@given(st.text(alphabet=list("ab:-[]{}&*!|>'\"%@#,?< \n\t\\xuU0d.~=\x00\ud800é"), max_size=60))
def test_any_text_is_read_or_is_one_mistake_on_one_line(text: str) -> None:
    try:
        parse_yaml(text, file="x.yaml").plain()
    except ConfigError as error:
        said = str(error)
        assert said.isprintable()
        assert len(said) <= 400


# Files


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_yaml(tmp_path / "agent.yaml")
    assert str(caught.value) == f"{tmp_path}/agent.yaml: cannot be read: no such file or directory"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: is a directory"):
        read_yaml(tmp_path)


def test_a_file_of_another_encoding_names_the_line(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes("a: 1\nb: Köln\n".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"x.yaml:2: is not UTF-8 text"):
        read_yaml(tmp_path / "x.yaml")


def test_a_file_over_a_mebibyte_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("#" * (1024 * 1024 + 1))
    with pytest.raises(ConfigError, match=r"x.yaml: is larger than 1 MiB"):
        read_yaml(tmp_path / "x.yaml")


def test_a_file_name_with_a_line_break_stays_on_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"a\\nb.yaml: cannot be read"):
        read_yaml(tmp_path / "a\nb.yaml")


# The environment

FILE = "agent:\n  url: http://file\n  spool:\n    path: /file\n    max: 1MiB\n  checks: [cpu]\n"


def overlaid(**environ: str) -> Any:
    return overlay_environment(parse_yaml(FILE, file="x.yaml"), environ, section="agent").plain()["agent"]


def test_the_environment_wins_over_the_file() -> None:
    assert overlaid(WATCHKEEPER_AGENT__URL="http://env")["url"] == "http://env"


def test_the_environment_reaches_into_a_section_and_leaves_the_rest() -> None:
    assert overlaid(WATCHKEEPER_AGENT__SPOOL__PATH="/env")["spool"] == {"path": "/env", "max": "1MiB"}


def test_the_environment_may_begin_a_section() -> None:
    assert overlaid(WATCHKEEPER_AGENT__TLS__VERIFY="false")["tls"] == {"verify": False}


def test_a_variable_is_one_scalar_whatever_it_holds() -> None:
    assert overlaid(WATCHKEEPER_AGENT__TOKEN="{a: [b # c")["token"] == "{a: [b # c"


def test_other_variables_are_left_alone() -> None:
    others = {"WATCHKEEPER_COLLECTOR__URL": "x", "WATCHKEEPER_AGENT_URL": "x", "AGENT__URL": "x", "PATH": "x"}
    assert overlaid(**others) == parse_yaml(FILE, file="x.yaml").plain()["agent"]


def test_the_environment_is_laid_over_a_section_by_itself_too() -> None:
    section = parse_yaml(FILE, file="x.yaml").get("agent")
    environ = {"WATCHKEEPER_AGENT__URL": "http://env"}
    assert overlay_environment(section, environ, section="agent").get("url").plain() == "http://env"


def test_the_environment_alone_is_enough() -> None:
    section = parse_yaml("", file="x.yaml").get("agent")
    environ = {"WATCHKEEPER_AGENT__URL": "http://env"}
    assert overlay_environment(section, environ, section="agent").plain() == {"url": "http://env"}


ENVIRONMENT_MISTAKES = {
    "WATCHKEEPER_AGENT__CHECKS__CPU": "agent.checks: is a list (x.yaml:6), so no variable can set a key inside it",
    "WATCHKEEPER_AGENT__URL__HOST": "agent.url: is text (x.yaml:2), so no variable can set a key inside it",
    "WATCHKEEPER_AGENT" + "__A" * 40: "is nested deeper than 32 levels",
}


@pytest.mark.parametrize(("variable", "said"), ENVIRONMENT_MISTAKES.items())
def test_a_mistake_in_the_environment_names_the_variable(variable: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        overlaid(**{variable: "x"})
    assert str(caught.value) == f"{variable}: {said}"


def test_a_variable_that_is_no_text_is_named() -> None:
    with pytest.raises(
        ConfigError, match=r"WATCHKEEPER_AGENT__URL: agent.url: holds characters that are not"
    ):
        overlaid(WATCHKEEPER_AGENT__URL="\udcff")


def test_two_variables_that_contradict_each_other_are_named() -> None:
    with pytest.raises(ConfigError) as caught:
        overlaid(WATCHKEEPER_AGENT__A="x", WATCHKEEPER_AGENT__A__B="y")
    assert str(caught.value) == (
        "WATCHKEEPER_AGENT__A__B: agent.a: is text (WATCHKEEPER_AGENT__A), "
        "so no variable can set a key inside it"
    )
