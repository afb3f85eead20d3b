"""Who is told, through real processes: what the config keeps quiet, through a reload and a kill, to the messages."""

from __future__ import annotations

import json
import signal

import yaml

from tests.system.harness import Collector, Stage, sees_well
from tests.system.programs import wait_until
from tests.system.shop import told, watched

ALWAYS = {"name": "moving house", "when": "daily 00:00 to 24:00", "where": {"host": "web-*"}}


def why_not(collector: Collector) -> list[str]:
    """Why nobody is told of what is open."""
    rows = collector.ask("SELECT withheld FROM incidents WHERE resolved_at IS NULL")
    return [entry["why"] for row in rows for entry in json.loads(row["withheld"])]


def test_maintenance_keeps_it_quiet_through_a_kill_until_a_reload_ends_it(stage: Stage) -> None:
    far_side, service = stage.far_side(), stage.service()
    channels = [far_side.mail_channel, far_side.slack_channel]
    collector, _ = watched(stage, service, channels=channels, settings={"maintenance": [ALWAYS]})
    service.stop()
    wait_until("the incident", lambda: why_not(collector) == ["maintenance"])
    assert collector.notices() == []

    collector.kill()
    collector.start()
    wait_until("ticks after the start", lambda: sees_well(collector, "shop") is False)
    assert (collector.notices(), why_not(collector)) == ([], ["maintenance"])

    section = yaml.safe_load(collector.config.read_text())["collector"]
    collector.config.write_text(yaml.safe_dump({"collector": section | {"maintenance": []}}))
    collector.send(signal.SIGHUP)
    wait_until("one message each", lambda: told(collector, far_side, ["first"]))
    assert why_not(collector) == []
    service.start()
    wait_until("one resolve each", lambda: told(collector, far_side, ["first", "resolved"]))
