"""How a host stands, by when it was heard, what it said last, and what a rule says."""

from __future__ import annotations

import pytest

from rules.fleet.state import HostState, is_silent, state_of
from rules.model import Host

NOW = 1_800_000_000_000


def host(seen_s: float | None, *flags: str, name: str = "web-1", every_ms: int = 10_000) -> Host:
    arrived_at = None if seen_s is None else NOW - round(seen_s * 1000)
    return Host(1, name, arrived_at=arrived_at, every_ms=every_ms, flags=flags)


@pytest.mark.parametrize(
    ("one", "state"),
    [
        (host(None), "never_heard"),
        (host(None, name="service:shop"), "never_heard"),
        (host(30), "heard"),
        (host(30.001), "silent"),
        (host(3, every_ms=100), "heard"),
        (host(3.001, every_ms=100), "silent"),
        (host(-60), "heard"),
        (host(86_400, name="service:shop"), "quiet"),
        (host(86_400, "shutdown"), "stopped"),
        (host(86_400, "uninstall"), "stopped"),
        (host(1, "restart"), "restarting"),
        (host(300, "restart"), "restarting"),
        (host(300.001, "restart"), "silent"),
        (host(1, "clock"), "heard"),
    ],
)
def test_a_host_stands_as_it_was_heard_and_as_it_said(one: Host, state: HostState) -> None:
    assert state_of(one, NOW) == state
    assert is_silent(one, NOW) == (one.arrived_at is None or state_of(host_without_word(one), NOW) in MISSED)


MISSED = ("silent", "quiet")


def host_without_word(one: Host) -> Host:
    return Host(1, one.name, arrived_at=one.arrived_at, every_ms=one.every_ms)


@pytest.mark.parametrize(
    ("one", "state"),
    [(host(1), "silent"), (host(1, "restart"), "restarting"), (host(1, "shutdown"), "stopped")],
)
def test_a_rule_may_find_it_silent_sooner_but_not_against_its_word(one: Host, state: HostState) -> None:
    assert state_of(one, NOW, is_missed=True) == state
