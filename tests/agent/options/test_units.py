"""Durations and sizes: what is written is what is meant, and what is said can be written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.options import duration_s, say_duration, say_size, size_bytes

DURATIONS = {
    "500ms": 0.5,
    "30s": 30,
    "5m": 300,
    "1h30m": 5400,
    "1h 30m": 5400,
    "7d": 604800,
    "2w": 1209600,
    "1w2d3h4m5s6ms": 604800 + 2 * 86400 + 3 * 3600 + 4 * 60 + 5.006,
    "0s": 0,
    "1.5s": 1.5,
    "0.5h": 1800,
    " 10s ": 10,
}
SIZES = {
    "512 B": 512,
    "0B": 0,
    "64KiB": 65536,
    "64MiB": 67108864,
    "1GiB": 1073741824,
    "1.5GiB": 1610612736,
    "2TiB": 2199023255552,
    "10MB": 10_000_000,
    "1kB": 1000,
    "1KB": 1000,
    "64mib": 67108864,
}


@pytest.mark.parametrize(("text", "seconds"), DURATIONS.items())
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert duration_s(text) == seconds


@pytest.mark.parametrize(("text", "size"), SIZES.items())
def test_a_size_is_read(text: str, size: int) -> None:
    assert size_bytes(text) == size


@pytest.mark.parametrize(
    "text",
    ["", "5", "1:30", "5 minutes", "5M", "-5s", "30m1h", "5s5s", "1e3s", "s", "٣s", "inf", "1h30", "5\ns"],
)
def test_what_is_no_duration_is_told_what_is(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration; write for example 500ms, 30s, 5m, 1h30m or 7d"):
        duration_s(text)


@pytest.mark.parametrize("text", ["", "64", "64M", "64K", "-1B", "1EiB", "1 000 B", "MiB", "1e3B", "1bit"])
def test_what_is_no_size_is_told_what_is(text: str) -> None:
    with pytest.raises(ValueError, match="not a size; write for example 512B, 64KiB, 64MiB, 1GiB or 10MB"):
        size_bytes(text)


def test_half_a_byte_is_refused() -> None:
    with pytest.raises(ValueError, match=r'"0.5B" is not a whole number of bytes'):
        size_bytes("0.5B")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0s"),
        (0.25, "250ms"),
        (0.0005, "0.5ms"),
        (1.5, "1.5s"),
        (90, "1m30s"),
        (600, "10m"),
        (86400, "1d"),
        (90 * 86400, "90d"),
        (90061, "1d1h1m1s"),
        (-90, "-1m30s"),
    ],
)
def test_a_duration_is_said_as_a_person_would(seconds: float, said: str) -> None:
    assert say_duration(seconds) == said


@pytest.mark.parametrize(
    ("size", "said"), [(0, "0B"), (512, "512B"), (67108864, "64MiB"), (1536, "1536B"), (10_000_000, "10MB")]
)
def test_a_size_is_said_exactly(size: int, said: str) -> None:
    assert say_size(size) == said


@given(st.integers(min_value=0, max_value=10**15))
def test_a_duration_in_microseconds_survives_being_said_and_read(microseconds: int) -> None:
    assert duration_s(say_duration(microseconds / 1e6)) == microseconds / 1e6


@given(st.integers(min_value=0, max_value=10**15 - 1))
def test_a_size_survives_being_said_and_read(size: int) -> None:
    assert size_bytes(say_size(size)) == size


@given(st.integers(min_value=0, max_value=1023), st.sampled_from([1000, 1024, 1000**2, 1024**2, 1024**4]))
def test_a_round_size_survives_being_said_and_read(count: int, unit: int) -> None:
    assert size_bytes(say_size(count * unit)) == count * unit
