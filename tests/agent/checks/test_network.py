from __future__ import annotations

import socket
from pathlib import Path

import msgspec
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.checks.network import Check, Counted, Options, is_up, rates
from tests.agent.this_machine import has_sysfs
from tests.conftest import Needs

HEADER = "Inter-|   Receive        |  Transmit\n face |bytes packets errs drop …|bytes packets errs drop …\n"


def counters(nic: str) -> list[int]:
    """A line of /proc/net/dev: received bytes packets errs drop … sent bytes packets errs drop …"""
    lines = Path("/proc/net/dev").read_text().splitlines()
    (line,) = [line for line in lines if line.strip().startswith(f"{nic}:")]
    return [int(field) for field in line.partition(":")[2].split()]


@pytest.fixture
def proc_net_dev(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that is read in the place of /proc/net/dev."""
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(tmp_path))
    (tmp_path / "net").mkdir()
    return tmp_path / "net" / "dev"


def line(nic: str, rx: int, tx: int, errors: int = 0, drops: int = 0) -> str:
    return f"{nic}: {rx} 1 {errors} {drops} 0 0 0 0 {tx} 1 0 0 0 0 0 0\n"


def test_it_agrees_with_proc_net_dev(needs: Needs) -> None:
    needs.that(has_sysfs(), "needs /sys, where the kernel says which interfaces are up")
    check = Check(Options(exclude_nics=()))
    check.measure(100.0)
    before = counters("lo")
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        socket.socket(type=socket.SOCK_DGRAM) as sender,
    ):
        receiver.bind(("127.0.0.1", 0))
        for _ in range(50):
            sender.sendto(bytes(10_000), receiver.getsockname())
    samples = check.measure(110.0).samples
    passed = (counters("lo")[0] - before[0]) / 10
    assert passed >= 50_000
    assert samples['net_rx_bytes_per_s{nic="lo"}'] == pytest.approx(passed, rel=0.2)
    assert samples['net_tx_bytes_per_s{nic="lo"}'] == pytest.approx(passed, rel=0.2)
    assert samples['net_up{nic="lo"}'] == 1


def test_the_first_tick_has_no_rates_but_says_what_is_up(needs: Needs, proc_net_dev: Path) -> None:
    needs.that(has_sysfs(), "needs /sys, where the kernel says which interfaces are up")
    proc_net_dev.write_text(HEADER + line("lo", 100, 100))
    samples = Check(Options(exclude_nics=())).measure(0.0).samples
    assert samples == {'net_up{nic="lo"}': 1}


def test_errors_and_drops_of_both_directions_count(proc_net_dev: Path) -> None:
    check = Check(Options())
    proc_net_dev.write_text(HEADER + line("gone0", 0, 0))
    check.measure(0.0)
    proc_net_dev.write_text(HEADER + line("gone0", 4_000, 2_000, errors=8, drops=6))
    assert check.measure(2.0).samples == {
        'net_up{nic="gone0"}': None,  # no such interface any more
        'net_rx_bytes_per_s{nic="gone0"}': 2_000,
        'net_tx_bytes_per_s{nic="gone0"}': 1_000,
        'net_errors_per_s{nic="gone0"}': 4,
        'net_drops_per_s{nic="gone0"}': 3,
    }


def test_a_counter_that_begins_anew_is_a_gap_and_the_next_tick_has_rates_again(proc_net_dev: Path) -> None:
    check = Check(Options())
    seen = []
    for at_s, rx in enumerate((5_000_000_000, 1_000, 3_000)):
        proc_net_dev.write_text(HEADER + line("eth9", rx, rx))
        seen.append(check.measure(float(at_s)).samples.get('net_rx_bytes_per_s{nic="eth9"}'))
    assert seen == [None, None, 2_000]


def test_what_containers_plug_in_and_out_is_left_out_unless_asked_for(proc_net_dev: Path) -> None:
    nics = ("lo", "eth0", "wlan0", "bond0", "wg0", "veth12ab", "docker0", "br-5f2a", "virbr0", "cali77")
    proc_net_dev.write_text(HEADER + "".join(line(nic, 1, 1) for nic in nics))

    def seen(options: Options) -> list[str]:
        return [name.split('"')[1] for name in Check(options).measure(0.0).samples]

    assert seen(Options()) == ["eth0", "wlan0", "bond0", "wg0"]
    assert seen(Options(include_nics=("veth*", "eth*"))) == ["eth0", "veth12ab"]


@pytest.mark.parametrize(
    ("state", "flags", "up"), [("up", "0x1003", 1), ("down", "0x1003", 0), ("dormant", "0x1", 0)]
)
def test_an_interface_is_up_when_its_driver_says_so(
    tmp_path: Path, state: str, flags: str, up: float
) -> None:
    (tmp_path / "operstate").write_text(state + "\n")
    (tmp_path / "flags").write_text(flags + "\n")
    assert is_up(tmp_path) == up


@pytest.mark.parametrize(("flags", "up"), [("0x10d1", 1), ("0x10d0", 0)])
def test_a_tunnel_that_does_not_know_is_up_when_it_was_set_up(tmp_path: Path, flags: str, up: float) -> None:
    (tmp_path / "operstate").write_text("unknown\n")
    (tmp_path / "flags").write_text(flags + "\n")
    assert is_up(tmp_path) == up


counted = st.builds(Counted, *[st.integers(0, 2**64 - 1)] * 5)


@given(before=counted, now=counted)
def test_a_rate_is_never_negative(before: Counted, now: Counted) -> None:
    assert all(rate >= 0 for rate in rates(before, now).values())


@given(
    before=counted,
    seconds=st.integers(1, 10_000),
    passed=st.lists(st.integers(0, 2**40), min_size=4, max_size=4),
)
def test_a_rate_times_the_time_is_what_passed(before: Counted, seconds: int, passed: list[int]) -> None:
    values = [value + more for value, more in zip(msgspec.structs.astuple(before)[1:], passed, strict=True)]
    found = rates(before, Counted(before.at_s + seconds, *values))
    assert [rate * seconds for rate in found.values()] == pytest.approx(passed)
