"""The pages for those who run it (configure, secure, back up, upgrade, troubleshoot): every command in them, for real.

And the doctors, on machines with a real systemd, before faults that only such machines can have.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.system.programs import ROOT, wait_until
from tests.systemd.house import AGENT, COLLECTOR, PATIENCE_S, House, blocks, example
from tests.systemd.machine import Machine

TROUBLESHOOT = (ROOT / "docs" / "troubleshoot.md").read_text()
NAME = "watch.example.org"
LOG_FOR_ADM = "    - {kind: log, id: secret, path: /var/log/secret.log, patterns: {a: b}}\n"
ASK_APT = "from agent.checks._apt import Apt; print(Apt(3600)._ask())"


def marks(machine: Machine, command: str) -> dict[str, str]:
    """What a doctor finds: words by mark and subject."""
    done = machine.try_run(command, "doctor", "--json")
    told = json.loads(done.stdout)
    assert done.returncode == ["ok", "look", "bad"].index(told["mark"]), done.stderr
    return {f"{one['mark']} {one['about']}": f"{one['words']} > {one['do']}" for one in told["findings"]}


@pytest.fixture(scope="module")
def lived_in(house: House) -> House:
    """A house in which web-1 pushes to watch."""
    for machine in (house.watch, house.web):
        machine.shell(f"echo '10.77.0.1 {NAME}' >> /etc/hosts")
        machine.shell(f"cd /root; apt-get install ./{COLLECTOR if machine is house.watch else AGENT}_*.deb")
    config = "collector:\n  listen: 0.0.0.0:8420\n  url: http://10.77.0.1:8420\n"
    house.watch.shell(
        "cat > /etc/watchkeeper/collector.yaml; systemctl restart watchkeeper-collector", stdin=config
    )
    wait_until("the page", lambda: house.page("/"), PATIENCE_S)
    enrol(house)
    wait_until("the first batch", house.newest, PATIENCE_S)
    return house


def enrol(house: House, more: str = "") -> None:
    """Put a new token for web-1 into its agent's config, and what is to follow that."""
    printed = house.watch.run("watchkeeper", "host", "add", "web-1")
    house.web.shell(
        "install -m 640 -g watchkeeper-agent /dev/stdin /etc/watchkeeper/agent.yaml; "
        "systemctl restart watchkeeper-agent",
        stdin=printed + more,
    )


def play(house: House, page: str) -> list[str]:
    """Run all commands of a page, in its order; what each block said."""
    machines = {"watch": house.watch, "web": house.web}
    return [machines[where].shell(f"cd /root; {script}") for where, script in blocks(page)]


# --- the doctors ------------------------------------------------------------------------------------------------------


def test_the_doctors_find_a_house_that_is_well(lived_in: House) -> None:
    host = marks(lived_in.web, "watchkeeper-agent")
    assert not [name for name in host if name.startswith("bad")]
    assert f"{AGENT}.service, active" in host["ok agent"]
    assert {"ok token", "ok disk", "ok spool", "ok collector", "ok checks"} <= set(host)
    found = marks(lived_in.watch, "watchkeeper")
    assert set(found) >= {"ok collector", "ok url", "ok disk", "ok store", "ok hosts", "ok connections"}
    assert [name for name in found if name.startswith("bad")] == ["bad users"]


def test_root_sees_with_the_agents_eyes_what_its_unit_keeps_from_it(lived_in: House) -> None:
    lived_in.web.shell("install -m 640 -g adm /dev/null /var/log/secret.log")
    enrol(lived_in, "  checks:\n" + LOG_FOR_ADM)
    found = marks(lived_in.web, "watchkeeper-agent")["bad check secret"]
    assert "Permission denied" in found
    unit = f"/etc/systemd/system/{AGENT}.service.d"
    given = re.search(r"SupplementaryGroups=\w+", found)
    assert given is not None
    lived_in.web.shell(
        f"mkdir -p {unit}; printf '[Service]\n{given[0]}\n' > {unit}/groups.conf; systemctl daemon-reload"
    )
    lived_in.web.run("systemctl", "restart", AGENT)
    assert "bad check secret" not in marks(lived_in.web, "watchkeeper-agent")


def test_an_agent_that_was_stopped_and_a_collector_that_was(lived_in: House) -> None:
    lived_in.web.run("systemctl", "stop", AGENT)
    lived_in.watch.run("systemctl", "stop", COLLECTOR)
    host, found = marks(lived_in.web, "watchkeeper-agent"), marks(lived_in.watch, "watchkeeper")
    for machine, unit in ((lived_in.watch, COLLECTOR), (lived_in.web, AGENT)):
        machine.run("systemctl", "start", unit)
    assert "systemctl start watchkeeper-agent" in host["bad agent"]
    assert "connection refused by 10.77.0.1:8420" in host["bad collector"]
    assert "systemctl start watchkeeper-collector" in found["bad collector"]
    lived_in.wait_for_a_new_batch()


def test_apt_can_be_asked_in_the_agents_unit(lived_in: House) -> None:
    """With all that the unit takes away: no other folder to write to than its own, and no rights."""
    unit = (ROOT / "packaging" / "systemd" / f"{AGENT}.service").read_text()
    unit = re.sub(
        r"(?m)^(Type|ExecStart|ExecReload|WatchdogSec|Restart\w*|ConditionPathExists)=.*\n", "", unit
    )
    start = f"[Service]\nType=oneshot\nExecStart=/opt/watchkeeper/agent/bin/python3 -c '{ASK_APT}'\n"
    lived_in.web.shell("cat > /run/systemd/system/ask-apt.service", stdin=unit.replace("[Service]\n", start))
    lived_in.web.shell("systemctl daemon-reload; systemctl start ask-apt")
    assert any(line.startswith("Waiting(updates=") for line in lived_in.web.journal("ask-apt"))


# --- the pages --------------------------------------------------------------------------------------------------------


def test_configure(lived_in: House) -> None:
    checked, notify, looked, kinds = play(lived_in, "configure.md")
    assert "The config is right" in checked
    assert "No channel yet" in notify
    assert "the config is right" in looked
    assert "cpu: " in kinds


def test_back_up_and_restore(lived_in: House) -> None:
    copied, _, sound, restored = play(lived_in, "backup.md")
    assert "checked and is sound" in copied
    assert "is sound: every page of it was read" in sound
    assert "watchkeeper.db.before-restore" in restored
    lived_in.wait_for_a_new_batch()
    assert "ok disk" in marks(lived_in.watch, "watchkeeper"), "what root has restored is the collector's"


def test_upgrade(lived_in: House) -> None:
    copied, agent = play(lived_in, "upgrade.md")
    assert "checked and is sound" in copied
    assert "1 of version " in copied
    assert AGENT in agent
    lived_in.wait_for_a_new_batch()


def command_cells(heading: str) -> list[str]:
    section = TROUBLESHOOT.partition(f"## By symptom: {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"\| `([^`]+)` \|$", section, re.MULTILINE)


@pytest.mark.parametrize("command", command_cells("on the host"))
def test_troubleshoot_on_the_host(lived_in: House, command: str) -> None:
    looked(lived_in.web, command)


@pytest.mark.parametrize("command", command_cells("on the collector's machine"))
def test_troubleshoot_on_the_collectors_machine(lived_in: House, command: str) -> None:
    looked(lived_in.watch, command)


def looked(machine: Machine, command: str) -> None:
    done = machine.try_run("sh", "-ec", command)
    assert done.stdout, f"{command}: {done.stderr}"
    assert done.returncode == 0 or command.endswith("doctor"), f"{command}: {done.stderr}"


def test_troubleshoot_begins_with_the_doctors(lived_in: House) -> None:
    for said in play(lived_in, "troubleshoot.md"):
        assert re.search(r"^ok    config", said, re.MULTILINE)


def test_secure(lived_in: House) -> None:
    watch, web = lived_in.watch, lived_in.web
    watch.shell(f"""
        umask 077; mkdir -p /etc/watchkeeper/tls /etc/systemd/system/{COLLECTOR}.service.d; cd /etc/watchkeeper/tls
        openssl req -x509 -newkey rsa:2048 -nodes -days 10 -subj /CN={NAME} -addext subjectAltName=DNS:{NAME} \\
            -keyout key.pem -out cert.pem 2>/dev/null
        chmod 755 /etc/systemd/system/{COLLECTOR}.service.d
    """)
    heading = "Serve by TLS"
    dropped = f"/etc/systemd/system/{COLLECTOR}.service.d/tls.conf"
    watch.shell(
        f"umask 022; cat > {dropped}; systemctl daemon-reload", stdin=example(heading, "ini", "secure.md")
    )
    watch.shell("cat > /etc/watchkeeper/collector.yaml", stdin=example(heading, "yaml", "secure.md"))
    _, fingerprint, command, exposed, exposed_agent = play(lived_in, "secure.md")
    pin = "sha256:" + fingerprint.strip().partition("=")[2]
    shown = example("An agent that trusts your certificate", "yaml", "secure.md").replace("sha256:…", pin)
    code = re.search(r"wk_join_\S+", command)
    assert code is not None
    web.shell("cat > /etc/watchkeeper/agent.yaml", stdin=f"{shown}  token_file: agent.token\n")
    web.shell(f"watchkeeper-agent join https://{NAME}:8420 {code[0]}; systemctl restart {AGENT}")
    lived_in.wait_for_a_new_batch()
    assert "ok TLS" in marks(web, "watchkeeper-agent")
    found = marks(watch, "watchkeeper")
    assert "holds for another" in found["look TLS"], "ten days are few"
    assert "ok collector" in found
    for said in (exposed, exposed_agent):
        exposure = re.search(r"Overall exposure level for \S+ ([\d.]+)", said)
        assert exposure is not None
        assert float(exposure[1]) <= 2.0


def test_every_page_for_those_who_run_it_is_played() -> None:
    played = set(re.findall(r'play\(\w+, "(\S+)"\)', Path(__file__).read_text()))
    assert played == {"configure.md", "secure.md", "backup.md", "upgrade.md", "troubleshoot.md"}


def test_every_heading_of_the_page_of_installing_has_its_commands_run() -> None:
    page = (ROOT / "docs" / "install.md").read_text()
    sections = re.split(r"^## ", page, flags=re.MULTILINE)[1:]
    headings = {section.partition("\n")[0] for section in sections if "\n```sh\n" in section}
    tests = "".join(file.read_text() for file in Path(__file__).parent.glob("test_*.py"))
    assert headings == set(re.findall(r'commands\("([^"]+)"\)', tests))
