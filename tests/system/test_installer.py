"""The one command that installs an agent, given to a shell: here for a user of this machine, in a home of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Needs
from tests.system import bundle
from tests.system.harness import Collector, Stage
from tests.system.programs import wait_until

INSTALL_S = 120
HASHES = re.compile(r"\b[0-9a-f]{64}\b")


@pytest.fixture(scope="session")
def bundles(needs: Needs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    needs("curl")
    folder = tmp_path_factory.mktemp("bundles")
    bundle.build(folder, *(bundle.name_for(minor) for minor in bundle.PYTHONS))
    return folder


class Home:
    """Where a user lives who has no systemd of their own, and only one Python."""

    def __init__(self, folder: Path, minor: int) -> None:
        self.folder = folder
        self.bundle = bundle.name_for(minor)
        (folder / "bin").mkdir(parents=True)
        (folder / "bin" / "python3").symlink_to(bundle.PYTHONS[minor])
        self.installed = folder / ".local" / "share" / "watchkeeper-agent"
        self.config = folder / ".config" / "watchkeeper" / "agent.yaml"

    def shell(self, script: str) -> subprocess.CompletedProcess[str]:
        paths = f"{self.folder / 'bin'}:/usr/bin:/bin"
        return subprocess.run(
            ["sh", "-c", script],
            cwd=self.folder,
            env={"HOME": str(self.folder), "PATH": paths},
            capture_output=True,
            text=True,
            timeout=INSTALL_S,
            check=False,
        )

    def well(self, script: str) -> str:
        done = self.shell(script)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def files(self) -> set[str]:
        return {str(path.relative_to(self.folder)) for path in self.folder.rglob("*")}

    def end(self) -> None:
        if self.installed.exists():
            self.shell(f"sh {self.installed}/install.sh --uninstall --user")


@pytest.fixture
def home(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Home]:
    home = Home(tmp_path / "home", getattr(request, "param", sys.version_info[1]))
    yield home
    home.end()


@pytest.fixture
def collector(stage: Stage, bundles: Path, home: Home) -> Collector:
    own = stage.folder / "bundles"
    own.mkdir()
    shutil.copy(bundles / f"{home.bundle}.tar", own)
    collector = stage.collector(settings={"bundles": str(own)})
    collector.start()
    return collector


def command(collector: Collector, *more: str) -> str:
    """What `watchkeeper join-command` prints, without sudo and for a user."""
    said = collector.command("join-command", *more)
    assert " && sudo sh watchkeeper-install.sh wk_join_" in said
    return said.strip().replace("sudo sh", "sh") + " --user"


@pytest.mark.parametrize("home", bundle.PYTHONS, indirect=True, ids=lambda minor: f"python3.{minor}")
def test_one_command_installs_an_agent_that_is_seen(collector: Collector, home: Home) -> None:
    said = home.well(command(collector, "--label", "role=desk") + " --name desk-1")
    assert "watchkeeper-install.sh: OK" in said
    assert "has joined" in said
    wait_until("its first batch", lambda: collector.ask("SELECT * FROM pushed"))
    assert collector.ask_one("SELECT name FROM agents") == "desk-1"
    assert collector.ask_one("SELECT labels FROM agents") == '{"role":"desk"}'
    token = home.config.with_name("agent.token")
    assert token.stat().st_mode & 0o077 == 0
    assert home.well(f"{home.folder}/.local/bin/watchkeeper-agent --version").strip()


def test_run_again_it_puts_a_newer_agent_in_place_and_keeps_config_and_spool(
    collector: Collector, home: Home
) -> None:
    home.well(command(collector) + " --name desk-1")
    wait_until("its first batch", lambda: collector.ask("SELECT * FROM pushed"))
    home.config.write_text(home.config.read_text() + "  labels: {site: a}\n")
    kept = home.config.read_text(), home.config.with_name("agent.token").read_text()
    before = (home.installed / "current").resolve()
    assert "this agent is in" in home.well(f"sh {home.installed}/install.sh --user")
    grow(stage_bundle(collector))
    script = command(collector).partition(" && sh ")[0]
    home.well(f"{script} && sh watchkeeper-install.sh --user")
    after = (home.installed / "current").resolve()
    assert after != before
    assert not before.exists()
    assert (home.config.read_text(), home.config.with_name("agent.token").read_text()) == kept
    last = collector.ask_one("SELECT max(id) FROM pushed")
    wait_until("a batch of the new one", lambda: collector.ask_one("SELECT max(id) FROM pushed") > last)
    assert collector.ask_one("SELECT count(*) FROM seen JOIN agents ON agents.id = host") == 1, (
        "the spool is the one that it was"
    )
    assert collector.ask_one("SELECT count(*) FROM pushers") == 1, "and so is the host"


def fetch(collector: Collector) -> str:
    return f"curl -fsS -o install.sh {collector.url}/install"


def stage_bundle(collector: Collector) -> Path:
    return collector.folder.parent / "bundles" / f"{bundle.NAME}.tar"


def grow(file: Path) -> None:
    """Another file of the same use, as a newer version would be."""
    with file.open("ab") as opened:
        opened.write(b"\0" * 10_240)


def test_a_dry_run_says_what_would_be_done_and_changes_nothing(collector: Collector, home: Home) -> None:
    before = home.files()
    said = home.well(command(collector) + " --dry-run")
    for words in (
        "would: fetching the agent",
        "would: making a virtualenv",
        "would: joining",
        "would: starting",
    ):
        assert words in said
    assert home.files() == before | {"watchkeeper-install.sh"}
    assert collector.ask("SELECT * FROM agents") == []
    assert collector.ask_one("SELECT uses FROM joins") == 0


def test_uninstalling_leaves_nothing_and_tells_the_collector(collector: Collector, home: Home) -> None:
    before = home.files()
    home.well(command(collector) + " --name desk-1")
    wait_until("its first batch", lambda: collector.ask("SELECT * FROM pushed"))
    pid = (home.folder / ".local/state/watchkeeper-agent/agent.pid").read_text().strip()
    said = home.well(f"sh {home.installed}/install.sh --uninstall --user")
    assert "the collector knows that this host is not watched any more" in said
    assert not Path(f"/proc/{pid}/cmdline").exists() or not Path(f"/proc/{pid}/cmdline").read_bytes()
    left = {path for path in home.files() if (home.folder / path).is_file()} - before
    assert left == {"watchkeeper-install.sh"}
    wait_until("its goodbye", lambda: "uninstall" in str(collector.ask_one("SELECT flags FROM pushers")))


def test_what_is_not_what_the_command_was_made_for_is_not_run(collector: Collector, home: Home) -> None:
    made = command(collector)
    checksum = HASHES.search(made)
    assert checksum is not None
    done = home.shell(made.replace(checksum[0], "0" * 64))
    assert (done.returncode != 0, "FAILED" in done.stdout) == (True, True)
    assert not home.installed.exists()
    spoil = f"sed -i 's/{bundle.NAME} .*/{bundle.NAME} {'0' * 64}/' install.sh"
    fetched = home.shell(f"{fetch(collector)}; {spoil}; sh install.sh wk_join_x --user")
    assert fetched.returncode == 1
    assert "is not the file that this script was made for; nothing was installed" in fetched.stderr
    assert not (home.installed / "current").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--user", "this host has not joined yet, and that takes a code"),
        ("--user --colour red", "--colour is neither a join code nor an option"),
        ("--user --name", "--name wants a value"),
        ("--user --uninstall", "there is no agent in"),
    ],
)
def test_a_mistake_gets_one_sentence(collector: Collector, home: Home, arguments: str, words: str) -> None:
    done = home.shell(f"{fetch(collector)} && sh install.sh {arguments}")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert words in done.stderr


def test_a_host_that_no_bundle_is_for_gets_one_sentence(collector: Collector, home: Home) -> None:
    stage_bundle(collector).rename(stage_bundle(collector).with_name("cp312-aarch64.tar"))
    python = home.folder / "bin" / "python3"
    python.unlink()
    python.write_text("#!/bin/sh\necho cp36-x86_64\n")
    python.chmod(0o755)
    for minor in (11, 12, 13):
        shutil.copy(python, python.with_name(f"python3.{minor}"))
    done = home.shell(f"{fetch(collector)} && sh install.sh wk_join_x --user")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "it brings one for cp312-aarch64, and found is cp36-x86_64" in done.stderr


def test_a_collector_without_bundles_says_where_to_read_why(collector: Collector, home: Home) -> None:
    stage_bundle(collector).unlink()
    status, text = collector.get("/install")
    assert (status, "its page /hosts/new says why" in text) == (503, True)
    assert collector.get("/install/bundle/cp311-x86_64.tar")[0] == 404
    assert collector.get("/install/bundle/..%2f..%2fcollector.tar")[0] == 404


def test_the_installer_can_be_read_by_any_shell(needs: Needs, collector: Collector) -> None:
    needs("dash")
    _, text = collector.get("/install")
    assert subprocess.run(["dash", "-n"], input=text, text=True, check=False).returncode == 0
    assert max(map(len, text.splitlines())) < 320
    assert os.linesep.join(text.splitlines()[:3]).count("@") == 0
