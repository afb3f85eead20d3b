"""Settings that are changed while the collector runs: which may be, and how they lie below the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.options import ConfigError
from collector.config import PACKS, Loaded, load, load_rules, read_rules
from collector.config.runtime import (
    CHANGEABLE,
    FLAT,
    SettingError,
    flat,
    flattened,
    laid_under,
    lines,
    refuse_what_is_held,
)
from collector.config.thresholds import RULES, Thresholds, with_limits
from rules.kinds._limits import LimitRule


def loaded(folder: Path, text: str = "", **environ: str) -> Loaded:
    file = folder / "collector.yaml"
    file.write_text(f"collector:\n{text or '  state: state'}\n")
    return load(file, environ)


def test_what_a_file_or_the_environment_says_holds_over_what_was_set(tmp_path: Path) -> None:
    files = loaded(tmp_path, "  keep: 20d", WATCHKEEPER_COLLECTOR__KEEP_ROLLUPS="100d")
    config = laid_under(files, {"keep": "30d", "keep_rollups": "30d", "keep_history": "90d"}).config
    assert (config.keep_s, config.keep_rollups_s, config.keep_history_s) == (
        20 * 86_400, 100 * 86_400, 90 * 86_400,
    )  # fmt: skip


def test_one_limit_in_a_file_leaves_the_others_to_be_set(tmp_path: Path) -> None:
    files = loaded(tmp_path, "  thresholds:\n    cpu_warning_pct: 70")
    settings = {"thresholds.cpu_warning_pct": 60, "thresholds.cpu_critical_pct": 90}
    thresholds = laid_under(files, settings).config.thresholds
    assert (thresholds.cpu_warning_pct, thresholds.cpu_critical_pct) == (70, 90)


def test_nothing_set_is_the_file_as_it_is(tmp_path: Path) -> None:
    files = loaded(tmp_path)
    assert laid_under(files, {}) is files


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"keep": "1h"}, "collector.keep"),
        ({"keep": "soon"}, "collector.keep"),
        ({"packs": ["moon"]}, 'no pack "moon"'),
        ({"thresholds.cpu_warning_pct": 99}, "lie below"),
        ({"thresholds.cpu_warning_pct": "high"}, "cpu_warning_pct"),
        ({"checks": [{"kind": "http", "id": "x"}]}, "from"),
        ({"keep": {"a": 1}}, "collector.keep"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named_with_where_it_is_from(
    tmp_path: Path, settings: dict[str, Any], word: str
) -> None:
    with pytest.raises(ConfigError, match=r"set while it ran|collector") as refused:
        load_rules(laid_under(loaded(tmp_path), settings))
    assert word in str(refused.value)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"keep": "30d"}, {"keep": "30d"}),
        ({"cpu_warning_threshold": 70}, {"thresholds.cpu_warning_pct": 70}),
        ({"response_time_warning_threshold": 800}, {"thresholds.response_time_warning": "800ms"}),
        ({"uptime_target": None}, {"thresholds.uptime_target_pct": None}),
        ({"thresholds": {"cpu_warning_pct": 70}}, {"thresholds.cpu_warning_pct": 70}),
        ({"thresholds.response_time_target": "80ms"}, {"thresholds.response_time_target": "80ms"}),
    ],
)
def test_a_change_may_be_said_in_several_ways(wanted: dict[str, Any], found: dict[str, Any]) -> None:
    assert flattened(wanted) == found


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("listen", "only_in_files"),
        ("state", "only_in_files"),
        ("channels", "only_in_files"),
        ("rules", "only_in_files"),
        ("keeep", "unknown"),
        ("thresholds.cpu", "unknown"),
        ("thresholds", "unknown"),
        ("packs.hosts", "unknown"),
        ("keep.", "unknown"),
        ("", "unknown"),
        ("__class__", "unknown"),
    ],
)
def test_what_may_not_be_set_is_refused(key: str, code: str) -> None:
    with pytest.raises(SettingError) as refused:
        flattened({key: 1})
    assert refused.value.code == code


def test_what_a_file_holds_is_refused_with_its_line_and_a_variable_with_its_name(tmp_path: Path) -> None:
    files = loaded(tmp_path, "  keep: 20d", WATCHKEEPER_COLLECTOR__THRESHOLDS__CPU_WARNING_PCT="70")
    for key, where in (
        ("keep", "collector.yaml:2"),
        ("thresholds.cpu_warning_pct", "WATCHKEEPER_COLLECTOR__"),
    ):
        with pytest.raises(SettingError, match=where):
            refuse_what_is_held(files, {key: 1})
    refuse_what_is_held(files, {"keep_rollups": 1, "thresholds.cpu_critical_pct": 1})


def test_every_line_says_where_it_is_from(tmp_path: Path) -> None:
    files = loaded(tmp_path, "  keep: 20d", WATCHKEEPER_COLLECTOR__KEEP_ROLLUPS="100d")
    found = {line.key: line for line in lines(laid_under(files, {"keep_history": "90d"}))}
    shown = {
        key: (found[key].value, found[key].source, found[key].changeable) for key in found if "keep" in key
    }
    assert shown == {
        "keep": ("20d", "file", False),
        "keep_rollups": ("100d", "environment", False),
        "keep_history": ("90d", "run time", True),
    }
    assert found["keep"].where.endswith("collector.yaml:2")
    assert (found["listen"].source, found["listen"].changeable) == ("default", False)
    assert [key for key, line in found.items() if not line.help] == []


def test_no_secret_is_shown(tmp_path: Path) -> None:
    text = """
  channels:
    - {kind: slack, name: ops, url: "https://hooks.example.org/SECRET"}
    - {kind: webhook, name: pager, url: "https://example.org/x", token: SECRET, headers: {X-Key: SECRET}}
  jobs:
    - {name: backup, token: SECRETSECRETSECRET00, every: 1d}
  heartbeat: {url: "https://hc.example.org/ping/SECRET"}
  checks:
    - {kind: http, id: shop, from: {role: web}, url: "https://a.example.org", headers: {Authorization: SECRET}}
"""
    shown = str(lines(loaded(tmp_path, text)))
    assert "SECRET" not in shown
    assert "shop" in shown


def test_the_limits_by_default_are_those_that_the_packs_have() -> None:
    rules = {rule.name: rule for file in PACKS.glob("*.yaml") for rule in read_rules(file)}
    for name in RULES:
        assert with_limits(rules[name], Thresholds()) is rules[name], name


def test_limits_hold_for_the_packs_rules_and_leave_other_rules_alone(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("rules: [{name: memory-high, metric: memory_used_pct, above: 50}]")
    text = "  rules: [own.yaml]\n  thresholds: {cpu_warning_pct: 60, memory_warning_pct: 60}"
    rules = {rule.name: rule for rule in load_rules(loaded(tmp_path, text))}
    cpu, memory, exhausted = rules["cpu-high"], rules["memory-high"], rules["cpu-exhausted"]
    assert isinstance(cpu, LimitRule)
    assert isinstance(memory, LimitRule)
    assert isinstance(exhausted, LimitRule)
    assert cpu.options.limits == {"warning": 60, "critical": 95}
    assert cpu.options.for_s == 900
    assert memory.options.limits == {"warning": 50}
    assert exhausted.options.limits == {"critical": 90}


@pytest.mark.parametrize(
    ("settings", "promised", "limit_ms"),
    [
        ({}, [99.9, 95.0, None], 100.0),
        ({"thresholds.uptime_target_pct": 99.5}, [99.5, 95.0, None], 100.0),
        ({"thresholds.response_time_target": "250ms"}, [99.9, 95.0, None], 250.0),
    ],
)
def test_a_target_that_is_set_is_what_services_promise_that_name_none(
    tmp_path: Path, settings: dict[str, Any], promised: list[float | None], limit_ms: float
) -> None:
    text = """
  services:
    - {name: shop, hosts: {where: {role: web}}, latency: {}}
    - {name: pay, hosts: {where: {role: web}}, objective_pct: 95, latency: {limit: 70ms}}
    - {name: blog, hosts: {where: {role: web}}, objective_pct: null}"""
    shop, pay, blog = laid_under(loaded(tmp_path, text), settings).config.services
    assert [one.objective_pct for one in (shop, pay, blog)] == promised
    assert shop.latency is not None
    assert pay.latency is not None
    assert (shop.latency.limit_ms, pay.latency.limit_ms, blog.latency) == (limit_ms, 70.0, None)


def test_every_flat_word_is_a_number_that_holds(tmp_path: Path) -> None:
    assert flat(loaded(tmp_path)) == {
        "cpu_warning_threshold": 80, "cpu_critical_threshold": 95, "memory_warning_threshold": 80,
        "memory_critical_threshold": 95, "response_time_warning_threshold": 1000,
        "response_time_critical_threshold": 5000, "uptime_target": 99.99, "response_time_target": 100,
    }  # fmt: skip
    assert set(flat(loaded(tmp_path))) == set(FLAT)


KEYS = [*FLAT, *CHANGEABLE, "thresholds.cpu_warning_pct", "packs.hosts", "a.b", ""]
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["14d", "80%", "hosts", "null", "- a", "&x *x", "!!python/object:os.system", "\u2028"])
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return loaded(tmp_path_factory.mktemp("plain"))


@given(changes=st.dictionaries(st.sampled_from(KEYS), VALUES, min_size=1, max_size=3))
@settings(deadline=None)
def test_whatever_is_sent_either_holds_and_can_be_told_or_is_refused(
    plain: Loaded, changes: dict[str, Any]
) -> None:
    try:
        wanted = {key: value for key, value in flattened(changes).items() if value is not None}
        held = laid_under(plain, wanted)
        load_rules(held)
    except (SettingError, ConfigError):
        return
    told = {line.key: line for line in lines(held)}
    assert {told[key].source for key in wanted} <= {"run time"}
    assert all(isinstance(number, float) for number in flat(held).values())
