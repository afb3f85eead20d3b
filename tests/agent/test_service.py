"""The agent as it runs: what systemd hears of it, and what becomes of a config that is read again."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
import yaml

from agent import wire
from agent.calls import Calls
from agent.config import Loaded, read
from agent.options import ConfigError
from agent.service import Service
from agent.systemd import Systemd
from tests.agent.quiet import quiet
from tests.agent.receiver import TOKEN, Receiver, Reply, problem
from tests.agent.service_manager import ServiceManager

RECEIVED = 'net_rx_bytes_per_s{nic="lo"}'
"""What takes two looks: missing from the first batch of a check that has just begun."""


class Config:
    """A config file, written anew with every change."""

    def __init__(self, path: Path, collector: str) -> None:
        self.path = path
        self.section: dict[str, object] = {
            "collector": collector,
            "token": TOKEN,
            "every": "100ms",
            "state": "state",
        }
        self.write(checks=[{"kind": "load"}, {"kind": "network", "include_nics": ["lo"]}])

    def write(self, checks: list[dict[str, object]] | None = None, **changes: object) -> None:
        if checks is not None:
            changes["checks"] = [*checks, *quiet(*(str(check["kind"]) for check in checks))]
        self.section |= changes
        self.path.write_text(yaml.safe_dump({"agent": self.section}))

    def read(self) -> Loaded:
        return read(self.path, {})


class Running:
    """A service in a thread of its own, where a program has it in its main thread."""

    def __init__(self, config: Config, environ: dict[str, str]) -> None:
        self.calls = Calls()
        self.service = Service(config.read(), config.read, self.calls, Systemd(environ))
        self._thread = threading.Thread(target=self.service.run)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        if self._thread.is_alive():
            self.calls.make("stop")
            self._thread.join(10)
            assert not self._thread.is_alive()
            self.calls.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[ServiceManager]:
    with closing(ServiceManager(tmp_path / "notify")) as manager:
        yield manager


@pytest.fixture
def config(tmp_path: Path, receiver: Receiver) -> Config:
    return Config(tmp_path / "agent.yaml", receiver.url)


@pytest.fixture
def start(config: Config, manager: ServiceManager) -> Iterator[Callable[..., Running]]:
    made: list[Running] = []

    def start(**environ: str) -> Running:
        running = Running(config, {"NOTIFY_SOCKET": manager.address, **environ})
        made.append(running)
        running.start()
        return running

    yield start
    for running in made:
        running.stop()


def ids(receiver: Receiver) -> list[str]:
    """The checks of the newest batch."""
    return [check.id for check in receiver.batches[-1].checks] if receiver.batches else []


# --- what systemd hears ---


def test_it_is_ready_after_the_first_sample_and_says_when_it_stops(
    start: Callable[..., Running], manager: ServiceManager, receiver: Receiver
) -> None:
    running = start()
    manager.wait_for(lambda: manager.count("READY") == 1)
    manager.wait_for(lambda: "; connected" in manager.status)
    assert manager.status == f"2 checks, all ok; connected to 127.0.0.1:{receiver.port}"
    running.stop()
    assert manager.keys() == ["EXTEND_TIMEOUT_USEC", "READY", "STOPPING"]


def test_the_status_says_what_is_wrong_with_the_way_and_with_the_checks(
    start: Callable[..., Running], manager: ServiceManager, receiver: Receiver, config: Config
) -> None:
    receiver.answer = lambda push: problem(503, "starting")
    config.write(checks=[{"kind": "tcp", "id": "shop", "host": "127.0.0.1", "port": 1}])
    start()
    manager.wait_for(lambda: "nothing reaches" in manager.status)
    begin = "1 check: shop bad; nothing reaches the collector (the collector says: starting), "
    assert manager.status.startswith(begin)
    assert manager.status.endswith(" batches kept")


def test_the_watchdog_is_fed_between_ticks_too(
    start: Callable[..., Running], manager: ServiceManager, receiver: Receiver, config: Config
) -> None:
    config.write(every="1h", checks=[{"kind": "load", "timeout": "100ms"}])
    start(WATCHDOG_USEC="1800000")
    manager.wait_for(lambda: manager.count("WATCHDOG") >= 4)
    assert manager.count("WATCHDOG_USEC") == 0
    assert len(receiver.batches) == 1


def test_it_is_not_fed_without_a_thread_that_sends(
    start: Callable[..., Running], manager: ServiceManager
) -> None:
    running = start(WATCHDOG_USEC="30000000")
    manager.wait_for(lambda: manager.count("WATCHDOG") >= 2)
    running.service._pusher.stop(5)
    fed, sampled = manager.count("WATCHDOG"), running.service._spool.batches
    manager.wait_for(lambda: running.service._spool.batches > sampled + 4)
    assert manager.count("WATCHDOG") <= fed + 1


def test_it_is_not_fed_when_every_tick_fails(
    start: Callable[..., Running], manager: ServiceManager, caplog: pytest.LogCaptureFixture
) -> None:
    running = start(WATCHDOG_USEC="30000000")
    manager.wait_for(lambda: manager.count("WATCHDOG") >= 2)
    add = running.service._spool.add
    running.service._spool.add = lambda batch, now: 1 / 0  # type: ignore[method-assign,assignment]
    manager.wait_for(lambda: running.service._loop.failed > 3)
    fed, failed = manager.count("WATCHDOG"), running.service._loop.failed
    manager.wait_for(lambda: running.service._loop.failed > failed + 4)
    assert manager.count("WATCHDOG") <= fed + 1
    running.service._spool.add = add  # type: ignore[method-assign]
    manager.wait_for(lambda: manager.count("WATCHDOG") > fed + 1)


# --- what the collector asks for ---


def test_evidence_is_gathered_once_and_sent_without_waiting_for_the_next_tick(
    start: Callable[..., Running], receiver: Receiver, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.evidence.WALK_S", 0.2)
    config.write(every="1h")
    receiver.answer = lambda push: Reply(
        body=wire.answer(["ok"] * len(push.batches), [wire.AskEvidence(17), wire.AskEvidence(17)])
    )
    start()
    receiver.wait_for(lambda: any(got.push.evidence for got in receiver.got))
    time.sleep(0.3)
    (found,) = [got.push.evidence for got in receiver.got if got.push.evidence]
    assert found.about == 17
    assert found.by_memory
    assert len(receiver.batches) == 2


def test_a_look_at_another_host_is_answered_at_once_and_held_to_what_is_accepted(
    start: Callable[..., Running], receiver: Receiver, config: Config
) -> None:
    config.write(every="1h")
    asks: list[wire.Ask] = [wire.AskLook(7, "127.0.0.1"), wire.AskLook(8, "169.254.169.254")]
    receiver.answer = lambda push: Reply(body=wire.answer(["ok"] * len(push.batches), asks))
    start()
    receiver.wait_for(lambda: sum(len(got.push.looked) for got in receiver.got) == 2, limit_s=5)
    said = {one.about: one for got in receiver.got for one in got.push.looked}
    assert {about: one.reached for about, one in said.items()} == {7: None, 8: None}
    assert "own loopback" in said[7].detail
    assert "link-local" in said[8].detail


def test_a_sample_that_is_asked_for_comes_at_once(
    start: Callable[..., Running], receiver: Receiver, config: Config
) -> None:
    config.write(every="1h")
    asks: list[list[wire.Ask]] = [[], [wire.AskSample()]]
    receiver.answer = lambda push: Reply(body=wire.answer(["ok"] * len(push.batches), asks.pop()))
    start()
    receiver.wait_for(lambda: len(receiver.batches) == 2, limit_s=5)
    first, second = receiver.batches
    assert 900 <= second.at - first.at < 3_000


def test_a_slow_check_is_asked_once_and_its_answer_is_in_every_batch(
    start: Callable[..., Running], receiver: Receiver, config: Config, tmp_path: Path
) -> None:
    script = f"echo >> {tmp_path}/asked; echo 'fine | left=7'"
    slow: dict[str, object] = {
        "kind": "exec",
        "id": "slow",
        "command": ["/bin/sh", "-c", script],
        "every": "1h",
    }
    config.write(checks=[slow, {"kind": "load"}])
    running = start()
    receiver.wait_for(lambda: len(receiver.batches) > 5)
    running.calls.make("reload")
    count = len(receiver.batches)
    receiver.wait_for(lambda: len(receiver.batches) > count + 3)
    left = [batch.samples.get('exec_value{check="slow",perf="left"}') for batch in receiver.batches]
    assert left == [7] * len(left)
    assert (tmp_path / "asked").read_text() == "\n"


def defining(*checks: str, hash: str) -> Callable[[wire.Push], Reply]:
    """A collector that wants these checks run, and asks for no more once it hears that they are."""
    ask = wire.AskDefinitions(hash, [msgspec.Raw(check.encode()) for check in checks])

    def answer(push: wire.Push) -> Reply:
        asks = [ask] if push.definitions != hash else []
        return Reply(body=wire.answer(["ok"] * len(push.batches), asks))

    return answer


SHOP = '{"kind":"http","id":"shop","url":"http://127.0.0.1:%d/"}'


def test_checks_that_the_collector_defines_run_beside_its_own_until_taken_back(
    start: Callable[..., Running], receiver: Receiver, config: Config
) -> None:
    config.write(accept_loopback=True)
    receiver.answer = defining(SHOP % receiver.port, '{"kind":"exec","id":"rm"}', hash="ab")
    running = start()
    receiver.wait_for(lambda: ids(receiver) == ["load", "network", "shop", "rm"])
    receiver.wait_for(lambda: receiver.got[-1].push.definitions == "ab")
    states = {check.id: check for check in receiver.batches[-1].checks}
    assert (states["rm"].state, states["rm"].kind) == ("unknown", "exec")
    assert "accept: of this host" in states["rm"].detail
    with_rates = [RECEIVED in batch.samples for batch in receiver.batches]
    assert with_rates == [False] + [True] * (len(with_rates) - 1)
    running.calls.make("reload")
    count = len(receiver.batches)
    receiver.wait_for(lambda: len(receiver.batches) > count + 2)
    assert ids(receiver) == ["load", "network", "shop", "rm"]
    receiver.answer = defining(hash="")
    receiver.wait_for(lambda: ids(receiver) == ["load", "network"])


def test_definitions_run_from_the_first_sample_after_a_restart(
    start: Callable[..., Running], receiver: Receiver
) -> None:
    receiver.answer = defining(SHOP % 1, hash="ab")
    running = start()
    receiver.wait_for(lambda: "shop" in ids(receiver))
    running.stop()
    count = len(receiver.got)
    start()
    receiver.wait_for(lambda: len(receiver.got) > count)
    assert receiver.got[count].push.definitions == "ab"
    assert "shop" in [check.id for check in receiver.got[count].push.batches[-1].checks]


# --- a config that is read again ---


def test_checks_come_and_go_and_those_that_stay_lose_nothing(
    start: Callable[..., Running], manager: ServiceManager, receiver: Receiver, config: Config,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    caplog.set_level(logging.INFO)
    running = start()
    receiver.wait_for(lambda: len(receiver.batches) >= 3)
    network: dict[str, object] = {"kind": "network", "include_nics": ["lo"]}
    config.write(checks=[network, {"kind": "memory"}, {"kind": "tcp", "id": "me", "host": "::1", "port": 1}])
    running.calls.make("reload")
    receiver.wait_for(lambda: ids(receiver) == ["network", "memory", "me"])
    with_rates = [RECEIVED in batch.samples for batch in receiver.batches]
    assert with_rates == [False] + [True] * (len(with_rates) - 1)
    assert "the config is read again; 3 checks (new: memory, me; gone: load)" in caplog.text
    manager.wait_for(lambda: manager.count("READY") == 2)
    assert manager.keys()[:5] == ["EXTEND_TIMEOUT_USEC", "READY", "RELOADING", "MONOTONIC_USEC", "READY"]


def test_a_check_that_was_changed_begins_anew(
    start: Callable[..., Running], receiver: Receiver, config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    running = start()
    receiver.wait_for(lambda: len(receiver.batches) >= 3)
    config.write(
        checks=[{"kind": "load"}, {"kind": "network", "include_nics": ["lo", "x*"], "timeout": "4s"}]
    )
    running.calls.make("reload")
    receiver.wait_for(lambda: [RECEIVED in batch.samples for batch in receiver.batches].count(False) == 2)
    assert "the config is read again; 2 checks (changed: network)" in caplog.text


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        ({"every": "fast"}, "agent.every"),
        ({"token": None}, "agent.token"),
        ({"checks": [{"kind": "ntp"}]}, "agent.checks[0]"),
        ({"ca": "/nowhere/ca.pem"}, "agent.ca"),
    ],
)
def test_a_mistake_is_one_line_and_the_old_config_stays(
    start: Callable[..., Running], manager: ServiceManager, receiver: Receiver, config: Config,
    caplog: pytest.LogCaptureFixture, mistake: dict[str, object], words: str,
) -> None:  # fmt: skip
    running = start()
    receiver.wait_for(lambda: len(receiver.batches) >= 2)
    config.section |= mistake
    config.path.write_text(yaml.safe_dump({"agent": config.section}))
    running.calls.make("reload")
    manager.wait_for(lambda: manager.count("READY") == 2)
    (record,) = [record for record in caplog.records if record.name == "agent.service"]
    assert record.message.startswith(f"the config is left as it was: {config.path}:")
    assert words in record.message
    assert "\n" not in record.message
    assert TOKEN not in record.message
    count = len(receiver.batches)
    receiver.wait_for(lambda: len(receiver.batches) > count + 3)
    assert ids(receiver) == ["load", "network"]


def test_another_collector_labels_and_interval_hold_from_then_on(
    start: Callable[..., Running], receiver: Receiver, config: Config
) -> None:
    running = start()
    receiver.wait_for(lambda: len(receiver.batches) >= 2)
    with closing(Receiver()) as other:
        config.write(collector=other.url, labels={"role": "db"}, every="200ms")
        running.calls.make("reload")
        other.wait_for(lambda: len(other.batches) >= 5)
        assert [b.labels for b in other.batches if b.labels is not None] == [{"role": "db"}]
        assert {batch.every_ms for batch in other.batches[-3:]} == {200}
        everything = {batch.seq for batch in [*receiver.batches, *other.batches]}
        assert everything == set(range(len(everything)))
        config.write(collector=receiver.url)
        running.calls.make("reload")
        count = len(receiver.batches)
        receiver.wait_for(lambda: len(receiver.batches) > count)


def test_another_folder_for_state_has_to_wait_for_the_next_start(
    start: Callable[..., Running], manager: ServiceManager, receiver: Receiver, config: Config,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    running = start()
    config.write(state="elsewhere")
    running.calls.make("reload")
    manager.wait_for(lambda: manager.count("READY") == 2 or manager.count("RELOADING") == 1)
    receiver.wait_for(lambda: len(receiver.batches) >= 3)
    assert f"{config.path.parent}/elsewhere, is used from the next start on" in caplog.text
    assert not (config.path.parent / "elsewhere").exists()


def test_a_fault_while_reading_leaves_all_as_it_was(
    start: Callable[..., Running], manager: ServiceManager, receiver: Receiver, config: Config,
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    running = start()
    receiver.wait_for(lambda: len(receiver.batches) >= 1)
    with monkeypatch.context() as fault:
        fault.setattr("agent.checks.memory.Check", lambda options: 1 / 0)
        config.write(checks=[{"kind": "memory"}])
        running.calls.make("reload")
        manager.wait_for(lambda: manager.count("READY") == 2)
    assert "a fault in the agent; the config is left as it was" in caplog.text
    count = len(receiver.batches)
    receiver.wait_for(lambda: len(receiver.batches) > count + 2)
    assert ids(receiver) == ["load", "network"]


def test_a_spool_that_is_in_use_is_a_mistake_in_the_config(
    start: Callable[..., Running], receiver: Receiver, config: Config
) -> None:
    start()
    receiver.wait_for(lambda: len(receiver.batches) >= 1)
    with pytest.raises(ConfigError, match=r"agent\.state: .* is in use by another agent"):
        Running(config, {})
