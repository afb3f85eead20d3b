"""The sign of life, to a real receiver that takes it, refuses it, hangs or is not there."""

from __future__ import annotations

import logging
import socket

import pytest
from prometheus_client import CollectorRegistry

from agent.options import Secret
from collector.config.heartbeat import HeartbeatOptions
from collector.health import Component
from collector.itself.heartbeat import Heartbeat
from tests.receivers import HttpReceiver


class Part:
    def __init__(self) -> None:
        self.component = Component("store", "ok", "all is well")

    async def health(self) -> Component:
        return self.component


def heartbeat(url: str, part: Part) -> tuple[Heartbeat, CollectorRegistry]:
    registry = CollectorRegistry()
    return Heartbeat(Secret(url), [part.health], registry, timeout_s=0.5), registry


def counted(registry: CollectorRegistry, outcome: str) -> float | None:
    return registry.get_sample_value("watchkeeper_heartbeats_total", {"outcome": outcome})


async def test_while_all_is_well_it_is_sent(http: HttpReceiver) -> None:
    beat, registry = heartbeat(f"{http.url}/SECRET", Part())
    await beat.beat()
    await beat.beat()
    assert http.tries == 2
    assert counted(registry, "sent") == 2


async def test_it_stops_when_something_essential_is_bad_and_comes_back_with_it(
    http: HttpReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    part = Part()
    beat, registry = heartbeat(http.url, part)
    part.component = Component("store", "bad", "the disk is full")
    await beat.beat()
    await beat.beat()
    assert http.tries == 0
    assert counted(registry, "left_out") == 2
    assert caplog.text.count("No sign of life was given: the disk is full") == 1
    part.component = Component("store", "degraded", "slow")
    await beat.beat()
    assert http.tries == 1
    assert "given again" in caplog.text


@pytest.mark.parametrize(
    ("behaviour", "trouble"),
    [("status:500", "the answer was 500"), ("redirect", "the answer was 301"), ("hang", "no answer")],
)
async def test_a_far_side_that_does_not_take_it_is_counted_and_logged_without_the_secret(
    http: HttpReceiver, caplog: pytest.LogCaptureFixture, behaviour: str, trouble: str
) -> None:
    http.behaviour = behaviour
    beat, registry = heartbeat(f"{http.url}/SECRET", Part())
    await beat.beat()
    assert counted(registry, "failed") == 1
    assert trouble in caplog.text
    assert "SECRET" not in caplog.text


async def test_nobody_there_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as taken_port:
        taken_port.bind(("127.0.0.1", 0))
        beat, registry = heartbeat(f"http://127.0.0.1:{taken_port.getsockname()[1]}/", Part())
        await beat.beat()
    assert counted(registry, "failed") == 1


def test_an_address_that_is_none_is_a_mistake_that_is_not_repeated() -> None:
    with pytest.raises(ValueError, match="expected an address") as caught:
        HeartbeatOptions(url=Secret("ftp://SECRET"))
    assert "SECRET" not in str(caught.value)
