from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.checks import _kernel
from agent.checks._kernel import Counters, read


def test_a_file_of_the_kernel_is_read_to_its_end() -> None:
    assert read("/proc/cpuinfo").count("processor\t:") == Path("/proc/cpuinfo").read_text().count(
        "processor\t:"
    )


def test_what_is_read_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "endless").write_bytes(bytes(1_000_000))
    monkeypatch.setattr(_kernel, "BYTES_MAX", 100_000)
    assert 100_000 <= len(read(tmp_path / "endless")) < 200_000


@pytest.mark.parametrize("path", ["/proc/no-such-file", "/proc/self", "/proc/self/mem"])
def test_a_file_that_cannot_be_read_is_named(path: str) -> None:
    with pytest.raises(OSError) as caught:  # noqa: PT011 - what counts is the name it carries
        read(path)
    assert caught.value.filename == path


def test_what_is_counted_per_second_needs_two_looks() -> None:
    counters = Counters()
    assert counters.per_s(100.0, {"a": 5}) == {}
    assert counters.per_s(110.0, {"a": 25, "b": 7}) == {"a": 2.0}
    assert counters.per_s(111.0, {"a": 25, "b": 8}) == {"a": 0.0, "b": 1.0}


def test_a_counter_that_begins_anew_is_a_gap_and_the_others_are_not() -> None:
    counters = Counters()
    counters.per_s(0.0, {"a": 1_000, "b": 10})
    assert counters.per_s(1.0, {"a": 3, "b": 11}) == {"b": 1.0}
    assert counters.per_s(2.0, {"a": 5, "b": 11}) == {"a": 2.0, "b": 0.0}


@given(st.lists(st.tuples(st.floats(0, 1e6), st.integers(0, 2**64)), max_size=8))
def test_a_rate_is_never_negative_whatever_the_counter_and_the_clock_do(
    looks: list[tuple[float, int]],
) -> None:
    counters = Counters()
    for at_s, count in looks:
        assert all(rate >= 0 for rate in counters.per_s(at_s, {"a": count}).values())
