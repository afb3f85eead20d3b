"""From YAML to values: what is allowed, and one line for each mistake that says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.options import ConfigError, convert, parse_yaml, say_duration, say_size
from tests.agent.options.settings import Cpu, Http, Limits, Mode, Settings, Strict, mistake, settings

# --- What is allowed --------------------------------------------------------------------------------------------------


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


# --- What is not ------------------------------------------------------------------------------------------------------


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
