"""What is allowed, used and left, reckoned by hand; and when it ends at this pace."""

from __future__ import annotations

import pytest

from rules.sla.budget import availability_pct, budget, sentence, within_limit_pct
from rules.sla.model import Interval, ServiceOptions, Tally
from rules.sla.periods import Period, month, period
from tests.rules.sla.house import DAY, HOUR, MIN, T0, service

NOW = T0 + 12 * HOUR  # Friday 2026-11-20 14:00 UTC
LAST_30_D = period("30d", NOW)


def down(ago_ms: int, for_ms: int) -> Interval:
    return Interval(NOW - ago_ms, NOW - ago_ms + for_ms, "down", "it was")


@pytest.mark.parametrize(
    ("objective_pct", "allowed_ms"),
    [
        (99.0, 7 * HOUR + 12 * MIN),
        (99.5, 3 * HOUR + 36 * MIN),
        (99.9, 43 * MIN + 12_000),
        (99.95, 21 * MIN + 36_000),
        (99.99, 4 * MIN + 19_200),
        (99.999, 25_920),
    ],
)
def test_what_thirty_days_allow(objective_pct: float, allowed_ms: int) -> None:
    """30 days are 2,592,000,000 ms."""
    found = budget(service(objective_pct=objective_pct), Tally(up=30 * DAY), LAST_30_D, NOW, [])
    assert found is not None
    assert (found.allowed_ms, found.used_ms, found.left_pct) == (allowed_ms, 0, 100)


def test_maintenance_and_the_unknown_are_left_out_on_both_sides() -> None:
    """Of 30 days 10 do not count: 20 days less 0.1 % are 28 min 48 s, and 2 of 20 days down are 90 %."""
    tally = Tally(
        up=17 * DAY, degraded=1 * DAY, down=2 * DAY, maintenance=4 * DAY, unknown=5 * DAY, outside=DAY
    )
    found = budget(service(), tally, LAST_30_D, NOW, [])
    assert found is not None
    assert found.counted_ms == 20 * DAY
    assert found.allowed_ms == 28 * MIN + 48_000
    assert availability_pct(tally, service()) == 90


def test_the_unknown_is_charged_as_down_where_one_says_so() -> None:
    strict = service(unknown="down")
    tally = Tally(up=18 * DAY, down=1 * DAY, unknown=1 * DAY)
    assert availability_pct(tally, strict) == 90
    assert availability_pct(tally, service()) == pytest.approx(100 * 18 / 19)
    found = budget(strict, tally, LAST_30_D, NOW, [])
    assert found is not None
    assert (found.used_ms, found.counted_ms) == (2 * DAY, 20 * DAY)


def test_degraded_is_available_and_counts_against_the_promise_about_speed() -> None:
    tally = Tally(up=95 * HOUR, degraded=5 * HOUR)
    assert availability_pct(tally, service()) == 100
    assert within_limit_pct(tally) == 95


def test_of_nothing_there_is_no_percentage() -> None:
    tally = Tally(unknown=30 * DAY)
    assert availability_pct(tally, service()) is None
    assert within_limit_pct(tally) is None
    found = budget(service(), tally, LAST_30_D, NOW, [])
    assert found is not None
    assert (found.allowed_ms, found.left_pct) == (0, None)
    assert sentence(service(), tally, LAST_30_D, NOW, found) == (
        "Nothing that counts is known of the last 30 days."
    )


def test_a_month_that_goes_on_has_its_whole_budget() -> None:
    """November has 30 days; 19 d 14 h of it are over. 43.2 min are allowed in all."""
    november = period("month", NOW)
    over = NOW - november.start
    assert over == 19 * DAY + 14 * HOUR
    found = budget(service(), Tally(up=over - 31 * MIN, down=31 * MIN), november, NOW, [])
    assert found is not None
    assert (found.counted_ms, found.allowed_ms) == (30 * DAY, 43 * MIN + 12_000)


def test_what_was_over_before_a_service_was_first_looked_at_is_not_held_against_it() -> None:
    """Watched for an hour, and down for ten seconds of it: of 43.2 min."""
    tally = Tally(up=HOUR - 10_000, down=10_000)
    found = budget(service(), tally, LAST_30_D, NOW, [], unwatched_ms=30 * DAY - HOUR)
    assert found is not None
    assert (found.allowed_ms, found.used_ms) == (43 * MIN + 12_000, 10_000)


# --- when it ends -----------------------------------------------------------------------------------------------------


def reckoned(
    downs: list[Interval], over: Period, shop: ServiceOptions | None = None
) -> tuple[int | None, str]:
    shop = shop or service()
    used = sum(one.ms for one in downs)
    tally = Tally(up=min(NOW, over.end) - over.start - used, down=used)
    found = budget(shop, tally, over, NOW, downs)
    assert found is not None
    return found.ends_at, sentence(shop, tally, over, NOW, found)


def test_at_this_pace_it_is_gone_on_a_day_that_is_named() -> None:
    """31 min in the last 7.5 days; 12.2 min are left: 12.2 / 31 of 7.5 days are 2 d 22 h 50 min 19 s."""
    ends_at, said = reckoned([down(3 * DAY, 31 * MIN)], LAST_30_D)
    assert ends_at == NOW + round(12.2 / 31 * 7.5 * DAY)
    assert said == (
        "99.928 % available in the last 30 days, 99.9 % promised: 43 min allowed, 31 min used; "
        "at this pace gone on Monday 12:50 UTC."
    )


def test_what_was_down_long_ago_makes_no_pace() -> None:
    ends_at, said = reckoned([down(20 * DAY, 31 * MIN)], LAST_30_D)
    assert ends_at is None
    assert said.endswith("43 min allowed, 31 min used; at this pace it lasts.")


def test_of_a_period_that_moves_along_what_is_long_ago_falls_out() -> None:
    """10 min 29 days ago and 20 min 5 days ago; 13.2 min are left, and a day goes by before 10 min come back.

    20 min in 7.5 days are 2 min 40 s a day: 13.2 min and the 10 that come back are 23.2 min, which last 8.7 days. The
    20 min themselves fall out only after 25 days.
    """
    ends_at, _ = reckoned([down(29 * DAY, 10 * MIN), down(5 * DAY, 20 * MIN)], LAST_30_D)
    assert ends_at is not None
    assert ends_at == pytest.approx(NOW + 23.2 / 20 * 7.5 * DAY, abs=2)


def test_a_month_may_end_before_its_budget_does() -> None:
    ends_at, said = reckoned([down(5 * DAY, 4 * MIN)], period("month", NOW))
    assert ends_at is None
    assert "at this pace it lasts" in said


def test_a_month_whose_budget_ends_first_says_when() -> None:
    """20 min in 7.5 days, 23.2 min left: in 8.7 days, on the 29th at 06:48."""
    ends_at, said = reckoned([down(5 * DAY, 20 * MIN)], period("month", NOW))
    assert ends_at == NOW + round(8.7 * DAY)
    assert said.endswith("43 min allowed, 20 min used; at this pace gone on 29 November 2026 06:48 UTC.")


def test_too_much_is_too_much() -> None:
    ends_at, said = reckoned([down(3 * DAY, 50 * MIN + 12_000)], LAST_30_D)
    assert ends_at is None
    assert said.endswith("43 min allowed, 50 min used, 7 min too much.")


def test_who_promises_nothing_has_no_budget() -> None:
    shop = service(objective_pct=None)
    tally = Tally(up=9 * HOUR, down=1 * HOUR)
    assert budget(shop, tally, LAST_30_D, NOW, []) is None
    assert sentence(shop, tally, LAST_30_D, NOW, None) == "90 % available in the last 30 days; down for 1 h."


# --- periods ----------------------------------------------------------------------------------------------------------


def test_a_month_begins_at_midnight_of_its_place() -> None:
    assert month("2026-10", "Europe/Paris").ms == 31 * DAY + HOUR
    assert month("2026-10").ms == 31 * DAY
    assert month("2026-12").end == month("2027-01").start


@pytest.mark.parametrize(
    ("span", "called", "days"),
    [("month", "November 2026", 30), ("quarter", "quarter 4 of 2026", 92), ("year", "the year 2026", 365)],
)
def test_a_period_of_the_calendar(span: str, called: str, days: int) -> None:
    found = period(span, NOW)  # type: ignore[arg-type]
    assert (found.called, found.ms, found.rolling) == (called, days * DAY, False)
    assert found.start <= NOW < found.end


@pytest.mark.parametrize("text", ["2026-13", "2026-1", "October", "1999-01"])
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write one such as 2026-10"):
        month(text)
