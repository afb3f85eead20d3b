"""Whether a host is too large or too small, and what the difference costs: a row per host."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.capacity.sizing import Fit, Prices, Size, Use, right_size

WEEK = 10.0
HAS = Size(8, 32)

TABLE: list[tuple[Use, Fit, Size | None, str]] = [
    (Use(0.05, 0.10, 0.20, 0.22, WEEK), "too_large", Size(1, 8), "next to nothing to do"),
    (Use(0.50, 0.70, 0.60, 0.65, WEEK), "right", Size(8, 32), "half busy is right"),
    (Use(0.45, 0.60, 0.55, 0.60, WEEK), "right", Size(8, 32), "a little idle is worth nobody's while"),
    (Use(0.90, 0.99, 0.50, 0.55, WEEK), "too_small", Size(12, 32), "too few processors"),
    (
        Use(0.05, 0.10, 0.92, 0.95, WEEK),
        "too_small",
        Size(1, 48),
        "too little memory, but too many processors",
    ),
    (Use(0.10, 0.80, 0.50, 0.55, WEEK), "right", Size(8, 32), "rare peaks count as well"),
    (Use(0.05, 0.10, 0.20, 0.22, 3), "unknown", None, "three days are no week"),
    (Use(math.nan, 0.1, 0.2, 0.2, WEEK), "unknown", None, "nobody measured it"),
]


@pytest.mark.parametrize(("use", "fit", "wanted", "sentence"), TABLE, ids=[row[3] for row in TABLE])
def test_a_host(use: Use, fit: Fit, wanted: Size | None, sentence: str) -> None:
    found = right_size(use, HAS)
    assert (found.fit, found.wanted) == (fit, wanted), f"{sentence}: {found.reason}"
    assert found.per_month is None


def test_prices_turn_it_into_money() -> None:
    idle = Use(0.05, 0.10, 0.20, 0.22, WEEK)
    found = right_size(idle, HAS, Prices(core=10, gib=2, currency="EUR"))
    assert found.per_month == -(7 * 10 + 24 * 2)
    assert found.currency == "EUR"
    assert "1 core instead of 8 and 8 GiB instead of 32" in found.reason


def test_a_host_of_which_nothing_is_known_is_not_spoken_of() -> None:
    found = right_size(Use(0.1, 0.1, 0.1, 0.1, WEEK), Size(0, 32))
    assert (found.fit, found.wanted) == ("unknown", None)


SHARE = st.floats(0, 1)


@given(SHARE, SHARE, SHARE, SHARE, st.sampled_from([1, 2, 3, 8, 20]), st.sampled_from([0.5, 2, 31.2, 64]))
def test_what_is_advised_has_room_for_what_it_does(
    cpu: float, cpu_peak: float, memory: float, memory_peak: float, cores: float, gib: float
) -> None:
    use = Use(min(cpu, cpu_peak), cpu_peak, min(memory, memory_peak), memory_peak, WEEK)
    found = right_size(use, Size(cores, gib))
    assert found.wanted is not None
    assert found.wanted.cores >= use.cpu_p99 * cores
    assert found.wanted.memory_gib >= use.memory_p99 * gib
    if found.fit == "right":
        assert found.wanted == found.has
