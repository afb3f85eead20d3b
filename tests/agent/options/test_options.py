"""From YAML to values: units, kinds, secrets, and one line for each mistake that says what is allowed."""

from __future__ import annotations

import enum
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from agent.options import (
    ConfigError,
    Kind,
    KindSet,
    Secret,
    convert,
    discover,
    overlay_environment,
    parse_yaml,
    read_yaml,
    say_duration,
    say_size,
)
from agent.options.describe import OptionLine, describe

# What the tests read: a check of two kinds, and settings with a field of every sort.


class Check(msgspec.Struct, kw_only=True):
    """Any check.

    id: its name
    every: how often it is asked
    """

    id: Annotated[str, Meta(pattern=r"^[a-z-]*$", max_length=20)] = ""
    every_ms: Annotated[int, Meta(ge=1000)] = 10_000


class Http(Check, kw_only=True):
    """url: what to ask"""

    url: str
    timeout_s: Annotated[float, Meta(gt=0, le=60)] = 5
    body_bytes: int = 1024**2

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise ValueError(f'"{self.url}" has no scheme; write http:// or https:// before it')


class Cpu(Check, kw_only=True):
    pass


class Limits(msgspec.Struct):
    warning: float | None = None
    critical: float | None = None


class Mode(enum.Enum):
    PUSH = "push"
    PULL = "pull"


class Settings(msgspec.Struct, kw_only=True):
    name: str = "here"
    port: Annotated[int, Meta(ge=1, le=65535, description="where to listen")] = 8420
    enabled: bool = True
    severity: Literal["info", "warning", "critical"] = "warning"
    mode: Mode = Mode.PUSH
    spool_bytes_max: int = 64 * 1024**2
    keep_s: float | None = 3600
    for_s: float = 0
    from_: str = msgspec.field(name="from", default="")
    steps_s: tuple[float, ...] = (60, 300)
    rx_bytes_per_s: float = 1000
    disk_pct: Annotated[float, Meta(lt=100)] = 90
    above: float | Limits = 80
    quiet: bool | Literal["auto"] = "auto"
    limits: Limits = msgspec.field(default_factory=lambda: Limits(80, 95))
    labels: dict[str, str] = {}
    by_severity: dict[Literal["warning", "critical"], float] = {}
    checks: list[Check] = []
    main_check: Check | None = None
    folder: Path = Path("/var/lib/watchkeeper")
    token: Secret | None = None
    extra: Any = None


class Strict(msgspec.Struct):
    token: Secret
    names: Annotated[list[str], Meta(min_length=1, max_length=2)]


KINDS = {
    "http": Kind(name="http", help="", options=Http, module=sys.modules[__name__]),
    "cpu": Kind(name="cpu", help="", options=Cpu, module=sys.modules[__name__]),
}


def settings(text: str, default_kind: str | None = None) -> Settings:
    section = parse_yaml("agent: {" + text + "}", file="x.yaml").get("agent")
    return convert(section, Settings, kinds={Check: KindSet(KINDS, default_kind)})


def mistake(text: str) -> str:
    """The one line said about the section `text`, without its file, line and section."""
    with pytest.raises(ConfigError) as caught:
        settings(text)
    return str(caught.value).removeprefix("x.yaml:1: agent.")


# What is allowed

ALLOWED: dict[str, tuple[str, Any]] = {
    "name: off": ("name", "off"),
    "name: 5": ("name", "5"),
    "name: 1_000": ("name", "1_000"),
    "name: true": ("name", "true"),
    "name: 2024-01-01": ("name", "2024-01-01"),
    'name: ""': ("name", ""),
    "port: 80": ("port", 80),
    "enabled: false": ("enabled", False),
    "severity: critical": ("severity", "critical"),
    "mode: pull": ("mode", Mode.PULL),
    "spool_max: 1GiB": ("spool_bytes_max", 1024**3),
    "spool_max: 0": ("spool_bytes_max", 0),
    "keep: 500ms": ("keep_s", 0.5),
    "keep: null": ("keep_s", None),
    "for: 1h30m": ("for_s", 5400),
    "for: 0": ("for_s", 0),
    "from: a": ("from_", "a"),
    "steps: [5m, 1h]": ("steps_s", (300, 3600)),
    "steps: ": ("steps_s", ()),
    "rx_bytes_per_s: 5": ("rx_bytes_per_s", 5),
    "disk_pct: 99.5": ("disk_pct", 99.5),
    "above: 5": ("above", 5),
    "above: {warning: 5}": ("above", Limits(5, None)),
    "quiet: true": ("quiet", True),
    "quiet: auto": ("quiet", "auto"),
    "labels: {role: web, rack: 5, on: off}": ("labels", {"role": "web", "rack": "5", "on": "off"}),
    "by_severity: {warning: 80}": ("by_severity", {"warning": 80}),
    "checks: [{kind: cpu, every: 1m}]": ("checks", [Cpu(every_ms=60_000)]),
    "checks: [{kind: http, url: 'http://a', body: 1kB}]": ("checks", [Http(url="http://a", body_bytes=1000)]),
    "main_check: {kind: cpu}": ("main_check", Cpu()),
    "folder: data": ("folder", Path("data")),
    "extra: {a: [1, off]}": ("extra", {"a": [1, "off"]}),
}


@pytest.mark.parametrize(("text", "read"), ALLOWED.items())
def test_what_is_written_is_read(text: str, read: tuple[str, Any]) -> None:
    field, value = read
    found = getattr(settings(text), field)
    assert (found, type(found)) == (value, type(found) if isinstance(value, int) else type(value))


def test_what_is_not_written_is_the_default() -> None:
    assert settings("") == Settings()
    assert convert(parse_yaml("", file="x.yaml").get("agent"), Settings) == Settings()


def test_a_nested_section_keeps_the_defaults_of_its_place() -> None:
    assert settings("limits: {warning: 70}").limits == Limits(70, 95)
    assert settings("limits: ").limits == Limits(80, 95)


def test_a_kind_that_is_not_written_is_the_default_one() -> None:
    assert settings("checks: [{id: a}]", default_kind="cpu").checks == [Cpu(id="a")]


# What is not

MISTAKES = {
    # keys
    "nme: x": 'nme: unknown key; did you mean "name"? allowed: above, by_severity, checks, disk_pct, enabled, extra, '
    "folder, for, from, keep, labels, limits, main_check, mode, name, port, quiet, rx_bytes_per_s, severity, "
    "spool_max, steps, token, token_file",
    "above: {wraning: 5}": 'above.wraning: unknown key; did you mean "warning"? allowed: critical, warning',
    "limits: {zzz: 5}": "limits.zzz: unknown key; allowed: critical, warning",
    'limits: {"\\e[31m": 5}': 'limits."\\x1b[31m": unknown key; allowed: critical, warning',
    "above: {spool_bytes_max: 5}": "above.spool_bytes_max: unknown key; allowed: critical, warning",
    # text, numbers, words
    "name: [a]": "name: expected text, got a list",
    "name: ": "name: expected text, got nothing",
    "port: abc": 'port: expected a whole number, got "abc"',
    "port: 0777": 'port: expected a whole number, got "0777"; write 777',
    "port: 8_420": 'port: expected a whole number, got "8_420"; write 8420',
    'port: "8420"': 'port: expected a whole number, got "8420" in quotes; write 8420',
    "port: 80.5": "port: expected a whole number, got 80.5",
    "port: true": "port: expected a whole number, got true",
    "port: 0": "port: 0 is out of range; allowed: at least 1 and at most 65535",
    "disk_pct: 100": "disk_pct: 100 is out of range; allowed: less than 100",
    "disk_pct: .nan": 'disk_pct: expected a number, got ".nan"',
    "disk_pct: 1:30": 'disk_pct: expected a number, got "1:30"',
    "enabled: off": 'enabled: expected true or false, got "off"',
    "enabled: yes": 'enabled: expected true or false, got "yes"',
    "enabled: 1": "enabled: expected true or false, got 1",
    "severity: warn": 'severity: unknown value "warn"; did you mean "warning"? allowed: critical, info, warning',
    "mode: poll": 'mode: unknown value "poll"; did you mean "pull"? allowed: pull, push',
    "by_severity: {info: 5}": 'by_severity.info: unknown value "info"; allowed: critical, warning',
    "quiet: off": 'quiet: expected true or false or one of auto, got "off"',
    "above: abc": 'above: expected a number or a mapping, got "abc"',
    "above: [5]": "above: expected a number or a mapping, got a list",
    # durations and sizes
    "for: 5": "for: 5 has no unit; write 5s",
    "for: 1:30": 'for: "1:30" is not a duration; write for example 500ms, 30s, 5m, 1h30m or 7d',
    "for: [5s]": "for: expected a duration, got a list",
    "keep: soon": 'keep: "soon" is not a duration; write for example 500ms, 30s, 5m, 1h30m or 7d',
    "steps: [5m, 10]": "steps[1]: 10 has no unit; write 10s",
    "steps: 5m": "steps: expected a list, got text",
    "spool_max: 64": "spool_max: 64 has no unit; write 64B",
    "spool_max: 64M": 'spool_max: "64M" is not a size; write for example 512B, 64KiB, 64MiB, 1GiB or 10MB',
    "spool_max: 0.5B": 'spool_max: "0.5B" is not a whole number of bytes',
    # kinds
    "checks: {a: b}": "checks: expected a list, got a mapping",
    "checks: [cpu]": "checks[0]: expected a mapping (key: value), got text",
    "checks: [{url: a}]": "checks[0].kind: required, but missing; allowed: cpu, http",
    "checks: [{kind: htp}]": 'checks[0].kind: unknown kind "htp"; did you mean "http"? allowed: cpu, http',
    "checks: [{kind: cpu}, {kind: http}]": "checks[1].url: required, but missing; expected text",
    "checks: [{kind: cpu, url: a}]": "checks[0].url: unknown key; allowed: every, id, kind",
    "checks: [{kind: http, url: 'http://a', timout: 5s}]": (
        'checks[0].timout: unknown key; did you mean "timeout"? allowed: body, every, id, kind, timeout, url'
    ),
    "checks: [{kind: http, url: 'http://a', timeout: 5m}]": (
        'checks[0].timeout: "5m" is out of range; allowed: more than 0s and at most 1m'
    ),
    "checks: [{kind: cpu, every: 500ms}]": 'checks[0].every: "500ms" is out of range; allowed: at least 1s',
    "checks: [{kind: cpu, every: 1000.5ms}]": (
        'checks[0].every: "1000.5ms" is not a whole number of milliseconds'
    ),
    "checks: [{kind: cpu, every: 1000}]": "checks[0].every: 1000 has no unit; write 1000s or 1000ms",
    "checks: [{kind: cpu, id: A b}]": 'checks[0].id: "A b" is not allowed; it has to match ^[a-z-]*$',
    "checks: [{kind: cpu, id: abcdefghijklmnopqrstuvw}]": (
        "checks[0].id: has 23 characters; at most 20 are allowed"
    ),
    "main_check: {kind: http, url: a}": (
        'main_check: "a" has no scheme; write http:// or https:// before it'
    ),
    # secrets
    "token: [a]": "token: expected secret text, got a list",
    'token: ""': "token: is empty",
    "token: a, token_file: b": "token_file: token and token_file are both given; keep one",
    "folder: ": "folder: expected text, got nothing",
}


@pytest.mark.parametrize(("text", "said"), MISTAKES.items())
def test_a_mistake_is_one_line_that_says_what_is_allowed(text: str, said: str) -> None:
    assert mistake(text) == said


def test_a_mistake_names_file_line_and_path() -> None:
    text = "agent:\n  checks:\n    - kind: http\n      url: http://a\n      timout:\n        5s\n"
    with pytest.raises(ConfigError) as caught:
        convert(parse_yaml(text, file="/etc/x.yaml").get("agent").get("checks"), list[Http])
    error = caught.value
    assert (error.file, error.line, error.path) == ("/etc/x.yaml", 3, "agent.checks[0].kind")
    assert str(error) == f"/etc/x.yaml:3: agent.checks[0].kind: {error.problem}"


def test_a_missing_key_names_the_line_of_its_section() -> None:
    with pytest.raises(ConfigError) as caught:
        convert(parse_yaml("a: 1\nagent:\n  names: [a]\n", file="x.yaml").get("agent"), Strict)
    assert str(caught.value) == "x.yaml:2: agent.token: required, but missing; expected secret text"


@pytest.mark.parametrize(
    ("names", "said"),
    [("[]", "has 0 entries; at least 1 are needed"), ("[a, b, c]", "has 3 entries; at most 2 are allowed")],
)
def test_a_list_has_its_limits(names: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        convert(parse_yaml(f"token: x\nnames: {names}", file="x.yaml"), Strict)
    assert str(caught.value) == f"x.yaml:2: names: {said}"


def test_what_a_person_wrote_is_cut_and_escaped() -> None:
    said = mistake('port: "' + "a" * 1000 + '"')
    assert said == f'port: expected a whole number, got "{"a" * 59}…" in quotes'
    assert mistake('port: "a\\e[31m\\n"') == 'port: expected a whole number, got "a\\x1b[31m\\n" in quotes'


@given(st.floats(min_value=0, max_value=1e9).map(lambda seconds: round(seconds, 3)))
def test_a_duration_said_is_the_duration_read(seconds: float) -> None:
    assert settings(f"for: {say_duration(seconds)}").for_s == seconds


@given(st.integers(min_value=0, max_value=10**15 - 1))
def test_a_size_said_is_the_size_read(size: int) -> None:
    assert settings(f"spool_max: {say_size(size)}").spool_bytes_max == size


# The environment


def from_environment(**environ: str) -> Settings:
    node = overlay_environment(parse_yaml("agent: {port: 80}", file="x.yaml"), environ, section="agent")
    return convert(node.get("agent"), Settings, kinds={Check: KindSet(KINDS)})


def test_a_variable_is_read_like_the_file() -> None:
    read = from_environment(
        WATCHKEEPER_AGENT__PORT="81", WATCHKEEPER_AGENT__FOR="5m", WATCHKEEPER_AGENT__LIMITS__WARNING="70"
    )
    assert read == Settings(port=81, for_s=300, limits=Limits(70, 95))


ENVIRONMENT_MISTAKES = {
    "WATCHKEEPER_AGENT__PRT": 'agent.prt: unknown key; did you mean "port"? allowed: ',
    "WATCHKEEPER_AGENT__LIMITS__WARN": (
        'agent.limits.warn: unknown key; did you mean "warning"? allowed: critical, warning'
    ),
    "WATCHKEEPER_AGENT__PORT": 'agent.port: expected a whole number, got "x"',
    "WATCHKEEPER_AGENT__LABELS": "agent.labels: expected a mapping (key: value), got text",
}


@pytest.mark.parametrize(("variable", "said"), ENVIRONMENT_MISTAKES.items())
def test_a_mistake_in_a_variable_names_it(variable: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_environment(**{variable: "x"})
    assert str(caught.value).startswith(f"{variable}: {said}")


# Secrets


def test_a_secret_prints_as_asterisks_and_can_be_revealed() -> None:
    secret = Secret("hunter2")
    assert {str(secret), repr(secret), f"{secret}", f"{secret!r}", "%s" % secret} == {"********"}  # noqa: UP031
    assert (secret.reveal(), type(secret.reveal())) == ("hunter2", str)


def test_settings_never_show_a_secret() -> None:
    read = settings("token: hunter2")
    assert read.token is not None
    assert read.token.reveal() == "hunter2"
    assert "hunter2" not in repr(read) + str(read) + repr(msgspec.structs.asdict(read))


def test_a_secret_cannot_be_sent_by_accident() -> None:
    with pytest.raises(TypeError):
        msgspec.json.encode(settings("token: hunter2"))


def test_a_secret_that_looks_like_a_number_is_its_text() -> None:
    token = settings("token: 0123").token
    assert token is not None
    assert token.reveal() == "0123"


def token_from(folder: Path, content: bytes) -> str:
    (folder / "x.yaml").write_text("token_file: secrets/token\nnames: [a]")
    (folder / "secrets").mkdir()
    (folder / "secrets" / "token").write_bytes(content)
    return convert(read_yaml(folder / "x.yaml"), Strict).token.reveal()


@pytest.mark.parametrize(
    ("content", "token"), [(b"abc", "abc"), (b"abc\n", "abc"), (b"abc\r\n", "abc"), (b" a\n\n", " a\n")]
)
def test_a_secret_is_read_from_a_file_beside_the_yaml(tmp_path: Path, content: bytes, token: str) -> None:
    assert token_from(tmp_path, content) == token


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"x" * (64 * 1024 + 1), "is larger than 64 KiB"),
        (b"\xff", "does not hold UTF-8 text"),
    ],
)
def test_a_file_without_a_secret_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        token_from(tmp_path, content)
    error = caught.value
    assert (error.line, error.path) == (1, "token_file")
    assert error.problem == f"{tmp_path}/secrets/token {said}"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("missing", "/missing cannot be read: no such file or directory"),
        (".", " is not a file"),
        ('"a\\0b"', "/a\\x00b cannot be read: embedded null byte"),
        ("~/token", "/~/token cannot be read: no such file or directory"),
    ],
)
def test_a_secret_file_that_cannot_be_read_is_named(tmp_path: Path, path: str, said: str) -> None:
    (tmp_path / "x.yaml").write_text(f"token_file: {path}\nnames: [a]")
    with pytest.raises(ConfigError) as caught:
        convert(read_yaml(tmp_path / "x.yaml"), Strict)
    assert str(caught.value) == f"{tmp_path}/x.yaml:1: token_file: {tmp_path}{said}"


def test_the_environment_hides_the_secret_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from a file")
    node = parse_yaml("agent: {token_file: missing, names: [a]}", file="x.yaml")
    plain = overlay_environment(node, {"WATCHKEEPER_AGENT__TOKEN": "plain"}, section="agent")
    assert convert(plain.get("agent"), Strict).token.reveal() == "plain"
    node = parse_yaml("agent: {token: in the yaml, names: [a]}", file="x.yaml")
    environ = {"WATCHKEEPER_AGENT__TOKEN_FILE": str(tmp_path / "token")}
    read = overlay_environment(node, environ, section="agent")
    assert convert(read.get("agent"), Strict).token.reveal() == "from a file"


# Kinds


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A package of two kinds, made anew for each test."""
    folder = tmp_path / "some_checks"
    folder.mkdir()
    source = (
        '"""{help}\n\nMore about it.\n"""\nimport msgspec\nclass Options(msgspec.Struct):\n    id: str = ""\n'
    )
    (folder / "__init__.py").touch()
    (folder / "tcp.py").write_text(source.format(help="Can a port be reached?"))
    (folder / "cpu.py").write_text(source.format(help="How busy is it?"))
    (folder / "_shared.py").write_text("raise AssertionError('this is no kind')")
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("some_checks")
    for name in [name for name in sys.modules if name.partition(".")[0] == "some_checks"]:
        del sys.modules[name]


def test_every_public_module_is_a_kind_in_the_order_of_names(package: ModuleType) -> None:
    found = discover(package)
    assert [(kind.name, kind.help) for kind in found.values()] == [
        ("cpu", "How busy is it?"),
        ("tcp", "Can a port be reached?"),
    ]
    assert list(found) == ["cpu", "tcp"]


def test_a_kind_is_found_again_by_its_options(package: ModuleType) -> None:
    kind = discover(package)["tcp"]
    made = convert(
        parse_yaml("kind: tcp\nid: a", file="x.yaml"), Check, kinds={Check: KindSet({"tcp": kind})}
    )
    assert type(made) is kind.options
    assert type(made).__module__ == kind.module.__name__ == "some_checks.tcp"


def test_a_module_without_options_is_named(package: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "some_checks" / "helpers.py").write_text("Options = dict\n")
    with pytest.raises(RuntimeError, match=r"some_checks.helpers is no kind: give it a class Options"):
        discover(package)


# Documentation


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
