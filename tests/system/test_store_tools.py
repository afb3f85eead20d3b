"""The tools beside a collector at work: copies of its store, putting one back, and a fleet that is not there."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

from tests.system import load
from tests.system.harness import Collector, Stage
from tests.system.programs import PATIENCE_S, ROOT, Program, environ, wait_until

HOSTS = 6


def tool(collector: Collector, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Give a command beside a collector, with its config."""
    return subprocess.run(
        [sys.executable, "-m", "collector", *map(str, arguments), "--config", str(collector.config)],
        cwd=ROOT,
        env=environ(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def lived_in_by(stage: Stage, name: str, state: Path) -> Collector:
    """Another collector, whose state lies elsewhere."""
    return stage.keep(Collector(stage.folder / name, rules=[load.RULE], settings={"state": str(state)}))


# --- copies -----------------------------------------------------------------------------------------------------------


def test_a_backup_made_under_load_holds_all_that_was_acknowledged_before_it_and_stops_nobody(
    stage: Stage,
) -> None:
    collector = stage.collector(rules=[load.RULE])
    hosts = load.enrol_hosts(collector.database.parent, HOSTS)
    fleet = load.Load(hosts)
    collector.start()
    fleet.start(collector.port)
    wait_until("some pushes", lambda: fleet.has_acknowledged(100 * HOSTS))
    before = fleet.as_known_now()
    state = stage.folder / "copied"
    state.mkdir()
    done = tool(collector, "backup", state / "watchkeeper.db")
    after = fleet.acknowledged
    wait_until("more pushes", lambda: fleet.has_acknowledged(after + 10 * HOSTS))
    fleet.stop()
    assert done.returncode == 0, done.stderr
    assert f"holds {HOSTS} hosts and " in done.stdout
    assert after > sum(len(host.known) for host in before)
    assert sum(host.tries_in_vain for host in hosts) == 0

    copied = lived_in_by(stage, "of-the-copy", state)
    load.check_file(copied, before, all_acknowledged=False)
    copied.start()  # and it is a store to work in
    assert copied.stop() == 0


def test_a_store_that_is_put_back_goes_on_with_what_agents_still_hold(stage: Stage) -> None:
    collector = stage.collector(rules=[load.RULE])
    hosts = load.enrol_hosts(collector.database.parent, HOSTS)
    fleet = load.Load(hosts)
    collector.start()
    fleet.start(collector.port)
    wait_until("some pushes", lambda: fleet.has_acknowledged(30 * HOSTS))
    backup = stage.folder / "backup.db"
    before = fleet.as_known_now()
    assert tool(collector, "backup", backup).returncode == 0

    refused = tool(collector, "restore", backup)
    assert refused.returncode == 1
    assert f"a collector (process {collector.pid}) is at work in" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1

    assert collector.stop() == 0
    fleet.stop()
    lost = {host.number: {batch.at for batch in host.known} for host in hosts}
    restored = tool(collector, "restore", backup)
    assert restored.returncode == 0, restored.stderr
    kept = collector.database.with_name("watchkeeper.db.before-restore")
    assert f"What was there is kept as {kept}" in restored.stdout
    collector.start()
    fleet.start(collector.port)
    wait_until("more pushes", lambda: fleet.has_acknowledged(sum(map(len, lost.values())) + 20 * HOSTS))
    fleet.stop()
    fleet.finish(collector.port)
    assert collector.ask_one("PRAGMA integrity_check") == "ok"
    for host, known in zip(hosts, before, strict=True):
        assert host.faults == []
        stored = {row["at"] for row in collector.ask("SELECT at FROM batches WHERE host = ?", host.number)}
        assert {batch.at for batch in known.known} <= stored
        assert {batch.at for batch in host.known} - lost[host.number] <= stored


# --- a fleet that is not there ----------------------------------------------------------------------------------------

DISK_FULL = {"name": "disk-full", "metric": "disk_used_pct", "above": 90, "severity": "critical"}


def test_a_simulated_fleet_pushes_is_judged_and_leaves_no_token_behind(stage: Stage) -> None:
    collector = stage.collector(rules=[DISK_FULL])
    collector.start()
    done = tool(
        collector,
        *("simulate", "--hosts", "20", "--interval", "250ms", "--for", "3s"),
        *("--breach", "sim-0003:disk_used_pct:99"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    pushes = int(done.stdout.splitlines()[1].split()[0])
    assert 150 < pushes < 260
    stored = collector.ask_one("SELECT count(*) FROM pushed")
    assert pushes <= stored <= pushes + 20  # an answer may have been under way when the time was up
    alerts = collector.ask("SELECT hosts.name FROM alerts JOIN hosts ON hosts.id = alerts.host")
    assert [alert["name"] for alert in alerts] == ["sim-0003"]
    assert collector.ask_one("SELECT count(*) FROM tokens WHERE revoked_at IS NULL") == 0
    again = tool(collector, *("simulate", "--hosts", "30", "--interval", "1s", "--for", "1500ms"))
    assert again.returncode == 0, again.stdout + again.stderr
    assert collector.ask_one("SELECT count(*) FROM agents") == 30


def test_a_simulation_from_elsewhere_uses_tokens_from_a_file_and_ends_when_told(stage: Stage) -> None:
    collector = stage.collector()
    tokens = stage.folder / "tokens"
    assert tool(collector, "simulate", "--hosts", "5", "--write-tokens", tokens).returncode == 0
    assert tokens.stat().st_mode & 0o777 == 0o600
    collector.start()
    command = [sys.executable, "-m", "collector", "simulate", "--interval", "200ms"]
    command += ["--tokens", str(tokens), "--url", collector.url]
    simulation = stage.keep(Program("simulation", command, stage.folder / "simulation.log"))
    simulation.start()
    wait_until("pushes", lambda: collector.ask_one("SELECT count(*) FROM pushed") > 20)
    assert simulation.stop(signal.SIGINT) == 0
    assert "5 hosts push to" in simulation.said
    assert "µs of CPU a push" in simulation.said
    assert collector.ask_one("SELECT count(DISTINCT host) FROM pushed") == 5


def test_a_simulation_that_is_not_taken_says_why_and_fails(stage: Stage) -> None:
    collector = stage.collector()
    tokens = stage.folder / "tokens"
    tokens.write_text(f"wk_agent_default_{'a' * 12}_{'b' * 40}\n")
    simulate = ("simulate", "--tokens", tokens, "--url", collector.url, "--interval", "100ms", "--for", "1s")
    collector.start()
    refused = tool(collector, *simulate)
    assert refused.returncode == 1
    assert "times: 401 token_wrong: this collector knows no such token" in refused.stdout
    assert collector.stop() == 0
    silent = tool(collector, *simulate)
    assert silent.returncode == 1
    assert "no connection" in silent.stdout


# --- the page ---------------------------------------------------------------------------------------------------------


def test_every_command_of_the_page_does_what_it_says(stage: Stage) -> None:
    page = (ROOT / "docs" / "store.md").read_text()
    commands = re.findall(r"^    watchkeeper (.+)$", page, flags=re.MULTILINE)
    assert len(commands) >= 6
    collector = stage.collector()
    collector.start()
    collector.add_host("db-3")  # it is spoken of there
    for command in commands:
        here = (
            command.replace("/var/backups", str(stage.folder))
            .replace("write-tokens ", f"write-tokens {stage.folder}/")
            .replace("--tokens tokens", f"--tokens {stage.folder}/tokens")
            .replace("https://watch.example.org", collector.url)
            .replace("--interval 10s --for 10m", "--interval 500ms --for 1s")
        )
        needs_quiet = command.startswith("restore")
        if needs_quiet:
            assert collector.stop() == 0
        done = tool(collector, *shlex.split(here, comments=True))
        assert done.returncode == 0, f"watchkeeper {here}\n{done.stdout}{done.stderr}"
        if needs_quiet:
            collector.start()
