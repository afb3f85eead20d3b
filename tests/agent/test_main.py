"""The program itself: real processes, real signals, real files."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agent import wire
from tests.agent.quiet import quiet
from tests.agent.receiver import TOKEN, Receiver, Reply, all_ok, problem
from tests.agent.service_manager import ServiceManager
from tests.waiting import until

ROOT = Path(__file__).parents[2]
EVERY_MS = 100
CHECKS = json.dumps(quiet("cpu", "load", "memory"))


@pytest.fixture
def config(tmp_path: Path, receiver: Receiver) -> Path:
    path = tmp_path / "agent.yaml"
    path.write_text(
        f"agent:\n  collector: {receiver.url}\n  token: {TOKEN}\n  every: {EVERY_MS}ms\n  state: state\n"
        f"  labels: {{role: test}}\n  checks: {CHECKS}\n"
    )
    return path


class Agent:
    """`python -m agent` as a child."""

    def __init__(self, *args: str, environ: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "agent", *args],
            cwd=ROOT,
            env=os.environ | (environ or {}),
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self, number: int) -> tuple[int, str, float]:
        """The exit code, what was logged, and how long it took after the signal."""
        began_s = time.monotonic()
        self.process.send_signal(number)
        _, logged = self.process.communicate(timeout=20)
        return self.process.returncode, logged, time.monotonic() - began_s


@pytest.fixture
def start(config: Path) -> Iterator[Callable[[], Agent]]:
    agents: list[Agent] = []

    def start() -> Agent:
        agents.append(Agent("run", "--config", str(config)))
        return agents[-1]

    yield start
    for one in agents:
        if one.process.poll() is None:
            one.process.kill()
            one.process.communicate()


def say(*args: str, environ: dict[str, str] | None = None) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "agent", *args],
        cwd=ROOT,
        env=os.environ | (environ or {}),
        capture_output=True,
        text=True,
        timeout=20,
    )
    return done.returncode, done.stdout, done.stderr


def numbers(receiver: Receiver) -> list[int]:
    return [batch.seq for batch in receiver.batches]


def without_a_hole(seqs: list[int]) -> bool:
    return sorted(seqs) == list(range(min(seqs), min(seqs) + len(seqs)))


def kept(config: Path) -> list[Path]:
    return list((config.parent / "state" / "spool").glob("*.segment"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_pushes_tick_by_tick_and_ends_with_0_when_told(
    start: Callable[[], Agent], receiver: Receiver, config: Path, number: int
) -> None:
    agent = start()
    receiver.wait_for(lambda: len(receiver.got) >= 5)
    code, logged, took_s = agent.end(number)
    assert (code, took_s < 5) == (0, True), logged
    assert "connected to the collector" in logged
    assert without_a_hole(numbers(receiver))
    assert kept(config) == []
    first, *rest, word = receiver.batches
    assert (word.bye, word.samples) == ("restart", {})
    assert (first.labels, (first.facts or {})["hostname"]) == ({"role": "test"}, os.uname().nodename)
    assert all(batch.facts is None for batch in rest)
    assert {"cpu_used_pct", "memory_used_pct", "load1", "agent_rss_bytes"} <= set(first.samples)
    gaps = {after.at - before.at for before, after in itertools.pairwise([first, *rest])}
    assert min(gaps) > EVERY_MS / 4


def test_while_the_collector_is_away_nothing_is_lost_and_nothing_doubled(
    start: Callable[[], Agent], receiver: Receiver, config: Path
) -> None:
    agent = start()
    receiver.wait_for(lambda: len(receiver.got) >= 3)
    taken = len(receiver.batches)
    away: list[wire.Push] = []
    receiver.answer = lambda push: away.append(push) or problem(503)  # type: ignore[func-returns-value,redundant-expr]
    until(lambda: away and kept(config))
    receiver.answer = all_ok

    def refused() -> list[int]:
        return [batch.seq for push in away for batch in push.batches]

    receiver.wait_for(lambda: len(numbers(receiver)) - len(refused()) > taken + 5)
    until(lambda: not kept(config))
    code, logged, _ = agent.end(signal.SIGTERM)
    assert code == 0, logged
    stored = numbers(receiver)
    for seq in refused():
        stored.remove(seq)
    assert len(stored) > taken + 5
    assert without_a_hole(stored)
    assert "nothing reaches the collector" in logged
    assert "caught up" in logged


def test_on_a_stop_everything_is_kept_for_the_next_start(
    start: Callable[[], Agent], receiver: Receiver, config: Path
) -> None:
    tried: list[int] = []
    receiver.answer = lambda push: tried.extend(b.seq for b in push.batches) or problem(503)  # type: ignore[func-returns-value,redundant-expr]
    agent = start()
    receiver.wait_for(lambda: len(receiver.got) >= 2)
    until(lambda: kept(config))
    code, logged, took_s = agent.end(signal.SIGTERM)
    assert (code, took_s < 6) == (0, True), logged
    last = max(tried)
    receiver.got.clear()
    receiver.answer = all_ok
    again = start()
    receiver.wait_for(lambda: set(range(last + 1)) <= set(numbers(receiver)))
    assert again.end(signal.SIGTERM)[0] == 0
    assert len(set(numbers(receiver))) == len(numbers(receiver))
    assert len({got.push.spool for got in receiver.got}) == 1


def test_a_kill_9_costs_the_last_two_ticks_at_most(
    start: Callable[[], Agent], receiver: Receiver, config: Path
) -> None:
    tried: list[int] = []
    receiver.answer = lambda push: tried.extend(b.seq for b in push.batches) or problem(503)  # type: ignore[func-returns-value,redundant-expr]
    agent = start()
    receiver.wait_for(lambda: max(tried, default=0) > 5)
    agent.end(signal.SIGKILL)
    last = max(tried)
    receiver.got.clear()
    receiver.answer = all_ok
    again = start()
    receiver.wait_for(lambda: set(range(last - 2)) <= set(numbers(receiver)))
    again.end(signal.SIGTERM)
    fresh = [seq for seq in numbers(receiver) if seq > last + 10]
    assert fresh, "the numbers after a kill begin above all that may have been used"


def test_a_collector_that_hangs_does_not_hold_up_the_end(
    start: Callable[[], Agent], receiver: Receiver
) -> None:
    receiver.answer = lambda push: Reply(200, b"x" * 1_000, drip_s=0.1)
    agent = start()
    receiver.wait_for(lambda: len(receiver.got) >= 1)
    code, logged, took_s = agent.end(signal.SIGTERM)
    assert (code, took_s < 6) == (0, True), logged


def test_a_second_agent_with_the_same_state_is_refused(
    start: Callable[[], Agent], receiver: Receiver, config: Path
) -> None:
    agent = start()
    receiver.wait_for(lambda: len(receiver.got) >= 1)
    code, _, said = say("run", "--config", str(config))
    where = f"{config}:5: agent.state: {config.parent}/state/spool"
    assert (code, said) == (
        2,
        f"{where} is in use by another agent (process {agent.process.pid}); stop it first\n",
    )


# --- what it says and ends ---


def test_once_shows_a_batch_and_sends_nothing(config: Path, receiver: Receiver) -> None:
    code, out, _ = say("run", "--once", "--config", str(config))
    assert code == 0
    assert "\ncpu: ok in " in out
    assert "label role" in out
    code, out, _ = say("--once", "--json", "--config", str(config))
    batch = json.loads(out)
    assert (code, batch["labels"]) == (0, {"role": "test"})
    assert batch["samples"]["memory_used_pct"] > 0
    assert (receiver.got, kept(config)) == ([], [])


def test_the_kinds_of_checks_are_listed_with_their_options() -> None:
    code, out, _ = say("checks")
    assert code == 0
    assert "cpu: How busy the processors are" in out
    assert "Runs by default." in out
    assert "  url " in out


def test_a_right_config_is_called_right(config: Path) -> None:
    code, out, _ = say("--check-config", "--config", str(config))
    assert code == 0
    assert out.startswith(f"{config}: the config is right; 3 checks run: cpu, load, memory")
    assert not (config.parent / "state").exists()


@pytest.mark.parametrize("command", [["run"], ["--check-config"], ["run", "--once"]])
def test_a_mistake_is_one_line_and_exit_code_2(config: Path, command: list[str]) -> None:
    config.write_text(config.read_text().replace("every", "evry"))
    code, out, said = say(*command, "--config", str(config))
    assert (code, out, said.count("\n")) == (2, "", 1)
    assert said.startswith(f'{config}:4: agent.evry: unknown key; did you mean "every"? allowed: ')


@pytest.mark.parametrize("command", ["run", "--check-config"])
def test_a_state_folder_that_cannot_be_written_is_one_line_and_exit_code_2(
    config: Path, command: str
) -> None:
    code, _, said = say(command, "--config", str(config), environ={"WATCHKEEPER_AGENT__STATE": "/dev/null/x"})
    assert (code, said.count("\n")) == (2, 1)
    assert said.startswith("WATCHKEEPER_AGENT__STATE: agent.state: /dev/null")


def test_a_config_file_that_is_not_there_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    code, _, said = say("run", "--config", str(tmp_path / "missing.yaml"))
    assert (code, said) == (2, f"{tmp_path}/missing.yaml: cannot be read: no such file or directory\n")


def test_without_a_token_it_does_not_start(config: Path) -> None:
    config.write_text(config.read_text().replace(f"  token: {TOKEN}\n", ""))
    code, _, said = say("run", "--config", str(config))
    assert code == 2
    assert said.startswith(f"{config}:1: agent.token: required for pushing, but missing; ")


def test_the_log_is_json_when_asked(config: Path, receiver: Receiver) -> None:
    agent = Agent("--log-format", "json", "run", "--config", str(config))
    receiver.wait_for(lambda: len(receiver.got) >= 1)
    code, logged, _ = agent.end(signal.SIGTERM)
    lines = [json.loads(line) for line in logged.splitlines()]
    assert code == 0
    assert "stopping, and telling the collector so: back in a moment" in [line["message"] for line in lines]
    assert TOKEN not in logged


def test_sighup_reads_the_config_again_and_systemd_is_told(
    config: Path, receiver: Receiver, tmp_path: Path
) -> None:
    with closing(ServiceManager(tmp_path / "notify")) as manager:
        agent = Agent("run", "--config", str(config), environ={"NOTIFY_SOCKET": manager.address})
        manager.wait_for(lambda: manager.count("READY") == 1)
        config.write_text(config.read_text().replace("{role: test}", "{role: db}"))
        agent.process.send_signal(signal.SIGHUP)
        receiver.wait_for(lambda: {"role": "db"} in [batch.labels for batch in receiver.batches])
        config.write_text(config.read_text().replace("every", "evry"))
        agent.process.send_signal(signal.SIGHUP)
        manager.wait_for(lambda: manager.count("RELOADING") == 2)
        code, logged, _ = agent.end(signal.SIGTERM)
        assert (code, logged.count("the config is left as it was")) == (0, 1), logged
        assert 'agent.evry: unknown key; did you mean "every"?' in logged
        assert manager.keys().count("STOPPING") == 1


def test_an_agent_that_is_taken_off_its_host_says_so(config: Path, receiver: Receiver) -> None:
    agent = Agent("run", "--config", str(config))
    receiver.wait_for(lambda: len(receiver.got) >= 1)
    code, _, said = say("bye", "--config", str(config))
    assert (code, "stop it first" in said) == (2, True)
    agent.end(signal.SIGTERM)
    code, out, _ = say("bye", "--config", str(config))
    assert (code, out) == (0, "the collector knows that this host is not watched any more\n")
    assert [batch.bye for batch in receiver.batches[-2:]] == ["restart", "uninstall"]
    receiver.answer = lambda push: problem(503)
    code, _, said = say("bye", "--config", str(config))
    assert code == 1
    assert "the collector was not told, and will report this host as silent; say it again once" in said
