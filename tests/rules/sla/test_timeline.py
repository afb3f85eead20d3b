"""What a service was: how long a sample speaks, what silence means, and how parts make a whole."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.sla.courses import NOTHING, tally
from rules.sla.model import DOWN, UNKNOWN, Need
from rules.sla.timeline import (
    Answers,
    Group,
    check_course,
    combined,
    excluded_course,
    host_course,
    service_course,
)
from tests.rules.sla.house import DAY, HOUR, T0, heard, over, part, said, service, told

# --- one check --------------------------------------------------------------------------------------------------------


def test_a_state_holds_from_its_sample_to_the_next() -> None:
    found = check_course("web", "h1", heard(0, 10, 20), said({0: 0, 10: 2, 20: 0}), over(0, 30), "300 ms")
    assert told(found) == [(0, 10, "up", ""), (10, 20, "down", "web from h1 is bad"), (20, 30, "up", "")]


def test_after_two_and_a_half_intervals_nothing_is_known() -> None:
    found = check_course("web", "h1", heard(0, 60), said({0: 2, 60: 0}), over(0, 70), "300 ms")
    assert told(found) == [
        (0, 25, "down", "web from h1 is bad"),
        (25, 60, "unknown", "h1 was not heard"),
        (60, 70, "up", ""),
    ]


def test_what_was_sampled_before_the_range_still_holds_in_it() -> None:
    found = check_course("web", "h1", heard(-10), said({-10: 1}), over(0, 30), "300 ms")
    assert told(found)[0] == (0, 15, "degraded", "web from h1 warns")


def test_a_check_without_an_answer_is_unknown_though_its_host_is_heard() -> None:
    found = check_course("web", "h1", heard(0, 10), said({0: 0, 10: None}), over(0, 20), "300 ms")
    assert told(found)[1] == (10, 20, "unknown", "web from h1 gave no answer")


def test_a_tick_without_the_check_leaves_its_last_word_standing() -> None:
    found = check_course("web", "h1", heard(0, 10, 20), said({0: 0, 20: 0}), over(0, 30), "300 ms")
    assert told(found) == [(0, 30, "up", "")]


def test_a_check_that_its_host_does_not_have_any_more_is_no_part() -> None:
    answers = said({0: 2})
    found = check_course("web", "h1", heard(0, 10, 20, 30, 40), answers, over(0, 90), "")
    assert ((found.at - T0) // 1000).tolist() == [0, 25, 65]
    assert found.codes.tolist() == [DOWN, NOTHING, UNKNOWN]
    assert told(found)[-1][3] == "h1 was not heard"


def test_an_answer_that_takes_too_long_is_degraded_and_says_so() -> None:
    answers = said({0: 0, 10: 0, 20: 2}, slow=[10, 20])
    found = check_course("web", "h1", heard(0, 10, 20), answers, over(0, 30), "300 ms")
    assert [row[2:] for row in told(found)] == [
        ("up", ""),
        ("degraded", "web from h1 took longer than 300 ms"),
        ("down", "web from h1 is bad"),
    ]


def test_of_two_samples_of_one_time_the_last_counts() -> None:
    once = said({0: 0})
    twice = Answers(np.repeat(once.at, 2), np.array([2.0, 0.0]), once.slow_at)
    found = check_course("web", "h1", heard(0, 0), twice, over(0, 10), "")
    assert told(found) == [(0, 10, "up", "")]


def test_silence_while_the_collector_was_away_says_so() -> None:
    found = check_course("web", "h1", heard(0, 60), said({0: 0, 60: 0}), over(0, 70, (20, 50)), "")
    assert told(found) == [
        (0, 25, "up", ""),
        (25, 50, "unknown", "the collector was away"),
        (50, 60, "unknown", "h1 was not heard"),
        (60, 70, "up", ""),
    ]


def test_before_its_host_was_first_heard_a_part_is_no_part() -> None:
    found = check_course("web", "h1", heard(20, first_s=20), said({20: 0}), over(0, 30), "")
    assert (found.at - T0).tolist() == [0, 20_000]
    assert found.codes.tolist() == [NOTHING, 0]


# --- a host -----------------------------------------------------------------------------------------------------------


def test_a_host_that_is_not_heard_is_down() -> None:
    found = host_course("h1", heard(0, 60), over(0, 70))
    assert told(found) == [(0, 25, "up", ""), (25, 60, "down", "h1 was not heard"), (60, 70, "up", "")]


def test_a_host_that_nobody_could_hear_is_unknown() -> None:
    found = host_course("h1", heard(0, 60), over(0, 70, (10, 55)))
    assert told(found) == [
        (0, 25, "up", ""),
        (25, 55, "unknown", "the collector was away"),
        (55, 60, "down", "h1 was not heard"),
        (60, 70, "up", ""),
    ]


def test_what_a_host_brings_late_is_known_though_the_collector_was_away() -> None:
    found = host_course("h1", heard(0, 20, 40, 60), over(0, 70, (10, 55)))
    assert told(found) == [(0, 70, "up", "")]


# --- several parts ----------------------------------------------------------------------------------------------------

U, D, X, W, M, N = "up", "down", "unknown", "degraded", "maintenance", "-"


@pytest.mark.parametrize(
    ("parts", "need", "whole", "sentence"),
    [
        ([U, U], "all", U, "all of them are well"),
        ([U, D], "all", D, "one that is down is enough"),
        ([D, X], "all", D, "whatever the unknown one is, it cannot be well"),
        ([U, X], "all", X, "the unknown one decides"),
        ([U, W], "all", W, "one answers slowly"),
        ([W, X], "all", X, "unknown goes before degraded"),
        ([U, M], "all", M, "a part is worked on, the others are well"),
        ([D, M], "all", D, "the one that is down is not the one that is worked on"),
        ([X, M], "all", X, "whether it would be well but for the work is not known"),
        ([U, D], "any", U, "one is enough"),
        ([D, D], "any", D, "none is left"),
        ([D, X], "any", X, "the unknown one may be well"),
        ([D, W], "any", W, "the one that is left is slow"),
        ([U, X], "any", U, "what the unknown one is does not matter"),
        ([D, M], "any", M, "the other is down, but this one would do"),
        ([U, U, D], 2, U, "two of three"),
        ([U, W, D], 2, W, "two of three, one of them slowly"),
        ([U, D, D], 2, D, "one of three"),
        ([U, D, X], 2, X, "perhaps two of three"),
        ([U, N, N], "all", U, "those that were not there yet do not count"),
        ([N, N], "all", X, "nothing was there yet"),
        ([U, N], 2, X, "of two that it needs, one is not there yet"),
        ([D, N], 2, D, "the other could not make two of it"),
    ],
    ids=lambda value: "".join(value) if isinstance(value, list) else str(value),
)
def test_so_many_parts_make_a_whole(parts: Sequence[str], need: Need, whole: str, sentence: str) -> None:
    courses = [part((0, state), until=10) for state in parts]
    ((_, _, state, _),) = told(combined(courses, need, over(0, 10)))
    assert state == whole, sentence


SECONDS = 12
PARTS = st.lists(
    st.lists(st.sampled_from([U, D, X, W, M, N, "outside"]), min_size=SECONDS, max_size=SECONDS), max_size=5
)


@given(PARTS, st.sampled_from(["all", "any", 1, 2, 4]), st.integers(1, 8))
def test_the_whole_is_at_each_moment_what_its_parts_come_to_then(
    parts: list[list[str]], need: Need, cells_max: int
) -> None:
    courses = [part(*enumerate(states), until=SECONDS) for states in parts]
    found = combined(courses, need, over(0, SECONDS), cells_max)
    assert found == combined(courses, need, over(0, SECONDS))
    assert tally(found).whole == SECONDS * 1000
    for start, end, state, cause in told(found):
        for second in range(int(start), int(end)):
            states = [states[second] for states in parts if states[second] != N]
            wanted = max(1, len(states)) if need == "all" else 1 if need == "any" else int(need)
            missing = max(0, wanted - len(states))
            well = states.count(U)
            slow = well + states.count(W)
            worked_on = slow + states.count(M) + states.count("outside")
            perhaps = worked_on + states.count(X) + missing
            reached = [well, slow, worked_on, perhaps, len(parts) + wanted]
            expected = [U, W, M, X, D][next(n for n, count in enumerate(reached) if count >= wanted)]
            assert state == expected
            assert bool(cause) == (state != U)


@pytest.mark.parametrize(("count", "more"), [(3, ""), (4, " and 1 more"), (5, " and 2 more")])
def test_the_cause_names_those_that_made_it_so(count: int, more: str) -> None:
    parts = [host_course(f"h{n}", heard(), over(0, 10)) for n in range(count)]
    ((*_, cause),) = told(combined(parts, "all", over(0, 10)))
    assert cause == f"h0 was not heard; h1 was not heard; h2 was not heard{more}"


def test_parts_that_are_missing_are_told_of() -> None:
    ((*_, cause),) = told(combined([part((0, U), until=10)], 3, over(0, 10)))
    assert cause == "only 1 of the 3 parts it needs are there"
    ((*_, cause),) = told(combined([], "all", over(0, 10)))
    assert cause == "there was nothing to look at"


def test_all_groups_of_a_service_must_be_well() -> None:
    checks = Group((part((0, U), (20, D), until=60),), "all")
    hosts = Group((part((0, U), until=60), part((0, U), (40, D), until=60)), "any")
    found = service_course([checks, hosts], over(0, 60), excluded_course(service(), over(0, 60)))
    assert told(found) == [(0, 20, "up", ""), (20, 60, "down", "down here")]


# --- what does not count ----------------------------------------------------------------------------------------------


def test_maintenance_goes_over_whatever_was() -> None:
    shop = service(maintenance=["Friday 03:00 to 04:00"])
    excluded = excluded_course(shop, over(0, 3 * 3600))
    found = service_course([Group((part((0, D), until=3 * 3600),), "all")], over(0, 3 * 3600), excluded)
    assert [(begin, end, state) for begin, end, state, _ in told(found)] == [
        (0, 3600, "down"),
        (3600, 7200, "maintenance"),
        (7200, 10800, "down"),
    ]
    assert told(found)[1][3] == "maintenance, Friday 03:00 to 04:00"


def test_beyond_business_hours_nothing_is_promised_and_nothing_maintained() -> None:
    shop = service(hours=["Mon-Fri 08:00 to 18:00"], maintenance=["daily 17:00 to 20:00"])
    week = over(0, 7 * 86_400)
    counted = tally(
        service_course([Group((part((0, U), until=7 * 86_400),), "all")], week, excluded_course(shop, week))
    )
    assert counted.up == 5 * 9 * HOUR
    assert counted.maintenance == 5 * 1 * HOUR
    assert counted.outside == 7 * DAY - 5 * 10 * HOUR


def test_hours_follow_the_clock_on_the_wall() -> None:
    """Where clocks are set back, the night is an hour longer."""
    shop = service(maintenance=["Sunday 00:00 to 06:00"], zone="Europe/Paris")
    start = T0 - 27 * DAY  # a Saturday, the day before clocks went back in 2026
    whole = excluded_course(shop, over((start - T0) / 1000, (start - T0) / 1000 + 2 * 86_400))
    assert tally(whole).maintenance == 7 * HOUR


def test_further_windows_are_maintenance_by_their_name() -> None:
    found = excluded_course(service(), over(0, 60), {"moving house": [(T0, T0 + 20_000)]})
    assert found.codes.tolist() == [3, -1]
    assert found.causes[found.why[0]] == "moving house"
