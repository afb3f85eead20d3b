"""Jobs that tell when they ran: a row per situation."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.jobs import WORDS_LETTERS_MAX, Job, Schedule, began, due_at, ended, overdue_ms, series
from rules.times.cron import Cron

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
SINCE = round(datetime(2026, 3, 1, 12, 0, tzinfo=UTC).timestamp()) * 1000
DAILY = Schedule(DAY, grace_ms=HOUR, runs_ms_max=2 * HOUR)
NEW = Job("backup", SINCE)
RAN = ended(began(NEW, SINCE + HOUR), SINCE + HOUR + MINUTE, 0, "done")


@pytest.mark.parametrize(
    ("job", "after_ms", "overdue"),
    [
        (NEW, 0, 0),  # nobody expects it the moment it is named
        (NEW, DAY + HOUR, 0),  # nor on its first day
        (NEW, DAY + HOUR + 1, 1),  # but then
        (RAN, DAY + 2 * HOUR + MINUTE, 0),  # a day and the grace after its end
        (RAN, DAY + 2 * HOUR + 2 * MINUTE, MINUTE),
        (began(RAN, SINCE + DAY), DAY + 2 * HOUR, 0),  # it runs, for as long as it may
        (began(RAN, SINCE + DAY), DAY + 3 * HOUR, HOUR),  # longer than it may
        (ended(RAN, SINCE + DAY, 1, "disk full"), DAY + HOUR, 0),  # it failed, but it was heard of
        (ended(NEW, SINCE + DAY, 0, ""), 2 * DAY + HOUR, 0),  # a job that only tells its end
    ],
)
def test_when_a_job_is_overdue(job: Job, after_ms: int, overdue: int) -> None:
    assert overdue_ms(job, DAILY, SINCE + after_ms) == overdue


def test_a_cron_expression_is_meant_in_its_time_zone_also_when_the_clocks_change() -> None:
    schedule = Schedule(Cron.parse("30 3 * * *", "Europe/Berlin"), grace_ms=30 * MINUTE, runs_ms_max=HOUR)
    due = datetime(2026, 3, 28, 2, 30, tzinfo=UTC)  # 03:30 in winter
    job = ended(Job("backup", 0), round(due.timestamp()) * 1000, 0, "")
    next_due = due_at(job, schedule)
    assert next_due is not None
    assert datetime.fromtimestamp(next_due / 1000, UTC) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert overdue_ms(job, schedule, next_due + 30 * MINUTE) == 0
    assert overdue_ms(job, schedule, next_due + 31 * MINUTE) == MINUTE


def test_a_run_is_timed_from_its_beginning_to_its_end() -> None:
    assert RAN.took_ms == MINUTE
    assert ended(NEW, SINCE + HOUR, 0, "").took_ms is None
    assert series(RAN, DAILY, SINCE + 2 * HOUR) == {
        "job_overdue_s": 0.0,
        "job_exit_code": 0.0,
        "job_took_s": 60.0,
        "job_runs_s": 0.0,
    }


def test_a_job_that_was_never_heard_of_says_nothing_of_its_end() -> None:
    assert series(NEW, DAILY, SINCE) == {"job_overdue_s": 0.0, "job_runs_s": 0.0}


def test_of_many_words_the_last_are_kept() -> None:
    assert ended(NEW, SINCE, 1, "x" * 10_000 + "no space left").words.endswith("no space left")
    assert len(ended(NEW, SINCE, 1, "x" * 10_000).words) == WORDS_LETTERS_MAX


@given(
    pings=st.lists(st.tuples(st.booleans(), st.integers(1, 3 * DAY)), max_size=20),
    look=st.integers(0, 3 * DAY),
)
def test_a_job_is_never_overdue_right_after_it_was_heard_of(pings: list[tuple[bool, int]], look: int) -> None:
    job, now = NEW, SINCE
    for starts, after in pings:
        now += after
        job = began(job, now) if starts else ended(job, now, 0, "")
        assert overdue_ms(job, DAILY, now) == 0
    assert overdue_ms(job, DAILY, now + look) <= look
