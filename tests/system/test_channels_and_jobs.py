"""What docs/channels.md tells, through real processes: a closed channel is told of by the other, a job that is missed
is an incident until it is heard of, links in messages act, and a sign of life arrives."""

from __future__ import annotations

import re
import subprocess
import urllib.request
from typing import Any

import yaml

from tests.system.harness import Collector, Stage
from tests.system.programs import ROOT, wait_until
from tests.system.shop import SHOP_DOWN, watched

PAGE = (ROOT / "docs" / "channels.md").read_text()
SOON = {"for": "0s"}
CHANNEL_CLOSED = {
    "name": "channel-closed",
    "metric": "channel_state",
    "where": {"service": "watchkeeper"},
    "above": {"warning": 0, "critical": 1},
    "summary": "messages to the channel {{channel}} do not get through",
    **SOON,
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


def run(commands: str, collector: Collector) -> None:
    commands = commands.replace("127.0.0.1:8420", f"127.0.0.1:{collector.port}")
    subprocess.run(["sh", "-ec", commands], capture_output=True, timeout=30, check=True)


def test_a_closed_channel_is_told_of_by_the_other_and_gets_what_it_missed(stage: Stage) -> None:
    far_side, service = stage.far_side(), stage.service()
    far_side.behave(http="status:404")
    channels = [far_side.mail_channel, far_side.slack_channel]
    collector, _ = watched(stage, service, rules=[SHOP_DOWN, CHANNEL_CLOSED], channels=channels)
    service.stop()
    wait_until("the mail about the shop", lambda: far_side.of_kind("mail"))

    def told() -> bool:
        return any("slack do not get through" in mail.title for mail in far_side.of_kind("mail"))

    wait_until("the mail about the channel", told, timeout_s=60)
    assert far_side.of_kind("slack") == []
    first = collector.ask("SELECT tries FROM notices WHERE channel = 'slack' ORDER BY n")[0]
    assert first["tries"] == 1, "a closed channel is not tried again and again"
    far_side.behave(http="accept")
    collector.stop()
    collector.start()
    wait_until("what Slack missed", lambda: far_side.of_kind("slack"))
    assert "the shop does not answer" in far_side.of_kind("slack")[0].title

    def over() -> bool:
        return any(
            mail.title.startswith("RESOLVED") and "slack do not get through" in mail.title
            for mail in far_side.of_kind("mail")
        )

    wait_until("the mail that the channel is well", over, timeout_s=60)


def test_a_link_in_a_mail_acknowledges(stage: Stage) -> None:
    far_side, service = stage.far_side(), stage.service()
    collector, _ = watched(stage, service, channels=[far_side.mail_channel])
    service.stop()
    wait_until("the mail about the shop", lambda: far_side.of_kind("mail"))
    [link] = re.findall(r"Acknowledge: (\S+)", far_side.of_kind("mail")[0].text)
    with urllib.request.urlopen(link, timeout=10) as page:
        assert "You have it?" in page.read().decode()
    assert collector.ask_one("SELECT acknowledged_at FROM incidents") is None
    with urllib.request.urlopen(urllib.request.Request(link, method="POST"), timeout=10) as page:
        assert "Acknowledged." in page.read().decode()
    assert collector.ask_one("SELECT acknowledged_by FROM incidents") == "a link in mail"


def written(key: str) -> Any:
    """What the page says under this key of the collector's config."""
    [value] = [config[key] for config in map(collector_of, blocks("yaml")) if key in config]
    return value


def collector_of(text: str) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load(text)["collector"]
    return config


def test_a_job_is_missed_heard_of_and_failed_as_the_page_tells(stage: Stage) -> None:
    far_side = stage.far_side()
    [job] = written("jobs")
    # A minute is the shortest that can be said; the first word is owed a minute and a second after the start.
    soon = {"name": job["name"], "token": job["token"], "every": "1m", "grace": "0s"}
    collector = stage.collector(
        channels=[far_side.mail_channel], settings={"jobs": [soon], "packs": ["collector"]}
    )
    collector.start()

    def titles() -> list[str]:
        return [mail.title for mail in far_side.of_kind("mail")]

    wait_until("the job to be missed", titles, timeout_s=100)
    assert "the job backup was to report and has not" in titles()[0]
    once, timed = blocks("sh")
    run(once, collector)
    wait_until("its end", lambda: any(title.startswith("RESOLVED") for title in titles()), timeout_s=60)
    run(timed, collector)
    [kept] = collector.ask("SELECT exit_code, took_ms, words FROM jobs")
    assert kept["exit_code"] == 0
    assert kept["took_ms"] is not None
    assert "Removing leading" in kept["words"]


def test_the_sign_of_life_goes_to_a_second_collector(stage: Stage) -> None:
    beat = written("heartbeat")
    assert beat["every"] == "1m"
    token = "0123456789abcdef"
    watching = stage.collector(settings={"jobs": [{"name": "first", "token": token, "every": "1m"}]})
    watching.start()
    url = f"http://127.0.0.1:{watching.port}/ping/{token}"
    beating = Collector(stage.folder / "beating", settings={"heartbeat": {"url": url, "every": "10s"}})
    stage.keep(beating).start()
    wait_until(
        "the sign of life",
        lambda: watching.ask_one("SELECT ended_at FROM jobs") is not None,
        timeout_s=30,
    )
