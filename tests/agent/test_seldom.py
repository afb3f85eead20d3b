"""Checks that are asked less often than there are ticks, and whose series a name belongs to."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import pytest

from agent.checks import Measured
from agent.sampler import Question, Sampler, Tick
from tests.agent.questions import Answering, Clock, Hanging, failing, fine, states
from tests.waiting import until


class Counting:
    """A check that says how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def measure(self, at_s: float) -> Measured:
        self.asked += 1
        return Measured({"asked": self.asked})


def after(sampler: Sampler, clock: Clock, moments_s: Iterable[float]) -> list[Tick]:
    """The ticks of these moments."""
    ticks = []
    for ahead_s in moments_s:
        clock.ahead_s = ahead_s
        ticks.append(sampler.sample())
    return ticks


def test_a_slow_check_is_asked_at_its_own_pace_and_its_answer_repeated_in_between() -> None:
    clock, check = Clock(), Counting()
    sampler = Sampler([Question("backup", "exec", 5.0, check, every_s=300.0)], clock)
    ticks = after(sampler, clock, range(0, 900, 10))
    assert [tick.samples["asked"] for tick in ticks] == [1] * 30 + [2] * 30 + [3] * 30
    assert {states(tick)["backup"] for tick in ticks} == {"ok"}
    assert len({tick.checks[0].ms for tick in ticks}) == 3


@pytest.mark.parametrize(
    ("every_s", "tick_s", "asked"),
    [
        pytest.param(0.0, 10.0, 61, id="with every tick"),
        pytest.param(1.0, 10.0, 61, id="oftener than there are ticks"),
        pytest.param(10.0, 10.0, 61, id="as often as there are ticks"),
        pytest.param(30.0, 10.0, 21, id="with every third"),
        pytest.param(25.0, 10.0, 21, id="between two ticks it waits for the next"),
        pytest.param(0.3, 0.1, 2_001, id="with ticks of a tenth of a second"),
    ],
)
def test_how_often_a_check_is_asked_in_ten_minutes(every_s: float, tick_s: float, asked: int) -> None:
    clock, check = Still(), Counting()
    sampler = Sampler([Question("x", "exec", 5.0, check, every_s=every_s)], clock)
    for tick in range(round(600 / tick_s) + 1):
        # A tick comes some time after its turn, and never before it.
        clock.now_s = tick * tick_s + (0.0, 0.04, 0.01)[tick % 3] * tick_s
        sampler.sample()
    assert check.asked == asked


class Still:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_one_that_fails_is_not_asked_sooner_and_says_why_until_then() -> None:
    clock = Clock()
    answers = iter([OSError("no such share"), None])

    def measure(at_s: float) -> Measured:
        if error := next(answers):
            raise error
        return Measured({"x": 1.0})

    sampler = Sampler([Question("backup", "exec", 5.0, Answering(measure), every_s=60.0)], clock)
    ticks = after(sampler, clock, (0, 10, 20, 60))
    assert [tick.checks[0].state for tick in ticks] == ["unknown", "unknown", "unknown", "ok"]
    assert {tick.checks[0].detail for tick in ticks[:3]} == {"exec: no such share"}


def test_one_that_hung_is_without_an_answer_until_its_next_turn(
    hanging: Hanging, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    clock = Clock()
    sampler = Sampler([Question("nfs", "exec", 0.1, hanging, every_s=600.0)], clock)
    assert sampler.sample().checks[0].detail == "no answer for 1 s; still waiting"
    hanging.let_go.set()
    until(lambda: sampler.sample().checks[0].detail == "no answer within 0.1 s; it came too late")
    assert "came_late" not in after(sampler, clock, [300])[0].samples
    assert hanging.asked == 1
    assert after(sampler, clock, [610])[0].samples["came_late"] == 1
    assert hanging.asked == 2
    assert caplog.records[-1].getMessage() == "check nfs answers again"


# --- whose a series is ---


def series(*names: str) -> frozenset[str]:
    return frozenset(names)


def foreign(**samples: float) -> Question:
    """A check whose names come from elsewhere, as a textfile's do."""
    return Question("cron", "textfile", 5.0, fine(**samples), series=series("textfile_age_s", "*"))


def test_a_name_from_elsewhere_takes_the_place_of_no_other_checks_series() -> None:
    mine = Question("load", "load", 5.0, fine(load1=0.5), series=series("load1", "load5"))
    for questions in ([foreign(load1=99, mine=1), mine], [mine, foreign(load1=99, mine=1)]):
        tick = Sampler(questions).sample()
        assert (tick.samples["load1"], tick.samples["mine"]) == (0.5, 1)
        assert states(tick) == {"cron": "warn", "load": "ok"}
        (detail,) = (check.detail for check in tick.checks if check.id == "cron")
        assert detail == "not sent: load1, as another check brings that"


def test_a_series_that_is_missing_for_a_moment_is_not_free_for_others() -> None:
    silent = Question("load", "load", 5.0, failing(OSError("gone")), series=series("load1"))
    assert "load1" not in Sampler([silent, foreign(load1=99)]).sample().samples


def test_what_no_check_here_brings_is_free() -> None:
    other = Question("load", "load", 5.0, fine(load1=0.5), series=series("load1"))
    tick = Sampler([other, foreign(updates_pending=3, textfile_age_s=5)]).sample()
    assert (tick.samples["updates_pending"], tick.samples["textfile_age_s"]) == (3, 5)
    assert states(tick)["cron"] == "ok"


def test_the_agents_own_names_are_free_for_nobody() -> None:
    sampler = Sampler([foreign(agent_rss_bytes=1, mine=1)], reserved=["agent_rss_bytes"])
    assert "agent_rss_bytes" not in sampler.sample().samples
