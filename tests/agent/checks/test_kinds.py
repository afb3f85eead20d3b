"""What every kind of check must bring along, so that nothing else needs to know it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from agent import checks, loop, once, sampler
from agent.checks import Measured, chosen
from agent.clock import system_clock
from agent.config import read
from agent.options import Kind, KindSet, convert, discover, parse_yaml
from agent.options.describe import describe
from agent.wire import parse_series
from tests.agent.checks.declared import undeclared

KINDS = discover(checks)
HOST = set(
    """
    cgroups clock conntrack cpu disk disk_io files gpu load logins memory network oom pressure processes
    raid systemd tcp_states temperature updates uptime
    """.split()
)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_kind_says_what_it_tells_and_explains_every_option(kind: Kind) -> None:
    assert 20 < len(kind.help) < 110
    assert issubclass(kind.options, checks.CheckOptions)
    assert [line.key for line in describe(kind.options) if not line.help] == []


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_kind_says_in_a_sentence_what_each_of_its_series_means(kind: Kind) -> None:
    assert kind.module.SERIES
    for metric, meaning in kind.module.SERIES.items():
        assert metric == "*" or parse_series(metric.removesuffix("*")) == (metric.removesuffix("*"), {})
        assert re.fullmatch(r"[A-Z0-9a-z].{10,118}\.", meaning), metric


def test_no_two_kinds_bring_series_of_the_same_name() -> None:
    declared = [metric for kind in KINDS.values() for metric in kind.module.SERIES if metric != "*"]
    assert sorted(declared) == sorted(set(declared))


def test_whatever_is_seen_on_this_host_is_declared(tmp_path: Path) -> None:
    (tmp_path / "agent.yaml").write_text("agent: {}")
    plan = read(tmp_path / "agent.yaml", {}).checks
    seen = once.look(plan, {}, 10_000, system_clock())
    found = {id: undeclared(KINDS[id], names) for id, names in seen.series.items()}
    assert found == {check.id: [] for check in plan}
    brought = {name for names in seen.series.values() for name in names}
    rest = {parse_series(name)[0] for name in seen.batch.samples if name not in brought}
    assert rest <= {*sampler.SERIES, *loop.SERIES}


@pytest.mark.parametrize(
    "kind",
    [kind for kind in KINDS.values() if getattr(kind.options, "by_default", False)],
    ids=lambda kind: kind.name,
)
def test_a_check_of_the_host_runs_without_any_settings(kind: Kind) -> None:
    found = kind.module.Check(kind.options()).measure(0.0)
    assert isinstance(found, Measured)
    assert found.state == "ok"


def test_the_host_is_checked_by_default_and_nothing_else() -> None:
    by_default = {name for name, kind in KINDS.items() if kind.options.by_default}  # type: ignore[attr-defined]
    assert by_default == HOST


def test_the_options_are_written_with_their_units() -> None:
    text = """checks:
    - {kind: http, url: "http://example.org/", timeout: 3s, slow: 1500ms, body_max: 64KiB, expect_status: 204}
    - {kind: http, url: "http://example.org/", expect_status: "200-299, 404"}
    - {kind: tcp, host: example.org, port: 25, expect: "220"}
    - {kind: disk, network_mounts: true, mount_timeout: 500ms, exclude_mounts: [/mnt/*]}
    """
    written = parse_yaml(text, file="agent.yaml").entries()["checks"]
    kinds: dict[type, KindSet] = {checks.CheckOptions: KindSet(KINDS)}
    found: list[Any] = convert(written, list[checks.CheckOptions], kinds=kinds)
    web, other, mail, disk = found
    assert (web.timeout_s, web.slow_ms, web.body_bytes_max, web.expect_status) == (3.0, 1500, 65_536, 204)
    assert other.expect_status == "200-299, 404"
    assert (mail.port, mail.expect) == (25, "220")
    assert (disk.mount_timeout_s, disk.exclude_mounts) == (0.5, ("/mnt/*",))


@pytest.mark.parametrize(
    ("name", "include", "exclude", "expected"),
    [
        ("eth0", (), (), True),
        ("eth0", ("eth*",), (), True),
        ("wlan0", ("eth*", "lo"), (), False),
        ("eth0", (), ("eth*",), False),
        ("docker0", ("docker*",), ("docker*",), True),
        ("/mnt/a/b", ("/mnt/*",), (), True),
        ("ETH0", ("eth*",), (), False),
    ],
)
def test_names_are_chosen_by_pattern(
    name: str, include: tuple[str, ...], exclude: tuple[str, ...], expected: bool
) -> None:
    assert chosen(name, include, exclude) == expected
