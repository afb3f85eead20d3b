"""The ticks: on a grid, into the spool, with what the agent says of itself, and never ended by a fault."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from agent import wire
from agent.calls import Call
from agent.checks import Measured
from agent.clock import Moment
from agent.loop import FACTS_EVERY_MS, Loop, new_batch, next_tick
from agent.pusher import Pusher
from agent.pusher.collectors import Collectors
from agent.pusher.post import Post
from agent.sampler import Question, Sampler, Tick
from agent.spool import Limits, Spool
from tests.agent.receiver import TOKEN, Receiver

NOON = 1_790_000_000_000


class Check:
    """A check that says what it is told to say."""

    def __init__(self) -> None:
        self.says: Measured | Exception = Measured({"load1": 0.5})

    def measure(self, at_s: float) -> Measured:
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


class Agent:
    def __init__(self, folder: Path, receiver: Receiver) -> None:
        self.boot_ms = 1_000_000
        self.check = Check()
        self.spool = Spool(folder, Limits(), self.now())
        self.post = Collectors([Post(receiver.url, TOKEN, "watchkeeper-agent/test")])
        self.sampler = Sampler([Question("mine", "test", 1.0, self.check)])
        self.pusher = Pusher(self.spool, self.post, 10_000, self.now)
        self.loop = Loop(self.sampler, self.spool, self.pusher, self.now, 10_000, {"role": "db"})

    def now(self) -> Moment:
        return Moment("boot", self.boot_ms, self.boot_ms + NOON)

    def tick(self) -> None:
        self.boot_ms += 10_000
        self.loop._safe_tick()

    def batches(self) -> list[wire.Batch]:
        held = self.spool.oldest(self.now(), 10**6, 10**9)
        body = wire.push_body(
            "0" * 32, "b", 0, [(h.seq, h.then.wall_ms, h.then.wall_ms, h.tail) for h in held]
        )
        return wire.decode_push(body).batches


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    with closing(Receiver()) as receiver:
        agent = Agent(tmp_path / "spool", receiver)
        yield agent
        agent.sampler.close()
        agent.post.close()
        agent.spool.close()


@pytest.mark.parametrize(
    ("now_s", "due_s", "because"),
    [
        (100.0, 110.0, "the tick at 100 has just been made"),
        (100.2, 110.0, "the grid does not drift by what a tick takes"),
        (109.9, 110.0, "a slow tick does not move the grid"),
        (110.0, 120.0, "the tick at 110 is being made"),
        (137.0, 140.0, "ticks that were missed are gone, none is made up for"),
    ],
)
def test_ticks_keep_to_their_grid(now_s: float, due_s: float, because: str) -> None:
    assert next_tick(100.0, 10.0, now_s) == pytest.approx(due_s), because


class Time:
    """Waits that pass at once, and are ended by the calls given, one for each wait; then comes a stop."""

    def __init__(self, *calls: Call | None) -> None:
        self.now_s = 50.0
        self.waits: list[float] = []
        self.beats = 0
        self.step_s: float | None = None  # how long a wait takes that is ended by a call
        self._calls = [*calls, "stop"]

    def wait(self, seconds: float) -> Call | None:
        self.waits.append(round(seconds, 3))
        call: Call | None = self._calls[len(self.waits) - 1]
        if call is not None and self.step_s is not None:
            self.now_s += self.step_s
            return call
        self.now_s += (seconds if call is None else seconds / 2) + 0.25  # each tick takes that long
        return call

    def beat(self) -> None:
        self.beats += 1

    def run(self, agent: Agent, beat_s: float | None = None) -> str:
        return agent.loop.run(self.wait, self.beat, beat_s, lambda: self.now_s)


def test_it_ticks_at_once_and_then_on_the_grid_until_told_to_stop(agent: Agent) -> None:
    time = Time(None, None, None)
    assert time.run(agent) == "stop"
    assert time.waits == [0.0, 9.75, 9.75, 9.75]
    assert (agent.spool.batches, time.beats) == (3, 3)


def test_it_is_called_away_to_read_its_config_again(agent: Agent) -> None:
    assert Time(None, None, "reload").run(agent) == "reload"
    assert agent.spool.batches == 2


def test_a_sample_that_is_asked_for_is_taken_at_once_and_does_not_move_the_grid(agent: Agent) -> None:
    time = Time(None, "sample", None)
    time.run(agent)
    assert time.waits == [0.0, 9.75, 4.625, 9.75]
    assert agent.spool.batches == 3


def test_samples_that_are_asked_for_again_and_again_keep_their_distance(agent: Agent) -> None:
    often: list[Call] = ["sample"] * 20
    time = Time(None, *often)
    time.step_s = 0.1
    time.run(agent)
    assert agent.spool.batches == 1 + 2  # one in its turn, and two in the two seconds after it


def test_it_beats_between_ticks_that_are_far_apart(agent: Agent) -> None:
    time = Time(None, None, None, None)
    time.run(agent, beat_s=4.0)
    assert time.waits == [0.0, 4.0, 4.0, 1.25, 4.0]
    assert (agent.spool.batches, time.beats) == (2, 4)


def test_other_labels_are_told_with_the_next_batch(agent: Agent) -> None:
    agent.tick()
    agent.loop.change(5_000, {"role": "db"})
    agent.tick()
    agent.loop.change(5_000, {})
    agent.tick()
    agent.tick()
    assert [batch.labels for batch in agent.batches()] == [{"role": "db"}, None, {}, None]
    assert [batch.every_ms for batch in agent.batches()] == [10_000, 5_000, 5_000, 5_000]


def test_a_batch_holds_what_the_checks_say_and_what_the_agent_says_of_itself(agent: Agent) -> None:
    agent.tick()
    (batch,) = agent.batches()
    assert batch.samples["load1"] == 0.5
    assert batch.samples['check_state{check="mine",kind="test"}'] == 0
    assert [check.state for check in batch.checks] == ["ok"]
    assert (batch.at, batch.every_ms) == (NOON + 1_010_000, 10_000)
    own = {
        "agent_spool_bytes",
        "agent_spool_batches",
        "agent_dropped_batches",
        "agent_rss_bytes",
        "agent_errors",
    }
    assert own <= set(batch.samples)
    assert "collector_rtt_ms" not in batch.samples  # not asked yet
    assert all(wire.parse_series(name) for name in batch.samples)


def test_it_counts_what_waits_and_what_was_given_up(agent: Agent) -> None:
    for _ in range(4):
        agent.tick()
    agent.spool.refuse(agent.spool.oldest(agent.now(), 1, 1)[0], agent.now(), "no")
    agent.tick()
    samples = agent.batches()[-1].samples
    assert (samples["agent_spool_batches"], samples["agent_dropped_batches"]) == (3, 1)
    assert (samples["agent_spool_bytes"] or 0) > 0


def test_the_way_to_the_collector_is_a_series_once_it_was_asked(agent: Agent) -> None:
    agent.tick()
    agent.pusher.step()
    agent.tick()
    assert (agent.batches()[-1].samples["collector_rtt_ms"] or 0) > 0
    agent.pusher.rtt_ms = None
    agent.tick()
    assert agent.batches()[-1].samples["collector_rtt_ms"] is None


def test_facts_and_labels_ride_on_the_first_batch_and_when_they_change(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2 * FACTS_EVERY_MS // 10_000):
        agent.tick()
    first, *rest = agent.batches()
    assert first.labels == {"role": "db"}
    assert (first.facts or {})["agent_version"]
    assert {(batch.facts is None, batch.labels is None) for batch in rest} == {(True, True)}
    monkeypatch.setattr("agent.facts.VERSION", "2.0")
    for _ in range(FACTS_EVERY_MS // 10_000):
        agent.tick()
    told = [batch.facts for batch in agent.batches()[1:] if batch.facts is not None]
    assert [facts["agent_version"] for facts in told] == ["2.0"]


def test_a_check_that_fails_does_not_stop_the_tick(agent: Agent) -> None:
    agent.check.says = OSError("no such device")
    agent.tick()
    (batch,) = agent.batches()
    assert batch.samples['check_state{check="mine",kind="test"}'] is None
    assert batch.checks[0].detail == "test: no such device"


def test_a_fault_of_ours_costs_one_tick_is_said_once_and_counted(
    agent: Agent, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as fault:
        fault.setattr(agent.spool, "add", lambda batch, now: 1 / 0)
        for _ in range(3):
            agent.tick()
    assert len([record for record in caplog.records if record.exc_info]) == 1
    assert (agent.loop.failed, agent.loop.answers) == (3, None)
    agent.tick()
    assert (agent.loop.failed, [answer.id for answer in agent.loop.answers or []]) == (0, ["mine"])
    assert agent.batches()[-1].samples["agent_errors"] == 3


def test_a_batch_keeps_to_the_number_of_series_of_one_host() -> None:
    tick = Tick({f"series_{n}": 1.0 for n in range(wire.SERIES_PER_HOST_MAX)}, [])
    batch = new_batch(tick, {"agent_errors": 0.0, "agent_rss_bytes": 1.0}, 1_000)
    assert len(batch.samples) == wire.SERIES_PER_HOST_MAX
    assert list(batch.samples)[-2:] == ["agent_errors", "agent_rss_bytes"]
    assert msgspec.json.decode(wire.encode(batch), type=wire.Batch) == batch
