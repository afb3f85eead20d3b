"""Acts and samples in any order, with late ones among them: nothing contradicts itself."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from rules.judging.acts import Acknowledge, Act, Edit, Note, Open, Refused, Resolve, Unacknowledge, act
from rules.model import Host
from tests.rules.house import T0, House, remembered, stored
from tests.rules.judging.acting import CHANNELS, CPU, do, house, remarks

VALUES = (50.0, 85.0, 99.0, None)

Step = Callable[[House, int], object]


def sample(host: int, value: float | None) -> Step:
    return lambda home, now_s: home.batch(now_s, {"cpu_used_pct": value}, host=host)


def late(host: int, value: float | None) -> Step:
    """A batch from half a minute ago, and soon after it the past is judged again."""

    def step(home: House, now_s: int) -> None:
        home.batch(now_s - 30, {"cpu_used_pct": value}, host=host, arrived_s=now_s)
        home.repair(now_s + 40)

    return step


def acting(make: Callable[[int], Act]) -> Step:
    """An act upon the newest incident, refused or not."""

    def step(home: House, now_s: int) -> None:
        with contextlib.suppress(Refused):
            home._take(lambda: act(home.watch, make(home.watch.next_incident - 1), T0 + now_s * 1000))

    return step


def wait(seconds: int) -> Step:
    return lambda home, now_s: [home.tick(now_s - seconds + n) for n in range(1, seconds + 1)]


ACTS: list[Callable[[int], Act]] = [
    lambda n: Acknowledge(n, "ada"),
    lambda n: Unacknowledge(n, "ada"),
    lambda n: Resolve(n, "ada"),
    lambda n: Resolve(max(n - 1, 1), "ada"),
    lambda n: Note(n, "ada", "hm"),
    lambda n: Edit(n, "ada", severity="critical"),
    lambda n: Open("something", "warning", "ada"),
]

SAMPLES = st.builds(sample, st.integers(1, 4), st.sampled_from(VALUES))

LATE = st.builds(late, st.integers(1, 4), st.sampled_from(VALUES))

DEEDS = st.sampled_from(ACTS).map(acting)


def consistent(home: House) -> None:
    """No incident, alert or rule says what another denies."""
    watch = home.watch
    for number, incident in watch.incidents.items():
        standing = [a for a in watch.members[number] if watch.alerts[a].resolved_at is None]
        if incident.resolved_at is not None:
            assert not standing, f"incident {number} is over and alerts {standing} are not"
        elif not incident.opened_by:
            assert standing, f"incident {number} is open and none of its alerts is"
    states = [state for memory in watch.hosts.values() for state in memory.states()]
    states += watch.together.values()
    held = [state.alert for state in states if state.alert is not None]
    assert sorted(held) == sorted(alert.id for alert in home.open_alerts)
    assert not [state for state in states if state.hushed and state.alert is not None]


def told_in_turn(home: House) -> None:
    """Of each incident: first, perhaps escalated, resolved, and only then first again."""
    open_: set[int] = set()
    for notice in home.notices:
        if notice.reason == "first":
            assert notice.incident not in open_, "told as new twice"
            open_.add(notice.incident)
        else:
            assert notice.incident in open_, f"{notice.reason} of what was never told"
        if notice.reason == "resolved":
            open_.discard(notice.incident)
    believed = {incident.id for incident in home.watch.incidents.values() if incident.told}
    assert open_ == believed, "what people were told and what is remembered of that differ"


@settings(deadline=None, max_examples=150)
@given(st.lists(st.one_of(SAMPLES, LATE, DEEDS, st.sampled_from([30, 90]).map(wait)), max_size=25))
def test_acts_and_samples_in_any_order_leave_nothing_that_contradicts_itself(steps: list[Step]) -> None:
    home = house(50, hosts=4)
    home.check_purity = False
    now_s = 10
    for step in steps:
        now_s += 100
        step(home, now_s)
        consistent(home)
    told_in_turn(home)
    for host in range(1, 5):
        home.batch(now_s + 200, {"cpu_used_pct": 50}, host=host)
    wait(80)(home, now_s := now_s + 280)
    for incident in home.open_incidents:
        do(home, Resolve(incident.id, "ada"), T0 + now_s * 1000)
    consistent(home)
    told_in_turn(home)
    assert not home.open_incidents


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.one_of(SAMPLES, DEEDS), st.booleans()), max_size=25))
def test_a_start_between_two_steps_changes_nothing(steps: list[tuple[Step, bool]]) -> None:
    hosts = [Host(n, f"h{n}") for n in range(1, 5)]
    steady, restarted = (House([CPU], hosts=hosts, channels=CHANNELS, check_purity=False) for _ in range(2))
    for turn, (step, starts) in enumerate(steps, start=1):
        step(steady, 10 * turn)
        if starts:
            watch = restarted.watch
            restarted.watch = remembered([CPU], channels=CHANNELS, rest=stored(watch), started_s=10 * turn)
        step(restarted, 10 * turn)
    assert [(notice.id, notice.title) for notice in restarted.notices] == [
        (notice.id, notice.title) for notice in steady.notices
    ]
    assert remarks(restarted) == remarks(steady)
    assert stored(restarted.watch).states == stored(steady.watch).states
