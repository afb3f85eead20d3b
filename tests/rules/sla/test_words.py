"""Spans, shares and moments as people read them."""

from __future__ import annotations

import pytest

from rules.sla.words import moment_in_words, share, span_in_words
from tests.rules.sla.house import DAY, HOUR, MIN, T0


@pytest.mark.parametrize(
    ("ms", "said"),
    [
        (0, "0 min"),
        (250, "250 ms"),
        (1_000, "1 s"),
        (59_999, "59 s"),
        (4 * MIN + 19_200, "4 min 19 s"),
        (43 * MIN + 12_000, "43 min"),
        (2 * HOUR + 5 * MIN, "2 h 5 min"),
        (12 * HOUR, "12 h"),
        (3 * DAY + 4 * HOUR, "3 d 4 h"),
    ],
)
def test_a_span(ms: int, said: str) -> None:
    assert span_in_words(ms) == said


@pytest.mark.parametrize(
    ("pct", "said"),
    [
        (100, "100 %"),
        (0, "0 %"),
        (99.999_999_9, "99.999999 %"),  # something was down
        (99.95, "99.95 %"),
        (99.899_99, "99.89 %"),  # not 99.9 %: that was not reached
        (96.666_666, "96.66 %"),
        (50, "50 %"),
    ],
)
def test_a_share_is_never_rounded_up(pct: float, said: str) -> None:
    assert share(pct) == said


def test_a_moment_has_its_date_when_it_is_far() -> None:
    assert moment_in_words(T0 + 2 * DAY, T0, "UTC") == "Sunday 02:00 UTC"
    assert moment_in_words(T0 + 2 * DAY, T0, "Europe/Paris") == "Sunday 03:00"
    assert moment_in_words(T0 + 20 * DAY, T0, "UTC") == "10 December 2026 02:00 UTC"
