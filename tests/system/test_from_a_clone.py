"""What docs/install.md says of serving others from a clone, line by line, up to a second host on the page."""

from __future__ import annotations

import os
import re
import socket
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Needs
from tests.system import bundle
from tests.system.harness import Stage
from tests.system.programs import ROOT, Program, environ, free_port, wait_until

COMMAND_S = 120
ADDRESS = "10.77.0.1:8420"


class Clone:
    """The top of a tree, as whoever has cloned it sees it; `blocks` is what the page says is to be done there."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        folder.mkdir()
        (folder / ".venv").symlink_to(sys.prefix)
        page = (ROOT / "docs" / "install.md").read_text()
        section = re.search(r"^## From a clone$(.*?)(?=^## )", page, re.MULTILINE | re.DOTALL)
        assert section is not None
        here = section[1].replace("https://" + ADDRESS, f"https://127.0.0.1:{port}")
        here = here.replace("0.0.0.0:8420", f"0.0.0.0:{port}").replace("10.77.0.1", "127.0.0.1")
        self.commands = re.findall(r"^    (\S(?:.*\\\n)*.*)$", here, re.MULTILINE)
        self.configs = re.findall(r"^```yaml\n(.*?)^```$", here, re.MULTILINE | re.DOTALL)

    def shell(self, script: str, home: Path | None = None) -> str:
        done = subprocess.run(
            ["sh", "-ec", script],
            cwd=home or self.folder,
            env={"HOME": str(home), "PATH": os.environ["PATH"]} if home else environ(),
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            check=False,
        )
        assert done.returncode == 0, f"{script}: {done.stdout}{done.stderr}"
        return done.stdout

    def program(self, name: str, command: str) -> Program:
        return Program(name, ["sh", "-c", f"exec {command}"], self.folder / f"{name}.log", cwd=self.folder)

    def page(self, path: str) -> str:
        trusting = ssl.create_default_context(cafile=str(self.folder / ".watchkeeper" / "cert.pem"))
        with urllib.request.urlopen(f"https://127.0.0.1:{self.port}{path}", context=trusting) as answer:
            return str(answer.read().decode())


@pytest.fixture
def clone(needs: Needs, stage: Stage) -> Clone:
    needs("curl")
    needs("openssl")
    return Clone(stage.folder / "watchkeeper", free_port())


@pytest.fixture
def home(clone: Clone) -> Iterator[Path]:
    """Of a user of the other host."""
    home = clone.folder.parent / "home"
    home.mkdir()
    yield home
    installed = home / ".local" / "share" / "watchkeeper-agent" / "install.sh"
    if installed.exists():
        clone.shell(f"sh {installed} --uninstall --user", home)


def test_whoever_follows_the_page_has_a_second_host_on_theirs(clone: Clone, stage: Stage, home: Path) -> None:
    first = stage.keep(
        clone.program("up", f"{sys.executable} -m collector up --port {clone.port}"),
    )
    first.start()
    wait_until("make run", lambda: "connected to the collector" in first.said)
    first.press_ctrl_c()
    assert first.wait() == 0

    make, certify, serve, agent, join = clone.commands
    assert make == "make bundle"
    bundle.build(clone.folder / "bundles", bundle.NAME)
    clone.shell(certify)
    of_collector, of_agent = clone.configs
    config = clone.folder / ".watchkeeper" / "collector.yaml"
    config.write_text(f"{of_collector}  bundles: ../bundles\n")
    config.with_name("agent.yaml").write_text(of_agent)

    serving = stage.keep(clone.program("serve", serve))
    serving.start()
    link = wait_until(
        "the link", lambda: re.search(r"https://127\.0\.0\.1:\d+(/setup\?code=\S+)", serving.said)
    )
    assert "The first user" in wait_until("its page", lambda: clone.page(link[1]))
    stage.keep(clone.program("agent", agent)).start()

    said = clone.shell(join)
    assert " && sudo sh watchkeeper-install.sh wk_join_" in said
    clone.shell(said.strip().replace("sudo sh", "sh") + " --user --name web-1", home)
    wait_until("both on the page", lambda: {"web-1", socket.gethostname()} <= names(clone.page("/")))


def names(page: str) -> set[str]:
    """Of the hosts on it."""
    return set(re.findall(r'href="/hosts/\d+">([^<]+)<', page))
