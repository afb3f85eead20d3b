"""Where a collector's checks may not go, however the address is written."""

from __future__ import annotations

import pytest

from agent.net.reach import beyond_host, beyond_link

CREDENTIALS = [
    "169.254.169.254",
    "169.254.0.1",
    "fe80::1",
    "fe80::1%eth0",
    "febf::1",
    "::ffff:169.254.169.254",
    "::169.254.169.254",
    "64:ff9b::169.254.169.254",
    "fd00:ec2::254",
    "100.100.100.200",
    "::ffff:168.63.129.16",
]
OWN = ["127.0.0.1", "127.8.9.1", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1"]
OTHERS = ["192.0.2.1", "10.0.0.1", "169.253.1.1", "fd00::1", "fec0::1", "2001:db8::1", "::ffff:192.0.2.1"]


@pytest.mark.parametrize("address", CREDENTIALS)
def test_link_local_and_metadata_addresses_are_never_reached(address: str) -> None:
    assert "link-local or gives out" in beyond_host(address)
    assert "link-local or gives out" in beyond_link(address)


@pytest.mark.parametrize("address", OWN)
def test_loopback_is_reached_only_where_that_is_accepted(address: str) -> None:
    assert "accept_loopback: true" in beyond_host(address)
    assert beyond_link(address) == ""


@pytest.mark.parametrize("address", OTHERS)
def test_any_other_address_is_reached(address: str) -> None:
    assert beyond_host(address) == beyond_link(address) == ""
