"""When it is tried again, by how it failed and how often."""

from __future__ import annotations

import pytest

from collector.channels import Failed
from collector.notifier import Retry

PASSING = Failed("busy")


@pytest.mark.parametrize(
    ("outcome", "tries", "age_s", "chance", "pause_s"),
    [
        (PASSING, 1, 0, 0.0, 5.0),  # the first pause is short,
        (PASSING, 2, 5, 0.0, 10.0),  # and each is twice the one before,
        (PASSING, 5, 75, 0.0, 80.0),
        (PASSING, 8, 635, 0.0, 640.0),
        (PASSING, 9, 1_275, 0.0, 900.0),  # up to a quarter of an hour,
        (PASSING, 80, 60_000, 0.0, 900.0),
        (PASSING, 1, 0, 1.0, 3.75),  # and up to a quarter shorter, so that not all come back at once
        (PASSING, 9, 1_275, 1.0, 675.0),
        (PASSING, 100, 85_499, 0.0, 900.0),  # the last try that fits into a day
        (PASSING, 100, 85_501, 0.0, None),  # none after it
        (PASSING, 1, 200_000, 0.0, 5.0),  # but a collector that was away for days still tries some times
        (PASSING, 4, 200_000, 0.0, 40.0),
        (PASSING, 5, 200_000, 0.0, None),
        (PASSING, 249, 3_000, 0.0, 900.0),
        (PASSING, 250, 3_000, 0.0, None),  # whatever the pauses were
        (Failed("gone", permanent=True), 1, 0, 0.0, None),  # no use in trying again
        (Failed("gone", permanent=True, retry_after_s=5), 1, 0, 0.0, None),
        (Failed("who are you?", closed=True), 1, 0, 1.0, 3_600.0),  # a person has to see to it: once an hour,
        (Failed("who are you?", closed=True, retry_after_s=5), 9, 1_275, 0.0, 3_600.0),
        (Failed("who are you?", closed=True), 23, 82_800, 0.0, 3_600.0),
        (Failed("who are you?", closed=True), 24, 86_400, 0.0, None),  # for a day
        (Failed("slow down", retry_after_s=30), 1, 0, 1.0, 30.0),  # what was asked for wins, exactly,
        (Failed("slow down", retry_after_s=30), 9, 1_275, 0.0, 30.0),
        (Failed("slow down", retry_after_s=0), 1, 0, 0.0, 1.0),  # but not without any pause,
        (Failed("slow down", retry_after_s=1e9), 1, 0, 0.0, 3_600.0),  # nor for ever
    ],
)
def test_when_it_is_tried_again(
    outcome: Failed, tries: int, age_s: float, chance: float, pause_s: float | None
) -> None:
    assert Retry().pause_s(outcome, tries, age_s, chance) == pause_s
