"""What is due to be looked at again, and no more."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rules.telling.looks import Looks

PUTS = st.lists(st.tuples(st.integers(1, 8), st.none() | st.integers(0, 50)), max_size=60)


@given(PUTS, st.integers(0, 50))
def test_due_are_those_whose_newest_time_has_come(puts: list[tuple[int, int | None]], now: int) -> None:
    looks, expected = Looks(), dict[int, int | None]()
    for incident, at in puts:
        looks.put(incident, at)
        expected[incident] = at
    for _ in range(2):  # asking changes nothing
        due = sorted((at, incident) for incident, at in expected.items() if at is not None and at <= now)
        assert looks.due(now) == [incident for _, incident in due]


def test_what_is_put_again_and_again_takes_no_room() -> None:
    looks = Looks()
    for at in range(10_000):
        looks.put(1, at)
        looks.put(2, 10_000 - at)
    assert len(looks._heap) <= 200
