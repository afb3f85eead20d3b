"""Bundles for the Pythons of this machine, built as `make bundle` does it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from tests.system.programs import ROOT

MINORS = (11, 12, 13)
BUILD_S = 300


def name_for(minor: int) -> str:
    return f"cp3{minor}-{platform.machine()}"


def _pythons() -> dict[int, Path]:
    found = {sys.version_info[1]: Path(sys._base_executable)}  # type: ignore[attr-defined]
    for minor in MINORS:
        name = f"python3.{minor}"
        kept = sorted((Path.home() / ".pyenv" / "versions").glob(f"3.{minor}.*/bin/{name}"))
        for python in filter(None, [shutil.which(name), *kept]):
            if minor not in found and subprocess.run([python, "-c", ""], capture_output=True).returncode == 0:
                found[minor] = Path(python)
    return found


NAME = name_for(sys.version_info[1])
PYTHONS = _pythons()
"""The CPythons of this machine that there is a bundle for, by their minor version: the one that runs the tests, and
what else there is."""


def build(folder: Path, *names: str) -> None:
    """Into a folder."""
    done = subprocess.run(
        [ROOT / "packaging" / "bundle" / "build", folder, *names],
        env=os.environ | {"PIP": f"{sys.executable} -m pip", "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=BUILD_S,
        check=False,
    )
    assert done.returncode == 0, f"packaging/bundle/build: {done.stdout}{done.stderr}"
