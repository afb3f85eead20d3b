"""Without gates and cooldown it is Kubernetes' HorizontalPodAutoscaler: its documented examples, and any others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from rules.scaling.model import CPU, Change, Pace, Past, ScalingPolicy, Seen, Way
from rules.scaling.smooth import smoothed
from tests.rules.scaling import hpa
from tests.rules.scaling.service import MINUTE_MS, NOW, asked, seen

AS_HPA = ScalingPolicy(
    min=1,
    max=1_000,
    targets={CPU: 50.0},
    gates=None,
    look_ahead=None,
    up=Way(pace=(Pace(instances=4), Pace(percent=100))),
    down=Way(stabilise_s=300, pace=(Pace(percent=100),)),
)
"""What a HorizontalPodAutoscaler does that is told nothing of its behaviour."""


def at(target: float, metric: str = CPU) -> ScalingPolicy:
    return replace(AS_HPA, targets={metric: target})


DOCUMENTED: list[tuple[ScalingPolicy, Seen, int, str]] = [
    (at(100), seen(200, 200), 4, "200m where 100m is wanted: twice as many"),
    (at(100), seen(50, 50), 1, "50m where 100m is wanted: half as many"),
    (at(30), seen(30, 50, 70), 5, "scale up"),
    (at(30), seen("s30", 50, 70), 4, "one that is not ready makes it less"),
    (at(30), seen(40, "s50", "s70"), 3, "two that are not ready make it nothing"),
    (at(15_000, "qps"), seen(1, 1, 1, qps=20_000), 4, "a number of the whole"),
    (at(50), seen(10, 30, 50, 25, 25), 3, "scale down"),
    (at(50), seen(10, 30, 50, "s25", "s25"), 2, "... which counts those that are ready"),
    (at(100), seen(101, 103, 102), 3, "within the tolerance nothing changes"),
    (at(100), seen(40, 9.5, None, None), 3, "missing ones count as fully used when it goes down"),
    (at(100), seen(100, None), 2, "one missing, the other as it should be"),
    (at(100), seen(190, None), 2, "one missing counts as idle when it goes up"),
    (at(100), seen(60, None), 2, "... and as fully used when it goes down"),
    (at(50), seen("s10", 45, None), 3, "missing and not ready, no change"),
    (at(50), seen("s10", 200, None), 4, "missing and not ready, up by less"),
    (at(50), seen("s10", 10, 10, None), 3, "missing and not ready, down by less"),
    (at(50), seen(10, 10, None, current=2), 2, "during a rolling update no more than there should be"),
]


@pytest.mark.parametrize(("policy", "what", "wanted", "sentence"), DOCUMENTED, ids=[r[3] for r in DOCUMENTED])
def test_a_documented_case(policy: ScalingPolicy, what: Seen, wanted: int, sentence: str) -> None:
    assert asked(policy, what).wanted == wanted, sentence


NUMBERS = st.lists(st.integers(0, 300) | st.none(), min_size=1, max_size=12)


@given(NUMBERS, st.integers(1, 200), st.integers(1, 5), st.integers(5, 20), st.data())
def test_it_equals_the_autoscaler(
    cpu: list[int | None], target: int, least: int, most: int, data: st.DataObject
) -> None:
    memory = data.draw(st.lists(st.integers(0, 150) | st.none(), min_size=len(cpu), max_size=len(cpu)))
    past_wanted = data.draw(st.lists(st.integers(least, most), max_size=4))
    policy = replace(AS_HPA, min=least, max=most, targets={CPU: float(target), "memory_used_pct": 80.0})
    past = Past(tuple((NOW - MINUTE_MS, wanted) for wanted in past_wanted))
    said = asked(policy, seen(*cpu, memory=memory), past)
    wanted = hpa.of_all(len(cpu), {"cpu": (cpu, target), "memory": (memory, 80)}, least, most)
    if wanted is None:
        assert (said.direction, said.wanted) == ("unknown", len(cpu))
    else:
        assert said.unsmoothed == wanted
        assert said.wanted == hpa.at_default_pace(len(cpu), wanted, past_wanted)


# --- behaviour --------------------------------------------------------------------------------------------------------

SLOW_DOWN = Way(pace=(Pace(instances=4, per_s=60), Pace(percent=10, per_s=60)))


def test_by_four_or_by_a_tenth_a_minute_whichever_is_more() -> None:
    """The documented example: from 80 to 10, first 8 at a time, by 4 once there are fewer than 40."""
    policy, counts, past, now = replace(AS_HPA, down=SLOW_DOWN), [80], Past(), NOW
    while counts[-1] > 10:
        now += MINUTE_MS
        wanted = smoothed(policy, 10, counts[-1], past, now)
        past = Past(changes=(*past.changes, Change(now, counts[-1], wanted)))
        counts.append(wanted)
    assert counts[:4] == [80, 72, 64, 57]
    assert counts[-5:] == [24, 20, 16, 12, 10]


@pytest.mark.parametrize(
    ("way", "current", "wish", "wanted", "sentence"),
    [
        (SLOW_DOWN, 72, 10, 64, "7.2 is rounded up to 8"),
        (replace(SLOW_DOWN, select="min"), 80, 10, 76, "the policy that allows least"),
        (replace(SLOW_DOWN, select="disabled"), 80, 10, 80, "never down"),
        (Way(), 80, 10, 10, "no policy is no limit"),
        (AS_HPA.up, 3, 100, 7, "up by four"),
        (AS_HPA.up, 10, 100, 20, "... or to twice as many"),
    ],
)
def test_a_pace(way: Way, current: int, wish: int, wanted: int, sentence: str) -> None:
    policy = replace(AS_HPA, up=way) if wish > current else replace(AS_HPA, down=way)
    assert smoothed(policy, wish, current, Past(), NOW) == wanted, sentence


def test_what_was_changed_within_the_while_counts() -> None:
    past = Past(changes=(Change(NOW - 5_000, 4, 8),))
    assert smoothed(AS_HPA, 100, 8, past, NOW) == 8
    assert smoothed(AS_HPA, 100, 8, past, NOW + 10_000) == 16


def test_down_goes_to_the_most_that_was_wanted_of_late() -> None:
    past = Past(((NOW - 4 * MINUTE_MS, 7), (NOW - 2 * MINUTE_MS, 5)))
    assert smoothed(AS_HPA, 2, 9, past, NOW) == 7
    assert smoothed(AS_HPA, 2, 9, past, NOW + 2 * MINUTE_MS) == 5
    assert smoothed(AS_HPA, 2, 9, past, NOW + 9 * MINUTE_MS) == 2
