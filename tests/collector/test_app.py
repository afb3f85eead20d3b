"""Where the parts are joined: upkeep rests between its pieces, and the store is told what the config says."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import pytest

from collector.app import needing_a_restart
from collector.app.upkeep import in_pieces, what_to_keep
from collector.config import CollectorConfig
from collector.store import DAY_MS, Keep
from tests.collector.whole import whole_collector


def test_what_the_config_says_by_default_is_what_the_store_keeps_by_default() -> None:
    assert what_to_keep(CollectorConfig()) == Keep()
    config = CollectorConfig(keep_s=86_400 * 3, keep_history_s=86_400 * 9, disk_budget_bytes=2**30)
    assert what_to_keep(config) == Keep(samples_ms=3 * DAY_MS, history_ms=9 * DAY_MS, budget_bytes=2**30)


def test_keys_that_a_reload_does_not_reach_are_named_as_they_are_written() -> None:
    after = CollectorConfig(listen="127.0.0.1:1", late_s_max=90, keep_s=86_400 * 3)
    assert needing_a_restart(CollectorConfig(), after) == ["listen", "late_max"]


async def test_pieces_are_done_until_there_are_no_more_with_rests_in_between() -> None:
    times: list[float] = []

    async def piece() -> bool:
        times.append(time.monotonic())
        time.sleep(0.01)  # a piece at work, which is what the rest is measured by
        return len(times) < 5

    await in_pieces(piece, for_s=60, share=0.2)
    assert len(times) == 5
    assert times[-1] - times[0] >= 4 * 0.01 / 0.2


async def test_pieces_end_when_their_time_is_over_however_many_there_are() -> None:
    done = 0

    async def piece() -> bool:
        nonlocal done
        done += 1
        return True

    await in_pieces(piece, for_s=0.05, share=0.5)
    assert done > 1


JOURNAL = "  channels: [{kind: log, name: journal}]\n"
PAGER_TOO = "  channels: [{kind: log, name: journal}, {kind: log, name: pager}]\n"


async def test_nobody_is_to_be_told_by_a_channel_that_does_not_run_yet(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    async with whole_collector(tmp_path, JOURNAL) as whole:
        file = tmp_path / "collector.yaml"
        written = file.read_text().replace(JOURNAL, PAGER_TOO)
        file.write_text(f"{written}  routes: [{{name: all, channels: [pager]}}]\n")
        whole.collector.reload()
        said = caplog.messages[-1]
        assert said.startswith("The config and rules are left as they were: ")
        assert 'no channel or rotation "pager"' in said
        assert said.endswith("; a new channel begins with a restart")
        await whole.post_json(
            "/api/monitoring/incidents", {"title": "The shop is slow", "severity": "critical"}
        )
        (row,) = await whole.store.notices.recent(5)
        assert row.notice.channel == "journal"
    async with whole_collector(
        tmp_path, f"{PAGER_TOO}  routes: [{{name: all, channels: [pager]}}]\n"
    ) as whole:
        await whole.post_json(
            "/api/monitoring/incidents", {"title": "The shop is down", "severity": "critical"}
        )
        assert (await whole.store.notices.recent(1))[0].notice.channel == "pager"
