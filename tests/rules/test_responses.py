"""How soon people had it, and how soon it was over."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rules.model import WATCHKEEPER, Incident
from rules.responses import Spell, report

T0 = 1_795_140_000_000
MINUTE = 60_000


def incident(
    number: int, severity: str = "critical", acked: int | None = None, over: int | None = None, **more: object
) -> Incident:
    """Opened number minutes after T0; `acked` and `over` are minutes from then."""
    opened_at = T0 + number * MINUTE
    return Incident(
        number,
        f"host:{number}",
        "disk",
        severity,  # type: ignore[arg-type]
        opened_at,
        acknowledged_at=None if acked is None else opened_at + acked * MINUTE,
        resolved_at=None if over is None else opened_at + over * MINUTE,
        **more,  # type: ignore[arg-type]
    )


def test_the_mean_the_median_and_the_longest() -> None:
    many = [incident(1, acked=1, over=10), incident(2, acked=2, over=20), incident(3, acked=9, over=90)]
    found = report(many, T0, T0 + 10 * MINUTE)
    assert found.overall.to_acknowledge == Spell(3, 4 * MINUTE, 2 * MINUTE, 9 * MINUTE)
    assert found.overall.to_resolve == Spell(3, 40 * MINUTE, 20 * MINUTE, 90 * MINUTE)


def test_what_nobody_took_and_what_is_not_over_count_where_they_belong() -> None:
    found = report([incident(1, over=5), incident(2, acked=3), incident(3)], T0, T0 + 10 * MINUTE).overall
    assert (found.incidents, found.still_open) == (3, 2)
    assert (found.to_acknowledge.count, found.to_acknowledge.mean_ms) == (1, 3 * MINUTE)
    assert (found.to_resolve.count, found.to_resolve.mean_ms) == (1, 5 * MINUTE)


def test_nothing_at_all_has_no_times() -> None:
    found = report([], T0, T0 + 1)
    assert found.overall.to_acknowledge == Spell(0)
    assert (found.by_severity, found.by_service) == ({}, {})


def test_only_what_was_opened_within_the_range_counts() -> None:
    many = [incident(number) for number in range(10)]
    assert report(many, T0 + 2 * MINUTE, T0 + 5 * MINUTE).overall.incidents == 3


def test_what_watchkeeper_says_of_itself_does_not_count() -> None:
    many = [incident(1, over=10), incident(2, "info", over=0, opened_by=WATCHKEEPER)]
    assert report(many, T0, T0 + 10 * MINUTE).overall.to_resolve == Spell(1, *[10 * MINUTE] * 3)


def test_each_severity_and_each_service_touched_has_its_own() -> None:
    found = report(
        [
            incident(1, "warning", over=1, services=("shop", "mail")),
            incident(2, "critical", over=3, services=("shop",)),
            incident(3, "critical", over=5, opened_by="ada"),
        ],
        T0,
        T0 + 10 * MINUTE,
    )
    assert [(name, part.incidents) for name, part in found.by_severity.items()] == [
        ("critical", 2),
        ("warning", 1),
    ]
    assert {name: part.to_resolve.mean_ms for name, part in found.by_service.items()} == {
        "mail": MINUTE,
        "shop": 2 * MINUTE,
    }
    assert found.overall.by_hand == 1


@given(
    st.lists(st.tuples(st.integers(0, 99), st.none() | st.integers(0, 999), st.none() | st.integers(0, 999)))
)
def test_severities_add_up_to_the_whole_and_no_mean_lies_outside_its_spell(
    given: list[tuple[int, int | None, int | None]],
) -> None:
    severities = ("info", "warning", "critical")
    many = [
        incident(number, severities[place % 3], acked, over)
        for place, (number, acked, over) in enumerate(given)
    ]
    found = report(many, T0, T0 + 50 * MINUTE)
    assert sum(part.incidents for part in found.by_severity.values()) == found.overall.incidents
    for spell in (found.overall.to_acknowledge, found.overall.to_resolve):
        if spell.count:
            assert 0 <= spell.mean_ms <= spell.longest_ms  # type: ignore[operator]
            assert spell.median_ms <= spell.longest_ms  # type: ignore[operator]
