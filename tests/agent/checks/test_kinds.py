"""What every kind of check must bring along, so that nothing else needs to know it."""

from __future__ import annotations

import pytest

from agent import checks
from agent.checks import Measured, chosen
from agent.options import Kind, KindSet, convert, describe, discover, parse_yaml

KINDS = discover(checks)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_kind_says_what_it_tells_and_explains_every_option(kind: Kind) -> None:
    assert 20 < len(kind.help) < 110
    assert issubclass(kind.options, checks.CheckOptions)
    assert [line.key for line in describe(kind.options) if not line.help] == []


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
    assert by_default == {"cpu", "disk", "load", "memory", "network", "pressure"}


def test_the_options_are_written_with_their_units() -> None:
    text = """checks:
    - {kind: http, url: "http://example.org/", timeout: 3s, slow: 1500ms, body_max: 64KiB, expect_status: 204}
    - {kind: http, url: "http://example.org/", expect_status: "200-299, 404"}
    - {kind: tcp, host: example.org, port: 25, expect: "220"}
    - {kind: disk, network_mounts: true, mount_timeout: 500ms, exclude_mounts: [/mnt/*]}
    """
    written = parse_yaml(text, file="agent.yaml").entries()["checks"]
    kinds = {checks.CheckOptions: KindSet(KINDS)}
    web, other, mail, disk = convert(written, list[checks.CheckOptions], kinds=kinds)
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
