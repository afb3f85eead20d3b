"""One batch for a person's eyes: what belongs together stands together, in units that can be read."""

from __future__ import annotations

import pytest

from agent.clock import system_clock
from agent.config import read
from agent.once import Seen, human, look, text
from agent.wire import Batch, CheckState


@pytest.mark.parametrize(
    ("series", "value", "words"),
    [
        ("cpu_used_pct", 12.34, "12.3 %"),
        ('disk_free_bytes{mount="/"}', 3.5 * 1024**3, "3.5 GiB"),
        ('disk_total_bytes{mount="/"}', 5.0 * 1024**4, "5.0 TiB"),
        ("agent_spool_bytes", 0.0, "0 B"),
        ('net_rx_bytes_per_s{nic="eth0"}', 2048.0, "2.0 KiB/s"),
        ('net_errors_per_s{nic="eth0"}', 0.0, "0 /s"),
        ('net_drops_per_s{nic="eth0"}', 0.25, "0.25 /s"),
        ("collector_rtt_ms", 0.613, "0.6 ms"),
        ("load1", 0.5, "0.50"),
        ("uptime_s", 86_400.25, "86400.2 s"),
        ('temperature_c{sensor="nvme nvme0 Composite"}', 41.85, "41.9 °C"),
        ('gpu_power_watts{gpu="0"}', 512.345, "512.3 W"),
        ('http_status{check="a"}', 200.0, "200"),
        ('net_up{nic="eth0"}', 1.0, "1"),
        ("load1", None, "- no answer"),
    ],
)
def test_a_value_in_the_unit_of_its_series(series: str, value: float | None, words: str) -> None:
    assert human(series, value) == words


def test_series_stand_below_the_check_they_came_from() -> None:
    samples: dict[str, float | None] = {
        'check_state{check="cpu",kind="cpu"}': 0.0,
        "cpu_used_pct": 7.0,
        "cpu_steal_pct": 0.0,
        'http_status{check="shop"}': 500.0,
        "agent_rss_bytes": 2.0**20,
    }
    batch = Batch(
        *(0, 0, 0, 10_000),
        samples=samples,
        checks=[
            CheckState("cpu", "cpu", "ok", 0.23),
            CheckState("shop", "http", "bad", 12.0, "answered 500"),
            CheckState("nas", "tcp", "unknown"),
        ],
        facts={"hostname": "web-1", "memory_bytes": str(2**31)},
        labels={"role": "web"},
    )
    series = {"cpu": ["cpu_used_pct", "cpu_steal_pct"], "shop": ['http_status{check="shop"}']}
    assert text(Seen(batch, series)).splitlines() == [
        "hostname      web-1",
        "memory_bytes  2.0 GiB",
        "label role    web",
        "",
        "cpu: ok in 0.2 ms",
        "  cpu_used_pct   7.0 %",
        "  cpu_steal_pct  0.0 %",
        "",
        "shop (http): bad in 12.0 ms, answered 500",
        '  http_status{check="shop"}  500',
        "",
        "nas (tcp): unknown",
        "",
        "the agent itself",
        "  agent_rss_bytes  1.0 MiB",
    ]


def test_a_look_at_this_very_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.once.BETWEEN_S", 0.01)
    plan = [check for check in read(None, {}).checks if check.id in ("cpu", "memory")]
    seen = look(plan, {"role": "test"}, 10_000, system_clock())
    assert seen.batch.labels == {"role": "test"}
    assert {check.state for check in seen.batch.checks} == {"ok"}
    assert seen.series["memory"]
    assert "\nmemory: ok in " in text(seen)
