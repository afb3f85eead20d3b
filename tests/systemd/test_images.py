"""The container images, built for real, without a network, and run: an agent in one pushes to a collector in another.

Built by buildah, which needs no daemon. Its base is a tree of Debian made here, in the place of the image that the
Dockerfile names; what it installs is what it would fetch, fetched before.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Needs
from tests.system.harness import get
from tests.system.programs import ROOT, free_port, wait_until
from tests.systemd.machine import IMAGE_PACKAGES, MAKE_S, base_tree

DOCKERFILE = ROOT / "packaging" / "container" / "Dockerfile"
PAGE = (ROOT / "docs" / "containers.md").read_text()
MIB_MAX = {"agent": 30, "collector": 200}
"""What each may add to its base."""
USERS = {"agent": 8421, "collector": 8420}
COMMANDS = {"agent": "watchkeeper-agent", "collector": "watchkeeper"}
BUILT = ("agent", "collector")


class Images:
    """Images and containers in a store of their own. Commands are run from the top of the tree, as on the page."""

    def __init__(self, folder: Path) -> None:
        self._store = ["--root", str(folder / "root"), "--runroot", str(folder / "run")]
        self._store += ["--storage-driver", self._driver()]
        self._environ = os.environ | {"BUILDAH_ISOLATION": "chroot"}

    def _driver(self) -> str:
        """The quick one, where the disk can do it."""
        command = ["buildah", *self._store, "--storage-driver", "overlay", "info"]
        can = subprocess.run(command, capture_output=True, check=False).returncode == 0
        return "overlay" if can else "vfs"

    def command(self, *arguments: str | Path) -> list[str]:
        return ["buildah", *self._store, *map(str, arguments)]

    def run(self, *arguments: str | Path) -> str:
        done = self._done(*arguments)
        assert done.returncode == 0, f"buildah {' '.join(map(str, arguments))}:\n{done.stdout}{done.stderr}"
        return done.stdout.strip()

    def can(self, *arguments: str | Path) -> bool:
        return self._done(*arguments).returncode == 0

    def _done(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            cwd=ROOT,
            env=self._environ,
            capture_output=True,
            text=True,
            timeout=MAKE_S,
            check=False,
        )

    def inspect(self, image: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("inspect", "--type", "image", image))
        return found

    @contextmanager
    def container(self, image: str) -> Iterator[str]:
        name = self.run("from", image)
        try:
            yield name
        finally:
            self.run("rm", name)

    def start(self, container: str, log: Path, *command: str) -> subprocess.Popen[bytes]:
        """Run a command in it, as the image's user, for as long as the test wants."""
        with log.open("wb") as out:
            return subprocess.Popen(
                self.command("run", "--network", "host", container, "--", *command),
                env=self._environ,
                stdout=out,
                stderr=subprocess.STDOUT,
            )


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All that goes into the images, so that building them asks nobody."""
    folder = tmp_path_factory.mktemp("wheels")
    wanted = [".[collector]", "setuptools>=77"]
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--constraint", "constraints.txt"),
            "--dest",
            folder,
            *wanted,
        ],
        cwd=ROOT,
        capture_output=True,
        timeout=MAKE_S,
        check=True,
    )
    return folder


@pytest.fixture(scope="module")
def images(needs: Needs, wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Images]:
    needs("buildah")
    needs.that(os.geteuid() == 0, "needs root, to build images of any base")
    images = Images(tmp_path_factory.mktemp("images"))
    empty = images.run("from", "scratch")
    images.run("copy", "--quiet", empty, base_tree(IMAGE_PACKAGES), "/")
    images.run("commit", "--quiet", empty, "localhost/base")
    images.run("rm", empty)
    lines = re.findall(r"^docker (build .*)$", PAGE, re.MULTILINE)
    assert len(lines) == len(BUILT)
    for line in lines:
        build, *arguments = shlex.split(line)
        images.run(
            *(build, "--quiet", "--layers", "--format", "docker"),
            *("--ignorefile", DOCKERFILE.with_name("Dockerfile.dockerignore")),
            *("--build-arg", "BASE=localhost/base", "--volume", f"{wheels}:/wheels:ro"),
            *("--build-arg", "PIP_NO_INDEX=1", "--build-arg", "PIP_FIND_LINKS=/wheels"),
            *arguments,
        )
    yield images
    images.run("rmi", "--all", "--force")


def size_mib(images: Images, name: str) -> float:
    listed = json.loads(images.run("images", "--json"))
    sizes = {tag: image["size"] for image in listed for tag in image.get("names") or []}
    text = next(size for tag, size in sizes.items() if tag.startswith(f"localhost/{name}:"))
    number, unit = str(text).split()
    return float(number) * {"MB": 1e6, "GB": 1e9}[unit] / 2**20


@pytest.mark.parametrize("name", BUILT)
def test_an_image_is_small_runs_as_nobody_special_and_says_how_it_is(images: Images, name: str) -> None:
    assert size_mib(images, f"watchkeeper-{name}") - size_mib(images, "base") < MIB_MAX[name]
    config = images.inspect(f"localhost/watchkeeper-{name}")["Docker"]["config"]
    assert config["User"] == f"{USERS[name]}:{USERS[name]}"
    assert config["Healthcheck"]["Test"] == ["CMD", COMMANDS[name], "doctor", "--alive"]
    assert config["Entrypoint"] == [COMMANDS[name]]


@pytest.mark.parametrize("name", BUILT)
def test_an_image_holds_its_command_and_nothing_that_installs_more(images: Images, name: str) -> None:
    with images.container(f"localhost/watchkeeper-{name}") as container:
        assert images.run("run", container, "--", COMMANDS[name], "--version")
        there = images.run("run", container, "--", "ls", f"/opt/watchkeeper/{name}/bin").split()
        assert sorted(one for one in there if not one.startswith("python")) == [COMMANDS[name]]
        found = images.run(
            "run", container, "--", "find", f"/opt/watchkeeper/{name}", "-writable", "-not", "-type", "l"
        )
        assert found == ""


def test_a_host_in_one_container_is_seen_by_the_collector_in_another(images: Images, tmp_path: Path) -> None:
    port = free_port()
    address = f"127.0.0.1:{port}"
    listen = ["env", f"WATCHKEEPER_COLLECTOR__LISTEN={address}"]
    with (
        images.container("localhost/watchkeeper-collector") as one,
        images.container("localhost/watchkeeper-agent") as other,
    ):
        serving = images.start(one, tmp_path / "collector.log", *listen, "watchkeeper", "serve")
        try:
            wait_until("the collector", lambda: get(f"http://{address}/ready")[0] == 200)
            images.run("run", "--network", "host", one, "--", *listen, "watchkeeper", "doctor", "--alive")
            code = images.run(
                "run", "--network", "host", one, "--", *listen, "watchkeeper", "join-command", "--code-only"
            )
            images.run(
                *("run", "--network", "host", other, "--"),
                *("watchkeeper-agent", "join", f"http://{address}", code, "--name", "boxed"),
            )
            watching = images.start(other, tmp_path / "agent.log", "watchkeeper-agent", "run")
            try:
                wait_until("its host on the page", lambda: "boxed" in get(f"http://{address}/")[1])
                alive = ("run", other, "--", "watchkeeper-agent", "doctor", "--alive")
                wait_until("its agent to be at work", lambda: images.can(*alive))
            finally:
                end(watching)
        finally:
            end(serving)


def end(running: subprocess.Popen[bytes]) -> None:
    running.terminate()
    try:
        running.wait(20)
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait(20)
