"""Who pushes as a host: one agent, the same one set up anew, or two that were cloned; and what either may cost."""

from __future__ import annotations

import pytest

from rules.judging.judge import judge
from rules.memory.host import GAPS_MAX, SPOOLS_MAX
from rules.memory.seen import TooManyGaps
from rules.model import Host
from tests.rules.house import T0, House

A, B, C = "a" * 32, "b" * 32, "c" * 32


def pushes(house: House, spools: str, *, every_s: float = 10, at_s: float = 0) -> None:
    """A batch of each spool in turn."""
    for number, spool in enumerate(spools):
        house.batch(at_s + number * every_s, {"load1": 1}, spool=spool * 32)


@pytest.mark.parametrize(
    ("spools", "cloned", "why"),
    [
        ("aaaa", False, "one agent"),
        ("aabb", False, "it was set up anew"),
        ("aababb", False, "it was set up anew, and one batch was on its way still"),
        ("abcd", False, "an agent whose folder does not outlive it"),
        ("ababa", True, "two agents in turn"),
        ("aabbaabbaa", True, "two agents of other rhythms"),
        ("abcabc", True, "three of them"),
    ],
)
def test_two_agents_that_push_as_one_host_are_told_from_one_that_was_set_up_anew(
    spools: str, cloned: bool, why: str
) -> None:
    house = House([])
    pushes(house, spools)
    assert ("cloned" in house.watch.hosts[1].host.flags) == cloned, why


def test_nothing_of_two_agents_is_merged_or_lost() -> None:
    house = House([])
    pushes(house, "abababab")
    assert [seen.spool for seen in house.watch.hosts[1].seen.values()] == [A, B]
    assert sum(outcome.arrival is not None for outcome in house.outcomes) == 8


def test_a_host_is_cloned_no_more_some_time_after_the_other_agent_was_stopped() -> None:
    house = House([])
    pushes(house, "ababa")
    pushes(house, "b", at_s=600)
    assert "cloned" in house.watch.hosts[1].host.flags
    pushes(house, "b", at_s=700)
    assert "cloned" not in house.watch.hosts[1].host.flags


def test_clones_are_found_sooner_again_after_a_restart() -> None:
    house = House([], hosts=[Host(1, "h1", arrived_at=T0, last_at=T0, flags=("cloned",))])
    pushes(house, "aba", at_s=10)
    assert "cloned" in house.watch.hosts[1].host.flags


def test_a_host_keeps_so_many_spools_and_no_more() -> None:
    house = House([], check_purity=False)
    for number in range(SPOOLS_MAX + 50):
        house.batch(number, {"load1": 1}, spool=f"{number:032x}")
    assert len(house.watch.hosts[1].seen) == SPOOLS_MAX


def test_the_gaps_of_all_spools_of_a_host_have_one_limit() -> None:
    house = House([], check_purity=False)
    for number in range(GAPS_MAX):
        house.batch(number, {"load1": 1}, spool=(A, B, C)[number % 3], seq=2 * number + 1)
    late = house.outcomes[-1].arrival
    assert late is not None
    late.seq = 10 * GAPS_MAX
    with pytest.raises(TooManyGaps, match="host 1 has 2000 gaps"):
        judge(house.watch, late, T0)
    house.batch(GAPS_MAX, {"load1": 1}, spool=A, seq=0)
    assert house.outcomes[-1].arrival is not None, "one that opens no gap is taken"


# --- what an agent says of its host -----------------------------------------------------------------------------------


def test_labels_that_come_late_do_not_stand_over_newer_ones() -> None:
    house = House([])
    house.batch(20, {"load1": 1}, labels={"role": "new"})
    house.batch(10, {"load1": 1}, labels={"role": "old"}, facts={"os": "old"})
    host = house.watch.hosts[1].host
    assert (host.labels, host.facts, host.facts_at) == ({"role": "new"}, {}, T0 + 20_000)


def test_nor_do_they_after_a_restart() -> None:
    told = Host(
        1, "h1", {"role": "new"}, last_at=T0 + 20_000, arrived_at=T0 + 20_000, own_labels=("role",),
        facts_at=T0 + 20_000,
    )  # fmt: skip
    house = House([], hosts=[told])
    house.batch(10, {"load1": 1}, labels={"role": "old"})
    assert house.watch.hosts[1].host.labels == {"role": "new"}
    house.batch(20, {"load1": 1}, seq=7, labels={"role": "newest"})
    assert house.watch.hosts[1].host.labels == {"role": "newest"}


def test_labels_in_a_backlog_are_taken_though_the_present_came_before_them() -> None:
    house = House([], hosts=[Host(1, "h1", {"role": "old"}, own_labels=("role",), facts_at=T0)])
    house.batch(60, {"load1": 1})
    house.batch(30, {"load1": 1}, labels={"role": "new"})
    assert house.watch.hosts[1].host.labels == {"role": "new"}
