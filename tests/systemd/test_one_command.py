"""Hosts that join by the one command that the collector makes, on machines with a real systemd; one life, in order."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import trustme

from rules.model import SERVICE
from tests.conftest import Needs
from tests.system.netns import Network, is_possible
from tests.system.programs import wait_until
from tests.systemd.house import AGENT, COLLECTOR, PATIENCE_S, House, commands
from tests.systemd.machine import Machine, base_tree

ADDRESS = "10.77.0.1"
CONFIG = f"""
collector:
  listen: 0.0.0.0:8420
  url: https://{ADDRESS}:8420
  tls: {{cert: /etc/watchkeeper/tls/cert.pem, key: /etc/watchkeeper/tls/key.pem}}
"""
HOME = "/opt/watchkeeper-agent"
ON_PAGE_S_MAX = 30.0
HOSTS = {"db-1": "", "db-2": "", "db-3": "trixie"}
"""Those that join, and of which release they are, if of another than the collector: one with another CPython."""
CHANGED = "-newer /root/before ! -path '/var/log/*' ! -path '/var/lib/systemd/*' ! -path '/tmp/*'"


class Street(House):
    """`watch` is the collector's machine, `hosts` are those that join; nobody but root lives there, and no sudo."""

    def __init__(self, network: Network, watch: Machine, hosts: list[Machine]) -> None:
        super().__init__(network, watch, hosts[0])
        self.hosts = hosts

    def command(self, *options: str) -> str:
        """What the collector's machine prints, as root types it."""
        (made,) = commands("A host")[:1]
        printed = self.watch.shell(" ".join([made.strip(), *options])).strip()
        assert " && sudo sh watchkeeper-install.sh" in printed
        return "cd /root; " + printed.replace("sudo ", "")

    def heard(self) -> dict[str, int]:
        """How many batches there are of each host, by name."""
        rows = self.ask("SELECT name, count(*) AS n FROM batches JOIN hosts ON hosts.id = host GROUP BY name")
        return {row["name"]: row["n"] for row in rows if not row["name"].startswith(SERVICE)}

    def overview(self) -> str:
        """The page, as somebody on the collector's own machine sees it."""
        return self.watch.try_run("curl", "-fsSk", "https://127.0.0.1:8420/").stdout

    def newest_of(self, name: str) -> int:
        """When its newest batch was sampled."""
        (row,) = self.ask(
            "SELECT max(at) AS at FROM batches JOIN hosts ON hosts.id = host WHERE name = ?", name
        )
        return int(row["at"])

    def gap_s(self, name: str, since: int) -> float:
        """The longest time without a batch of this host from then on."""
        rows = self.ask(
            "SELECT at FROM batches JOIN hosts ON hosts.id = host WHERE name = ? AND at >= ? ORDER BY at",
            name,
            since,
        )
        return max([after["at"] - before["at"] for before, after in pairwise(rows)], default=10**9) / 1000

    def wait_for_more(self, name: str) -> None:
        before = self.heard().get(name, 0)
        wait_until(f"a batch of {name}", lambda: self.heard().get(name, 0) > before, PATIENCE_S, every_s=0.2)


@pytest.fixture(scope="module")
def street(needs: Needs, packages: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    for command in ("systemd-nspawn", "debootstrap", "setpriv", "ip"):
        needs(command)
    needs.that(is_possible(), "needs root, and a kernel that lets it make network namespaces")
    network = Network()
    machines: list[Machine] = []
    try:
        network.add_bridge("switch")
        for number, (name, release) in enumerate({"watch": "", **HOSTS}.items(), start=1):
            network.add(name)
            network.plug(name, f"10.77.0.{number}", "switch")
            machines.append(Machine(name, network.full_name(name)))
            machines[-1].make(base_tree(release=release))
        shutil.copy(packages[1], machines[0].path("/root"))
        for machine in machines:
            machine.start()
        yield Street(network, machines[0], machines[1:])
    finally:
        for machine in machines:
            machine.end()
        network.remove()


@pytest.fixture(autouse=True)
def journals(street: Street, request: pytest.FixtureRequest) -> Iterator[None]:
    """What the services wrote is shown for a failure."""
    yield
    for machine in (one for one in (street.watch, *street.hosts) if one.is_on):
        lines = machine.try_run("journalctl", "--no-pager", "--lines=40", "--unit=watchkeeper-*").stdout
        print(f"--- journal of {machine.name} ---\n{lines}")


def test_the_collector_has_a_certificate_that_nobody_knows(street: Street) -> None:
    street.watch.shell("cd /root; " + commands("The collector")[0])
    issued = trustme.CA().issue_cert(ADDRESS)
    chain = "".join(blob.bytes().decode() for blob in issued.cert_chain_pems)
    street.watch.shell("mkdir /etc/watchkeeper/tls; cat > /etc/watchkeeper/tls/cert.pem", stdin=chain)
    street.watch.shell(
        "cd /etc/watchkeeper/tls; cat > key.pem; chown watchkeeper *; chmod 600 *",
        stdin=issued.private_key_pem.bytes().decode(),
    )
    street.watch.shell("cat > /etc/watchkeeper/collector.yaml", stdin=CONFIG)
    street.watch.shell(commands("The collector")[1])
    assert street.watch.property(COLLECTOR, "ActiveState") == "active"


def test_a_dry_run_changes_nothing(street: Street) -> None:
    host = street.hosts[0]
    host.shell("touch /root/before; sleep 1")
    said = host.shell(street.command() + " --dry-run")
    assert "would: starting the agent, now and at each boot" in said
    assert host.shell(f"find / -xdev -type f {CHANGED}").split() == ["/root/watchkeeper-install.sh"]
    assert street.ask("SELECT * FROM hosts WHERE name NOT LIKE 'service:%'") == []


def test_hosts_join_by_one_command_each_and_are_on_the_page_within_seconds(
    street: Street, capsys: pytest.CaptureFixture[str]
) -> None:
    for host in street.hosts:
        command = street.command("--label", "role=db")
        began = time.monotonic()
        host.shell(command)
        wait_until(
            f"{host.name} on the page",
            lambda name=host.name: name in street.overview(),
            PATIENCE_S,
            every_s=0.1,
        )
        took_s = time.monotonic() - began
        with capsys.disabled():
            print(f"\nfrom curl to {host.name} on the page: {took_s:.1f} s")
        assert took_s < ON_PAGE_S_MAX
    listed = street.watch.shell(commands("A host")[1])
    assert re.findall(r"^(db-\d) +heard .* role=db$", listed, re.MULTILINE) == list(HOSTS)
    assert len(re.findall(r" used +.* 1 of 1 ", street.watch.shell(commands("A host")[2]))) == len(HOSTS)
    kinds = {
        host.run("readlink", f"{HOME}/current").partition("/cp")[2].partition("-")[0] for host in street.hosts
    }
    assert len(kinds) == 2, "each has the agent for its own Python"


def test_the_service_has_few_rights_and_its_token_is_for_it_alone(street: Street) -> None:
    host = street.hosts[0]
    said = host.run("systemd-analyze", "security", "--no-pager", AGENT)
    exposure = re.search(r"Overall exposure level for \S+ ([\d.]+)", said)
    assert exposure is not None
    assert float(exposure[1]) <= 2.0
    owner = host.run("stat", "--format=%U %a", "/etc/watchkeeper/agent.token").split()
    assert owner == ["watchkeeper-agent", "600"]
    assert host.run("systemctl", "is-enabled", AGENT).strip() == "enabled"
    assert host.run("systemctl", "is-system-running").strip() == "running"


def test_a_code_that_was_used_lets_nobody_in_by_the_same_command(street: Street) -> None:
    command = street.command()
    street.hosts[1].shell(command)
    again = street.hosts[0].try_run("sh", "-ec", command)
    assert again.returncode != 0
    assert "this join code has been used already; make another: watchkeeper join-command" in again.stderr
    assert sorted(street.heard()) == list(HOSTS)


def test_a_key_lets_several_hosts_in_until_it_is_revoked(street: Street) -> None:
    key = street.watch.shell(commands("Images and groups that grow")[0]).strip()
    join = f"watchkeeper-agent join https://{ADDRESS}:8420 -"
    for host in street.hosts[1:]:
        host.shell(f"{join}; systemctl restart {AGENT}", stdin=key)
    for name in list(HOSTS)[1:]:
        street.wait_for_more(name)
    listed = street.watch.shell(commands("A host")[2])
    numbers = re.findall(r"^(\S+) .* 2 of 50 ", listed, re.MULTILINE)
    assert len(numbers) == 1, listed
    street.watch.run("watchkeeper", "join", "revoke", numbers[0])
    refused = street.hosts[1].try_run("sh", "-c", join, stdin=key)
    assert (refused.returncode, "revoked" in refused.stderr) == (1, True), refused.stderr


def upgrade(street: Street, host: Machine) -> float:
    """Put another agent in the place of the host's, by the command for that; how many seconds it took."""
    street.watch.shell(
        "for bundle in /opt/watchkeeper/collector/bundles/*.tar; do head -c 10240 /dev/zero >> $bundle; done"
    )
    (block,) = [block for block in commands("Upgrading") if "--upgrade" in block]
    command = street.watch.shell(block).strip().replace("sudo ", "")
    before = host.run("readlink", f"{HOME}/current")
    began = time.monotonic()
    host.shell(f"cd /root; {command}")
    assert host.run("readlink", f"{HOME}/current") != before
    return time.monotonic() - began


def test_an_upgrade_in_place_keeps_config_and_spool_and_leaves_no_hole(street: Street) -> None:
    host = street.hosts[0]
    host.shell(f"echo '  every: 1s' >> /etc/watchkeeper/agent.yaml; systemctl reload {AGENT}")
    street.wait_for_more("db-1")
    kept = host.shell("sha256sum /etc/watchkeeper/*")
    street.wait_for_more("db-1")
    left = street.newest_of("db-1")
    took_s = upgrade(street, host)
    assert len(host.shell(f"ls -d {HOME}/cp*").split()) == 1
    assert host.shell("sha256sum /etc/watchkeeper/*") == kept
    street.wait_for_more("db-1")
    assert street.gap_s("db-1", left) < took_s + 3
    (spools,) = street.ask("SELECT count(*) AS n FROM seen JOIN hosts ON hosts.id = host WHERE name = 'db-1'")
    assert spools["n"] == 1


def test_a_token_is_renewed_while_the_agent_runs(street: Street) -> None:
    host = street.hosts[0]
    before = host.run("cat", "/etc/watchkeeper/agent.token")
    pid = host.main_pid(AGENT)
    host.shell(commands("Tokens")[0])
    assert host.run("cat", "/etc/watchkeeper/agent.token") != before
    assert host.run("stat", "--format=%U %a", "/etc/watchkeeper/agent.token").split() == [
        "watchkeeper-agent",
        "600",
    ]

    def revoked() -> int:
        (row,) = street.ask("""
            SELECT count(*) AS n FROM tokens JOIN hosts ON hosts.id = host
            WHERE name = 'db-1' AND revoked_at IS NOT NULL
        """)
        return int(row["n"])

    wait_until("the old one to be revoked", lambda: revoked() == 1, PATIENCE_S, every_s=0.2)
    street.wait_for_more("db-1")
    assert host.main_pid(AGENT) == pid


def test_a_revoked_host_says_so_keeps_its_spool_over_an_upgrade_and_comes_back_without_a_hole(
    street: Street,
) -> None:
    host = street.hosts[0]
    street.watch.run("watchkeeper", "host", "revoke", "db-1")
    left = street.newest_of("db-1")
    wait_until(
        "its word",
        lambda: any("has been revoked" in line for line in host.journal(AGENT)),
        PATIENCE_S,
        every_s=0.5,
    )
    spooled = "grep -l . /var/lib/watchkeeper/agent/spool/*.segment"
    wait_until("a spool on disk", lambda: host.try_run("sh", "-c", spooled).stdout, PATIENCE_S, every_s=0.5)
    upgrade_s = upgrade(street, host)
    assert host.shell(spooled)
    began = time.monotonic()
    host.shell(street.command("--host", "db-1"))
    pause_s = max(upgrade_s, time.monotonic() - began)
    street.wait_for_more("db-1")
    filled = lambda: street.gap_s("db-1", left) < pause_s + 3  # noqa: E731
    wait_until("what it kept meanwhile", filled, PATIENCE_S, every_s=0.5)
    assert sorted(street.heard()) == list(HOSTS)


def test_without_root_an_agent_is_kept_up_by_the_users_own_systemd(street: Street) -> None:
    host, name = street.hosts[1], "ada-on-db-2"
    host.shell("useradd --create-home ada; loginctl enable-linger ada")
    command = street.command().removeprefix("cd /root; ")
    said = host.as_user("ada", f"{command} --user --name {name}")
    assert "starting the agent, now and at each boot" in said
    street.wait_for_more(name)
    show = f"systemctl --user show --property=MainPID --value {AGENT}"
    before = host.as_user("ada", f"{show}; systemctl --user kill --signal=KILL {AGENT}").strip()
    wait_until("another one", lambda: host.as_user("ada", show).strip() not in ("0", before), PATIENCE_S)
    host.reboot()
    street.wait_for_more(name)
    assert host.as_user("ada", f"systemctl --user is-active {AGENT}").strip() == "active"
    host.as_user("ada", "sh ~/.local/share/watchkeeper-agent/install.sh --uninstall --user")
    left = host.shell("find /home/ada -iname '*watchkeeper*'; pgrep --uid ada --full agent || :").split()
    assert left == ["/home/ada/watchkeeper-install.sh"]
    street.wait_for_more("db-2")


def test_uninstalling_leaves_nothing_and_wakes_nobody(street: Street) -> None:
    host = street.hosts[0]
    said = host.shell(commands("Removing it")[1])
    assert "the collector knows that this host is not watched any more" in said
    left = host.shell(
        "find / -xdev -iname '*watchkeeper*' ! -path '/root/*' ! -path '/proc/*' -print"
    ).split()
    assert left == []
    assert "watchkeeper" not in host.run("cat", "/etc/passwd", "/etc/group")
    assert host.run("systemctl", "is-system-running").strip() == "running"
    flags = street.ask("SELECT flags FROM heard JOIN hosts ON hosts.id = host WHERE name = 'db-1'")[0][
        "flags"
    ]
    assert json.loads(flags) == ["uninstall"]


def test_without_a_systemd_the_installer_says_what_to_run_and_that_runs(street: Street) -> None:
    host = street.hosts[0]
    command = street.command("--host", "db-1")
    before = street.heard()["db-1"]
    host.power_off()
    said = host.without_systemd(command)
    (sentence,) = [line for line in said.splitlines() if "systemd" in line]
    told = re.fullmatch(
        "there is no systemd here; have your own service manager run, as the user ([a-z-]+): (.*)", sentence
    )
    assert told is not None, sentence
    user, run = told.groups()
    as_told = f"setpriv --reuid={user} --regid={user} --clear-groups timeout --preserve-status 10 {run}"
    host.without_systemd(f"{as_told}; sh {HOME}/install.sh --uninstall")
    assert street.heard()["db-1"] > before
