"""What is known of the host, and that it is said again only when it has changed."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import tomllib
from pathlib import Path

import msgspec
import pytest
from psutil._ntuples import snicaddr

from agent import facts, wire
from agent.checks import chosen
from agent.checks.network import VIRTUAL
from agent.clock import Moment
from agent.facts import Facts, os_name, resident_bytes
from tests.conftest import Needs

NOW = Moment("boot", 1_000_000, 1_790_000_000_000)


def test_the_version_is_that_of_the_distribution() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert project["project"]["version"] == facts.VERSION


def test_the_facts_of_this_host_fit_the_wire() -> None:
    found = Facts().gather(NOW)
    assert found["hostname"] == os.uname().nodename
    assert int(found["cores"]) >= 1
    assert int(found["memory_bytes"]) > 2**26
    assert found["booted_at"] == "2026-09-21T13:56:40Z"
    batch = wire.Batch(0, 0, 0, 1000, {}, facts=found)
    assert msgspec.json.decode(wire.encode(batch), type=wire.Batch).facts == found


def test_a_clock_that_is_nudged_changes_no_fact_and_one_that_is_set_does() -> None:
    gathered = Facts()
    before = gathered.gather(NOW)
    assert gathered.gather(Moment("boot", 2_000_000, NOW.wall_ms + 1_000_900)) == before
    assert gathered.gather(Moment("boot", 2_000_000, NOW.wall_ms + 1_010_000)) != before


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n', "Debian GNU/Linux 12 (bookworm)"),
        ("PRETTY_NAME='Alpine Linux v3.20'\n", "Alpine Linux v3.20"),
        ("NAME=x\n", "Linux"),
        ("", "Linux"),
    ],
)
def test_the_system_says_what_it_is_called(
    text: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "os-release").write_text(text)
    monkeypatch.setattr(facts, "OS_RELEASE", (tmp_path / "missing", tmp_path / "os-release"))
    assert os_name() == name


def test_the_addresses_are_those_that_ip_lists(needs: Needs) -> None:
    command = [needs("ip"), "-json", "address", "show", "scope", "global"]
    links = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    listed = {
        info["local"]
        for link in links
        for info in link.get("addr_info", ())
        if "local" in info and chosen(link["ifname"], (), VIRTUAL.split())
    }
    needs.that(len(listed) <= facts.ADDRESSES_MAX, "needs a host with fewer addresses than are told")
    told = facts.addresses().get("addresses", "")
    assert set(filter(None, told.split(", "))) == listed


def test_an_address_that_is_good_on_one_link_only_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def card(*addresses: str) -> list[snicaddr]:
        return [
            snicaddr(socket.AF_INET6 if ":" in text else socket.AF_INET, text, None, None, None)
            for text in addresses
        ]

    cards = {
        "lo": card("127.0.0.1", "::1"),
        "eth0": card("192.0.2.7", "fe80::1%eth0", "2001:db8::7"),
        "eth1": card("169.254.3.4"),
        "docker0": card("172.17.0.1"),
        "eth2": [snicaddr(socket.AF_PACKET, "52:54:00:00:00:01", None, None, None)],
    }
    monkeypatch.setattr("psutil.net_if_addrs", lambda: cards)
    assert facts.addresses() == {"addresses": "192.0.2.7, 2001:db8::7"}
    cards["eth3"] = card(*(f"198.51.100.{number}" for number in range(200)))
    assert len(facts.addresses()["addresses"]) < 400


@pytest.mark.parametrize(
    ("maker", "product", "board", "said"),
    [
        ("Dell Inc.\n", "PowerEdge R640\n", None, {"model": "Dell Inc. PowerEdge R640"}),
        ("QEMU\n", "QEMU Standard PC\n", None, {"model": "QEMU Standard PC"}),
        (None, None, "Raspberry Pi 4 Model B Rev 1.4\0", {"model": "Raspberry Pi 4 Model B Rev 1.4"}),
        (None, None, None, {}),
    ],
)
def test_the_machine_is_called_what_its_maker_calls_it(
    tmp_path: Path, maker: str | None, product: str | None, board: str | None, said: dict[str, str]
) -> None:
    for name, text in (("sys_vendor", maker), ("product_name", product), ("board", board)):
        if text is not None:
            (tmp_path / name).write_text(text)
    assert facts.model(tmp_path, tmp_path / "board") == said


def test_the_processor_is_what_the_kernel_calls_it(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: AMD EPYC  7B13\nflags\t: fpu\n")
    assert facts.processor(tmp_path / "cpuinfo") == {"processor": "AMD EPYC 7B13"}
    assert facts.processor(tmp_path / "none") == {}


def test_this_process_has_some_memory() -> None:
    assert 2**23 < resident_bytes() < 2**33
