"""What may be written under `scaling:` and `capacity:`, and in which words the rest is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.options import ConfigError
from collector.config import CollectorConfig, load
from rules.scaling.model import CPU, MEMORY

SHOP = "- service: shop\n      where: {role: web}\n"


def loaded(tmp_path: Path, section: str) -> CollectorConfig:
    file = tmp_path / "collector.yaml"
    file.write_text(f"collector:\n  {section}\n")
    return load(file, {}).config


def scaling(tmp_path: Path, entry: str) -> CollectorConfig:
    return loaded(tmp_path, f"scaling:\n    {entry}")


def test_a_preset_fills_in_what_is_not_written(tmp_path: Path) -> None:
    (options,) = scaling(tmp_path, f"{SHOP}      preset: production\n      max: 20").scaling
    assert (options.policy.min, options.policy.max, options.policy.targets) == (3, 20, {CPU: 60})
    (plain,) = scaling(tmp_path, SHOP).scaling
    assert (plain.policy.min, plain.policy.max, plain.policy.targets) == (2, 10, {CPU: 70, MEMORY: 80})
    assert plain.policy.gates is not None
    assert plain.policy.gates.up[CPU] == 80


def test_without_gates_and_look_ahead_it_is_as_kubernetes_has_it(tmp_path: Path) -> None:
    (options,) = scaling(tmp_path, f"{SHOP}      gates: null\n      look_ahead: null").scaling
    assert (options.policy.gates, options.policy.look_ahead) == (None, None)


def test_a_hook_is_a_program_or_a_signed_address(tmp_path: Path) -> None:
    hook = "      hook: {command: [/bin/true, '{{to}}'], dry_run: true, cooldown: 1m}"
    (options,) = scaling(tmp_path, f"{SHOP}{hook}").scaling
    assert options.hook is not None
    assert (options.hook.command, options.hook.cooldown_s) == (("/bin/true", "{{to}}"), 60)
    (tmp_path / "secret").write_text("a secret of sixteen letters\n")
    hook = "      hook: {url: 'https://x.example/scale', secret_file: secret}"
    (options,) = scaling(tmp_path, f"{SHOP}{hook}").scaling
    assert options.hook is not None
    assert "sixteen" not in repr(options)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("      min: 5\n      max: 4", "min must not be greater than max"),
        ("      targets: {cpu_used_pct: 0}", "above 0"),
        ("      gates: {up: {cpu_used_pct: 50}, down: {cpu_used_pct: 60}}", "must lie below"),
        ("      auto: true", "auto needs a hook"),
        ("      hook: {timeout: 5s}", "give either url or command"),
        ("      hook: {command: [true], url: 'http://x'}", "give either url or command"),
        ("      hook: {command: ['true']}", "write the full path of the program"),
        ("      hook: {url: 'http://x.example'}", "needs a secret of at least 16 letters"),
        ("      hook: {url: 'http://x.example', secret: short}", "needs a secret of at least 16 letters"),
        ("      hook: {url: 'ftp://x.example', secret: 'a secret of sixteen letters'}", "begins with http"),
        ("      hook: {command: [/bin/true], secret: x}", "secret goes with url"),
        ("      up: {pace: [{per: 15s}]}", "give either instances or percent"),
        ("    - service: shop\n      current: 3", 'two ways to scale "shop"'),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_place(tmp_path: Path, more: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as refused:
        scaling(tmp_path, f"{SHOP}{more}")
    assert "collector.yaml" in str(refused.value)


def test_a_service_needs_hosts_or_a_number(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="give where"):
        scaling(tmp_path, "- service: shop")
    with pytest.raises(ConfigError, match="does not suit a service"):
        scaling(tmp_path, "- service: 'a/b'\n      current: 2")


def test_limits_and_prices(tmp_path: Path) -> None:
    section = "capacity:\n    limits: {queue_length: 500}\n    prices: {core: 12, currency: USD}"
    options = loaded(tmp_path, section).capacity
    assert options.limit_of("queue_length") == 500
    assert options.limit_of('disk_used_pct{mount="/"}') == 100
    assert options.limit_of("load1") is None
    assert options.prices is not None
    assert (options.prices.core, options.prices.gib, options.prices.currency) == (12, 0, "USD")
