from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections.abc import Callable

import pytest

from agent import wire
from agent.checks import Measured
from agent.checks.cpu import Check as CpuCheck
from agent.checks.cpu import Options as CpuOptions
from agent.checks.load import Check as LoadCheck
from agent.checks.load import Options as LoadOptions
from agent.sampler import GRACE_S, Question, Sampler, Tick, fit_digits
from agent.wire import CheckState
from tests.agent.questions import Answering, Clock, Hanging, failing, fine, states
from tests.waiting import until


def sendable(tick: Tick) -> bool:
    """Whether a collector would take it."""
    batch = wire.Batch(seq=1, at=1, sent=1, every_ms=1_000, samples=tick.samples, checks=tick.checks)
    push = wire.Push(v=1, spool="0" * 32, boot_id="b", batches=[batch])
    again = wire.decode_push(wire.encode(push)).batches[0]
    return again.samples == tick.samples and all(map(wire.parse_series, again.samples))


def test_a_tick_holds_what_all_checks_found() -> None:
    sampler = Sampler(
        [
            Question("load", "load", 5.0, LoadCheck(LoadOptions())),
            Question("cpu", "cpu", 5.0, CpuCheck(CpuOptions())),
        ]
    )
    tick = sampler.sample()
    assert {"load1", "cpu_used_pct", 'check_state{check="cpu",kind="cpu"}'} <= tick.samples.keys()
    assert [(check.id, check.kind, check.state) for check in tick.checks] == [
        ("load", "load", "ok"),
        ("cpu", "cpu", "ok"),
    ]
    assert sendable(tick)


def test_how_a_check_stands_is_a_series_too() -> None:
    def stands(state: wire.Answer) -> Answering:
        return Answering(lambda at_s: Measured({}, state, "why"))

    named: list[wire.Answer] = ["ok", "warn", "bad", "unknown"]
    tick = Sampler([Question(state, "http", 1.0, stands(state)) for state in named]).sample()
    assert tick.samples == {
        'check_state{check="ok",kind="http"}': 0,
        'check_state{check="warn",kind="http"}': 1,
        'check_state{check="bad",kind="http"}': 2,
        'check_state{check="unknown",kind="http"}': None,
    }
    assert {check.detail for check in tick.checks} == {"why"}


def test_how_long_a_check_took_is_measured() -> None:
    def slow(at_s: float) -> Measured:
        time.sleep(0.1)
        return Measured({})

    (check,) = Sampler([Question("slow", "slow", 5.0, Answering(slow))]).sample().checks
    assert check.ms is not None
    assert 100 <= check.ms < 1_000


def test_a_check_is_told_the_time_it_is_asked_at() -> None:
    clock = Clock()
    clock.ahead_s = 1e4
    sampler = Sampler([Question("at", "at", 5.0, Answering(lambda at_s: Measured({"at_s": at_s})))], clock)
    at_s = sampler.sample().samples["at_s"]
    assert at_s is not None
    assert at_s == pytest.approx(clock(), abs=1)


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (
            FileNotFoundError(2, "No such file or directory", "/proc/x"),
            "disk: /proc/x: No such file or directory",
        ),
        (OSError("ca_file: /x cannot be used"), "disk: ca_file: /x cannot be used"),
        (ValueError("not a number: abc"), "disk: not a number: abc"),
        (KeyError("MemTotal"), "disk: KeyError: 'MemTotal'"),
        (SystemExit(1), "disk: SystemExit: 1"),
        (OSError("x" * 5_000), "disk: " + "x" * 994),
        (OSError("bad name \udcff"), "disk: bad name �"),
        (OSError("two\nlines and \x1b[2Jmore"), "disk: two lines and �[2Jmore"),
    ],
)
def test_a_check_that_fails_is_unknown_and_says_why(error: BaseException, detail: str) -> None:
    tick = Sampler(
        [Question("d", "disk", 5.0, failing(error)), Question("ok", "ok", 5.0, fine(x=1.0))]
    ).sample()
    broken = tick.checks[0]
    assert broken.ms is not None
    assert broken == CheckState("d", "disk", "unknown", broken.ms, detail)
    assert tick.samples['check_state{check="d",kind="disk"}'] is None
    assert tick.samples["x"] == 1
    assert sendable(tick)


def test_a_check_that_answers_nonsense_fails_alone() -> None:
    nonsense = Answering(lambda at_s: None)  # type: ignore[arg-type, return-value]
    words = Answering(lambda at_s: Measured({"x": "much"}))  # type: ignore[dict-item]
    tick = Sampler(
        [
            Question("a", "a", 5.0, nonsense),
            Question("b", "b", 5.0, words),
            Question("c", "c", 5.0, fine(y=2.0)),
        ]
    ).sample()
    assert states(tick) == {"a": "unknown", "b": "unknown", "c": "ok"}
    assert tick.samples["y"] == 2


def test_a_check_that_hangs_is_waited_for_once_and_hides_no_other(hanging: Hanging) -> None:
    clock = Clock()
    sampler = Sampler([Question("nfs", "disk", 0.2, hanging), Question("ok", "ok", 5.0, fine(x=1.0))], clock)

    began = time.monotonic()
    tick = sampler.sample()
    assert 0.2 + GRACE_S <= time.monotonic() - began < 0.2 + GRACE_S + 0.5
    assert states(tick) == {"nfs": "unknown", "ok": "ok"}
    assert tick.checks[0].detail == "no answer for 1 s; still waiting"
    assert tick.checks[0].ms is None
    assert tick.samples['check_state{check="nfs",kind="disk"}'] is None
    assert tick.samples["x"] == 1

    for ahead_s, waited in ((10.9, "12 s"), (200, "3 min"), (8_000, "2 h"), (300_000, "3 d")):
        clock.ahead_s = ahead_s
        began = time.monotonic()
        tick = sampler.sample()
        assert time.monotonic() - began < 0.5
        assert tick.checks[0].detail == f"no answer for {waited}; still waiting"
        assert tick.samples["x"] == 1
    assert hanging.asked == 1


def test_a_check_that_came_back_is_asked_again_and_its_late_answer_forgotten(hanging: Hanging) -> None:
    sampler = Sampler([Question("nfs", "disk", 0.1, hanging)])
    sampler.sample()
    hanging.let_go.set()
    ticks: list[Tick] = []
    until(lambda: ticks.append(sampler.sample()) or hanging.asked == 2)  # type: ignore[func-returns-value,redundant-expr]
    assert states(ticks[-1]) == {"nfs": "ok"}


def test_a_slow_check_holds_up_no_tick_and_its_answer_comes_with_a_later_one(
    hanging: Hanging, caplog: pytest.LogCaptureFixture
) -> None:
    sampler = Sampler([Question("web", "http", 20.0, hanging), Question("ok", "ok", 5.0, fine(x=1.0))])
    for _ in range(2):
        began = time.monotonic()
        tick = sampler.sample(within_s=0.1)
        assert time.monotonic() - began < 1.0
        assert tick.samples["x"] == 1
        assert (tick.checks[0].state, tick.checks[0].detail) == ("unknown", "no answer yet")
    assert caplog.records == []
    hanging.let_go.set()
    until(lambda: "came_late" in sampler.sample(within_s=0.1).samples)
    assert hanging.asked == 1


def test_while_a_slow_check_is_asked_again_it_says_what_it_said_last(
    hanging: Hanging, caplog: pytest.LogCaptureFixture
) -> None:
    answers: list[Callable[[float], Measured]] = [
        lambda at_s: Measured({"http_total_ms": 7_000.0}, "bad", "no answer within 7 s"),
        hanging.measure,
    ]
    sampler = Sampler([Question("web", "http", 20.0, Answering(lambda at_s: answers.pop(0)(at_s)))])
    first = sampler.sample()
    again = sampler.sample(within_s=0.1)
    assert again.samples == first.samples
    assert again.checks == first.checks
    assert caplog.records == []


def test_what_a_check_said_last_is_not_said_for_ever(hanging: Hanging) -> None:
    clock = Clock()
    answers: list[Callable[[float], Measured]] = [lambda at_s: Measured({"x": 1.0}), hanging.measure]
    sampler = Sampler([Question("nfs", "disk", 5.0, Answering(lambda at_s: answers.pop(0)(at_s)))], clock)
    sampler.sample()
    assert states(sampler.sample(within_s=0.1)) == {"nfs": "ok"}
    clock.ahead_s = 6.0
    tick = sampler.sample(within_s=0.1)
    assert (states(tick), "x" in tick.samples) == ({"nfs": "unknown"}, False)


def test_many_that_hang_take_the_time_of_one() -> None:
    stuck = [Hanging() for _ in range(30)]
    sampler = Sampler(
        [
            *(Question(f"h{n}", "http", 0.2, check) for n, check in enumerate(stuck)),
            Question("ok", "ok", 0.2, fine(x=1)),
        ]
    )
    began = time.monotonic()
    tick = sampler.sample()
    assert time.monotonic() - began < 1.5
    assert tick.samples["x"] == 1
    assert list(states(tick).values()) == ["unknown"] * 30 + ["ok"]
    for check in stuck:
        check.let_go.set()


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (97.46192893402272, 97.4619),
        (0.000123456789, 0.000123457),
        (284_712.336, 284_712.0),
        (25_190_002_688, 25_190_002_688),
        (-3.0, -3.0),
        (1e300, 1e300),
    ],
)
def test_whole_numbers_stay_whole_and_others_keep_the_digits_that_say_something(
    value: float, sent: float
) -> None:
    assert fit_digits(value) == sent


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None])
def test_what_is_no_number_is_no_answer(value: float | None) -> None:
    tick = Sampler([Question("x", "x", 5.0, fine(x=value))]).sample()
    assert tick.samples["x"] is None
    assert sendable(tick)


def test_a_name_that_is_no_text_can_still_be_sent() -> None:
    mount = os.fsdecode(b"/mnt/caf\xe9")
    name = wire.series_name("disk_used_pct", {"mount": mount})
    tick = Sampler(
        [Question("disk", "disk", 5.0, Answering(lambda at_s: Measured({name: 5.0}, "bad", mount)))]
    ).sample()
    assert tick.samples['disk_used_pct{mount="/mnt/caf?"}'] == 5
    assert tick.checks[0].detail == "/mnt/caf�"
    assert sendable(tick)


def test_a_name_too_long_to_be_sent_is_left_out_and_said() -> None:
    name = wire.series_name("disk_used_pct", {"mount": "/" + "x" * 600})
    tick = Sampler(
        [Question("disk", "disk", 5.0, Answering(lambda at_s: Measured({name: 5.0, "other": 1.0})))]
    ).sample()
    assert tick.samples == {'check_state{check="disk",kind="disk"}': 1, "other": 1}
    assert (tick.checks[0].state, tick.checks[0].detail) == (
        "warn",
        "not sent: names longer than 512 characters",
    )


def test_series_beyond_the_limit_of_a_host_are_left_out_and_said(caplog: pytest.LogCaptureFixture) -> None:
    def many(prefix: str, count: int) -> Answering:
        return Answering(lambda at_s: Measured({f"{prefix}{n}": float(n) for n in range(count)}))

    checks = [
        Question("a", "a", 5.0, many("a", 1_500)),
        Question("b", "b", 5.0, many("b", 1_500)),
        Question("c", "c", 5.0, fine(c=1.0)),
    ]
    sampler = Sampler(checks)
    tick = sampler.sample()
    sampler.sample()
    assert len(tick.samples) == wire.SERIES_PER_HOST_MAX
    assert tick.samples["b496"] == 496
    assert "b497" not in tick.samples
    assert "c" not in tick.samples
    assert tick.samples['check_state{check="c",kind="c"}'] == 1
    said = "not sent: more than 2000 series of one host"
    assert [(check.state, check.detail) for check in tick.checks] == [
        ("ok", ""),
        ("warn", said),
        ("warn", said),
    ]
    assert [record.message for record in caplog.records] == [f"check b: {said}", f"check c: {said}"]
    assert sendable(tick)


def test_more_checks_than_a_batch_takes_are_refused() -> None:
    with pytest.raises(ValueError, match="501 checks; a host may have 500"):
        Sampler([Question(f"c{n}", "x", 1.0, fine()) for n in range(501)])


def test_trouble_is_logged_once_and_so_is_its_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    answers: list[BaseException | None] = [OSError("gone"), OSError("gone"), KeyError("bug"), None, None]

    def answer(at_s: float) -> Measured:
        error = answers.pop(0)
        if error is not None:
            raise error
        return Measured({})

    sampler = Sampler([Question("disk", "disk", 5.0, Answering(answer))])
    for _ in range(5):
        sampler.sample()
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("WARNING", "check disk: disk: gone"),
        ("WARNING", "check disk: disk: KeyError: 'bug'"),
        ("INFO", "check disk answers again"),
    ]
    assert caplog.records[0].exc_info is None
    assert caplog.records[1].exc_info is not None, "what nobody expected comes with its traceback"


def test_a_check_that_hangs_is_logged_once(hanging: Hanging, caplog: pytest.LogCaptureFixture) -> None:
    sampler = Sampler([Question("nfs", "disk", 0.1, hanging)])
    for _ in range(3):
        sampler.sample()
    assert [record.message for record in caplog.records] == [
        "check nfs: it hangs; it is asked again when it has come back"
    ]


def test_closing_leaves_no_idle_thread_and_waits_for_none(hanging: Hanging) -> None:
    before = set(threading.enumerate())
    sampler = Sampler([Question("nfs", "disk", 0.1, hanging), Question("ok", "ok", 5.0, fine())])
    sampler.sample()
    began = time.monotonic()
    sampler.close()
    assert time.monotonic() - began < 0.1
    deadline = time.monotonic() + 5
    while len(left := set(threading.enumerate()) - before) > 1:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert all(thread.daemon for thread in left)
