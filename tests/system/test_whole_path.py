"""The way of one number, from a host to a page and to a person, through real processes."""

from __future__ import annotations

import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import Needs
from tests.small_disk import small_disk
from tests.system.harness import Collector, Stage, get
from tests.system.programs import Program, free_port, wait_until
from tests.system.shop import SHOP_DOWN, told, watched

DISK_FULL = {
    "name": "disk-full",
    "metric": "disk_used_pct",
    "above": {"warning": 85, "critical": 95},
    "for": "400ms",
    "summary": "{{host}}: {{mount}} is {{value}} % full",
}
SILENT = {"name": "host-silent", "kind": "absence", "summary": "{{host}} is silent"}

LONG_ENOUGH_S = 2.0
"""So long a test looks on before it says that no second message comes: ten ticks."""


def test_a_breach_becomes_one_mail_and_one_slack_message_and_recovery_one_resolve_each(stage: Stage) -> None:
    far_side, service = stage.far_side(), stage.service()
    channels = [far_side.mail_channel, far_side.slack_channel]
    collector, _ = watched(stage, service, channels=channels)

    service.stop()
    wait_until("one message each", lambda: told(collector, far_side, ["first"]))
    time.sleep(LONG_ENOUGH_S)
    assert told(collector, far_side, ["first"])
    assert [row["state"] for row in collector.ask("SELECT state FROM rule_states")] == ["firing"]

    service.start()
    wait_until("one resolve each", lambda: told(collector, far_side, ["first", "resolved"]))
    time.sleep(LONG_ENOUGH_S)
    assert told(collector, far_side, ["first", "resolved"])
    assert collector.transitions()[-1] == ("firing", "ok", False)

    for kind in ("mail", "slack"):
        first, resolved = far_side.of_kind(kind)
        assert "web-1" in first.title
        assert "the shop does not answer" in first.title + first.text
        assert "web-1" in resolved.title
        assert "resolved" in (resolved.title + resolved.text).lower()
        assert f"http://127.0.0.1:{collector.port}/links/open/1/" in first.text
    ids = [mail.headers["X-Watchkeeper-Notice"] for mail in far_side.of_kind("mail")]
    assert ids == [row["id"] for row in collector.notices("mail")]


def test_a_link_in_a_message_leads_to_a_page_about_that_incident(stage: Stage) -> None:
    far_side, service = stage.far_side(), stage.service()
    watched(stage, service, channels=[far_side.slack_channel])
    service.stop()
    wait_until("a message", lambda: far_side.of_kind("slack"))
    link = re.search(r"http://[^\s|>]+/links/open/[^\s|>]+", far_side.of_kind("slack")[0].text)
    assert link
    status, page = get(link[0])
    assert status == 200
    assert "web-1" in page
    assert "shop" in page


@pytest.fixture
def data(tmp_path: Path, needs: Needs) -> Iterator[Path]:
    with small_disk(tmp_path, needs, mib=4) as disk:
        yield disk


def test_a_disk_that_fills_warns_then_escalates_then_resolves(stage: Stage, data: Path) -> None:
    far_side = stage.far_side()
    channels = [far_side.mail_channel, far_side.slack_channel]
    collector = stage.collector(rules=[DISK_FULL], channels=channels)
    collector.start()
    checks = [{"kind": "disk", "include_mounts": [str(data)]}]
    stage.agent("db-1", collector.add_host("db-1"), checks=checks).start()
    wait_until("a first batch", lambda: collector.ask("SELECT 1 FROM pushed"))

    (data / "dump").write_bytes(bytes(3_600_000))
    wait_until("a warning each", lambda: told(collector, far_side, ["first"]))
    assert far_side.of_kind("mail")[0].title
    (data / "more").write_bytes(bytes(450_000))
    wait_until("an escalation each", lambda: told(collector, far_side, ["first", "escalated"]))
    (data / "dump").unlink()
    wait_until("a resolve each", lambda: told(collector, far_side, ["first", "escalated", "resolved"]))
    severities = [row["severity"] for row in collector.notices("mail")]
    assert severities[:2] == ["warning", "critical"]
    assert len(collector.ask("SELECT * FROM alerts")) == 1


def test_a_dead_agent_is_one_notice_and_when_it_is_back_one_resolve(stage: Stage) -> None:
    far_side = stage.far_side()
    channels = [far_side.mail_channel, far_side.slack_channel]
    collector = stage.collector(rules=[SILENT, SHOP_DOWN], channels=channels)
    collector.start()
    agent = stage.agent("web-1", collector.add_host("web-1"))
    agent.start()
    wait_until("a first batch", lambda: collector.ask("SELECT 1 FROM pushed"))

    agent.kill()
    wait_until("one message each", lambda: told(collector, far_side, ["first"]))
    time.sleep(LONG_ENOUGH_S)
    assert told(collector, far_side, ["first"])
    assert "web-1" in far_side.of_kind("mail")[0].title

    agent.start()
    wait_until("one resolve each", lambda: told(collector, far_side, ["first", "resolved"]))
    time.sleep(LONG_ENOUGH_S)
    assert told(collector, far_side, ["first", "resolved"])


def test_sigterm_ends_both_programs_with_exit_code_0(stage: Stage) -> None:
    collector = stage.collector()
    collector.start()
    agent = stage.agent("web-1", collector.add_host("web-1"))
    agent.start()
    wait_until("a first batch", lambda: collector.ask("SELECT 1 FROM pushed"))
    assert agent.stop() == 0
    assert collector.stop() == 0
    assert "Traceback" not in agent.said + collector.said


def test_an_agent_that_is_stopped_while_its_collector_is_away_keeps_what_it_has(stage: Stage) -> None:
    collector = stage.collector()
    collector.start()
    agent = stage.agent("web-1", collector.add_host("web-1"))
    agent.start()
    wait_until("some batches", lambda: collector.ask_one("SELECT count(*) FROM pushed") > 3)
    assert collector.stop() == 0
    time.sleep(1.0)
    assert agent.stop() == 0
    collector.start()
    before = collector.ask_one("SELECT count(*) FROM pushed")
    agent.start()
    gap_ms = 5 * 200
    wait_until(
        "the batches of the time before the stop",
        lambda: collector.ask_one("SELECT count(*) FROM pushed") > before + 4,
    )
    wait_until(
        "no hole up to the agent's stop",
        lambda: largest_gaps_ms(collector)[1] <= gap_ms,
    )
    assert agent.stop() == 0


def largest_gaps_ms(collector: Collector) -> list[int]:
    """The largest times between two samples of the only host, the largest first."""
    times = [row["at"] for row in collector.ask("SELECT at FROM pushed ORDER BY at")]
    return sorted((after - before for before, after in pairwise(times)), reverse=True)


# --- watchkeeper up ---------------------------------------------------------------------------------------------------


def up(stage: Stage, folder: Path, port: int, name: str) -> Program:
    command = [sys.executable, "-m", "collector", "up", "--dir", str(folder), "--port", str(port)]
    return stage.keep(Program(name, command, stage.folder / f"{name}.log"))


def page_shows(url: str, host: str) -> bool:
    """Whether the overview shows the host with something measured."""
    status, page = get(url)
    return status == 200 and host in page and re.search(r"\d ?%|\d\.\d", page) is not None


def test_up_shows_this_host_within_10_s_a_second_time_as_well_and_ctrl_c_leaves_nothing(stage: Stage) -> None:
    folder, port = stage.folder / "up", free_port()
    url, host = f"http://127.0.0.1:{port}/", socket.gethostname()
    for name in ("first-start", "second-start"):
        program = up(stage, folder, port, name)
        program.start()
        wait_until("this host on the page", lambda: page_shows(url, host), timeout_s=10.0)
        wait_until("its agent", lambda program=program: "connected to the collector" in program.said)
        assert url.rstrip("/") in program.said
        program.press_ctrl_c()
        assert program.wait() == 0
        wait_until("nothing to be left", lambda program=program: program.family == [], timeout_s=3.0)
        assert "Traceback" not in program.said
        assert "ended by itself" not in program.said


def test_the_command_that_up_names_asks_its_collector_from_another_terminal(stage: Stage) -> None:
    program = up(stage, stage.folder / "up", free_port(), "up")
    program.start()
    wait_until("its agent", lambda: "connected to the collector" in program.said)
    named = re.search(r"^From another terminal: (.*\b)watchkeeper (status .+)$", program.said, re.MULTILINE)
    assert named is not None, program.said
    command = f"{named[1]}{shlex.quote(sys.executable)} -m collector {named[2]}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, "1 of 1 hosts heard" in done.stdout) == (0, True), done


def test_up_leaves_its_agents_config_as_a_person_wrote_it_and_looks_at_the_services_it_names(
    stage: Stage,
) -> None:
    folder, port = stage.folder / "up", free_port()
    first = up(stage, folder, port, "first-start")
    first.start()
    wait_until("collector and agent", lambda: len(first.family) == 2)
    first.stop()
    config = folder / "agent.yaml"
    written = f"{config.read_text()}  checks:\n    - {{kind: tcp, id: mine, host: 127.0.0.1, port: {port}}}\n"
    config.write_text(written)
    up(stage, folder, port, "second-start").start()
    wait_until("the check", lambda: ">mine" in get(f"http://127.0.0.1:{port}/hosts/1")[1])
    assert config.read_text() == written


def test_up_takes_its_agent_along_when_it_is_told_to_stop(stage: Stage) -> None:
    folder, port = stage.folder / "up", free_port()
    program = up(stage, folder, port, "up")
    program.start()
    wait_until("collector and agent", lambda: len(program.family) == 2)
    assert program.stop(signal.SIGTERM) == 0
    assert program.family == []


# --- /metrics ---------------------------------------------------------------------------------------------------------


def test_metrics_pass_a_parser_and_count_what_was_done(stage: Stage) -> None:
    far_side, service = stage.far_side(), stage.service()
    collector, _ = watched(stage, service, channels=[far_side.slack_channel])
    service.stop()
    wait_until("a message", lambda: far_side.of_kind("slack"))
    wait_until("some batches", lambda: collector.ask_one("SELECT count(*) FROM pushed") > 10)

    stored = collector.ask_one("SELECT count(*) FROM pushed")
    status, text = collector.get("/metrics")
    assert status == 200
    samples = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert samples["watchkeeper_outcomes_committed_total",] >= stored
    sent = ("watchkeeper_notices_total", ("channel", "slack"), ("outcome", "sent"), ("reason", "first"))
    assert samples[sent] == 1
    names = {sample.name for family in text_string_to_metric_families(text) for sample in family.samples}
    assert {name for name in names if not name.startswith(("watchkeeper_", "process_", "python_"))} == set()
