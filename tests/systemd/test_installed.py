"""The packages installed on machines with a real systemd, by the commands of docs/install.md; one life, in order."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import time
import urllib.request
from itertools import pairwise
from pathlib import Path

import pytest

from tests.conftest import Needs
from tests.system.programs import wait_until
from tests.systemd.house import AGENT, COLLECTOR, PATIENCE_S, RECEIVER, House, commands, example, newer
from tests.systemd.machine import Machine

SHOP_DOWN = """
rules:
  - name: shop-down
    metric: 'check_state{check="shop"}'
    above: 1
    severity: critical
    for: 2s
    summary: "{{host}}: the shop does not answer"
"""
CHECKS = """
  every: 1s
  checks:
    - {kind: tcp, id: shop, host: 127.0.0.1, port: 7007}
    - {kind: icmp, host: 10.77.0.1}
    - {kind: exec, command: [/bin/sh, -c, "test $(id -u) != 0 && ls /root /home 2>&1 | grep -q denied"]}
    - {kind: process, name: dbus-daemon, user: messagebus}
    - {kind: systemd, units: [dbus, shop]}
"""
PING_GROUPS = Path("/proc/sys/net/ipv4/ping_group_range")
EXPOSURE_MAX = 2.0
BEATEN = ((AGENT, 25.0), (COLLECTOR, 10.0))
"""How long each may be silent there: the agent's watchdog waits for three times its slowest check at least."""


def start_shop(web: Machine) -> None:
    """What the agent is to watch: a web server."""
    web.run("systemd-run", "--unit=shop", "python3", "-m", "http.server", "--bind", "127.0.0.1", "7007")


def wait_for_restart(machine: Machine, unit: str, pid: int) -> None:
    def restarted() -> bool:
        return machine.main_pid(unit) not in (0, pid) and machine.property(unit, "ActiveState") == "active"

    wait_until(f"{unit} to be started anew", restarted, PATIENCE_S, every_s=0.2)


def test_lintian_finds_nothing_to_warn_of(needs: Needs, packages: list[Path]) -> None:
    needs("lintian")
    for package in packages:
        command = ["lintian", "--fail-on", "error,warning", "--tag-display-limit", "0", package]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_an_agent_without_a_config_is_installed_and_not_started(house: House) -> None:
    house.web.shell("cd /root; " + commands("A host by its package")[1].splitlines()[0])
    house.web.run("systemctl", "is-enabled", AGENT)
    assert house.web.property(AGENT, "ActiveState") == "inactive"
    assert house.web.property(AGENT, "Result") == "success"
    assert house.web.run("systemctl", "is-system-running").strip() == "running"


def test_a_collector_runs_as_soon_as_it_is_installed(house: House) -> None:
    house.watch.shell("cd /root; " + commands("The collector")[0])
    assert house.watch.property(COLLECTOR, "ActiveState") == "active"
    assert "Watchkeeper" in house.page("/")
    wait_until(
        "its status", lambda: house.watch.property(COLLECTOR, "StatusText").startswith("Judging 0 hosts by ")
    )


def test_it_takes_the_config_that_the_page_shows(house: House) -> None:
    house.receive()
    channel = f"  channels: [{{kind: webhook, name: people, url: 'http://{RECEIVER[0]}:{RECEIVER[1]}/'}}]\n"
    config = example("The collector", "yaml") + channel
    house.watch.shell("cat > /etc/watchkeeper/collector.yaml", stdin=config)
    house.watch.shell("cat > /etc/watchkeeper/rules.d/shop.yaml", stdin=SHOP_DOWN)
    house.watch.shell(commands("The collector")[1])
    wait_until("the page", lambda: house.page("/"), PATIENCE_S)


def test_a_host_that_is_enrolled_is_on_the_page_within_seconds(house: House) -> None:
    printed = house.watch.shell(commands("A host by its package")[0])
    start_shop(house.web)
    _, configure, start = commands("A host by its package")[1].splitlines()
    house.web.shell(configure, stdin=printed + CHECKS)
    house.network.inside("web-1", lambda: PING_GROUPS.write_text("0 2147483647"))
    began = time.monotonic()
    house.web.shell(start)
    wait_until("web-1 on the page", lambda: house.newest() and "web-1" in house.page("/"), PATIENCE_S)
    assert time.monotonic() - began < 20
    assert re.search(r"^web-1 +heard ", house.watch.shell(commands("A host by its package")[2]), re.MULTILINE)


def test_tab_completes_commands_and_man_knows_both(house: House) -> None:
    asking = "COMP_WORDS=(watchkeeper silence a); COMP_CWORD=2; _watchkeeper; echo $COMPREPLY"
    script = f". /usr/share/bash-completion/completions/watchkeeper; {asking}"
    assert house.watch.run("bash", "-ec", script).strip() == "add"
    for machine, command in ((house.watch, "watchkeeper"), (house.web, "watchkeeper-agent")):
        page = gzip.decompress(machine.path(f"/usr/share/man/man1/{command}.1.gz").read_bytes()).decode()
        assert "doctor" in page


@pytest.mark.parametrize("unit", [AGENT, COLLECTOR])
def test_little_is_left_to_break(house: House, unit: str) -> None:
    machine = house.web if unit == AGENT else house.watch
    said = machine.run("systemd-analyze", "security", "--no-pager", unit)
    exposure = re.search(r"Overall exposure level for \S+ ([\d.]+)", said)
    assert exposure is not None
    assert float(exposure[1]) <= EXPOSURE_MAX
    user = Path(f"/proc/{machine.main_pid(unit)}/status")
    status = machine.run("cat", str(user))
    assert re.search(r"^Uid:\s+[1-9]", status, re.MULTILINE)
    assert re.search(r"^CapBnd:\s+0+$", status, re.MULTILINE)


def test_a_replay_gives_way_to_the_collector_in_its_unit_too(house: House) -> None:
    def ask(method: str, body: bytes | None) -> int:
        url = "http://127.0.0.1:8420/api/monitoring/rules/shop-down/replay"
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return int(answer.status)

    assert house.network.inside("watch", lambda: ask("POST", b'{"days": 400}')) == 202
    pid = house.watch.main_pid(COLLECTOR)
    nice = f"for one in {pid} $(cat /proc/{pid}/task/*/children); do cut -d ' ' -f 19 /proc/$one/stat; done"

    def gives_way() -> bool:
        own, *others = map(int, house.watch.shell(nice).split())
        return others == [own + 10]

    wait_until("the replay to give way", gives_way, PATIENCE_S)
    assert house.network.inside("watch", lambda: ask("DELETE", None)) == 204


def test_the_agent_sees_in_its_unit_what_root_sees_without_it(house: House) -> None:
    house.wait_for_a_new_batch()
    (row,) = house.ask(
        "SELECT layouts.names FROM batches JOIN layouts ON layouts.id = layout ORDER BY at DESC LIMIT 1"
    )
    in_the_unit = {name for name in json.loads(row["names"]) if not name.startswith("agent_")}
    batch = json.loads(house.web.run("watchkeeper-agent", "run", "--once", "--json"))
    of_root = {name for name in batch["samples"] if not name.startswith("agent_")}
    assert of_root - in_the_unit == set()
    assert 'disk_used_pct{mount="/"}' in in_the_unit
    assert 'net_rx_bytes_per_s{nic="eth0"}' in in_the_unit
    states = {check["id"]: check["state"] for check in house.ask("SELECT id, state FROM checks")}
    assert {id: state for id, state in states.items() if state != "ok"} == {}
    assert house.web.property(AGENT, "StatusText").endswith("all ok; connected to 10.77.0.1:8420")


def test_a_breach_reaches_a_person_and_so_does_its_end(house: House) -> None:
    house.web.run("systemctl", "stop", "shop")
    wait_until("a notice", lambda: len(house.notices) >= 1, PATIENCE_S)
    start_shop(house.web)
    wait_until("its resolve", lambda: len(house.notices) >= 2, PATIENCE_S)
    assert [notice["status"] for notice in house.notices] == ["firing", "resolved"]
    assert "web-1: the shop does not answer" in json.dumps(house.notices[0])


def test_a_reload_takes_a_good_config_and_says_what_is_wrong_with_a_bad_one(house: House) -> None:
    looks, reloads = commands("How is it?")
    of_agent, of_collector = reloads.splitlines()
    pids = house.web.main_pid(AGENT), house.watch.main_pid(COLLECTOR)
    for before, after in (("shop", "store"), ("store", "shop")):
        house.web.shell(f"sed -i 's/id: {before}/id: {after}/' /etc/watchkeeper/agent.yaml; {of_agent}")
        wait_for_line(house.web, AGENT, f"new: {after}; gone: {before}")
    house.watch.shell("echo 'rules: [{no: rule}]' > /etc/watchkeeper/rules.d/bad.yaml; " + of_collector)
    wait_for_line(house.watch, COLLECTOR, "rules are left as they were", "--priority=err")
    house.watch.shell("rm /etc/watchkeeper/rules.d/bad.yaml; " + of_collector)
    wait_for_line(house.watch, COLLECTOR, "for hosts to run, from now on")
    assert (house.web.main_pid(AGENT), house.watch.main_pid(COLLECTOR)) == pids
    assert "Active: active (running)" in house.web.shell(looks)


def wait_for_line(machine: Machine, unit: str, words: str, *options: str) -> None:
    def said() -> bool:
        return any(words in line for line in machine.journal(unit, *options))

    wait_until(f"{words!r} in the journal", said, PATIENCE_S, every_s=0.2)


@pytest.mark.parametrize("unit", [AGENT, COLLECTOR])
def test_the_journal_has_levels_and_no_prefixes(house: House, unit: str) -> None:
    machine = house.web if unit == AGENT else house.watch
    assert machine.journal(
        unit, "--priority=info", "_COMM=watchkeeper-age" if unit == AGENT else "_COMM=watchkeeper"
    )
    assert not [line for line in machine.journal(unit) if re.match(r"<\d>|\d{4}-\d\d-\d\d", line)]


@pytest.mark.parametrize("unit", [AGENT, COLLECTOR])
def test_a_mistake_in_the_config_ends_the_start_with_one_error_and_is_not_tried_again(
    house: House, unit: str
) -> None:
    machine = house.web if unit == AGENT else house.watch
    config = f"/etc/watchkeeper/{unit.removeprefix('watchkeeper-')}.yaml"
    machine.shell(f"cp -p {config} /root/config.yaml; echo '  colour: red' >> {config}")
    assert machine.try_run("systemctl", "restart", unit).returncode != 0
    assert machine.property(unit, "ExecMainStatus") == "2"
    errors = [line for line in machine.journal(unit, "--priority=err") if "colour" in line]
    assert len(errors) == 1
    assert config in errors[0]
    time.sleep(3)
    assert machine.property(unit, "ActiveState") == "failed"
    machine.shell(f"mv /root/config.yaml {config}; systemctl restart {unit}")
    house.wait_for_a_new_batch()


@pytest.mark.parametrize("unit", [AGENT, COLLECTOR])
def test_what_is_killed_is_started_anew(house: House, unit: str) -> None:
    machine = house.web if unit == AGENT else house.watch
    pid = machine.main_pid(unit)
    machine.shell(f"kill -KILL {pid}")
    wait_for_restart(machine, unit, pid)
    house.wait_for_a_new_batch()


@pytest.mark.parametrize(("unit", "silence_s"), BEATEN)
def test_what_hangs_is_started_anew(house: House, unit: str, silence_s: float) -> None:
    machine = house.web if unit == AGENT else house.watch
    sooner = f"/run/systemd/system/{unit}.service.d/sooner.conf"
    text = "[Service]\nWatchdogSec=4s\nTimeoutAbortSec=2s\n"
    machine.shell(f"mkdir -p $(dirname {sooner}); cat > {sooner}; systemctl daemon-reload", stdin=text)
    machine.run("systemctl", "restart", unit)
    pid = machine.main_pid(unit)
    time.sleep(silence_s / 2)
    assert machine.main_pid(unit) == pid, "it beats, so nobody ends it"
    machine.shell(f"kill -STOP {pid}")
    wait_for_restart(machine, unit, pid)
    assert any("Watchdog timeout" in line for line in machine.journal(unit))
    machine.shell(f"rm {sooner}; systemctl daemon-reload; systemctl restart {unit}")
    house.wait_for_a_new_batch()


def test_the_token_can_be_for_root_alone(house: House) -> None:
    unit = f"/etc/systemd/system/{AGENT}.service.d/token.conf"
    house.web.shell(
        f"mkdir -p $(dirname {unit}); cat > {unit}", stdin=example("A token that only root can read", "ini")
    )
    house.web.shell("""
        umask 077; cd /etc/watchkeeper
        sed -n 's/^  token: //p' agent.yaml > agent.token
        sed -i '/^  token: /d' agent.yaml
        systemctl daemon-reload; systemctl restart watchkeeper-agent
    """)
    house.wait_for_a_new_batch()
    assert house.web.run("stat", "--format=%U %a", "/etc/watchkeeper/agent.token").split() == ["root", "600"]


def test_an_upgrade_while_the_collector_is_away_loses_nothing(house: House, packages: list[Path]) -> None:
    agent, collector = packages
    house.web.shell(newer(agent, Path("/root")))
    house.watch.shell(newer(collector, Path("/root")))
    house.watch.run("systemctl", "stop", COLLECTOR)
    left = house.newest()
    time.sleep(8)
    began = time.monotonic()
    house.web.shell("cd /root; " + commands("Upgrading")[0])
    pause_s = time.monotonic() - began
    assert house.web.run("dpkg-query", "--show", "--showformat=${Version}", AGENT) == "9.0-1"
    wait_until("the new agent", lambda: house.web.property(AGENT, "ActiveState") == "active", PATIENCE_S)
    house.watch.shell("cd /root; " + commands("The collector")[0])
    wait_until(
        "the collector", lambda: house.watch.property(COLLECTOR, "ActiveState") == "active", PATIENCE_S
    )
    back = time.time_ns() // 1_000_000

    def gap_s() -> float:
        times = [row["at"] for row in house.ask("SELECT at FROM batches WHERE at >= ? ORDER BY at", left)]
        if not times or times[-1] < back:
            return 9e9
        return max(after - before for before, after in pairwise(times)) / 1000

    wait_until("what was kept meanwhile", lambda: gap_s() < pause_s + 3, PATIENCE_S, every_s=0.5)
    assert house.watch.run("grep", "-c", "10.77.0.1:8420", "/etc/watchkeeper/collector.yaml").strip() == "1"
    assert len(house.ask("SELECT * FROM hosts WHERE name NOT LIKE 'service:%'")) == 1


def test_both_come_back_after_a_reboot(house: House) -> None:
    for machine in (house.watch, house.web):
        machine.reboot()
    house.wait_for_a_new_batch()
    assert "web-1" in house.page("/")


def test_a_host_that_is_powered_off_is_grey_and_not_missed(house: House) -> None:
    house.web.power_off()
    flags, page = house.ask("SELECT flags FROM heard")[0]["flags"], house.page("/")
    house.web.start()
    house.wait_for_a_new_batch()
    assert (json.loads(flags), "stopped (planned)" in page) == (["shutdown"], True)
    assert "stopped" not in house.page("/")


def test_a_host_whose_agent_is_removed_says_goodbye_and_keeps_its_config(house: House) -> None:
    house.web.shell(f"rm -r /etc/systemd/system/{AGENT}.service.d; systemctl daemon-reload")
    house.web.shell("sed -i '1a\\  token_file: agent.token' /etc/watchkeeper/agent.yaml")
    house.web.shell(
        "chgrp watchkeeper-agent /etc/watchkeeper/agent.token; chmod 640 /etc/watchkeeper/agent.token"
    )
    said = house.web.run("apt-get", "remove", "--yes", AGENT)
    assert "the collector knows that this host is not watched any more" in said
    assert house.web.path("/etc/watchkeeper/agent.yaml").exists()
    assert house.web.path("/var/lib/watchkeeper/agent/spool").exists()


@pytest.mark.parametrize("unit", [AGENT, COLLECTOR])
def test_a_purge_leaves_nothing(house: House, unit: str) -> None:
    machine = house.web if unit == AGENT else house.watch
    machine.shell(commands("Removing it")[0].replace(AGENT, unit))
    left = machine.shell(
        "find / -xdev -iname '*watchkeeper*' ! -path '/root/*' ! -path '/proc/*' -print"
    ).split()
    assert left == []
    assert "watchkeeper" not in machine.run("cat", "/etc/passwd", "/etc/group")
    assert machine.run("systemctl", "list-units", "--all", "--plain", "--no-legend", "watchkeeper*") == ""
    assert machine.run("systemctl", "is-system-running").strip() == "running"
