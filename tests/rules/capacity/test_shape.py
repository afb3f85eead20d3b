"""What a series does besides growing, and which of its points say how it goes on."""

from __future__ import annotations

import numpy as np
import pytest

from rules.capacity.shape import Kind, find_jumps, look
from rules.capacity.slope import Numbers

HOUR_MS = 3_600_000
T = np.arange(0, 20 * 24) / 24
AT = (T * 24).round().astype(np.int64) * HOUR_MS
RNG = np.random.default_rng(3)
HUM = RNG.normal(0, 0.1, len(T))

TABLE: list[tuple[Numbers, Kind, float | None, str]] = [
    (40 + T, "plain", None, "what grows is plain"),
    (60 + RNG.normal(0, 3, len(T)), "plain", None, "noise is no jump"),
    (60 + 10 * np.sin(2 * np.pi * T), "plain", None, "a wave is no jump"),
    (np.where(T < 12, 40.0, 70.0) + HUM, "plain", 12, "one step cuts the past"),
    (np.where(T < 12, 80.0, 30.0) + T, "plain", 12, "so does a cleanup"),
    (np.select([T < 6, T < 15], [30.0, 80.0], 50.0) + HUM, "plain", 15, "of two the later one does"),
    (50 + 20 * (T % 1) + HUM, "sawtooth", None, "what is emptied every day is a sawtooth"),
    (50 + 5 * (T // 3) + HUM, "staircase", None, "what is added every third day is a staircase"),
    (np.where(T < 5, 300.0, 50 + 20 * (T % 1)), "sawtooth", 5, "a great step before a sawtooth cuts it"),
    (50 + 20 * np.minimum(T % 10, 2), "plain", 10, "emptied once is an event, no habit"),
]


@pytest.mark.parametrize(("values", "kind", "cut_day", "sentence"), TABLE, ids=[row[3] for row in TABLE])
def test_a_shape(values: Numbers, kind: Kind, cut_day: float | None, sentence: str) -> None:
    found = look(AT, values, limit=95)
    assert found.kind == kind, sentence
    assert found.cut_at == (None if cut_day is None else round(cut_day * 24) * HOUR_MS), sentence


def test_of_a_sawtooth_the_tops_count() -> None:
    found = look(AT, 50 + 20 * (T % 1) + T, limit=95)
    assert len(found.at) >= 19
    assert (np.diff(found.values) > 0).all()
    assert found.values.min() > 68


def test_a_tooth_that_outgrows_all_before_it_is_no_tooth() -> None:
    values = np.where(T < 15, 50 + 20 * (T % 1), 50 + 20 * (T - 15))
    found = look(AT, values, limit=200)
    assert (found.kind, found.overdue, found.cut_at) == ("plain", True, 15 * 24 * HOUR_MS)


def test_a_spike_of_one_point_is_no_jump() -> None:
    values = 50 + HUM
    values[100] = 94
    places, _ = find_jumps(AT, values, limit=95)
    assert not len(places)


def test_a_cleanup_that_takes_some_hours_is_one_jump() -> None:
    values = np.interp(T, [0, 10, 10.15, 20], [80, 80.0, 30, 30]) + HUM
    places, sizes = find_jumps(AT, values, limit=95)
    assert len(places) == 1
    assert sizes[0] == pytest.approx(-50, abs=2)


def test_a_long_hole_is_no_jump_where_growth_explains_it() -> None:
    keep = (T < 5) | (T > 12)
    places, _ = find_jumps(AT[keep], (40 + 2 * T)[keep], limit=95)
    assert not len(places)
